"""The worst day of a stolen publisher's key: within budgets and speeds, nobody wronged by a notice, and stopped.

`python -m tests.integration.compromised_key` prints what each kind of day comes to.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from keeper.policy.guard import current
from keeper.policy.ring import SMILE_LATTICE_PPM
from keeper.policy.speeds import RANGES, value
from keeper.risk.exact.riskfile import term_factor
from tests.integration.compromised_key import AIMS, HOUR, PPM, Attack, opened, probes, young_anvil
from tests.integration.publisher import GUARDIAN, OWNER, PUBLISHER, Publisher

pytestmark = [pytest.mark.chain, pytest.mark.needs_anvil, pytest.mark.timeout(900)]

#: Every slot until all budgets are used up, then one every four hours.
FIRST_SLOTS, LATER_S = 4, 6 * HOUR
#: Requirements are compared as if they were this much higher, ppm of spot.  Source: RangeFence.sol.
DUST_PPM = 1_000


@pytest.fixture(scope="module")
def market():
    """The demo's market with a part of its crowd."""
    with young_anvil() as chain:
        yield opened(chain, accounts=24)


@pytest.fixture
def world(market):
    """The market as it opened."""
    start = market.chain.snapshot()
    yield market
    market.chain.revert(start)


@pytest.mark.parametrize("aim", AIMS, ids=lambda aim: aim.name)
def test_worst_day__each_direction__within_budgets_and_speeds_and_nobody_wronged(world, aim):
    """A day of a thief moves no number past its day's budget, no requirement past its own, and marks wrong nobody."""
    day = Attack(world, aim).through(every_s=LATER_S, after=FIRST_SLOTS)
    assert day.last.block.timestamp - day.first.block.timestamp >= 24 * HOUR
    assert day.publications >= 2 * FIRST_SLOTS
    moved = 0
    for place, start in enumerate(day.first.underlyings):
        path = [day.first, *day.seen]
        for before, after in pairwise(path):
            old, new = before.underlyings[place], after.underlyings[place]
            within_budgets(start, new, after.block.timestamp)
            # Time that nobody used since the last move still counts.
            within_speed(old, new, after.block.timestamp)
        moved += current(day.last.underlyings[place].publication) != current(start.publication)
    assert moved == len(day.first.underlyings), "else the thief did nothing"
    # Whoever was put in auction in the block of a publication was below maintenance under the file before it too.
    assert day.wronged == set()
    assert day.held_off or aim is not AIMS[0], "else no notice was put to the test"
    assert (day.fund_paid, day.socialised) == (0, 0)
    # Only marks, which bind at once, can put anybody in auction within a day: a few, and never the market.
    assert len(day.flagged) < len(day.first.accounts) // 4


