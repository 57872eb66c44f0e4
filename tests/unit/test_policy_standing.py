"""Where published parameters stand: budget left, when they may move, when those in force arrive."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import SlewState
from keeper.policy.ramp import moved
from keeper.policy.reach import reach
from keeper.policy.ring import seen_at
from keeper.policy.standing import standings
from keeper.testing.builders import EXPIRY, NOW, a_fence, a_file, a_publication, an_underlying

HOUR = 3_600


def a_target(*, psr=150_000, sigma=700_000):
    params = ExpiryParams(expiry=EXPIRY, phi_ppb=10**9, df_ppb=10**9, sigma_atm_ppm=sigma)
    ranges = Ranges(psr_ppm=psr, vsr_up_ppm=450_000, vsr_down_ppm=300_000)
    one = ExpiryTarget(params=params, sigmas_ppm=(sigma,))
    return UnderlyingTarget(underlying=1, ranges=ranges, expiries=(one,), realised_vol=0.7, reasons=())


def standing(name="psr", *, psr_fence=None, target=None, live=None, now=NOW, **changes):
    """One parameter of a market."""
    state = a_publication()
    fences = (psr_fence or state.fences[0], *state.fences[1:])
    u = replace(an_underlying(), publication=replace(state, fences=fences, **changes), live=live or a_file())
    return next(s for s in standings(u, target or a_target(), now) if s.name == name)


def test_standing__where_it_was_a_day_ago__a_whole_budget_each_way():
    """At its anchor a range has one budget up and one down, may move at once, and is in force."""
    fence = a_fence(current=150_000)
    one = standing(psr_fence=fence)
    budget = min(150_000 * fence.budget_rel_ppm // 10**6, fence.budget_abs)
    assert (one.left_up_ppm, one.left_down_ppm) == (budget, budget)
    assert (one.left_up_share_ppm, one.left_down_share_ppm) == (10**6, 10**6)
    assert (one.next_allowed_s, one.arrives_s, one.ramps) == (NOW, NOW, False)


def test_standing__budget_used_up__opens_when_the_anchor_moves():
    """What the day's budget leaves counts from the anchor; nothing is left until the hour in which the anchor moves."""
    fence = a_fence(current=150_000)
    budget = min(150_000 * fence.budget_rel_ppm // 10**6, fence.budget_abs)
    spent = replace(fence, current=150_000 + budget, later=(150_000,) * 7 + (150_000 + budget,) * 18)
    one = standing(psr_fence=spent, target=a_target(psr=spent.max))
    assert (one.left_up_ppm, one.left_up_share_ppm) == (0, 0)
    assert (one.left_down_ppm, one.left_down_share_ppm) == (2 * budget, 2 * 10**6)
    assert one.next_allowed_s == (NOW // HOUR + 8) * HOUR
    back = standing(psr_fence=spent, target=a_target(psr=100_000))
    assert back.next_allowed_s == NOW


@given(
    anchor=st.integers(100_000, 200_000),
    current=st.integers(100_000, 200_000),
    later=st.lists(st.integers(100_000, 200_000), min_size=24, max_size=24),
    up=st.booleans(),
)
def test_standing__next_allowed__is_the_first_hour_in_which_the_mirror_lets_it_move(anchor, current, later, up):
    """The slow twin: ask the reach of the fences hour after hour until more than a crumb of the budget is open."""
    fence = replace(a_fence(current=current, anchor=anchor), later=(*later, current))
    target = a_target(psr=fence.max if up else fence.min)
    one = standing(psr_fence=fence, target=target)
    state = replace(a_publication(), fences=(fence, *a_publication().fences[1:]))
    found = None
    for hour in range(26):
        at = NOW if hour == 0 else (NOW // HOUR + hour) * HOUR
        (seen, *_) = seen_at(state, then=NOW, now=at).fences
        low, high = reach(seen)
        budget = min(seen.anchor * seen.budget_rel_ppm // 10**6, seen.budget_abs)
        if (high - current if up else current - low) * 10**6 // budget > 1_000:
            found = at
            break
    assert one.next_allowed_s == found


def test_standing__on_its_way__arrives_when_hourly_refreshes_have_brought_it_there():
    """The slow twin of the arrival: a refresh every hour, each moving what is in force by its rate."""
    fence = a_fence(current=180_000)
    target = Ranges(psr_ppm=180_000, vsr_up_ppm=450_000, vsr_down_ppm=300_000)
    slew = SlewState(target=target, rate_ppm_per_hour=10_000, time_s=NOW)
    live = a_file()
    live = replace(live, ranges=replace(target, psr_ppm=150_000))
    one = standing(psr_fence=fence, live=live, slew=slew)
    ranges, hours = live.ranges, 0
    while ranges != target:
        ranges = moved(ranges, target, rate_ppm_per_hour=10_000, seconds=HOUR)
        hours += 1
    assert hours > 15
    assert one.ramps
    assert (one.target_ppm, one.published_ppm, one.in_force_ppm) == (150_000, 180_000, 150_000)
    assert one.arrives_s == NOW + hours * HOUR


@pytest.mark.parametrize("name", ["psr", "sigma"])
def test_standing__frozen__no_time_helps(name):
    """What only governance can end has no time."""
    assert standing(name, frozen=True).next_allowed_s is None


def test_standing__paused_and_vetoed__waits_for_the_later():
    """A pause holds everything, a veto what is to be lowered."""
    paused = standing(paused_until_s=NOW + 7_000, target=a_target(psr=160_000))
    assert paused.next_allowed_s == NOW + 7_000
    lower = standing(no_loosening_until_s=NOW + 9_000, target=a_target(psr=140_000))
    higher = standing(no_loosening_until_s=NOW + 9_000, target=a_target(psr=160_000))
    assert (lower.next_allowed_s, higher.next_allowed_s) == (NOW + 9_000, NOW)


def test_standing__at_its_bound__only_governance_moves_it_further():
    """A range at the end of its bounds does not wait for a budget."""
    fence = a_fence(current=150_000)
    assert standing(psr_fence=replace(fence, max=150_000), target=a_target(psr=200_000)).next_allowed_s is None


def test_standing__level__budget_is_a_ratio():
    """The level of the front expiry may rise by more points than it may fall, by the same part of its budget."""
    one = standing("sigma")
    assert one.expiry == EXPIRY
    assert one.left_up_ppm > one.left_down_ppm > 0
    assert (one.left_up_share_ppm, one.left_down_share_ppm) == (10**6, 10**6)
    assert one.arrives_s == NOW


def test_standing__nothing_can_be_published__empty():
    """A protocol without parameters of its own has nothing to show."""
    assert standings(replace(an_underlying(), publication=None), None, NOW) == ()
