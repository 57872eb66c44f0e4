"""What a recalibration asks of governance: bounds past their targets, and fences as wide as must be to be in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.domain.knobs import PolicyKnobs
from keeper.governance.bounds import bound_past
from keeper.governance.fenced import LATTICE_PPM
from keeper.governance.pace import SLACK_S, pace
from keeper.policy.glide import glide
from keeper.testing.builders import NOW, PPB
from tests.unit.test_policy_glide import a_place
from tests.weighed import a_target

KNOBS = PolicyKnobs()
DAY = 86_400


def asked(u, target, *, days=1.0, **more):
    return pace(u, target, KNOBS, now=NOW, within_s=round(days * DAY), **more)


def under(u, found, *, but=()):
    """The market with what was found in force; `but` is one fence to have another value."""
    state = u.publication
    for one in (*found.moved, *but):
        if one.table == "vol_fences":
            state = replace(state, vol=replace(state.vol, **{one.key: one.new}))
        elif one.table == "joint_fence":
            state = replace(state, joint=replace(state.joint, **{one.key: one.new}))
        else:
            name = one.table.removeprefix("fence.")
            fences = tuple(replace(f, **{one.key: one.new}) if f.name == name else f for f in state.fences)
            state = replace(state, fences=fences)
    return replace(u, publication=state)


def in_time(u, target, *, days=1.0):
    """Whether the scan range is within the hysteresis of its target an hour before the time is over; by the walk."""
    path = glide(u, target, KNOBS, now=NOW)
    before = [step for step in path.steps if step.at_s <= NOW + days * DAY - SLACK_S]
    wanted = target.ranges.psr_ppm
    return bool(before) and abs(before[-1].params.ranges.psr_ppm - wanted) * 10**6 <= KNOBS.hysteresis_ppm * wanted


def test_pace__target_in_reach__nothing_to_propose():
    """GOV-9: where today's fences let the path arrive, nothing is proposed."""
    found = asked(a_place(), a_target(psr_ppm=130_000))
    assert (found.moved, found.late, found.left) == ((), (), ())


@pytest.mark.parametrize("days", [0.5, 1.0])
def test_pace__too_slow__the_least_fences_that_arrive_in_time(days):
    """GOV-9: with what is proposed the walk arrives by the deadline; with any of it one lattice point less it does not.

    The twin is the walk itself, asked afresh under fences that are put in force by hand.
    """
    u, target = a_place(), a_target(psr_ppm=300_000)
    assert not in_time(u, target, days=days)
    found = asked(u, target, days=days)
    assert found.moved
    assert not found.left
    assert in_time(under(u, found), target, days=days)
    for one in found.moved:
        assert one.new > one.old
        assert one.new % LATTICE_PPM == 0
        less = replace(one, new=max(one.old, one.new - LATTICE_PPM))
        assert not in_time(under(u, found, but=(less,)), target, days=days), one
    before, after = found.set_after_h
    assert after <= days * 24 < before


def test_pace__beyond_a_bound__the_bound_goes_past_it():
    """GOV-9: a target that a bound does not admit moves the bound a fifth past it, on the lattice."""
    u, target = a_place(), a_target(psr_ppm=120_000)
    low = replace(u.publication.fences[0], max=115_000)
    u = replace(u, publication=replace(u.publication, fences=(low, *u.publication.fences[1:])))
    (bound,) = asked(u, target, days=3).moved
    assert (bound.table, bound.key, bound.old, bound.new) == ("fence.psr", "max", 115_000, 145_000)


def test_pace__beyond_what_the_contract_takes__the_bound_as_far_as_it_goes_and_told():
    """No proposal can bring a target that the contract refuses: the bound goes to its limit, and the rest is said."""
    u, target = a_place(), a_target(psr_ppm=700_000)
    for limit, moved in ((500_000, []), (450_000, [("max", 500_000)])):
        fence = replace(u.publication.fences[0], max=limit)
        place = replace(u, publication=replace(u.publication, fences=(fence, *u.publication.fences[1:])))
        found = asked(place, target, days=30)
        assert [(one.key, one.new) for one in found.moved] == moved
        assert found.left == ("scan range of 700000 is beyond what the contract takes, 500000",)


def test_pace__what_else_holds_it__told_and_nothing_proposed():
    """A freeze is nothing that a budget helps; a range that is to be lowered is slow on purpose."""
    u, target = a_place(), a_target(psr_ppm=300_000)
    frozen = asked(replace(u, publication=replace(u.publication, frozen=True)), target)
    assert frozen.moved == ()
    assert frozen.left == ("scan range is held by a freeze",)
    lower = asked(u, a_target(psr_ppm=30_000), loosens_from_s=NOW + 2 * DAY)
    assert (lower.moved, lower.late) == ((), ())


def test_pace__level_too_far__its_own_budget():
    """A level of volatility that a day's budget holds asks for that budget, and for nothing of the ranges."""
    found = asked(a_place(), a_target(sigma_ppm=2_400_000), days=1)
    assert {one.table for one in found.moved} == {"vol_fences"}
    assert {one.key for one in found.moved} <= {"atm_budget_ppm", "atm_step_ppm"}


@pytest.mark.parametrize(
    ("name", "target", "upwards", "bound"),
    [
        ("psr", 300_000, True, 360_000),
        ("psr", 480_000, True, 500_000),
        ("psr", 30_000, False, 20_000),
        ("psr", 3_000, False, 1),
        ("sigma", 1_001_000, True, 1_205_000),
        ("phi", PPB + 50_000_000, True, PPB + 60_000_000),
        ("phi", PPB - 50_000_000, False, PPB - 60_000_000),
        ("df", 400_000_000, False, 280_000_000),
    ],
)
def test_bound__past_its_target__on_the_lattice_and_within_what_the_contract_takes(name, target, upwards, bound):
    """A bound leaves room for the next recalibration, and never more than the contract takes."""
    assert bound_past(name, target, upwards=upwards) == bound


@pytest.mark.parametrize(("slew_ppm", "most"), [(10_000, 3_000_000), (None, PPB)])
def test_pace__forward_too_slow__never_a_step_that_the_slew_rate_has_no_room_for(slew_ppm, most):
    """SLW-9: a fifth of the slew rate, less what discounts have: 5e6 ppb − 1e6/0.8, of a forward of 0.9 at least."""
    u = a_place(slew_ppm=slew_ppm)
    vol = replace(
        u.publication.vol, phi_step_ppb=1_000_000, phi_budget_ppb=40_000_000, df_step_ppb=1_000_000, carry_max_ppm=10**7
    )
    u = replace(u, publication=replace(u.publication, vol=vol))
    target = a_target()
    (expiry,) = target.expiries
    far = replace(expiry, params=replace(expiry.params, phi_ppb=PPB + 36_000_000))
    found = asked(u, replace(target, expiries=(far,)), days=0.3)
    raised = {one.key: one.new for one in found.moved}
    assert raised.get("phi_step_ppb", 0) <= most
    assert bool(found.left) is (slew_ppm is not None)
    assert slew_ppm is None or any("forward" in one for one in found.left)
    assert slew_ppm is not None or raised["phi_step_ppb"] > 3_000_000, "else the limit was not put to the test"
