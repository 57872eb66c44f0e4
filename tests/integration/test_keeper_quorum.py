"""k of n keepers speak as one on the chain: emergency lane and publications (KQM-1 … KQM-6)."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from keeper.deploy import QuorumSpec
from keeper.errors import BadInput
from keeper.protocols.clearinghouse.quorum import KINDS, Lane, Quorum, message_of
from keeper.testing.small_house import SmallHouse
from tests.onlooker import onlooker

pytestmark = pytest.mark.chain

KEEPERS = sorted((Account.from_key(i.to_bytes(32, "big")) for i in (11, 12, 13)), key=lambda a: int(a.address, 16))
STRANGER = Account.from_key((99).to_bytes(32, "big"))
HOUR, DAY = 3_600, 86_400
#: How many keepers it takes.
TWO = 2


class QuorumHouse(SmallHouse):
    """A house whose emergency lane, and publications, are with two of three keepers."""

    def __init__(self):
        keepers = tuple(keeper.address for keeper in reversed(KEEPERS))  # any order will do
        super().__init__(quorum=QuorumSpec(keepers=keepers, to_tighten=TWO, to_publish=TWO, publishes=True))

    def says(self, contract, function, *args):
        """The single output of a view."""
        return self.hand.view(contract, self.deployment.addresses[contract], function, *args)

    @property
    def quorum(self):
        """As keepers see it."""
        address = self.deployment.addresses["KeeperQuorum"]
        return Quorum(self.hand.abi("KeeperQuorum"), address, chain_id=self.chain.chain_id)

    def sends(self, data):
        """A stranger carries a call.  Returns: whether it landed."""
        to = self.deployment.addresses["KeeperQuorum"]
        tx_hash = self.chain.send(sender=self.chain.accounts[4], to=to, data=data, gas=8_000_000)
        return int(self.chain.request("eth_getTransactionReceipt", tx_hash)["status"], 16) == 1

    def wait(self, seconds):
        """Let time pass."""
        self.chain.advance_to(self.chain.block().timestamp + seconds)
        self.chain.mine(1)


@pytest.fixture(scope="module")
def built():
    return QuorumHouse()


@pytest.fixture
def house(built):
    """As it was opened; whatever a test does to it is forgotten."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def reader(house):
    """What a keeper reads the house with."""
    return onlooker(house.rpc, house.deployment, reorg_depth=8).reader


def signed(house, data, *keepers):
    """A call with the signatures of some keepers."""
    message = encode_typed_data(full_message=house.quorum.typed(data))
    return house.quorum.signed(data, {one.address: bytes(one.sign_message(message).signature) for one in keepers})


def an_emergency(house, *keepers, peak_ppm=300_000, nonce=None, valid_until=None):
    """Calldata of a tightening signed by some keepers."""
    nonce = house.says("KeeperQuorum", "nonce", Lane.TIGHTEN, 0) if nonce is None else nonce
    terms = {"nonce": nonce, "valid_until": valid_until or house.chain.block().timestamp + HOUR}
    return signed(house, house.quorum.call("tighten", 0, peak_ppm, **terms), *keepers)


def a_publication(house, *, id_=2, psr_ppm=125_000):
    """The next publication of the house."""
    u, now = house.spec.underlyings[0], house.chain.block().timestamp
    e = u.expiries[0]
    expiries = [(e.expiry, e.phi_ppb, e.df_ppb, e.sigma_atm_ppm, list(e.smile))]
    digest = house.says("RiskParameters", "targetDigest", 0)
    return id_, now + HOUR, b"\1" * 32, digest, psr_ppm, u.vsr_up_ppm, u.vsr_down_ppm, expiries


def test_tighten__two_of_three__maintenance_rises_over_an_hour_and_fades_in_a_day(house):
    """KQM-1: what two keepers signed binds: IM at once, MM over an hour, nothing of it after a day."""
    before = house.says("RiskParameters", "effective", 0)
    assert house.sends(an_emergency(house, KEEPERS[0], KEEPERS[2]))
    at_once = house.says("RiskParameters", "effective", 0)
    assert at_once["kappaPpm"] - before["kappaPpm"] < 1_000
    wider = (10**6 + before["imAddOnPpm"]) * 3 // 10
    assert at_once["imAddOnPpm"] == before["imAddOnPpm"] + wider
    house.wait(HOUR - 30)
    full = house.says("RiskParameters", "effective", 0)
    fee = before["flagFeePpm"]
    assert abs((full["kappaPpm"] + fee) * 10 - (before["kappaPpm"] + fee) * 13) < 40_000
    house.wait(DAY)
    assert house.says("RiskParameters", "effective", 0) == before
    snapshot = reader(house).read(house.chain.block())
    assert snapshot.underlyings[0].rules.kappa_ppm == before["kappaPpm"]


def test_reader__emergency_ramps__rules_are_those_that_bind_at_the_block(house):
    """The snapshot's rules are the contract's of that very block, while they move without an event."""
    assert house.sends(an_emergency(house, KEEPERS[0], KEEPERS[1]))
    read = reader(house).read
    seen = set()
    for _ in range(3):
        house.wait(600)
        rules = read(house.chain.block()).underlyings[0].rules
        binds = house.says("RiskParameters", "effective", 0)
        assert (rules.kappa_ppm, rules.im_add_on_ppm) == (binds["kappaPpm"], binds["imAddOnPpm"])
        seen.add(rules.kappa_ppm)
    assert len(seen) == 3


@pytest.mark.parametrize(
    "keepers",
    [(KEEPERS[0],), (KEEPERS[0], STRANGER), (STRANGER,)],
    ids=["too few", "one of them a stranger", "a stranger"],
)
def test_tighten__short_of_a_quorum__nothing(house, keepers):
    """KQM-2: one keeper, or a stranger beside one, calls nothing."""
    assert not house.sends(an_emergency(house, *keepers))
    assert house.says("RiskParameters", "controls", 0)["emergencyPeakPpm"] == 0


