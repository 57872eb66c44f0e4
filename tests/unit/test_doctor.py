"""`keeper check`: each thing that can be wrong is found, named, and comes with what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Price, Unusable, Usable
from keeper.domain.tx import SignerRole
from keeper.domain.updates import SignOff
from keeper.errors import BadInput, Halt, KeeperError, Retry
from keeper.ops.doctor import examine
from keeper.ops.doctor.findings import Finding, Verdict, ready
from keeper.ops.doctor.site import NodeLook, Quoting, Unlike, Vouching
from keeper.policy.choices import digest
from keeper.risk.version import MODEL_VERSION
from keeper.testing.builders import NOW, a_block, usd
from keeper.testing.memory_store import MemoryStore

PUBLISHER, LIQUIDATOR, STRANGER, OTHER = ("0x" + digit * 40 for digit in "1234")
ETHER = 10**18


@dataclass
class FakeNode:
    name: str = "node.example"
    problem: KeeperError | None = None
    timestamp: int = NOW
    number: int = 100
    pushes: bool | None = None

    def look(self):
        if self.problem:
            raise self.problem
        head = replace(a_block(timestamp=self.timestamp), number=self.number)
        return NodeLook(head=head, latency_s=0.012, arrays=True, by_hash=True, pushes=self.pushes)


@dataclass
class FakeContracts:
    without_code: Mapping[str, str] = field(default_factory=dict)
    balances: Mapping[str, int] = field(default_factory=dict)
    publishers: tuple[str, ...] = (PUBLISHER,)
    account_owner: str = LIQUIDATOR
    approvals: tuple[str, ...] = ()
    quorum: str = ""
    keepers: tuple[str, ...] = ()
    account_equity: int = usd(50_000)
    answers: Mapping[str, Price] = field(default_factory=lambda: {"ETH": Usable(wad=usd(3_000))})
    stale: tuple[str, ...] = ()
    short: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    differing: tuple[Unlike, ...] = ()

    def missing(self, block):
        return self.without_code

    def differences(self, block):
        return self.differing

    def balance(self, address, block):
        return self.balances.get(address, ETHER)

    def may_publish(self, address, block):
        return address in self.publishers

    def publishing_quorum(self, block):
        return self.quorum

    def keeps(self, address, block):
        return address in self.keepers

    def owner(self, account):
        return self.account_owner

    def may_bid(self, account, address, block):
        return address in (self.account_owner, *self.approvals)

    def approved(self, account, block):
        return self.approvals

    def equity(self, account, block):
        return self.account_equity

    def prices(self, block):
        return dict(self.answers)

    def stale_files(self, block, prices):
        return self.stale

    def short_sighted(self, block):
        return dict(self.short)


class FullStore(MemoryStore):
    def try_write(self):
        raise Halt("disk full", hint="make room")


@dataclass
class FakeSite:
    fake_nodes: tuple[FakeNode, ...] = (FakeNode(),)
    fake_contracts: FakeContracts | KeeperError = field(default_factory=FakeContracts)
    addresses: Mapping[SignerRole, tuple[str, ...]] | KeeperError = field(
        default_factory=lambda: {SignerRole.PUBLISHER: (PUBLISHER,), SignerRole.LIQUIDATOR: (LIQUIDATOR,)}
    )
    store_problem: KeeperError | None = None
    writes: bool = True
    free: int | None = 2**40
    signed_off: bool = True
    signed_knobs: str = ""
    knobs: tuple[RiskKnobs, PolicyKnobs] = (RiskKnobs(), PolicyKnobs())
    liquidator_account: int | None = 5
    chain_id: int = 1
    daily_cap_wei: int = ETHER // 2
    quoted: tuple[Quoting, ...] | KeeperError = ()
    quotes_max_age_s: int = 300
    max_head_age_s: float | None = 120
    max_head_lag_blocks: int | None = 5
    vouched: Vouching = field(default_factory=lambda: Vouching(enough=True, said=""))

    def vouching(self, head):
        return self.vouched

    def nodes(self):
        return self.fake_nodes

    def contracts(self):
        return _or_raise(self.fake_contracts)

    def keys(self):
        return _or_raise(self.addresses)

    def quotes(self):
        return _or_raise(self.quoted)

    def room(self):
        return self.free

    def store(self):
        if self.store_problem:
            raise self.store_problem
        store = MemoryStore() if self.writes else FullStore()
        if self.signed_off:
            store.sign_off(
                SignOff(
                    version=MODEL_VERSION, operator="Ada", reason="seen", at_s=0, evidence="", knobs=self.signed_knobs
                )
            )
        return store


def _or_raise(value):
    if isinstance(value, KeeperError):
        raise value
    return value


def found(site: FakeSite, *, now_s: int = NOW + 5) -> tuple[Finding, ...]:
    return tuple(examine(site, now_s=now_s))


def test_check__sound_site__ready_and_nothing_to_say():
    findings = found(FakeSite())
    assert ready(findings)
    assert {one.verdict for one in findings} == {Verdict.GOOD}
    assert not any(one.hint for one in findings)


def quoted(*, taken_s):
    return (Quoting(symbol="ETH", source="venue.example", taken_s=taken_s, said="venue.example: 400 options"),)


def test_check__fresh_quotes__good_with_their_age():
    (one,) = [f for f in found(FakeSite(quoted=quoted(taken_s=NOW))) if f.what == "quotes ETH"]
    assert one.verdict is Verdict.GOOD
    assert "400 options, 5 s old" in one.said


def test_check__model_not_signed_off__a_warning_that_names_the_command():
    """MOD-2: the keeper could run, and would publish nothing."""
    findings = found(FakeSite(signed_off=False))
    (one,) = [f for f in findings if f.what == "model"]
    assert one.verdict is Verdict.WARNING
    assert "publishes nothing" in one.said
    assert f"keeper model sign-off {MODEL_VERSION}" in one.hint
    assert ready(findings)


def test_check__pool_of_keys__each_judged():
    """A further key is looked at like the first; bids may come from any of them that owns the account."""
    pool = {SignerRole.PUBLISHER: (PUBLISHER,), SignerRole.LIQUIDATOR: (STRANGER, LIQUIDATOR)}
    findings = {
        one.what: one for one in found(FakeSite(fake_contracts=FakeContracts(balances={LIQUIDATOR: 0}), addresses=pool))
    }
    assert findings["liquidator key 2"].verdict is Verdict.GOOD
    assert findings["liquidator balance 2"].verdict is Verdict.BAD
    assert findings["liquidator account"].verdict is Verdict.GOOD


@pytest.mark.parametrize(("keepers", "verdict"), [((PUBLISHER,), Verdict.GOOD), ((), Verdict.WARNING)])
def test_check__role_with_a_quorum_of_keepers__no_error_and_the_command(keepers, verdict):
    """QCL-5: a key that publishes with others is as it should be; one that is no keeper carries papers only."""
    findings = found(FakeSite(fake_contracts=FakeContracts(publishers=(), quorum=STRANGER, keepers=keepers)))
    (one,) = [f for f in findings if f.what == "publisher key"]
    assert one.verdict is verdict
    assert STRANGER in one.said
    assert "keeper quorum draft publish" in one.hint
    assert ready(findings)


def test_check__key_publishes_beside_a_quorum__a_warning_with_the_call_that_revokes():
    """DQM-1: one key that may publish alone makes k of n worth nothing; a house of before is told how to mend it."""
    findings = found(FakeSite(fake_contracts=FakeContracts(quorum=STRANGER, keepers=(PUBLISHER,))))
    (one,) = [f for f in findings if f.what == "publisher key"]
    assert one.verdict is Verdict.WARNING
    assert f"may publish alone, beside the quorum of keepers at {STRANGER}" in one.said
    assert f"revokeRole(PUBLISHER_ROLE, {PUBLISHER})" in one.hint
    assert f'revoke = "{PUBLISHER}"' in one.hint
    assert ready(findings)


C = FakeContracts
KEYS = {SignerRole.PUBLISHER: (PUBLISHER,), SignerRole.LIQUIDATOR: (LIQUIDATOR,)}

WRONG = {
    "endpoints disagree": (
        FakeSite((FakeNode(), FakeNode("b")), vouched=Vouching(enough=False, said="a: agrees; b: has 0x12")),
        "endpoints agree",
        "which provider is wrong",
    ),
    "silent node": (FakeSite((FakeNode(problem=Retry("refused")),)), "node node.example", "chain.rpc_urls"),
    "wrong chain": (
        FakeSite((FakeNode(), FakeNode("b", Halt("serves chain 5, configured is 1", hint="point it elsewhere")))),
        "node b",
        "elsewhere",
    ),
    "unsynced node": (FakeSite((FakeNode(timestamp=NOW - 10_000),)), "clock", "synced"),
    "clock behind": (FakeSite((FakeNode(timestamp=NOW + 10_000),)), "clock", "timedatectl"),
    "no deployment file": (FakeSite(fake_contracts=BadInput("no file", hint="write it")), "contracts", "write it"),
    "no code": (
        FakeSite(fake_contracts=C(without_code={"RiskFile": STRANGER})),
        "contract RiskFile",
        "deployment_file",
    ),
    "another contract": (
        FakeSite(fake_contracts=C(differing=(Unlike(said="ClearingHouse.oracle cannot be read", stops=True),))),
        "contracts",
        "correct the address in the deployment file",
    ),
    "unreadable key": (FakeSite(addresses=BadInput("no key", hint="chmod 600")), "keys", "chmod 600"),
    "one key for both": (FakeSite(addresses=dict.fromkeys(SignerRole, (PUBLISHER,))), "keys", "second key"),
    "unfunded key": (FakeSite(fake_contracts=C(balances={PUBLISHER: 0})), "publisher balance", "send ether to 0x1"),
    "may not publish": (FakeSite(fake_contracts=C(publishers=())), "publisher key", "PUBLISHER_ROLE"),
    "liquidator publishes": (
        FakeSite(fake_contracts=C(publishers=(PUBLISHER, LIQUIDATOR))),
        "liquidator key",
        "another",
    ),
    "foreign account": (FakeSite(fake_contracts=C(account_owner=STRANGER)), "liquidator account", "its owner's key"),
    "empty account": (FakeSite(fake_contracts=C(account_equity=0)), "liquidator account", "deposit collateral"),
    "no price": (
        FakeSite(fake_contracts=C(answers={"ETH": Unusable(reason="StalePrice(age=95)")})),
        "price ETH",
        "stay unknown",
    ),
    "quotes from nowhere": (FakeSite(quoted=BadInput("no URL", hint="check quotes.url")), "quotes", "quotes.url"),
    "full disk": (FakeSite(writes=False), "store", "make room"),
    "no store": (FakeSite(store_problem=Halt("disk full", hint="make room")), "store", "make room"),
}


@pytest.mark.parametrize("name", WRONG)
def test_check__one_thing_wrong__not_ready_and_what_to_do(name):
    """Exactly that thing is bad; the others are judged all the same."""
    site, what, hint = WRONG[name]
    findings = found(site)
    assert not ready(findings)
    bad = [one for one in findings if one.verdict is Verdict.BAD]
    assert what in [one.what for one in bad]
    assert all(one.hint for one in bad)
    assert any(hint in one.hint for one in bad)
    assert findings[-1].what == "store"


WORTH_A_LOOK = {
    "one lags": (FakeSite((FakeNode(), FakeNode("b", number=90))), "node b"),
    "one is of the past": (FakeSite((FakeNode(), FakeNode("b", timestamp=NOW - 200))), "node b"),
    "watch only": (FakeSite(addresses={}), "publisher key"),
    "little ether": (FakeSite(fake_contracts=C(balances={LIQUIDATOR: ETHER // 10})), "liquidator balance"),
    "no account": (FakeSite(liquidator_account=None), "liquidator account"),
    "another breaker": (
        FakeSite(fake_contracts=C(differing=(Unlike(said="ClearingHouse.breaker is 0x1", stops=False),))),
        "contracts",
    ),
    "breaker cut off": (FakeSite(fake_contracts=C(short={"ETH": (960, 1_500)})), "breaker ETH"),
    "peg of a coin unheard of": (FakeSite(knobs=(RiskKnobs(), replace(PolicyKnobs(), addon_peg_symbol="USDX"))), "peg"),
    "little room": (FakeSite(free=2**20), "disk"),
    "stale file": (FakeSite(fake_contracts=C(stale=("ETH",))), "risk file ETH"),
    "silent venue": (FakeSite(quoted=quoted(taken_s=None)), "quotes ETH"),
    "old quotes": (FakeSite(quoted=quoted(taken_s=NOW - 400)), "quotes ETH"),
    "quotes of tomorrow": (FakeSite(quoted=quoted(taken_s=NOW + 86_400)), "quotes ETH"),
    "a little late": (FakeSite((FakeNode(timestamp=NOW - 100),)), "clock"),
    "old head of a test chain": (FakeSite((FakeNode(timestamp=NOW - 10**6),), chain_id=31337), "clock"),
}


@pytest.mark.parametrize("name", WORTH_A_LOOK)
def test_check__runs_with_less__ready_with_a_warning(name):
    site, what = WORTH_A_LOOK[name]
    findings = found(site)
    assert ready(findings)
    assert what in [one.what for one in findings if one.verdict is Verdict.WARNING]


def test_check__several_liquidator_keys__tells_who_may_bid_and_the_call_that_approves():
    """DEL-10: a key that may not bid is a warning with the exact call, and the keeper runs without it."""
    keys = {SignerRole.PUBLISHER: (PUBLISHER,), SignerRole.LIQUIDATOR: (LIQUIDATOR, STRANGER, OTHER)}
    findings = found(FakeSite(addresses=keys, fake_contracts=C(approvals=(STRANGER,))))
    assert ready(findings)
    bids = {one.what: one for one in findings if one.what.startswith("bids by")}
    assert [one.verdict for one in bids.values()] == [Verdict.GOOD, Verdict.GOOD, Verdict.WARNING]
    refused = bids["bids by liquidator key 3"]
    assert OTHER in refused.said
    assert f"have {LIQUIDATOR}" in refused.hint
    assert f"LiquidationAuction.approveBidder({5:#066x}, {OTHER}, true)" in refused.hint


def test_check__approved_and_not_configured__a_warning_with_the_command_that_revokes():
    """DEL-12: whoever else may spend the account's cash is named; the owner and our own keys are not."""
    findings = found(FakeSite(fake_contracts=C(approvals=(LIQUIDATOR, STRANGER))))
    assert ready(findings)
    (told,) = [one for one in findings if one.what == "bids by others"]
    assert told.verdict is Verdict.WARNING
    assert STRANGER in told.said
    assert f"keeper bidders revoke {STRANGER} --send" in told.hint


