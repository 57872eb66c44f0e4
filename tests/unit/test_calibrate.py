"""Calibration: what binds, rolling backtest against its slow twin, feedback, volatility ranges (CAL-3 … CAL-7)."""

from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.domain.vols import VolHistory
from keeper.errors import LawBroken
from keeper.risk.backtest.traffic_light import Zone, traffic_light
from keeper.risk.calibration.calibrate import Calibration, Side, calibrate
from keeper.risk.calibration.feedback import after_breaches
from keeper.risk.calibration.haircuts import haircut
from keeper.risk.calibration.rolling import Rolling, _Stressed, roll
from keeper.risk.calibration.scan_range import Binding, scan_range_of, stressed_period, worse_side
from keeper.risk.calibration.vol_range import Direction, VolMoves, vol_moves, vol_ranges
from keeper.risk.tail import expected_shortfall
from keeper.risk.timeseries.volatility import Unestimated
from keeper.risk.timeseries.windows import windows_of_history

HOUR, DAY = 3_600, 86_400
KNOBS = RiskKnobs()


def a_history(days, *, step=HOUR, seed=3, wild=(), vol=0.7, gap=None):
    """Student-t steps at `vol`; twice as wild between the days of `wild`; nothing between the days of `gap`."""
    times = np.arange(0, days * DAY, step, dtype=np.int64)
    steps = np.random.default_rng(seed).standard_t(4, size=times.size) / np.sqrt(2) * vol * np.sqrt(step / DAY / 365)
    if wild:
        steps[(times >= wild[0] * DAY) & (times < wild[1] * DAY)] *= 2
    close = 100 * np.exp(np.cumsum(steps))
    kept = np.ones(times.size, dtype=bool) if gap is None else (times < gap[0] * DAY) | (times > gap[1] * DAY)
    return PriceHistory(name="x", time_s=times[kept], close=close[kept])


def windows(history, knobs=KNOBS):
    return windows_of_history(history, horizon_s=knobs.horizon_hours * HOUR, decay_per_day=knobs.ewma_lambda)


def test_scan_range__old_crash_and_calm_today__the_whole_history_binds():
    """CAL-3: what was wild once stays in the floor, and the stressed period is where it was."""
    sample = windows(a_history(900, wild=(100, 300)))
    found = scan_range_of(sample, KNOBS)
    assert found.binding is Binding.HISTORY
    assert found.psr_ppm >= 1e6 * found.history > 1e6 * 0.75 * found.now
    period = stressed_period(sample, 200)
    assert sample.start_s[period.start] / DAY == pytest.approx(100, abs=10)
    assert found.stress > found.history > found.now
    assert scan_range_of(sample, replace(KNOBS, floor_share=0.0)).psr_ppm < found.psr_ppm