def within_budgets(start, seen, now):
    """Every published number is within a day's budget of where the day began; requirements are within theirs."""
    first, last = start.publication, seen.publication
    for name in RANGES:
        fence = next(f for f in first.fences if f.name == name)
        budget = min(fence.current * fence.budget_rel_ppm // PPM, fence.budget_abs)
        assert abs(value(current(last), name) - fence.current) <= budget, name
    for was, became in zip(probes(start, current(first)), probes(seen, current(last)), strict=True):
        low, high = sorted((was, became))
        assert (high + DUST_PPM) * PPM <= (low + DUST_PPM) * (PPM + first.joint.budget_ppm)
    old, vol = {e.expiry: e for e in first.expiries}, first.vol
    for e in last.expiries:
        was = old[e.expiry]
        budget = vol.atm_budget_ppm / PPM * term_factor(e.expiry - now) / 2**64
        assert abs(math.log(e.sigma_ppm / was.sigma_ppm)) <= budget + 1e-6
        assert abs(e.phi_ppb - was.phi_ppb) <= vol.phi_budget_ppb
        assert abs(e.df_ppb - was.df_ppb) <= vol.df_budget_ppb
        for one, other in zip(e.smile, was.smile, strict=True):
            assert abs(one.ratio_ppm - other.ratio_ppm) <= vol.smile_budget_ppm + SMILE_LATTICE_PPM


def within_speed(old, new, now):
    """Requirements move by the slew rate: a perp's by two fifths of it, a straddle's at its forward by all of it."""
    rate = new.publication.slew.rate_ppm_per_hour / PPM / HOUR
    by_ranges = rate * (now - old.publication.slew.time_s)
    by_forwards = rate / 2 * min(now - old.publication.last_time, HOUR)
    known = {e.expiry: e for e in old.publication.expiries}
    forwards = [
        e.phi_ppb * e.df_ppb / (known[e.expiry].phi_ppb * known[e.expiry].df_ppb) for e in new.publication.expiries
    ]
    pairs = zip(probes(old, old.live.ranges), probes(new, new.live.ranges), strict=True)
    for place, (was, became) in enumerate(pairs):
        for forward in forwards if place else [1.0]:
            moved = abs(math.log((became + DUST_PPM) / (was + DUST_PPM) * forward))
            assert moved <= (2 * by_ranges + by_forwards if place else by_ranges) + 1e-3


def test_stolen_key__paused_by_the_guardian__governance_has_three_days_to_revoke_it(world):
    """A pause stops publications and funding rates at once and ends by itself; what is revoked stays revoked."""
    attack = Attack(world, AIMS[0])
    attack.through(hours=1)
    thief = attack.thief
    world.govern("RiskParameters", "pause", 0, sender=GUARDIAN)
    publish, funding = tries(thief)
    assert publish.startswith("Paused(")
    assert funding.startswith("Paused(")
    assert thief.ask("RiskFile", "refresh", 0)[1] == ""
    still = thief.see().underlyings[0].publication
    world.chain.advance_to(world.chain.block().timestamp + 68 * HOUR)
    assert all(answer.startswith("Paused(") for answer in tries(thief))
    (role,) = thief.ask("RiskParameters", "PUBLISHER_ROLE")[0].values()
    world.govern("RiskParameters", "revokeRole", role, world.chain.accounts[PUBLISHER], sender=OWNER)
    world.chain.advance_to(world.chain.block().timestamp + 4 * HOUR)
    publish, funding = tries(thief)
    assert "AccessControlUnauthorizedAccount" in publish
    assert funding.startswith("NotPublisher(")
    assert current(thief.see().underlyings[0].publication) == current(still)


def test_stolen_key__revoked__nothing_of_it_works_and_the_keeper_goes_on(world):
    """What governance takes from a key, it has no more: neither publications nor funding rates."""
    attack = Attack(world, AIMS[0])
    attack.through(hours=1)
    thief = attack.thief
    (role,) = thief.ask("RiskParameters", "PUBLISHER_ROLE")[0].values()
    world.govern("RiskParameters", "revokeRole", role, world.chain.accounts[PUBLISHER], sender=OWNER)
    publish, funding = tries(thief)
    assert "AccessControlUnauthorizedAccount" in publish
    assert funding.startswith("NotPublisher(")
    assert thief.ask("RiskFile", "refresh", 0)[1] == ""


def test_stolen_key__frozen__not_even_funding_moves(world):
    """Governance's freeze stops everything that a publisher may do, whoever holds the key."""
    attack = Attack(world, AIMS[0])
    attack.through(hours=1)
    world.govern("RiskParameters", "freeze", 0, sender=OWNER)
    publish, funding = tries(attack.thief)
    assert publish.startswith("Frozen(")
    assert funding.startswith("Frozen(")
    assert attack.thief.ask("RiskFile", "refresh", 0)[1] == ""


def tries(thief: Publisher) -> tuple[str, str]:
    """Why a legal publication and a legal funding rate are refused, two hours later."""
    world = thief.world
    world.chain.advance_to(world.chain.block().timestamp + 7_000)
    for symbol, feed in world.feeds.items():
        answer = round(world.path.points[0].prices[symbol] * 10**8)
        thief.send("MockAggregator", "push", answer, to=feed, sender=3)
    world.chain.mine()
    seen = thief.see()
    u = seen.underlyings[0]
    argument = thief.publication(u, thief.in_force(u), seen.block.timestamp)
    publish = thief.ask("RiskParameters", "publish", 0, argument, sender=PUBLISHER)[1]
    funding = thief.ask("ClearingHouse", "setFundingRate", 0, u.funding_rate_ppm_per_day, sender=PUBLISHER)[1]
    return publish, funding
