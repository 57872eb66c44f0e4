"""Frozen stays frozen (FRZ-5, defect 24).

A keeper that finds its parameters frozen pushes nothing until governance thaws them, after a restart too; what it
decided before is not sent; and whatever does not move a number goes on.
"""

from dataclasses import replace

import pytest

from keeper.domain.action import Publish, Refresh
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.tx import TxState
from keeper.ops.once import once
from keeper.policy.guard import shut
from keeper.policy.publish import publications
from keeper.protocols.clearinghouse.standing import HouseStanding
from keeper.risk.model import model
from keeper.testing.builders import NOW, a_publication
from keeper.testing.counter_world import an_outbox
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

HOUR = 3_600
OWNER, PUBLISHER, GUARDIAN = 0, 1, 3
#: A publication is due in each block, and a file is refreshed once it is an hour old.
EAGER = PolicyKnobs(heartbeat_s=1, refresh_age_s=HOUR)
RISK = RiskKnobs(min_observations=24)


def grow_older(house, hours=1):
    """Time passes, and the feed speaks every hour."""
    for _ in range(hours):
        house.chain.advance_to(house.chain.block().timestamp + HOUR)
        wobble = 20 if house.chain.block().number % 2 else 0  # a price that stands still gives no estimate
        house.do("MockAggregator", "push", (3_000 + wobble) * 10**8, to=house.feeds[0])


@pytest.fixture(scope="module")
def built():
    house = SmallHouse()
    grow_older(house, hours=30)
    return house


@pytest.fixture
def house(built):
    """As it was opened; whatever a test does to it is forgotten."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


@pytest.fixture
def keeper(house):
    """Starts keepers that send; each call is a new process over the same store."""
    store = MemoryStore()

    def start():
        def sender(decode, recheck):
            return an_outbox(house.chain, store, rpc=house.rpc, decode_revert=decode, recheck=recheck)

        return assemble(
            rpc=house.rpc,
            store=store,
            deployment=house.deployment,
            risk=RISK,
            policy=EAGER,
            sender=sender,
            reorg_depth=8,
        )

    return start


def live(keeper):
    return once(keeper.heads, keeper.ports, keeper.risk, keeper.policy)


def pushed(record):
    return [action for action in record.decision.actions if isinstance(action, Publish)]


def last_id(house):
    abi = house.hand.abi("RiskParameters")
    call = {"to": house.deployment.addresses["RiskParameters"], "data": "0x" + abi.call("lastPublication", 0).hex()}
    return abi.result("lastPublication", bytes.fromhex(house.chain.request("eth_call", call, "latest")[2:]))["id"]


def test_frozen__blocks_hours_and_a_restart__nothing_is_published_until_the_thaw(house, keeper):
    """FRZ-5: whatever is due, nothing is pushed and a person is told; refreshing goes on; the thaw opens it again."""
    one = keeper()
    assert pushed(live(one)), "a publication is due: else this test tests nothing"
    before = last_id(house)
    house.do("RiskParameters", "freeze", 0)
    refreshed = 0
    for restart in (False, False, True, False):
        one = keeper() if restart else one
        grow_older(house, hours=2)
        record = live(one)
        assert not pushed(record), "FRZ-5"
        assert any("ETH: parameters frozen" in alert for alert in record.decision.alerts), "FRZ-5 said"
        refreshed += sum(isinstance(action, Refresh) for action in record.decision.actions)
        house.chain.mine(4)
    assert last_id(house) == before, "FRZ-5"
    assert refreshed, "FRZ-5 what moves no number goes on"
    house.do("RiskParameters", "thaw", 0)
    grow_older(house)
    assert pushed(live(one)), "FRZ-5 open again"
    assert last_id(house) == before + 1


@pytest.mark.parametrize(("function", "sender", "said"), [("freeze", OWNER, "frozen"), ("pause", GUARDIAN, "paused")])
def test_frozen__decided_before__not_sent(house, keeper, function, sender, said):
    """FRZ-5: between the decision and the sending lies a freeze or a pause: nothing is signed, the reason is kept."""
    one = keeper()
    snapshot = one.reader.read(house.chain.block())
    (push,) = publications(snapshot, model(snapshot, RISK), EAGER)
    intent = one.ports.encoder.encode(push, block=snapshot.block)
    house.do("RiskParameters", function, 0, sender=sender)
    assert said in HouseStanding(one.views).standing(intent, house.chain.block())
    nonce = house.chain.request("eth_getTransactionCount", house.chain.accounts[PUBLISHER], "latest")
    dropped = one.ports.sender.submit(intent)
    assert (dropped.state, dropped.attempts) == (TxState.DROPPED, ()), "FRZ-5"
    assert said in dropped.reason.lower()
    assert house.chain.request("eth_getTransactionCount", house.chain.accounts[PUBLISHER], "latest") == nonce


def test_publications__frozen__none_whatever_is_due(house, keeper):
    """FRZ-5: the pure half refuses by itself; only the flag differs between the two snapshots."""
    seen = keeper().reader.read(house.chain.block())
    (u,) = seen.underlyings
    assert u.publication is not None
    frozen = replace(seen, underlyings=(replace(u, publication=replace(u.publication, frozen=True)),))
    for snapshot, due in ((seen, 1), (frozen, 0)):
        assert len(list(publications(snapshot, model(snapshot, RISK), EAGER))) == due, "FRZ-5"


def test_shut__each_reason__in_words():
    """Frozen comes before waiting: a time at which it may come would be a lie."""
    assert shut(a_publication(), NOW) == ""
    assert "in 60 s" in shut(a_publication(next_allowed_s=NOW + 60), NOW)
    assert "notice window" in shut(replace(a_publication(), in_notice=True), NOW), "the file would revert InNotice"
    frozen = replace(a_publication(next_allowed_s=NOW + 60), frozen=True)
    assert "until governance thaws it" in shut(frozen, NOW)
