"""What keeps each published number from its target (HLD-1)."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.overrides import Override
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import Unusable
from keeper.policy import held
from keeper.policy.held import held_by
from keeper.policy.publish import propose
from keeper.policy.speeds import value
from keeper.testing.builders import EXPIRY, NOW, a_fence, a_file, a_publication, a_snapshot, an_underlying


def a_target(*, psr=150_000, sigma=700_000):
    params = ExpiryParams(expiry=EXPIRY, phi_ppb=10**9, df_ppb=10**9, sigma_atm_ppm=sigma)
    ranges = Ranges(psr_ppm=psr, vsr_up_ppm=450_000, vsr_down_ppm=300_000)
    one = ExpiryTarget(params=params, sigmas_ppm=(sigma,) * len(an_underlying().listings[0].strikes))
    return UnderlyingTarget(underlying=1, ranges=ranges, expiries=(one,), realised_vol=0.7, reasons=())


def told(target, *, fence=None, spot=None, gated=False, overrides=(), unsigned="", policy=None, **changes):
    """What holds each number of a market published at a scan range of 15 %."""
    state = a_publication()
    fences = (fence or a_fence(current=150_000), *state.fences[1:])
    u = replace(an_underlying(), publication=replace(state, fences=fences, **changes), live=a_file(psr_ppm=150_000))
    u = u if spot is None else replace(u, spot=spot)
    return held_by(
        a_snapshot(underlying=u, timestamp=NOW), u, replace(target, underlying=u.underlying),
        risk=RiskKnobs(), policy=policy or PolicyKnobs(), overrides=overrides, gated=gated, unsigned=unsigned,
    )  # fmt: skip


def psr(target, **changes):
    return told(target, **changes).get(("psr", 0), "")


def test_held__at_its_target__nothing():
    assert told(a_target()) == {}


def test_held__target_beyond_a_step_a_budget_or_the_bounds__that_fence():
    """HLD-1: the fence at whose edge the next publication would stand."""
    far = a_fence(current=150_000)
    assert psr(a_target(psr=300_000), fence=far) == "step"
    budget = min(150_000 * far.budget_rel_ppm // 10**6, far.budget_abs)
    spent = a_fence(current=150_000 + budget - 1_000, anchor=150_000)
    assert psr(a_target(psr=390_000), fence=spent) == "day's budget"
    top = a_fence(current=far.max)
    assert psr(a_target(psr=far.max + 10_000), fence=top) == "absolute bounds"


def test_held__lowered_soon_after_it_was_high__loosening_speed_or_veto():
    low = a_target(psr=149_000)
    assert psr(low, policy=PolicyKnobs(loosen_step_ppm=1_000)) == "loosening speed"
    assert psr(low, no_loosening_until_s=NOW + 60) in {"guardian's veto", "loosening speed"}


@pytest.mark.parametrize(
    ("changes", "by"),
    [
        ({"frozen": True}, held.FREEZE),
        ({"paused_until_s": NOW + 60}, held.PAUSE),
        ({"gated": True}, held.GATE),
        ({"spot": Unusable(reason="stale")}, held.PRICE),
    ],
)
def test_held__everything_is__said_of_each_number_that_is_off(changes, by):
    """HLD-1: what stops all of them comes before the fences of each."""
    found = told(a_target(psr=300_000, sigma=710_000), **changes)
    assert found[("psr", 0)] == found[("sigma", EXPIRY)] == by
    assert ("vsr_up", 0) not in found, "it is at its target"


@pytest.mark.parametrize(
    ("changes", "by"),
    [
        ({"next_allowed_s": NOW + 60}, held.TIME),
        ({"in_notice": True}, held.NOTICE),
        ({}, held.HYSTERESIS),
    ],
)
def test_held__no_fence_is__time_or_the_triggers(changes, by):
    """HLD-1: a target a hair above what is published is in reach of every fence."""
    assert psr(a_target(psr=150_100), **changes) == by


def test_held__a_push_is_due__with_this_block_or_the_sign_off():
    near = a_target(psr=156_000)
    policy = PolicyKnobs(heartbeat_s=1)
    assert psr(near, policy=policy) == held.PUSHED
    assert psr(near, policy=policy, unsigned="not signed off") == held.SIGN_OFF


def test_held__a_floor_keeps_it_above_the_kernels_target__named():
    floor = Override(
        number=1, underlying=1, parameter="psr", floor_ppm=150_000, set_at_s=NOW - 10, expires_at_s=NOW + 9_000,
        operator="Ada", reason="a fork",
    )  # fmt: skip
    u = an_underlying()
    assert psr(a_target(psr=149_000), overrides=(replace(floor, underlying=u.underlying),)) == held.FLOOR


def test_held__as_the_loop_itself_decides__same_target_same_words():
    """The stand-in market gives the decision that the block's own model gives, as far as parameters go."""
    target = a_target(psr=300_000)
    state = a_publication()
    u = replace(an_underlying(), publication=state, live=a_file())
    snapshot, target = a_snapshot(underlying=u, timestamp=NOW), replace(target, underlying=u.underlying)
    market = held._as_told(u, target, NOW, RiskKnobs())
    found = propose(snapshot, u, market, PolicyKnobs(impact_gate="off"))
    published = {f.name: f.current for f in state.fences}
    off = {name for name in published if value(target.ranges, name) != published[name]}
    named = held_by(snapshot, u, target, risk=RiskKnobs(), policy=PolicyKnobs())
    assert {name for name, expiry in named if not expiry} == off
    assert found.legal is not None
