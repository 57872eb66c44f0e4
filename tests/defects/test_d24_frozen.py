"""Defect 24: frozen was overwritten: by the next publication, by a restart, by time.  On both sides."""

import pytest

import keeper.policy.publish
from keeper.domain.action import Publish
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.ops.once import once
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from tests.defects.frame import defect
from tests.defects.houses import watching
from tests.defects.solidity import Mutation
from tests.parity.fenced_market import DAY, HOUR, Market, changed

pytestmark = pytest.mark.chain

#: A publication is due in every block.
EAGER = PolicyKnobs(heartbeat_s=1)


# --- the keeper -------------------------------------------------------------------------------------------------------


def only_the_delay(patch):
    """What holds a publication up is the time of the last one; that somebody pulled the brake is nobody's field."""

    def shut(state, now):
        return "too early" if now < state.next_allowed_s else ""

    patch.setattr(keeper.policy.publish, "shut", shut)


def lives(house, store):
    """One block of a process that has just started.  Returns: what it publishes, and what it tells."""
    one = watching(house, store, risk=RiskKnobs(min_observations=24), policy=EAGER)
    decision = once(one.heads, one.ports, one.risk, one.policy).decision
    return [action for action in decision.actions if isinstance(action, Publish)], decision.alerts


@pytest.fixture(scope="module")
def opened():
    """A house whose feed has spoken every hour for a day, so that there is something to publish."""
    house = SmallHouse()
    for hour in range(26):
        later(house, price=3_000 + 20 * (hour % 2))
    return house


def later(house, *, price=3_000):
    """An hour passes, and the feed speaks."""
    house.chain.advance_to(house.chain.block().timestamp + HOUR)
    house.do("MockAggregator", "push", price * 10**8, to=house.feeds[0])


@defect(24, mutant=only_the_delay)
def test_keeper__frozen__publishes_nothing_whatever_is_due(opened):
    """FRZ-5: hours pass and processes start anew, and nothing is pushed until the owner thaws it; a person is told."""
    house, store = opened, MemoryStore()
    snapshot = house.chain.snapshot()
    try:
        assert lives(house, store)[0], "something is due"
        house.do("RiskParameters", "freeze", 0)
        for _ in range(3):
            later(house)
            pushed, told = lives(house, store)
            assert not pushed, "FRZ-5"
            assert any("ETH: parameters frozen" in alert for alert in told), "FRZ-5"
        house.do("RiskParameters", "thaw", 0)
        later(house)
        assert lives(house, store)[0], "open again"
    finally:
        house.chain.revert(snapshot)


# --- the contract -----------------------------------------------------------------------------------------------------

#: Freezing is a flag for front ends; `_goLive` then writes the record of the last publication anew, flag and all.
OVERWRITTEN = Mutation(
    source="src/libraries/FenceMath.sol",
    into="src/libraries/Publishing.sol",
    edits=(("if (s.frozen) return", "if (false) return"),),
)


@pytest.mark.needs_node
@defect(24, mutant=OVERWRITTEN.put_in)
def test_contract__frozen__no_publication_lands_and_the_flag_stays():
    """FRZ-1: what the publisher tries at once, after an hour and after a day is refused, and changes nothing."""
    market = Market()
    market.wait(HOUR)
    before = market.in_force()
    market.do("freeze", 0)
    for wait_s in (0, HOUR, DAY):
        market.wait(wait_s or 1)
        assert not market.lands(changed(before, psr_ppm=before.ranges.psr_ppm + 100)), "FRZ-1"
        assert market.state().frozen, "FRZ-1"
        assert market.in_force().ranges == before.ranges, "FRZ-1"
    market.do("thaw", 0)
    market.publish(changed(market.in_force(), psr_ppm=before.ranges.psr_ppm + 100))
    assert market.in_force().ranges.psr_ppm == before.ranges.psr_ppm + 100, "and open again"
