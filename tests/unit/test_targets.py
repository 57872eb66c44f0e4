"""Scan range, term structure and the whole target (EST-3)."""

import re
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import strategies as st

from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import Listing, Observation
from keeper.errors import LawBroken
from keeper.risk import lattice
from keeper.risk.calibration import term
from keeper.risk.calibration.scan_range import normal_shortfall, scan_range, scan_range_of
from keeper.risk.calibration.targets import Untargeted, target
from keeper.risk.exact.riskfile import DAY, term_factor
from keeper.risk.timeseries.volatility import Series, estimate
from keeper.risk.timeseries.windows import windows_of_rounds
from keeper.testing.builders import NOW, an_underlying, usd

WAD = 10**18
KNOBS = RiskKnobs()


def history(*, hours=400, move=0.01, now=NOW):
    """A price that goes up and down by `move` every hour."""
    return tuple(
        Observation(time=now - 3_600 * (hours - i), price=int(3_000 * (1 + move * (i % 2)) * WAD))
        for i in range(hours + 1)
    )


def series(observations):
    found = estimate(observations, decay_per_day=KNOBS.ewma_lambda, min_rounds=2)
    assert isinstance(found, Series)
    return found


@hypothesis.given(st.integers(2, 300), st.floats(1e-5, 0.3), st.integers(1, 20_000))
def test_scan_range__any_history__on_the_lattice_and_within_bounds(hours, move, step):
    """EST-3: a multiple of the lattice between floor and ceiling."""
    knobs = replace(KNOBS, psr_lattice_ppm=step)
    psr = scan_range(series(history(hours=hours, move=move)), knobs).psr_ppm
    assert psr % step == 0, "EST-3"
    assert psr <= knobs.psr_ceiling_ppm, "EST-3"
    assert psr >= min(knobs.psr_floor_ppm, knobs.psr_ceiling_ppm - step), "EST-3"


@pytest.mark.parametrize(
    ("move", "binds"), [(1e-4, "floor 8.00 % binds"), (0.02, "normal tail"), (0.3, "ceiling 32.50 % binds")]
)
def test_scan_range__reason__names_what_binds(move, binds):
    """A person can read which term decided."""
    assert binds in scan_range(series(history(move=move)), KNOBS).reason


@pytest.mark.parametrize(
    ("hours", "said"), [(72, "in the 3.0 days there are, from"), (9_600, "in the wildest 365 days, from")]
)
def test_scan_range__reason__tells_of_the_days_there_are(hours, said):
    """Three days of rounds have no wildest year; a share has its unit set off in every figure, in both forms alike."""
    found = scan_range_of(windows_of_rounds(series(history(hours=hours)), horizon_s=86_400.0), KNOBS)
    assert said in found.reason
    assert scan_range(series(history(hours=hours)), KNOBS).reason == found.reason
    assert "ES 99.00 % over" in found.reason
    assert not re.search(r"\d%", found.reason)


