"""Every step of a glide path is one that the contract would take, and the path ends where it says it does."""

from __future__ import annotations

import datetime as dt
import io
import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from keeper.cli.show.glide import glides_view
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import JointFence, SlewState, SmileFence
from keeper.policy.binding import bounds
from keeper.policy.glide import HORIZON_S, glide
from keeper.policy.guard import allow, current
from keeper.policy.judge import Update, judge
from keeper.policy.ramp import arrival_s, later
from keeper.policy.ring import advanced, seen_at
from keeper.risk.exact.slew import moved
from keeper.testing.builders import EXPIRY, NOW, PPB, STRIKES_USD, a_file, a_publication, an_underlying, strike
from tests.weighed import a_target

KNOBS = PolicyKnobs()
HOUR = 3_600
JOINT = JointFence(step_ppm=300_000, budget_ppm=1_000_000)


def a_place(*, slew_ppm: int | None = 10_000, **fences):
    """A market that may publish once an hour, with every fence there is."""
    state = a_publication()
    smile = tuple(SmileFence(strike=strike(k), ratio_ppm=1_000_000, anchor_ppm=1_000_000) for k in STRIKES_USD)
    state = replace(state, expiries=(replace(state.expiries[0], smile=smile),))
    slew = None if slew_ppm is None else SlewState(target=a_file().ranges, rate_ppm_per_hour=slew_ppm, time_s=NOW)
    state = replace(state, vol=replace(state.vol, min_delay_s=HOUR), slew=slew, **{"joint": JOINT} | fences)
    return an_underlying(publication=state)


@settings(max_examples=15, deadline=None)
@given(
    psr=st.integers(60_000, 320_000),
    up=st.integers(300_000, 700_000),
    sigma=st.integers(300_000, 1_500_000),
    phi=st.integers(PPB - 14_000_000, PPB + 14_000_000),
)
def test_glide__any_target__every_step_is_what_the_contract_takes(psr, up, sigma, phi):
    """GLD-1: the judge, which mirrors `preview`, passes each step whole at its time, after the steps before it."""
    u, target = a_place(), a_target(psr_ppm=psr, sigma_ppm=sigma)
    (expiry,) = target.expiries
    target = replace(
        target,
        ranges=replace(target.ranges, vsr_up_ppm=up),
        expiries=(replace(expiry, params=replace(expiry.params, phi_ppb=phi)),),
    )
    path = glide(u, target, KNOBS, now=NOW)
    state, at = u.publication, NOW
    for step in path.steps:
        state = seen_at(state, then=at, now=step.at_s)
        at = step.at_s
        update = Update(id=state.last_id + 1, valid_until_s=at + 60, expected_old=state.digest, target=step.params)
        assert judge(update, state, u.rules, at, u.live, spot=u.spot.wad).ok, "GLD-1"
        state = advanced(state, step.params, at)
    assert not path.stops
    assert path.steps == () or path.steps[-1].params.ranges == target.ranges, "it is set when it says it is"
    assert path.set_at_s == (path.steps[-1].at_s if path.steps else NOW)
    assert current(state) == target.ranges


def test_glide__nothing_to_do__no_step_and_there_already():
    path = glide(a_place(), a_target(), KNOBS, now=NOW)
    assert path.steps == ()
    assert path.set_at_s == path.arrives_at_s == NOW
    assert path.unreachable == ()


def test_glide__far_away__each_step_tells_what_holds_it_and_margins_arrive_later():
    """A day's budget ends the first day; what is in force follows at a percent an hour, and arrives later."""
    path = glide(a_place(), a_target(psr_ppm=320_000), KNOBS, now=NOW)
    held = [{b.by for b in step.short if b.name == "psr"} for step in path.steps]
    assert held[0] == {"step"}
    assert {"budget"} in held
    assert held[-1] == set()
    assert path.set_at_s > NOW + 24 * HOUR
    assert path.arrives_at_s > path.set_at_s
    assert all(a.at_s + HOUR <= b.at_s for a, b in zip(path.steps, path.steps[1:], strict=False))
    for before, after in zip(path.steps, path.steps[1:], strict=False):
        assert before.in_force.psr_ppm <= after.in_force.psr_ppm <= after.params.ranges.psr_ppm


def test_glide__a_long_wait__tells_what_it_is_for():
    """GLD-1: a publication that comes later than it may follows a wait that names its fence; no other does."""
    path = glide(a_place(), a_target(psr_ppm=320_000), KNOBS, now=NOW)
    pairs = list(itertools.pairwise(path.steps))
    waits = [after.waited for before, after in pairs if after.at_s - before.at_s > 2 * HOUR]
    assert waits, "the day's budget is used up on the way"
    assert all({one.by for one in waited} <= {"budget", "joint"} and waited for waited in waits), "GLD-1"
    prompt = [after.waited for before, after in pairs if after.at_s - before.at_s <= HOUR]
    assert prompt
    assert not any(prompt), "GLD-1"
    shown = io.StringIO()
    found = SimpleNamespace(symbol="ETH", glide=path, loosens_from_s=NOW)
    Console(file=shown, width=200).print(glides_view([found]))
    later = next(after.at_s for _, after in pairs if after.waited)
    said = f"waits until {dt.datetime.fromtimestamp(later, dt.UTC):%m-%d %H:%M} UTC: enough of the "
    assert said in shown.getvalue(), "GLD-1"