def test_check__owner_elsewhere_and_a_key_approved__good():
    """DEL-10: the account's owner may be a cold key that is not configured, once it approved one that is."""
    findings = found(FakeSite(fake_contracts=C(account_owner=STRANGER, approvals=(LIQUIDATOR,))))
    assert {one.verdict for one in findings} == {Verdict.GOOD}
    assert any(one.what == "bids by liquidator key" and one.said == "approved" for one in findings)


def test_check__no_node__what_needs_one_is_skipped_not_blamed():
    findings = found(FakeSite((FakeNode(problem=Retry("refused")),)))
    assert {one.what: one.verdict for one in findings} == {
        "node node.example": Verdict.BAD,
        "contracts": Verdict.SKIPPED,
        "publisher key": Verdict.SKIPPED,
        "liquidator key": Verdict.SKIPPED,
        "liquidator account": Verdict.SKIPPED,
        "oracle prices": Verdict.SKIPPED,
        "quotes": Verdict.GOOD,
        "store": Verdict.GOOD,
    }


def test_check__two_endpoints__measured_side_by_side():
    """What a person compares stands in one line an endpoint: head, age, lag, latency, and what it can do."""
    nodes = (FakeNode(), FakeNode("b", number=98, pushes=True))
    findings = found(FakeSite(nodes, vouched=Vouching(enough=True, said="block 98: a: agrees; b: agrees")))
    first, second = (one.measured for one in findings if one.measured)
    assert (first["behind"], second["behind"], second["new blocks"]) == ("–", "2", "announced")
    assert (second["age"], second["answers in"], second["by hash"]) == ("5 s", "12 ms", "yes")
    assert "b: agrees" in next(one.said for one in findings if one.what == "endpoints agree")


def test_examine__knobs_changed_since_the_model_was_signed_off__a_warning():
    """MOD-6: other knobs than were signed off are a warning; where none were kept, or they are the same, nothing."""

    def said(knobs):
        return [one for one in found(FakeSite(signed_knobs=knobs)) if one.what == "model"]

    assert said("") == said(digest(RiskKnobs(), PolicyKnobs())) == []
    (one,) = said(digest(RiskKnobs(psr_floor_ppm=90_000), PolicyKnobs()))
    assert one.verdict is Verdict.WARNING, "MOD-6"
    assert "is not what model" in one.said
    assert one.hint.startswith("keeper shadow, then keeper model sign-off")