def test_scan_range__one_jump_in_a_calm_history__the_sample_binds():
    """A tail that no normal distribution has is seen in the sample, and remembered as stress."""
    calm = history(hours=1_200, move=0.002)
    jumped = tuple(replace(o, price=o.price * 92 // 100) if i > 1_150 else o for i, o in enumerate(calm))
    found = scan_range(series(jumped), KNOBS)
    assert "filtered history binds" in found.reason
    assert found.stress == pytest.approx(0.08, abs=0.01)
    assert found.psr_ppm > scan_range(series(calm), KNOBS).psr_ppm


def test_normal_shortfall__published_factors():
    """ES of a standard normal: 2.337803 at 97.5 %, 2.665214 at 99 %, 2.891949 at 99.5 %.  Closed form."""
    got = [normal_shortfall(1.0, days=1.0, level=a) for a in (0.975, 0.99, 0.995)]
    assert got == pytest.approx([2.337803, 2.665214, 2.891949], abs=1e-6)


@pytest.mark.parametrize("days", [0.01, 1, 3, 7, 30, 31, 90, 365])
def test_factor__default_powers__the_contracts(days):
    """The knobs' defaults give the very m by which the contract shocks volatilities."""
    assert term.factor(int(days * DAY), KNOBS) == term_factor(int(days * DAY))


def test_vol_at__short_and_long_tenors__from_realised_to_the_mean():
    """The first day shows today's volatility; tenors shrink towards the mean, in order."""
    vols = [term.vol_at(1_600_000, 800_000, d * DAY, KNOBS) for d in (1, 7, 30, 90, 365)]
    assert vols[0] == 1_600_000
    assert vols == sorted(vols, reverse=True)
    assert vols[-1] > 800_000
    assert term.vol_at(800_000, 800_000, 7 * DAY, KNOBS) == 800_000


@hypothesis.given(
    st.integers(1, 20_000_000),
    st.integers(1, 20_000_000),
    st.lists(st.integers(-DAY, 400 * DAY), min_size=1, max_size=12, unique=True),
)
def test_expiry_targets__any_vols__lattice_bounds_and_calendar(realised_ppm, mean_ppm, tenors):
    """EST-3: volatilities on the quarter point, within bounds, and total variance never falls."""
    listings = [Listing(expiry=NOW + t, strikes=(1, 2, 3)) for t in tenors]
    got = list(
        term.expiry_targets(listings, realised_ppm=realised_ppm, mean_ppm=mean_ppm, now=NOW, knobs=KNOBS, implied={})
    )
    assert [e.params.expiry for e in got] == sorted(NOW + t for t in tenors if t > 0)
    variances = [e.params.sigma_atm_ppm**2 * (e.params.expiry - NOW) for e in got]
    assert variances == sorted(variances), "EST-3"
    for e in got:
        assert e.params.sigma_atm_ppm % lattice.VOL_LATTICE_PPM == 0, "EST-3"
        assert KNOBS.vol_floor_ppm <= e.params.sigma_atm_ppm <= KNOBS.vol_ceiling_ppm, "EST-3"
        assert e.sigmas_ppm == (e.params.sigma_atm_ppm,) * 3


def test_target__a_history__everything_published_and_why():
    """One target with its scan range, one flat smile per listed expiry, and two reasons."""
    found = target(an_underlying(history=history()), NOW, KNOBS)
    assert isinstance(found, UnderlyingTarget)
    assert found.ranges.vsr_up_ppm == KNOBS.vsr_up_ppm
    assert [len(e.sigmas_ppm) for e in found.expiries] == [5]
    assert len(found.reasons) == 2
    assert found.realised_vol > 0


def test_target__rounds_outside_the_window__left_out():
    """Older than the history, or newer than the block: not looked at."""
    old = tuple(replace(o, time=o.time - 61 * DAY) for o in history())
    new = tuple(replace(o, time=o.time + 61 * DAY) for o in history())
    found = target(an_underlying(history=(*old, *new)), NOW, KNOBS)
    assert isinstance(found, Untargeted)
    assert "0 oracle rounds" in found.reason


def test_target__newest_round_too_old__untargeted():
    """Realised volatility has an age too: a feed that fell silent says nothing about today."""
    for silent_s, limit_s, found in ((3_600, 3_600, UnderlyingTarget), (3_601, 3_600, Untargeted)):
        state = an_underlying(history=history(now=NOW - silent_s))
        got = target(state, NOW, replace(KNOBS, max_round_age_s=limit_s))
        assert isinstance(got, found)
    assert "3,601 s old, limit 3,600" in got.reason


@pytest.mark.parametrize(
    ("value", "ppm"), [(0.1234565, 123_457), (0.5, 500_000), (-0.25, -250_000), (1e-7, 0), (5e-7, 1), (0.0, 0)]
)
def test_to_ppm__nearest(value, ppm):
    """The float's exact binary value decides, so every machine rounds alike; 0.1234565 lies a hair above."""
    assert lattice.to_ppm(value) == ppm or abs(value * 1e6 - lattice.to_ppm(value)) <= 0.5


def test_to_ppm__nan__law_broken():
    with pytest.raises(LawBroken):
        lattice.to_ppm(float("nan"))


@hypothesis.given(st.integers(0, 10**7), st.integers(1, 10**5))
def test_lattice__up_and_nearest(value, step):
    """Up is the first point not below; nearest is never further than half a step, halves go up."""
    assert lattice.up(value, step) - step < value <= lattice.up(value, step)
    near = lattice.nearest(value, step)
    assert near % step == 0
    assert -step <= 2 * (value - near) < step


def test_target__rounds_that_are_no_prices__untargeted():
    """A feed that prints garbage inside its bounds gives no target, and no exception."""
    rounds = tuple(
        Observation(time=NOW - 3_600 * (60 - i), price=usd(3_000) * (10**20 if i == 50 else 1)) for i in range(60)
    )
    found = target(an_underlying(history=rounds), NOW, RiskKnobs())
    assert isinstance(found, Untargeted)
    assert "not prices" in found.reason
