"""Publications out of events: at once or staged, whole or with refused items (LND-1 … LND-3)."""

from dataclasses import dataclass

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from keeper.abis import load
from keeper.domain.block import BlockRef
from keeper.domain.landed import RefusedItem
from keeper.errors import BadInput
from keeper.protocols.abi import Abi, signature_of, type_of
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.protocols.clearinghouse.publications import HousePublications

SENDER, CONTRACT = "0x" + "11" * 20, "0x" + "bb" * 20
REFUSED = {
    "type": "event",
    "name": "ItemRefused",
    "inputs": [
        {"name": "underlying", "type": "uint16", "indexed": True},
        {"name": "id", "type": "uint64", "indexed": True},
        {"name": "expiry", "type": "uint32", "indexed": False},
        {"name": "what", "type": "bytes32", "indexed": False},
        {"name": "reason", "type": "bytes", "indexed": False},
    ],
}
KNOWN = list(load("RiskParameters").abi)
ENTRIES = [*KNOWN, *([] if any(e.get("name") == "ItemRefused" for e in KNOWN) else [REFUSED])]
TOO_FAR = keccak(b"Error(string)")[:4] + encode(["string"], ["too far"])
NEAR, FAR = 1_900_000_000, 1_910_000_000
QUORUM = "0x" + "dd" * 20
ABIS = {"RiskParameters": Abi("RiskParameters", ENTRIES), "KeeperQuorum": Abi("KeeperQuorum", load("KeeperQuorum").abi)}


@dataclass
class Log:
    topics: tuple
    data: bytes
    block_number: int
    tx_hash: str


def event(name, *, block, tx, **args):
    """One log of the parameters' contract."""
    entry = next(e for e in ENTRIES if e["type"] == "event" and e["name"] == name)
    topics = [keccak(signature_of(entry).encode())]
    plain = []
    for one in entry["inputs"]:
        if one["indexed"]:
            topics.append(encode([type_of(one)], [args[one["name"]]]))
        else:
            plain.append(one)
    data = encode([type_of(p) for p in plain], [args[p["name"]] for p in plain])
    return Log(tuple(topics), data, block, tx)


def published(publication, *, block, tx, psr=150_000, underlying=1):
    return event(
        "Published", block=block, tx=tx, underlying=underlying, id=publication, epoch=1, inputsHash=b"\1" * 32,
        psrPpm=psr, vsrUpPpm=450_000, vsrDownPpm=300_000,
    )  # fmt: skip


def expiry(at, *, block, tx, sigma=700_000, underlying=1):
    return event(
        "ExpiryPublished", block=block, tx=tx, underlying=underlying, expiry=at, phiPpb=10**9, dfPpb=10**9,
        sigmaAtmPpm=sigma, sigmaPpm=[sigma, sigma + 1],
    )  # fmt: skip


def refused(publication, what, *, block, tx, at=0):
    return event(
        "ItemRefused", block=block, tx=tx, underlying=1, id=publication, expiry=at, what=what.encode().ljust(32, b"\0"),
        reason=TOO_FAR,
    )  # fmt: skip


def staged(publication, *, block, tx):
    return event("PublicationStaged", block=block, tx=tx, underlying=1, id=publication, epoch=1)


class Search:
    """A chain of a hundred blocks, ten seconds each."""

    def __init__(self, logs):
        self.found, self.asked, self.calls = logs, [], {}

    def logs(self, first, last, topics):
        self.asked.append((first, last, topics))
        wanted, (underlying,) = set(topics[0]), topics[1:]
        for log in self.found:
            name, of = "0x" + log.topics[0].hex(), "0x" + log.topics[1].hex()
            if first <= log.block_number <= last and name in wanted and of == underlying:
                yield log

    def head(self):
        return self.blocks([100])[0]

    def blocks(self, heights):
        return tuple(BlockRef(h, f"0x{h:064x}", f"0x{h - 1:064x}", 10 * h) for h in heights)

    def call(self, tx_hash):
        return self.calls.get(tx_hash, ("", b""))

    def transaction(self, tx_hash):
        return (SENDER.lower(), CONTRACT) if tx_hash != "0xlost" else ("", "")


