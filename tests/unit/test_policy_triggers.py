"""When a push is due, what a storm changes, and what a floor set by hand does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.inputs import dump, load
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.overrides import Override
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Observation
from keeper.errors import BadInput
from keeper.policy.overrides import floored, standing
from keeper.policy.publish import permitted, propose
from keeper.policy.triggers import due, regime
from keeper.policy.verify import checks_of
from keeper.risk.calibration.lately import highest_lately
from keeper.testing.builders import (
    EXPIRY,
    NOW,
    a_block,
    a_fence,
    a_file,
    a_publication,
    a_snapshot,
    an_underlying,
    usd,
)
from tests.weighed import a_target, market_of

KNOBS = PolicyKnobs(impact_gate="off")
HOUR = 3_600


def rounds(*, calm_ppm: int, lately_ppm: int, last_h: int = 6, days: int = 7):
    """Hourly rounds that zigzag by one size, and by another in the last hours."""
    found, price = [], 3_000.0
    for hour in range(days * 24, -1, -1):
        step = (lately_ppm if hour < last_h else calm_ppm) / 1e6
        price *= 1 + (step if hour % 2 else -step)
        found.append(Observation(time=NOW - hour * HOUR, price=usd(round(price, 2))))
    return tuple(found)


CALM = rounds(calm_ppm=5_000, lately_ppm=5_000)
STORM = rounds(calm_ppm=5_000, lately_ppm=25_000)


def a_market(*, history=CALM, publication=None, psr_ppm=150_000, file=None):
    u = an_underlying(
        history=history,
        file=file or a_file(psr_ppm=psr_ppm),
        publication=publication
        or replace(
            a_publication(),
            fences=(
                a_fence("psr", current=psr_ppm),
                a_fence("vsr_up", current=450_000),
                a_fence("vsr_down", current=300_000),
            ),
        ),
    )
    return a_snapshot(underlying=u)


def proposal(snapshot, target, knobs=KNOBS, overrides=()):
    return propose(snapshot, snapshot.underlyings[0], market_of(snapshot, target), knobs, overrides)


def test_regime__calm__one():
    """A market that moves as it always has is at a ratio of one."""
    found = regime(CALM, NOW, KNOBS)
    assert not found.stormy
    assert abs(found.ratio_ppm - 1_000_000) < 20_000


def test_regime__last_hours_five_times_as_wild__stormy():
    found = regime(STORM, NOW, KNOBS)
    assert found.stormy
    assert found.ratio_ppm > 2_000_000
    assert "above 2" in found.said


def test_regime__too_short_a_past__nothing_is_said():
    """Four short windows at least: less says nothing about what is usual."""
    assert regime(CALM[-20:], NOW, KNOBS).ratio_ppm is None
    assert not regime((), NOW, KNOBS).stormy
    flat = tuple(replace(one, price=usd(3_000)) for one in CALM)
    assert regime(flat, NOW, KNOBS).ratio_ppm is None


@given(scale=st.integers(2, 10**6))
def test_regime__another_unit_of_price__the_same(scale):
    """A ratio of volatilities does not know what money is called."""
    other = tuple(replace(one, price=one.price * scale) for one in STORM)
    assert abs(regime(other, NOW, KNOBS).ratio_ppm - regime(STORM, NOW, KNOBS).ratio_ppm) <= 1


@pytest.mark.parametrize(("psr", "is_due"), [(157_000, False), (158_000, True)])
def test_due__out_of_the_band__pushed(psr, is_due):
    """Five percent of what was set last."""
    found = proposal(a_market(), a_target(psr_ppm=psr))
    assert (found.push is not None) is is_due
    assert ("scan range" in found.why) if is_due else ("hysteresis band" in found.waits)


@pytest.mark.parametrize(("df", "is_due"), [(997_600_000, False), (997_000_000, True)])
def test_due__discount_factor__has_the_forward_s_band(df, is_due):
    """HYS-2: no published number is outside the hysteresis; a quarter of a percent for forwards and discounts."""
    target = a_target()
    (expiry,) = target.expiries
    moved = replace(target, expiries=(replace(expiry, params=replace(expiry.params, df_ppb=df)),))
    found = proposal(a_market(), moved)
    assert (found.push is not None) is is_due
    if is_due:
        assert "discount factor 1.0000 → 0.9970" in found.why


def test_due__storm__a_fifth_of_the_band_for_what_tightens():
    """TRG-1: in a storm a small tightening is pushed inside the band, and says why."""
    assert proposal(a_market(history=CALM), a_target(psr_ppm=155_000)).push is None
    stormy = proposal(a_market(history=STORM), a_target(psr_ppm=155_000))
    assert stormy.push is not None, "TRG-1"
    assert "stormy" in stormy.why


def test_due__storm__nothing_loosens():
    """TRG-2: while it lasts no scan range is lowered, whatever the target, the heartbeat's push included."""
    old = a_publication(last_time=NOW - 2 * 86_400)
    at_30 = (a_fence("psr", current=300_000), a_fence("vsr_up", current=450_000), a_fence("vsr_down", current=300_000))
    snapshot = a_market(history=STORM, psr_ppm=300_000, publication=replace(old, fences=at_30))
    found = proposal(snapshot, a_target(psr_ppm=100_000))
    assert "heartbeat" in found.why
    assert found.push.params.ranges.psr_ppm == 300_000, "TRG-2"
    assert "stays at 30.00 %" in found.held[0]