def test_glide__binds_at_once__arrives_when_it_is_set():
    """Where a protocol has no slew, what is set is in force."""
    path = glide(a_place(slew_ppm=None), a_target(psr_ppm=200_000), KNOBS, now=NOW)
    assert path.arrives_at_s == path.set_at_s
    assert path.steps[0].in_force == path.steps[0].params.ranges


@pytest.mark.parametrize(
    ("target", "name", "end"),
    [
        (a_target(psr_ppm=950_000), "psr", 900_000),
        (a_target(sigma_ppm=4_500_000), "sigma", 4_000_000),
    ],
)
def test_glide__beyond_a_bound__told_and_gone_as_far_as_it_goes(target, name, end):
    """GLD-2: what only governance can move is named, with where it ends."""
    path = glide(a_place(joint=None), target, KNOBS, now=NOW)
    (cut,) = path.unreachable
    assert (cut.name, cut.legal, cut.by) == (name, end, "bounds"), "GLD-2"
    last = path.steps[-1].params
    assert end == (last.ranges.psr_ppm if name == "psr" else last.expiries[0].params.sigma_atm_ppm)


def test_glide__forward_beyond_its_carry__goes_to_the_edge_and_ends():
    """A carry fence closes in as expiry comes nearer: to have been at its edge is to be there."""
    target = a_target()
    (expiry,) = target.expiries
    far = replace(target, expiries=(replace(expiry, params=replace(expiry.params, phi_ppb=1_200_000_000)),))
    path = glide(a_place(), far, KNOBS, now=NOW)
    assert not path.stops
    assert [cut.name for cut in path.unreachable] == ["phi"]
    assert len(path.steps) <= 5


def test_glide__frozen__never():
    """Nothing but governance's thaw ends it."""
    path = glide(a_place(frozen=True), a_target(psr_ppm=200_000), KNOBS, now=NOW)
    assert path.steps == ()
    assert path.set_at_s is None
    assert "frozen" in path.stops


def test_glide__paused_then_vetoed__begins_when_it_may():
    """A pause puts off everything, a veto what is lowered."""
    paused = glide(a_place(paused_until_s=NOW + 5 * HOUR), a_target(psr_ppm=160_000), KNOBS, now=NOW)
    assert paused.steps[0].at_s == NOW + 5 * HOUR
    vetoed = glide(a_place(no_loosening_until_s=NOW + 10 * HOUR), a_target(psr_ppm=140_000), KNOBS, now=NOW)
    assert vetoed.steps[0].at_s >= NOW + 10 * HOUR


def test_glide__loosening__waits_and_goes_by_parts():
    """GLD-3: the path keeps the speeds of the loop: not before it may, and a quarter of the way at a time."""
    path = glide(a_place(), a_target(psr_ppm=100_000), KNOBS, now=NOW, loosens_from_s=NOW + 6 * HOUR)
    assert path.steps[0].at_s >= NOW + 6 * HOUR, "GLD-3"
    assert path.steps[0].params.ranges.psr_ppm == 137_500, "GLD-3"
    assert {b.by for b in path.steps[0].short} == {"speed"}
    assert path.steps[-1].params.ranges.psr_ppm == 100_000


def test_glide__expiry_passes_on_the_way__left_out():
    """A path longer than an option's life goes on without it."""
    path = glide(a_place(), a_target(psr_ppm=900_000), KNOBS, now=EXPIRY - 30 * HOUR)
    assert path.steps[0].params.expiries
    assert not path.steps[-1].params.expiries
    assert path.set_at_s < NOW + HORIZON_S


@given(st.integers(1, 900_000), st.integers(1, 900_000), st.integers(1, 100_000), st.integers(0, 100 * HOUR))
def test_later__any_way__monotone_and_never_beyond(value, target, rate, seconds):
    """Ranges move towards their target, at most by their rate, whatever the hour."""
    a, b = (Ranges(psr_ppm=x, vsr_up_ppm=x, vsr_down_ppm=x) for x in (value, target))
    slew = SlewState(target=b, rate_ppm_per_hour=rate, time_s=NOW)
    got = later(a, slew, b, since=NOW, now=NOW + seconds).psr_ppm
    assert min(value, target) <= got <= max(value, target)
    once = moved(a, b, rate_ppm_per_hour=rate, seconds=HOUR).psr_ppm
    assert abs(once - value) <= value * rate // 10**6
    arrives = arrival_s(a, slew, b, since=NOW)
    if arrives is not None:
        assert later(a, slew, b, since=NOW, now=arrives) == b


def test_bounds__a_legal_target__nothing_is_held():
    """What may go all the way has no fence to name."""
    u, target = a_place(), a_target(psr_ppm=160_000)
    legal = allow(target, u.publication, NOW, u.rules)
    assert bounds(target, legal, u.publication, NOW) == ()