def over(*logs):
    deployment = Deployment(
        chain_id=1, block=3, addresses={"RiskParameters": CONTRACT, "KeeperQuorum": QUORUM},
        symbols={1: "ETH", 2: "BTC"}, collaterals={}, liquidator_account=None,
    )  # fmt: skip
    search = Search(logs)
    return HousePublications(search, deployment, ABIS), search


def calldata(contract, publication, *, underlying=1):
    """A call that opens a publication in several transactions."""
    abi = ABIS[contract]
    nothing = {"tuple[]": [], "bytes32": bytes(32)}
    given = {"id": publication, "inputsHash": b"\2" * 32, "psrPpm": 200_000, "vsrUpPpm": 500_000, "vsrDownPpm": 250_000}
    p = [given.get(c["name"], nothing.get(c["type"], 9)) for c in abi.inputs("stage")[1]["components"]]
    mandate = [(7, 8, [], [])] if contract == "KeeperQuorum" else []
    return abi.call("stage", underlying, tuple(p), *mandate)


def test_lately__since_a_time__no_older_one():
    """LND-4: what went live after a time, looked for from the block of that time on."""
    publications, search = over(*(published(n, block=10 * n, tx=f"0x{n}") for n in range(1, 10)))
    assert [one.id for one in publications.lately(1, since_s=500)] == [6, 7, 8, 9], "LND-4: ten seconds a block"
    assert search.asked[-1][0] in (49, 50), "LND-4: and not from the deployment"
    assert publications.lately(1, since_s=900) == ()
    assert len(publications.lately(1, since_s=0)) == 9


@pytest.mark.parametrize(("contract", "at"), [("RiskParameters", CONTRACT), ("KeeperQuorum", QUORUM)])
def test_staged__by_key_or_quorum__ranges_of_the_call_and_the_last_word_on_each_expiry(contract, at):
    """LND-5: what others staged before or in between, and what the fences took out, is told apart."""
    publications, search = over(
        published(4, block=8, tx="0x4"),
        staged(5, block=10, tx="0x5a"),
        expiry(FAR, block=10, tx="0x5a", sigma=1),
        refused(5, "psr", block=20, tx="0x5b"),
        staged(5, block=20, tx="0x5b"),
        expiry(NEAR, block=20, tx="0x5b"),
        refused(5, "smile", block=21, tx="0x5c", at=FAR),
        expiry(NEAR, block=22, tx="0x5d", sigma=800_000),
        published(9, block=30, tx="0x9", underlying=2),
    )
    search.calls["0x5b"] = (at.lower(), calldata(contract, 5))
    found = publications.staged(1)
    assert (found.id, found.inputs_hash, found.block.number) == (5, "0x" + "02" * 32, 20), "LND-5"
    assert (found.ranges.psr_ppm, found.ranges.vsr_up_ppm, found.ranges.vsr_down_ppm) == (200_000, 500_000, 250_000)
    assert [(e.params.expiry, e.params.sigma_atm_ppm) for e in found.expiries] == [(NEAR, 800_000)], "LND-5"
    assert [(r.expiry, r.what) for r in found.refused] == [(0, "psr"), (FAR, "smile")], "LND-5"


def test_staged__nothing_or_live_already__none():
    """LND-5: a publication after it, by whichever way, leaves nothing staged."""
    assert over()[0].staged(1) is None
    assert over(published(4, block=8, tx="0x4"))[0].staged(1) is None
    assert over(staged(5, block=10, tx="0x5"), published(5, block=11, tx="0x6"))[0].staged(1) is None


@pytest.mark.parametrize(
    "call",
    [
        ("", b""),
        ("0x" + "cc" * 20, "right"),
        (QUORUM, b"\1\2\3\4"),
        (QUORUM, "other underlying"),
    ],
    ids=["node does not tell", "some other contract", "no staging", "another underlying's"],
)
def test_staged__opened_by_what_cannot_be_read__refused(call):
    """LND-5: a contract in between may show one publication and stage another; no guess is made."""
    publications, search = over(staged(5, block=10, tx="0x5"))
    to, data = call
    named = {"right": calldata("KeeperQuorum", 5), "other underlying": calldata("KeeperQuorum", 5, underlying=2)}
    search.calls["0x5"] = (to, named.get(data, data))
    with pytest.raises(BadInput, match="cannot read") as refused_:
        publications.staged(1)
    assert "straight to the quorum" in refused_.value.hint, "LND-5"