def test_due__loosening__only_after_the_target_stayed_lower_and_by_a_part():
    """SPD-3: a target that fell an hour ago lowers nothing; one that stayed lower for six hours lowers a quarter."""
    snapshot = a_market(psr_ppm=300_000)
    u = snapshot.underlyings[0]
    lately, when = highest_lately(u, NOW, RiskKnobs(), over_s=KNOBS.loosen_after_s)
    assert NOW - KNOBS.loosen_after_s <= when < NOW
    target = a_target(psr_ppm=lately.psr_ppm)
    found = proposal(snapshot, target)
    step = -(-(300_000 - lately.psr_ppm) // 4)
    assert found.legal.ranges.psr_ppm == max(300_000 - step, 240_000), "SPD-3: a quarter, inside the step"
    wild = a_market(psr_ppm=300_000, history=rounds(calm_ppm=5_000, lately_ppm=5_000)[:-4] + STORM[-4:])
    fresh = proposal(wild, a_target(psr_ppm=80_000), replace(KNOBS, regime_ratio_ppm=10**9))
    before = highest_lately(wild.underlyings[0], NOW, RiskKnobs(), over_s=KNOBS.loosen_after_s)[0]
    assert fresh.legal.ranges.psr_ppm >= max(80_000, before.psr_ppm), "SPD-3"


def test_permitted__lately__is_read_from_the_file_and_not_estimated_again():
    """What was aimed at in the hours before is a fitted number: stored, so that another machine derives the same."""
    found = proposal(a_market(psr_ppm=300_000), a_target(psr_ppm=80_000))
    assert found.file.lately is not None
    changed = replace(found.file, lately=Ranges(psr_ppm=300_000, vsr_up_ppm=1, vsr_down_ppm=1))
    assert permitted(found.file).ranges.psr_ppm < 300_000 == permitted(changed).ranges.psr_ppm


def test_due__budget_spent__not_pushed_against_block_after_block():
    """A target far away whose step is next to nothing waits; the heartbeat still comes."""
    spent = replace(
        a_publication(),
        fences=(
            a_fence("psr", current=224_900, anchor=150_000),
            a_fence("vsr_up", current=450_000),
            a_fence("vsr_down", current=300_000),
        ),
    )
    found = proposal(a_market(publication=spent, psr_ppm=224_900), a_target(psr_ppm=320_000))
    assert found.legal.ranges.psr_ppm == 225_000
    assert found.push is None
    late = replace(spent, last_time=NOW - KNOBS.heartbeat_s)
    assert "heartbeat" in proposal(a_market(publication=late, psr_ppm=224_900), a_target(psr_ppm=320_000)).why


def test_due__slew__judged_by_what_was_set_and_not_by_what_is_on_its_way():
    """Ranges in force lag behind for hours; that is no reason to push the same target again."""
    lagging = a_market(psr_ppm=180_000, file=a_file(psr_ppm=150_000))
    assert proposal(lagging, a_target(psr_ppm=180_000)).push is None


def test_due__no_file__says_so():
    u = replace(a_market().underlyings[0], live=None)
    target = a_target()
    said = due(u, set_=target.ranges, wanted=target, legal=target, age_s=0, stormy=False, knobs=KNOBS)
    assert said == "has no file yet"


@pytest.mark.parametrize(
    "wrong",
    [
        {"regime_long_s": 4 * 21_600 - 1},
        {"regime_ratio_ppm": 999_999},
        {"loosen_step_ppm": 0},
        {"impact_gate": "maybe"},
        {"impact_max_accounts_ppm": 1_000_001},
    ],
)
def test_knobs__out_of_range__refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(BadInput, match=name):
        replace(PolicyKnobs(), **wrong).validate()


# --- floors set by hand -----------------------------------------------------------------------------------------------


def a_floor(number=1, *, parameter="psr", floor_ppm=200_000, expires_at_s=NOW + HOUR, **named) -> Override:
    return Override(
        number=number,
        underlying=1,
        parameter=parameter,
        floor_ppm=floor_ppm,
        reason="a fork is announced",
        operator="alice",
        set_at_s=NOW - HOUR,
        expires_at_s=expires_at_s,
        **named,
    )


def lapsed_floor(hours_ago: float, **named):
    """One that stood for a day."""
    end = NOW - round(hours_ago * HOUR)
    return replace(a_floor(expires_at_s=end, **named), set_at_s=end - 24 * HOUR)


def test_due__floor_that_lapsed__loosens_only_once_the_patience_has_passed_since():
    """OVR-5: the target had been lower all along; what it is lowered from is the floor, and that ended now."""
    snapshot, target = a_market(psr_ppm=240_000), a_target(psr_ppm=100_000)
    without = proposal(snapshot, target)
    assert without.legal.ranges.psr_ppm < 240_000
    fresh = proposal(snapshot, target, overrides=(lapsed_floor(0.5, floor_ppm=250_000),))
    assert fresh.legal.ranges.psr_ppm == 240_000, "OVR-5"
    assert "a target of 25.00 % is less than 6 h old" in fresh.held[0]
    lower = proposal(snapshot, target, overrides=(lapsed_floor(0.5, floor_ppm=230_000),))
    assert 230_000 <= lower.legal.ranges.psr_ppm < 240_000, "OVR-5: no further than where the floor was"
    over = proposal(snapshot, target, overrides=(lapsed_floor(6.1, floor_ppm=250_000),))
    assert over.legal == without.legal, "OVR-5: the patience is over"
    assert over.file.overrides == ()
    taken = a_floor(floor_ppm=250_000, expires_at_s=NOW + 9 * HOUR, cleared_at_s=NOW - 60, cleared_by="bob")
    assert proposal(snapshot, target, overrides=(taken,)).legal == fresh.legal, "one taken back ended too"


@pytest.mark.parametrize(
    "floor",
    [
        lapsed_floor(0.5, floor_ppm=900_000, parameter="sigma"),
        replace(lapsed_floor(0.5, floor_ppm=250_000), underlying=2),
        lapsed_floor(0.5, floor_ppm=290_000, parameter="vsr_down"),
    ],
)
def test_due__floor_of_something_else_that_lapsed__holds_nothing(floor):
    """OVR-5: a level follows its target at once, and each range has its own past."""
    snapshot, target = a_market(psr_ppm=240_000), a_target(psr_ppm=100_000)
    assert proposal(snapshot, target, overrides=(floor,)).legal == proposal(snapshot, target).legal


def test_file__floor_that_lapsed__derived_and_verified_from_the_file_alone():
    """OVR-5: the file names the floor, so whoever has it finds the same highest target lately and the same integers."""
    floors = (lapsed_floor(0.5, floor_ppm=250_000), lapsed_floor(1, number=2, floor_ppm=245_000), a_floor(3))
    found = proposal(a_market(psr_ppm=240_000), a_target(psr_ppm=100_000), overrides=floors)
    file = load(dump(found.file))
    assert {one.number for one in file.overrides} == {1, 3}, "of each range the highest of either kind"
    assert file.lately.psr_ppm == 250_000
    assert permitted(file) == found.legal
    said = {check.what: check.difference for check in checks_of(file)}
    assert said["highest target lately"] is None
    forged = replace(file, overrides=file.overrides[:1])
    said = {check.what: check.difference for check in checks_of(forged)}
    assert said["highest target lately"].name == "lately.psr_ppm", "OVR-5: without it the numbers do not follow"


@given(
    psr=st.integers(10_000, 325_000),
    sigma=st.integers(60_000, 2_000_000),
    floors=st.lists(st.tuples(st.sampled_from(["psr", "vsr_up", "vsr_down", "sigma"]), st.integers(1, 2_000_000))),
)
def test_floored__any_floors__raises_to_the_highest_and_lowers_nothing(psr, sigma, floors):
    """OVR-2: a floor only raises; of several the highest counts; every one that counts is told."""
    target = a_target(psr_ppm=psr, sigma_ppm=sigma)
    given_ = [a_floor(i, parameter=name, floor_ppm=ppm) for i, (name, ppm) in enumerate(floors, 1)]
    got = floored(target, given_, NOW)
    most = {
        name: max((ppm for n, ppm in floors if n == name), default=0) for name in ("psr", "vsr_up", "vsr_down", "sigma")
    }
    assert got.ranges.psr_ppm == max(psr, most["psr"]), "OVR-2"
    assert got.ranges.vsr_up_ppm == max(450_000, most["vsr_up"]), "OVR-2"
    (expiry,) = got.expiries
    assert expiry.params.sigma_atm_ppm == max(sigma, most["sigma"]), "OVR-2"
    assert all(s == expiry.params.sigma_atm_ppm for s in expiry.sigmas_ppm), "a flat smile stays flat"
    assert len(got.reasons) == len({name for name, _ in floors})


def test_floored__lapsed_cleared_or_anothers__nothing():
    """OVR-3: what does not stand has no effect, and is not told."""
    others = [
        a_floor(expires_at_s=NOW),
        a_floor(cleared_at_s=NOW, cleared_by="bob"),
        replace(a_floor(), underlying=2),
        replace(a_floor(), set_at_s=NOW + 1),
    ]
    assert floored(a_target(), others, NOW) == a_target(), "OVR-3"
    assert standing(others, 1, NOW) == ()


def test_propose__floor__aimed_at_stored_with_the_inputs_and_derived_again():
    """A floor raises the push, stands in its inputs file, and whoever has the file derives the same integers."""
    found = proposal(a_market(), a_target(), overrides=(a_floor(), a_floor(2, floor_ppm=160_000)))
    assert found.aim.ranges.psr_ppm == 200_000
    assert found.push.params.ranges.psr_ppm == 180_000, "inside the step"
    assert [one.number for one in found.file.overrides] == [1]
    assert permitted(found.file) == found.push.params
    assert any("override 1: scan_range at least 20 %" in reason and "alice" in reason for reason in found.aim.reasons)


def test_world__its_expiry__is_ahead():
    """The fixtures speak of one block and one expiry after it."""
    assert a_block().timestamp == NOW < EXPIRY
