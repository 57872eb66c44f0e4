"""Whom a push would hurt, and what the gate makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.cycle import think
from keeper.domain import codec
from keeper.domain.action import Publish
from keeper.domain.cycle import CycleInputs
from keeper.domain.inputs import dump, hash_of
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.snapshot import Kind
from keeper.policy.effect import effect
from keeper.policy.gate import gate
from keeper.policy.impact import file_after, margins_under
from keeper.policy.part import between, published
from keeper.policy.publish import permitted
from keeper.policy.weigh import Scale
from keeper.risk.model import model
from keeper.risk.report import shock, worst
from keeper.testing.builders import (
    NOW,
    a_publication,
    a_snapshot,
    an_account,
    an_option,
    an_underlying,
    usd,
)
from tests.weighed import TIGHT, a_crowd, a_target, proposed, with_rounds

FREE = PolicyKnobs(impact_max_accounts_ppm=1_000_000, impact_max_requirement_ppm=1_000_000)


@settings(max_examples=40)
@given(
    psr=st.integers(60_000, 320_000),
    sigma=st.integers(200_000, 2_000_000),
    cash=st.lists(st.integers(-500, 4_000), min_size=3, max_size=8),
    size=st.floats(-2, 2).map(lambda x: round(x, 2)),
)
def test_effect__any_book__is_what_the_daemons_report_says(psr, sigma, cash, size):
    """IMP-1: impact counts by the functions that judge every block; the obvious twin compares two whole reports."""
    options = ((an_option(3_000, Kind.CALL), size), (an_option(2_700, Kind.PUT), -size))
    accounts = [an_account(10 + i, cash=c, perp=1.0 - 0.4 * i, options=options) for i, c in enumerate(cash)]
    snapshot = a_snapshot(*accounts, underlying=an_underlying(publication=a_publication()))
    u = snapshot.underlyings[0]
    after = file_after(
        u, a_target(sigma_ppm=sigma), ranges=replace(u.live.ranges, psr_ppm=psr), spot=usd(3_000), now=NOW
    )
    found = effect(1, margins_under(snapshot, {1: u.live}), margins_under(snapshot, {1: after}))

    def report(file):
        world = replace(snapshot, underlyings=(replace(u, live=file),))
        market = model(world, RiskKnobs())
        whole = worst(world, market, shock(world, market), buffer_ppm=0)
        return {a.account: a for a in whole.accounts if isinstance(a, AccountMargin)}

    old, new = report(u.live), report(after)
    short = {Band.LIQUIDATABLE, Band.INSOLVENT}
    fallen = {a for a in old if new[a].band in short and old[a].band not in short}
    assert {one.account for one in found.named_mm} == fallen, "IMP-1"
    assert found.below_mm == len(fallen)
    assert found.below_im == sum(new[a].equity < new[a].im and old[a].equity >= old[a].im for a in old)
    assert found.mm_after - found.mm_before == sum(new[a].mm - old[a].mm for a in old)
    assert found.im_after - found.im_before == sum(new[a].im - old[a].im for a in old)
    assert found.bad_debt_after == sum(max(0, -new[a].equity) for a in new)
    assert found.at_risk_after == sum(
        max(0, sum(p.grid + p.short_minimum for p in a.underlyings) - a.equity) for a in new.values() if a.band in short
    )
    moves = sorted((abs(new[a].mm - old[a].mm) for a in old), reverse=True)
    assert [abs(m.mm_after - m.mm_before) for m in found.largest] == [m for m in moves if m][:10]


def test_gate__slow__as_far_as_the_share_allows_and_says_whom():
    """IMP-2: the step is shortened until no more than the share falls; one part in 32 more would be too much."""
    snapshot = a_crowd()
    found = proposed(snapshot, a_target(psr_ppm=180_000), TIGHT)
    assert found.gated is not None
    assert 0 < found.gated.kept_ppm < 1_000_000
    scale = Scale(snapshot, snapshot.underlyings[0], TIGHT)
    assert scale.weigh(found.push.params).passes, "IMP-2"
    further = permitted(replace(found.file, kept_ppm=found.gated.kept_ppm + 31_250))
    assert not scale.weigh(further).passes, "IMP-2"
    assert not found.gated.whole.passes
    assert "7 of 40 accounts" in found.push.why
    assert f"{10:#066x}" in found.push.why, "it says which"


def test_gate__shortened__follows_from_the_file_alone():
    """IMP-3: what the gate kept is an input of the file, so that whoever has it derives the same integers."""
    found = proposed(a_crowd(), a_target(psr_ppm=180_000), TIGHT)
    assert found.file.kept_ppm == found.gated.kept_ppm
    assert permitted(found.file) == found.push.params, "IMP-3"
    assert hash_of(dump(found.file)) == found.push.inputs_hash, "IMP-3"


def test_gate__refuse__nothing_is_pushed_and_it_says_whom():
    found = proposed(a_crowd(), a_target(psr_ppm=180_000), replace(TIGHT, impact_gate="refuse"))
    assert found.push is None
    assert found.gated.params is None
    assert "held by the impact gate" in found.waits
    assert f"{10:#066x}" in found.waits


@pytest.mark.parametrize("knobs", [FREE, replace(TIGHT, impact_gate="off")])
def test_gate__wide_or_off__the_whole_step(knobs):
    found = proposed(a_crowd(), a_target(psr_ppm=180_000), knobs)
    assert found.push.params.ranges.psr_ppm == 180_000


def test_gate__small_steps_while_ranges_are_on_their_way__weigh_as_one():
    """IMP-4: under the slew a series of pushes is held against what is in force, not against the last of them."""
    snapshot = a_crowd(slew=True)
    knobs, psr = TIGHT, 150_000
    for _ in range(20):
        u = snapshot.underlyings[0]
        found = proposed(snapshot, a_target(psr_ppm=180_000), knobs)
        if found.push is None or found.push.params.ranges.psr_ppm == psr:
            break
        psr = found.push.params.ranges.psr_ppm
        # Published, and no time passed: what is in force stays, the target is set.
        fences = replace(
            u.publication, fences=(replace(u.publication.fences[0], current=psr), *u.publication.fences[1:])
        )
        snapshot = replace(snapshot, underlyings=(replace(u, publication=fences),))
    scale = Scale(a_crowd(slew=True), a_crowd(slew=True).underlyings[0], knobs)
    assert scale.weigh(a_target(psr_ppm=psr)).passes, "IMP-4: all steps together are within the share"
    assert psr < 180_000


def test_gate__adds_nobody__passes_whatever_is_already_on_its_way():
    """What is set will happen; a push that makes it no worse, such as going back, is never held up by it."""
    snapshot = a_crowd(slew=True)
    u = snapshot.underlyings[0]
    fences = replace(
        u.publication, fences=(replace(u.publication.fences[0], current=250_000), *u.publication.fences[1:])
    )
    scale = Scale(snapshot, replace(u, publication=fences), replace(TIGHT, impact_max_accounts_ppm=0))
    assert scale.weigh(a_target(psr_ppm=250_000)).passes
    assert scale.weigh(a_target(psr_ppm=240_000)).passes
    assert not scale.weigh(a_target(psr_ppm=260_000)).passes


def test_between__ends_and_middle__never_further_than_asked():
    """No part of a way goes beyond either end; none of it is where it began, all of it where it was to go."""
    u = a_crowd().underlyings[0]
    new = a_target(psr_ppm=180_001, sigma_ppm=500_003)
    old = published(u, new)
    assert between(old, new, 1_000_000) == new
    assert between(old, new, 0).ranges == old.ranges
    half = between(old, new, 500_000)
    assert half.ranges.psr_ppm == 165_000
    assert half.expiries[0].params.sigma_atm_ppm == 600_002


def test_think__gated_push__told_and_replayed_to_the_same_bytes():
    """The gate is in the daemon's path: the decision carries its reason, and the same inputs give the same decision."""
    inputs = CycleInputs(
        snapshot=with_rounds(a_crowd()),
        in_flight=(),
        called=(),
        risk=RiskKnobs(psr_floor_ppm=180_000),
        policy=TIGHT,
    )
    decision = think(inputs)
    assert codec.dumps(decision) == codec.dumps(think(codec.loads(CycleInputs, codec.dumps(inputs))))
    (push,) = [a for a in decision.actions if isinstance(a, Publish)]
    assert 150_000 < push.params.ranges.psr_ppm < 180_000
    assert any("ETH: push" in alert and "of 40 accounts" in alert for alert in decision.alerts)
    assert "policy.impact_gate" in push.why


def test_gate__name__is_the_callers():
    """Accounts are named as the caller names them, the largest requirement first."""
    snapshot = a_crowd()
    u = snapshot.underlyings[0]
    scale = Scale(snapshot, u, TIGHT)
    found = gate(scale, a_target(psr_ppm=180_000), lambda _: published(u, a_target()), slow=False, name=str)
    assert "(10, 11, 12 and 4 more)" in found.said


def test_weigh__tightening_under_a_slew__initial_margin_bites_at_once_and_maintenance_on_arrival():
    """What is widened while ranges rise counts against IM from the first block; MM moves when they arrive."""
    snapshot = a_crowd(slew=True)
    found = Scale(snapshot, snapshot.underlyings[0], TIGHT).weigh(a_target(psr_ppm=180_000))
    assert found.at_once.mm_after == found.at_once.mm_before
    assert found.at_once.im_after > found.at_once.im_before
    assert found.at_once.below_im > 0 == found.at_once.below_mm
    assert found.arrived.mm_after == found.at_once.mm_before * 180_000 // 150_000