def test_history__two_at_once__each_with_its_own_expiries_and_sender():
    """LND-1: expiries bind with the `Published` that follows them; who sent it comes from the transaction."""
    chain, search = over(
        expiry(NEAR, block=10, tx="0xa"), published(4, block=10, tx="0xa"),
        expiry(NEAR, block=20, tx="0xb", sigma=800_000), expiry(FAR, block=20, tx="0xb"),
        published(5, block=20, tx="0xb"),
        expiry(NEAR, block=21, tx="0xc", underlying=2), published(9, block=21, tx="0xc", underlying=2),
    )  # fmt: skip
    first, second = chain.history(1)
    assert (first.id, first.block.number, first.block.timestamp) == (4, 10, 100)
    assert [e.params.expiry for e in first.expiries] == [NEAR]
    assert [e.params.sigma_atm_ppm for e in second.expiries] == [800_000, 700_000], "LND-1"
    assert second.expiries[0].sigmas_ppm == (800_000, 800_001)
    assert (second.sender, second.inputs_hash) == (SENDER, "0x" + "01" * 32), "LND-1"
    assert search.asked[0][:2] == (3, 100), "from the deployment to the head"
    assert [one.id for one in chain.history(1, first=11)] == [5]


def test_history__staged__what_was_staged_last_and_not_what_was_thrown_away():
    """LND-1: staging again voids what was staged, and so does a publication at once."""
    chain, _ = over(
        staged(4, block=9, tx="0x1"), expiry(FAR, block=9, tx="0x1", sigma=1),
        staged(4, block=10, tx="0x2"), expiry(NEAR, block=10, tx="0x2"), expiry(FAR, block=11, tx="0x3"),
        published(4, block=12, tx="0x4"),
        staged(5, block=13, tx="0x5"), expiry(FAR, block=13, tx="0x5", sigma=1),
        expiry(NEAR, block=14, tx="0x6"), published(6, block=14, tx="0x6"),
    )  # fmt: skip
    first, second = chain.history(1)
    assert [(e.params.expiry, e.params.sigma_atm_ppm) for e in first.expiries] == [(NEAR, 700_000), (FAR, 700_000)], (
        "LND-1"
    )
    assert [e.params.expiry for e in second.expiries] == [NEAR], "LND-1"


def test_history__refused_items__named_in_our_words_and_not_taken_for_published():
    """LND-2: an item that kept what was in force is told with the contract's reason."""
    chain, _ = over(
        refused(4, "vsrUp", block=9, tx="0x1"), staged(4, block=9, tx="0x1"),
        expiry(NEAR, block=9, tx="0x1"), expiry(FAR, block=9, tx="0x1"),
        refused(4, "smile", block=10, tx="0x2", at=FAR), published(4, block=10, tx="0x2"),
        published(5, block=20, tx="0xlost"),
    )  # fmt: skip
    first, second = chain.history(1)
    assert first.refused == (
        RefusedItem(expiry=0, what="vsr_up", reason="Error: too far"),
        RefusedItem(expiry=FAR, what="smile", reason="Error: too far"),
    ), "LND-2"
    assert [e.params.expiry for e in first.expiries] == [NEAR], "LND-2"
    assert (second.refused, second.expiries, second.sender) == ((), (), "")


def test_find__between_decision_and_end_of_validity__and_nowhere_else():
    """LND-3: only blocks in which it could have landed are looked at."""
    chain, search = over(published(4, block=50, tx="0xa"))
    since = search.blocks([40])[0]
    found = chain.find(1, 4, since=since, until_s=600)
    assert found is not None
    assert search.asked[-1][:2] == (41, 60), "LND-3"
    assert chain.find(1, 4, since=since, until_s=499) is None, "LND-3"
    assert chain.find(1, 5, since=since, until_s=600) is None
    assert chain.find(2, 4, since=since, until_s=5_000) is None


def test_underlying__by_ticker__or_what_there_is():
    chain, _ = over()
    assert chain.underlying("btc") == 2
    with pytest.raises(BadInput, match="no underlying XRP") as told:
        chain.underlying("XRP")
    assert told.value.hint == "there are ETH, BTC"
