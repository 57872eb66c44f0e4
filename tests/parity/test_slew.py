"""Ranges in force and the surcharge on initial margin are the contract's, whoever moved them when (SLW-6)."""

from dataclasses import replace

import numpy as np
import pytest

from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import FileState, Rules
from keeper.policy.guard import anchored, current
from keeper.policy.joint import joint_of, nearest
from keeper.policy.reach import reach
from keeper.risk.exact.slew import HOUR, SHORTEST_S, begun, clock_after, moved, refreshed
from tests.parity.fenced_market import Market

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def market():
    return Market()


@pytest.fixture
def fresh(market):
    """The market as it was listed; whatever a test does is forgotten."""
    snapshot = market.chain.snapshot()
    market.wait(60)
    yield market
    market.chain.revert(snapshot)


def header(market) -> FileState:
    """The live file's header in the contract's words; nothing else of a file moves here."""
    h = market.views.one(market.chain.block(), "RiskFile", "header", 0, 0)
    return FileState(
        epoch=h["epoch"],
        ref_spot=h["refSpot"],
        time=h["time"],
        ranges=Ranges(psr_ppm=h["psrPpm"], vsr_up_ppm=h["vsrUpPpm"], vsr_down_ppm=h["vsrDownPpm"]),
        expiries=(),
        strikes=(),
        im_uplift_pct=h["imUpliftPct"],
    )


def rules(market) -> Rules:
    c = market.views.one(market.chain.block(), "RiskParameters", "config", 0)
    return Rules(
        tail_ppm=c["tailPpm"],
        short_min_ppm=c["shortMinPpm"],
        kappa_ppm=c["kappaPpm"],
        flag_fee_ppm=c["flagFeePpm"],
        stale_add_on_ppm=c["staleAddOnPpm"],
        im_add_on_ppm=c["imAddOnPpm"],
        vol_floor_ppm=c["volFloorPpm"],
        max_age_s=c["maxAgeS"],
    )


def refresh(market):
    """A refresh by anybody, in the next block."""
    data = market.views.abis["RiskFile"].call("refresh", 0)
    to = market.deployment.addresses["RiskFile"]
    market.chain.receipt(market.chain.send(sender=market.chain.accounts[4], to=to, data=data))


def staged(market, target) -> int:
    """Open a bank for a target, and when it was."""
    market.do("stage", 0, market.publication(target), sender=1)
    return market.now()


def drawn(rng, state, fixed) -> Ranges:
    """Any legal target; often as far as the fences let it."""
    values = {}
    for fence in state.fences:
        low, high = reach(fence)
        values[f"{fence.name}_ppm"] = int(rng.choice((low, high, fence.current, rng.integers(low, high + 1))))
    together = joint_of(fixed, state.joint, current(state), anchored(state))
    return nearest(current(state), Ranges(**values), together)


@pytest.mark.parametrize("seed", range(2))
def test_slew__publications_and_refreshes_at_any_time__same_integers(fresh, seed):
    """Every header after every publication and refresh is the twin's, from a minute apart to days."""
    rng, uplifts, rising, falling = np.random.default_rng(seed), set(), 0, 0
    for _ in range(12):
        fresh.wait(int(rng.choice((5, 61, 700, HOUR, 3 * HOUR, 26 * HOUR))))
        before, state = header(fresh), fresh.state()
        dice = rng.random()
        if dice < 0.2:
            wanted = replace(fresh.in_force(), ranges=drawn(rng, state, rules(fresh)))
            opened = staged(fresh, wanted)
            fresh.wait(int(rng.choice((5, 61, 700, 3_000))))
            refresh(fresh)
            assert header(fresh).ranges == before.ranges, "SLW-6 a refresh leaves what a bank began from"
            fresh.do("flip", 0, sender=1)
            after, binds = header(fresh), fresh.state()
            assert after.time == opened
            expected = begun(before, state.slew, binds.slew.target, rules(fresh), now=opened)
            assert binds.slew.time_s == clock_after(state.slew, opened, fresh.now()), "SLW-6 its clock"
        elif dice < 0.5:
            fresh.publish(replace(fresh.in_force(), ranges=drawn(rng, state, rules(fresh))), wait_s=0)
            after, binds = header(fresh), fresh.state()
            set_ = {fence.name: fence.current for fence in binds.fences}  # a range may be refused by itself
            assert binds.slew.target == Ranges(**{f"{name}_ppm": value for name, value in set_.items()})
            expected = begun(before, state.slew, binds.slew.target, rules(fresh), now=after.time)
            assert binds.slew.time_s == clock_after(state.slew, after.time, after.time), "SLW-6 its clock"
        else:
            refresh(fresh)
            after = header(fresh)
            found = refreshed(before, state.slew, rules(fresh), spot=before.ref_spot, now=after.time)
            expected = found.ranges, found.im_uplift_pct
        assert (after.ranges, after.im_uplift_pct) == expected, "SLW-6"
        rising += after.ranges.psr_ppm > before.ranges.psr_ppm
        falling += after.ranges.psr_ppm < before.ranges.psr_ppm
        uplifts.add(after.im_uplift_pct)
    assert len(uplifts) > 2, "the story reaches what it is for"
    assert rising + falling > 3


def test_slew__a_staged_publication_waits__refreshes_leave_the_ranges(fresh):
    """What a staged bank began from stays in force until its hour is over, then the ranges go on."""
    target = fresh.in_force()
    fresh.publish(replace(target, ranges=replace(target.ranges, psr_ppm=170_000)), wait_s=2 * HOUR)
    fresh.do("stage", 0, fresh.publication(fresh.in_force()), sender=1)
    fresh.wait(600)
    before, slew = header(fresh), fresh.state().slew
    assert slew.held_until_s > fresh.now()
    refresh(fresh)
    assert header(fresh).ranges == before.ranges
    assert refreshed(before, slew, rules(fresh), spot=1, now=fresh.now()).ranges == before.ranges
    fresh.wait(HOUR)
    refresh(fresh)
    assert header(fresh).ranges.psr_ppm > before.ranges.psr_ppm
    assert refreshed(before, slew, rules(fresh), spot=1, now=header(fresh).time).ranges == header(fresh).ranges


def test_moved__any_rate_and_time__never_faster_never_beyond():
    """SLW-1 by itself: at most the rate, at most to the target, and what is short of a move stays on the clock."""
    rng, names = np.random.default_rng(5), ("psr_ppm", "vsr_up_ppm", "vsr_down_ppm")
    for _ in range(2_000):
        ranges = Ranges(**{n: int(rng.integers(1, 900_000)) for n in names})
        target = Ranges(**{n: int(rng.integers(1, 900_000)) for n in names})
        rate, seconds = int(rng.integers(100, 10**6)), int(rng.choice((0, SHORTEST_S, HOUR, rng.integers(0, HOUR))))
        after = moved(ranges, target, rate_ppm_per_hour=rate, seconds=seconds)
        for name in names:
            old, new, aim = getattr(ranges, name), getattr(after, name), getattr(target, name)
            assert abs(new - old) * 10**6 * HOUR <= old * rate * seconds
            assert min(old, aim) <= new <= max(old, aim)