def test_tighten__one_signature_twice__counts_once(house):
    """KQM-2: signers ascend strictly, so nobody counts twice, however it is spelled."""
    terms = {"nonce": house.says("KeeperQuorum", "nonce", Lane.TIGHTEN, 0), "valid_until": 2**40}
    draft = house.quorum.call("tighten", 0, 300_000, **terms)
    signature = bytes(KEEPERS[0].sign_message(encode_typed_data(full_message=house.quorum.typed(draft))).signature)
    twice = (*terms.values(), [KEEPERS[0].address] * 2, [signature] * 2)
    assert not house.sends(house.hand.abi("KeeperQuorum").call("tighten", 0, 300_000, twice))
    spelled = {KEEPERS[0].address: signature, KEEPERS[0].address.lower(): signature}
    with pytest.raises(BadInput, match="named twice"):
        house.quorum.signed(draft, spelled)


def test_tighten__replayed_or_expired_or_by_old_keepers__never_lands(house):
    """KQM-3: a signature serves once, runs out, and is void when the keepers change."""
    first = an_emergency(house, KEEPERS[0], KEEPERS[1], peak_ppm=100_000)
    late = an_emergency(house, KEEPERS[0], KEEPERS[1], valid_until=house.chain.block().timestamp + 5)
    assert house.sends(first)
    house.wait(2 * DAY)  # the emergency is over: only the nonce stands in the way
    assert not house.sends(first), "replayed"
    assert not house.sends(late), "expired"
    ready = an_emergency(house, KEEPERS[0], KEEPERS[1])
    house.do("KeeperQuorum", "setKeepers", [k.address for k in KEEPERS], TWO, TWO)
    assert not house.sends(ready), "the keepers were named again"
    assert house.sends(an_emergency(house, KEEPERS[1], KEEPERS[2]))


def a_draft(house, publication, function="publish"):
    """The call that publishes it, unsigned."""
    nonce = house.says("KeeperQuorum", "nonce", Lane.PUBLISH, 0)
    return house.quorum.call(function, 0, publication, nonce=nonce, valid_until=publication[1])


def test_publish__two_of_three__lands_once_within_the_fences(house):
    """KQM-4: a publication of the quorum is one like any other: fenced, in order, never twice; nobody alters it."""
    house.wait(700)
    publication = a_publication(house)
    draft = a_draft(house, publication)
    altered = a_draft(house, (*publication[:4], 124_000, *publication[5:]))
    message = encode_typed_data(full_message=house.quorum.typed(draft))
    both = {keeper.address: bytes(keeper.sign_message(message).signature) for keeper in KEEPERS[:2]}
    assert not house.sends(house.quorum.signed(altered, both)), "not what they signed"
    assert not house.sends(signed(house, draft, KEEPERS[0])), "too few"
    data = house.quorum.signed(draft, both)
    assert house.sends(data)
    assert house.says("RiskFile", "slew", 0)["psrPpm"] == 125_000
    house.wait(700)
    assert not house.sends(data), "replayed"


def test_publish__keepers_named_between_signing_and_sending__void(house):
    """KQM-3: two signatures that were too few yesterday, or enough, are nothing under another list or quorum."""
    house.wait(700)
    publication = a_publication(house)
    ready = signed(house, a_draft(house, publication), KEEPERS[0], KEEPERS[1])
    house.do("KeeperQuorum", "setKeepers", [k.address for k in KEEPERS], 1, TWO)
    assert not house.sends(ready)
    assert house.sends(signed(house, a_draft(house, publication), KEEPERS[2])), "signed anew, one is enough now"


def test_typed__every_kind__is_what_the_contract_hashes(house):
    """KQM-5: what keepers sign off-chain is, for each thing that a quorum does, the contract's own digest."""
    publication = a_publication(house)
    drafts = {
        "publish": (0, publication), "stage": (0, publication), "stageExpiries": (0, publication[7]), "flip": (0,),
        "setStateAddOn": (0, 70_000, 2**33), "setFundingRate": (house.deployment.addresses["ClearingHouse"], 0, -9),
        "tighten": (0, 250_000),
    }  # fmt: skip
    assert drafts.keys() == KINDS.keys()
    to = house.deployment.addresses["KeeperQuorum"]
    for function, arguments in drafts.items():
        draft = house.quorum.call(function, *arguments, nonce=2**64 + 3, valid_until=2**41)
        ours = keccak(b"\x19\x01" + b"".join(message_of(house.quorum.typed(draft))))
        asked = {"to": to, "data": "0x" + house.quorum.digest_call(draft).hex()}
        assert house.rpc.request("eth_call", asked, "latest") == "0x" + ours.hex(), function


def test_stage__two_of_three__in_steps(house):
    """KQM-5: a publication in several transactions, each of them signed."""
    house.wait(700)
    publication = a_publication(house)
    assert house.sends(signed(house, a_draft(house, (*publication[:7], []), "stage"), *KEEPERS[:2]))
    nonce = house.says("KeeperQuorum", "nonce", Lane.PUBLISH, 0)
    terms = {"valid_until": publication[1]}
    rows = house.quorum.call("stageExpiries", 0, publication[7], nonce=nonce, **terms)
    assert house.sends(signed(house, rows, *KEEPERS[1:]))
    assert house.sends(signed(house, house.quorum.call("flip", 0, nonce=nonce + 1, **terms), *KEEPERS[:2]))
    assert house.says("RiskFile", "slew", 0)["psrPpm"] == 125_000