@hypothesis.settings(max_examples=max(1, hypothesis.settings.default.max_examples // 5))
@hypothesis.given(
    st.integers(0, 20), st.floats(0, 1), st.floats(0, 1), st.floats(0.6, 0.995), st.sampled_from([1.0, 4.0, 24.0])
)
def test_scan_range__any_knobs__terms_bound_it_from_below(seed, weight, share, level, hours):
    """CAL-3: at least each term, less than a lattice step above the largest, and never above the ceiling."""
    knobs = replace(
        KNOBS, stress_weight=weight, floor_share=share, es_level=level, horizon_hours=hours, psr_floor_ppm=1
    )
    sample = windows(a_history(60, seed=seed, wild=(20, 30)), knobs)
    found = scan_range_of(sample, knobs)
    assert found.blend >= (1 - weight) * found.now + weight * found.stress - 1e-12, "CAL-3"
    wanted = max(share * found.history, found.blend)
    lowest = min(1e6 * wanted, knobs.psr_ceiling_ppm)
    assert lowest - 1 <= found.psr_ppm <= lowest + knobs.psr_lattice_ppm + 1, "CAL-3"
    assert found.psr_ppm % knobs.psr_lattice_ppm == 0, "CAL-3"


def test_stressed_period__short_sample__all_of_it():
    sample = windows(a_history(50))
    assert stressed_period(sample, 365) == slice(0, len(sample))
    assert stressed_period(sample.some(slice(0, 0)), 365) == slice(0, 0)


def test_stressed_period__slow_twin():
    """The earliest stretch of so many days whose squared returns sum highest."""
    sample = windows(a_history(120, gap=(50, 60), seed=8))
    sums = [
        float(np.sum(sample.log_return[(sample.start_s >= s) & (sample.start_s < s + 30 * DAY)] ** 2))
        for s in sample.start_s
    ]
    best = int(np.argmax(sums))
    period = stressed_period(sample, 30)
    assert period.start == best
    assert sample.start_s[period.stop - 1] < sample.start_s[best] + 30 * DAY <= sample.start_s[period.stop]


@pytest.mark.parametrize("knobs", [KNOBS, replace(KNOBS, es_level=0.975, floor_share=0.5, stress_days=90)])
def test_roll__each_day__what_scan_range_says_of_the_past(knobs):
    """CAL-4: the quick estimate of a past day is `scan_range_of` of what had ended, and sees nothing later."""
    sample = windows(a_history(500, step=4 * HOUR, wild=(200, 260), gap=(300, 312)), knobs)
    rolling = roll(sample, knobs)
    assert isinstance(rolling, Rolling)
    assert np.diff(rolling.start_s).min() >= DAY
    for i in range(0, len(rolling.psr), 7):
        start = rolling.start_s[i]
        at = int(np.searchsorted(sample.start_s, start))
        past = sample.some(np.flatnonzero(sample.start_s + sample.horizon_s <= start))
        known = replace(past, variance_now=float(sample.start_variance[at]))
        slow = scan_range_of(known, knobs)
        assert round(1e6 * rolling.psr[i]) == slow.psr_ppm, "CAL-4"
        assert rolling.filtered[i] == pytest.approx(slow.now, abs=0.6e-9), "CAL-4"  # on its lattice
        assert rolling.move[i] == np.expm1(sample.log_return[at]), "CAL-4"
        losses = -np.expm1(known.filtered())
        forecast = rolling.down
        assert forecast.es[i] == rolling.psr[i], "CAL-4"
        assert (np.diff(forecast.shape[i]) <= 1e-9).all(), "CAL-4"
        top = forecast.shape[i][0] * expected_shortfall(losses, knobs.es_level)
        assert top <= losses.max() * (1 + 1e-9), "CAL-4"


@hypothesis.settings(max_examples=max(1, hypothesis.settings.default.max_examples // 10))
@hypothesis.given(st.integers(0, 99), st.integers(1, 40))
def test_roll__stressed_period_of_any_past__the_one_found_afresh(seed, days):
    """CAL-4: comparing complete periods once finds what `stressed_period` finds on each day."""
    sample = windows(a_history(60, step=6 * HOUR, seed=seed, gap=(20, 23)))
    quick = _Stressed(sample, days)
    for past in range(1, len(sample) + 1):
        assert quick.on(past) == stressed_period(sample.some(slice(0, past)), days), "CAL-4"


def test_roll__later_prices_changed__earlier_days_stay():
    """CAL-4: out of sample means it."""
    history = a_history(520, step=4 * HOUR)
    late = history.time_s > 500 * DAY
    other = replace(history, close=np.where(late, history.close * 3, history.close))
    a, b = roll(windows(history), KNOBS), roll(windows(other), KNOBS)
    same = a.start_s < 499 * DAY
    assert a.psr[same].tolist() == b.psr[same].tolist(), "CAL-4"


def test_roll__short_history__a_reason():
    found = roll(windows(a_history(400, step=4 * HOUR)), KNOBS)
    assert isinstance(found, Unestimated)
    assert "100 needed" in found.reason


def run(history, knobs=KNOBS, **given):
    return calibrate(history, knobs, rng=np.random.default_rng(7), replicates=60, **given)


def test_calibrate__a_history__the_target_is_scan_range_and_everything_is_said():
    """CAL-5: the target is the daemon's own estimate; one seed gives one answer; the interval holds the estimate."""
    history = a_history(560, step=4 * HOUR, wild=(100, 160), gap=(300, 310))
    seen = []
    found = run(history, tick=lambda done, of: seen.append((done, of)))
    assert isinstance(found, Calibration)
    assert found.scan == scan_range_of(windows(history), KNOBS), "CAL-5"
    assert found == run(history), "CAL-5"
    assert seen[-1][0] == seen[-1][1] == len(seen)
    wanted = found.scan.psr_ppm / 1e6
    assert found.interval.low <= wanted, "CAL-5"
    assert found.interval.high >= wanted - KNOBS.psr_lattice_ppm / 1e6, "CAL-5"
    assert (found.sample.gaps, found.sample.longest_gap_s) == (1, 10 * DAY + 8 * HOUR)
    assert set(found.in_sample) == set(found.out_of_sample) == set(Side)
    assert [s.label for s in found.swings][1] == "the target in hindsight"
    assert found.swings[1].peak_to_trough == 1.0
    assert found.swings[0].peak_to_trough <= found.swings[2].peak_to_trough


def test_calibrate__as_collateral__a_haircut_and_the_lost_peg_of_a_token_that_had_one():
    """The haircut is the very function's, and a token known to have lost its peg counts for less."""
    token = a_history(200)
    plain, pegged = run(token).haircut, run(replace(token, name="USDC")).haircut
    assert plain == haircut(windows(token), KNOBS)
    assert pegged.haircut_ppm > plain.haircut_ppm


def test_calibrate__counts__are_those_of_the_windows():
    """CAL-5: a breach is a window apart from others whose loss is beyond the target."""
    history = a_history(200, step=4 * HOUR, seed=5)
    knobs = replace(KNOBS, psr_ceiling_ppm=30_000, psr_floor_ppm=1)
    found = run(history, knobs)
    moves = np.expm1(windows(history).log_return)
    apart = moves[::6]
    assert found.scan.binding is Binding.CEILING
    assert found.in_sample[Side.LONG].seen.count == int((-apart > 0.03).sum()) > 0
    assert found.in_sample[Side.SHORT].seen.count == int((apart > 0.03).sum()) > 0
    assert found.overlapping[Side.LONG][0] == pytest.approx(float((-moves > 0.03).mean()))
    assert isinstance(found.out_of_sample, Unestimated)
    assert found.swings == ()
    assert found.allowed.floor_ppm >= knobs.psr_floor_ppm


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (a_history(20), "19 whole windows"),
        (a_history(60, vol=0.0), "did not move"),
        (a_history(100, step=10 * DAY), "0 whole windows"),
    ],
)
def test_calibrate__nothing_to_go_on__a_reason(history, reason):
    found = run(history)
    assert isinstance(found, Unestimated)
    assert reason in found.reason


def test_calibrate__price_that_only_rises__no_long_loss_and_no_exception():
    """A side that never lost anything has no tail; the other one calibrates."""
    times = np.arange(0, 90 * DAY, HOUR, dtype=np.int64)
    found = run(PriceHistory(name="x", time_s=times, close=100 * 1.001 ** np.arange(times.size)))
    assert isinstance(found, Calibration)
    assert found.in_sample[Side.LONG].seen.count == 0


STEP = KNOBS.psr_lattice_ppm


@hypothesis.given(
    st.integers(32, 130).map(lambda i: i * STEP),
    st.integers(32, 130).map(lambda i: i * STEP),
    st.integers(1, 130).map(lambda i: i * STEP),
    st.integers(0, 249),
)
def test_feedback__any_breaches__only_tightens(target, in_force, floor, count):
    """CAL-6: the floor never falls; off green nothing is loosened; more breaches never permit less margin."""
    knobs = replace(KNOBS, psr_floor_ppm=floor)
    few, more = (
        after_breaches(target, in_force_ppm=in_force, light=traffic_light(n, trials=250, probability=0.01), knobs=knobs)
        for n in (count, count + 1)
    )
    light = traffic_light(count, trials=250, probability=0.01)
    assert few.floor_ppm >= floor, "CAL-6"
    assert few.psr_ppm >= max(target, few.floor_ppm), "CAL-6"
    assert more.psr_ppm >= few.psr_ppm, "CAL-6"
    assert more.floor_ppm >= few.floor_ppm, "CAL-6"
    assert few.psr_ppm <= knobs.psr_ceiling_ppm, "CAL-6"
    if light.zone is Zone.GREEN:
        assert (few.psr_ppm, few.floor_ppm) == (max(target, floor), floor), "CAL-6"
    else:
        assert few.psr_ppm >= in_force, "CAL-6"
        assert few.floor_ppm >= min(in_force * light.multiplier, knobs.psr_ceiling_ppm), "CAL-6"


def test_feedback__red__a_third_more_and_no_loosening():
    light = traffic_light(12, trials=250, probability=0.01)
    found = after_breaches(100_000, in_force_ppm=120_000, light=light, knobs=KNOBS)
    assert found.psr_ppm == found.floor_ppm == 160_000
    assert "is red" in found.reason
    assert "loosening is refused" in found.reason


def test_calibrate__in_force_breached_lately__floor_rises():
    """CAL-6: what is published now is judged, not what would be."""
    history = a_history(300, step=4 * HOUR)
    found = run(history, replace(KNOBS, psr_floor_ppm=20_000), in_force_ppm=30_000)
    assert found.allowed.floor_ppm == 40_000
    assert "red" in found.allowed.reason


def vols(days=200, *, step_h=6, expiries=(7, 30, 90, 240), seed=2, shock=0.04, constant=False):
    """Volatilities whose every expiry moves by the same 30-day shock, times its own m."""
    rng = np.random.default_rng(seed)
    rows = []
    level = 0.0
    for t in range(0, days * DAY, step_h * HOUR):
        level += rng.normal() * shock
        if constant:
            rows.append((t, 0, 0.6 * np.exp(level)))
            continue
        for e in expiries:
            expiry = (e + (t // (7 * DAY)) * 7) * DAY
            rows.append((t, expiry, 0.6 * np.exp(level * 0.01) * (1 + 0.1 * np.sin(e))))
    time, expiry, vol = zip(*rows, strict=True)
    return VolHistory(
        name="ETH",
        time_s=np.array(time, dtype=np.int64),
        expiry_s=np.array(expiry, dtype=np.int64),
        vol=np.array(vol, dtype=np.float64),
    )


def test_vol_moves__listed_expiries__slow_twin():
    """CAL-7: each expiry against itself a horizon later, divided by the contract's m; every moment weighs the same."""
    history = vols(60)
    found = vol_moves(history, KNOBS)
    assert isinstance(found, VolMoves)
    rows = dict(
        zip(zip(history.time_s.tolist(), history.expiry_s.tolist(), strict=True), history.vol.tolist(), strict=True)
    )
    slow = []
    for (t, e), v in rows.items():
        later = rows.get((t + DAY, e))
        if later is not None and e - t - DAY >= DAY:
            days = (e - t) / DAY
            slow.append((later / v - 1) / (30 / days) ** (0.3 if days <= 30 else 0.13))
    assert sorted(found.shocks().tolist()) == pytest.approx(sorted(slow)), "CAL-7"
    assert np.bincount(found.moment, weights=found.share).tolist() == pytest.approx([1.0] * len(found.windows)), "CAL-7"


def test_vol_ranges__a_30_day_index__the_price_formula_on_logarithms():
    """CAL-7: with one series of constant maturity the range is the one a price of that history would get."""
    history = vols(constant=True)
    found = vol_moves(history, KNOBS)
    up, down = vol_ranges(found, KNOBS, rng=np.random.default_rng(1), replicates=40)
    prices = windows(PriceHistory(name="vol", time_s=history.time_s, close=history.vol))
    assert found.shocks().tolist() == pytest.approx(np.expm1(prices.log_return).tolist()), "CAL-7"
    assert max(up.history, down.history) == pytest.approx(worse_side(prices.log_return, KNOBS.es_level)), "CAL-7"
    for one in (up, down):
        assert one.vsr_ppm % KNOBS.psr_lattice_ppm == 0, "CAL-7"
        assert one.vsr_ppm >= 1e6 * one.history - 1, "CAL-7"
        assert one.interval.low <= one.interval.high
    assert (up.way, down.way) == (Direction.UP, Direction.DOWN)
    assert down.vsr_ppm < 1_000_000, "CAL-7"


def test_vol_ranges__same_seed__same_answer():
    found = vol_moves(vols(100), KNOBS)
    a, b = (vol_ranges(found, KNOBS, rng=np.random.default_rng(1), replicates=30) for _ in range(2))
    assert a == b


@pytest.mark.parametrize(
    ("history", "reason"), [(vols(5), "60 needed"), (vols(100, constant=True, shock=0.0), "did not move")]
)
def test_vol_moves__nothing_to_go_on__a_reason(history, reason):
    found = vol_moves(history, KNOBS)
    assert isinstance(found, Unestimated)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("times", "expiries", "levels"),
    [([], [], []), ([2, 1], [5, 5], [1, 1]), ([1, 1], [5, 5], [1, 1]), ([1], [5], [0.0]), ([1], [5], [np.nan])],
)
def test_vol_history__that_is_none__law_broken(times, expiries, levels):
    with pytest.raises(LawBroken):
        VolHistory(
            name="x",
            time_s=np.array(times, dtype=np.int64),
            expiry_s=np.array(expiries, dtype=np.int64),
            vol=np.array(levels, dtype=np.float64),
        )
