"""Windows of recorded prices: gaps stay open, volatility never crosses one (CAL-1), and rounds give the same moves."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.prices import PriceHistory
from keeper.domain.snapshot import Observation
from keeper.errors import LawBroken
from keeper.risk.timeseries.volatility import Series, estimate
from keeper.risk.timeseries.windows import Windows, variances, windows_of_history, windows_of_rounds

HOUR, DAY = 3_600, 86_400


def a_history(times, *, seed=1, vol=0.01):
    times = np.array(times, dtype=np.int64)
    steps = np.random.default_rng(seed).normal(size=times.size) * vol
    return PriceHistory(name="x", time_s=times, close=100 * np.exp(np.cumsum(steps)))


def windows(history, *, horizon_s=DAY):
    return windows_of_history(history, horizon_s=horizon_s, decay_per_day=0.97)


@hypothesis.settings(max_examples=max(1, hypothesis.settings.default.max_examples // 5))
@hypothesis.given(st.sets(st.integers(0, 120), min_size=2), st.integers(1, 30))
def test_windows__any_gaps__slow_twin(hours, horizon):
    """CAL-1: a window is there when a price was observed within one and a half steps of both its ends; no other is."""
    history = a_history([h * HOUR for h in sorted(hours)])
    found = windows(history, horizon_s=horizon * HOUR)
    last, step = int(history.time_s[-1]), max(horizon * HOUR / 24, history.step_s)
    slow = []
    k = 0
    while last - k * step - horizon * HOUR >= history.time_s[0] and 1.05 * horizon * HOUR >= history.step_s:
        ends = (last - k * step - horizon * HOUR, last - k * step)
        held = [max((i for i, t in enumerate(history.time_s) if t <= e), default=None) for e in ends]
        if None not in held and all(
            e - history.time_s[i] <= 1.5 * history.step_s for e, i in zip(ends, held, strict=True)
        ):
            slow.append((ends[0], np.log(history.close[held[1]]) - np.log(history.close[held[0]])))
        k += 1
    assert found.start_s.tolist() == [s for s, _ in reversed(slow)], "CAL-1"
    assert found.log_return.tolist() == pytest.approx([r for _, r in reversed(slow)]), "CAL-1"


def test_windows__three_weeks_without_data__no_return_bridges_them():
    """CAL-1: a price that doubled while nobody looked is no move, and no volatility."""
    before = a_history(np.arange(0, 40 * DAY, HOUR), vol=0.001)
    later = np.arange(61 * DAY, 100 * DAY, HOUR)
    history = PriceHistory(
        name="x",
        time_s=np.concatenate((before.time_s, later)),
        close=np.concatenate((before.close, 2 * before.close[: later.size])),
    )
    found = windows(history)
    assert np.abs(found.log_return).max() < 0.05, "CAL-1"
    assert found.variance_now == pytest.approx(24 * 0.001**2, rel=0.2), "CAL-1"
    inside = (found.start_s > 39 * DAY) & (found.start_s < 61 * DAY)
    assert not inside[found.start_s + DAY > 40 * DAY + HOUR].any(), "CAL-1"


def test_windows__outage_of_hours__the_day_around_it_is_whole():
    """Six bars are missing: windows that begin or end in the hole are left out, those that span it are returns."""
    hours = [h for h in range(24 * 10) if not 100 <= h < 106]
    found = windows(a_history([h * HOUR for h in hours]))
    starts = {int(s // HOUR) for s in found.start_s}
    assert 90 in starts
    assert not {102, 78 + 24} & starts
    assert 78 not in starts, "it would end at 102"


def test_windows__rounds_on_the_hour__the_same_as_bars():
    """The daemon's windows of oracle rounds and those of a recorded file are one set of moves."""
    history = a_history(np.arange(0, 60 * DAY, HOUR))
    rounds = [
        Observation(time=int(t), price=round(p * 10**18)) for t, p in zip(history.time_s, history.close, strict=True)
    ]
    series = estimate(rounds, decay_per_day=0.97, min_rounds=2)
    assert isinstance(series, Series)
    a, b = windows_of_rounds(series, horizon_s=DAY), windows(history)
    assert a.start_s.tolist() == b.start_s.tolist()
    assert a.log_return.tolist() == pytest.approx(b.log_return.tolist())
    # Rounds have no volatility at their first; a file starts one window later in that respect.
    assert a.start_variance[1:].tolist() == pytest.approx(b.start_variance[1:].tolist())
    assert a.variance_now == pytest.approx(b.variance_now)


def test_variances__slow_twin():
    """Σ λ^age·r² / Σ λ^age·Δt, term by term, gaps left out of both sums."""
    history = a_history([0, HOUR, 2 * HOUR, 3 * HOUR, 30 * HOUR, 31 * HOUR, 32 * HOUR], vol=0.02)
    got = variances(history, decay_per_day=0.9)
    t, x = history.time_s, np.log(history.close)
    for now in range(1, len(t)):
        top = bottom = 0.0
        for i in range(1, now + 1):
            if t[i] - t[i - 1] > 1.5 * HOUR:
                continue
            weight = 0.9 ** ((t[now] - t[i]) / DAY)
            top, bottom = top + weight * (x[i] - x[i - 1]) ** 2, bottom + weight * (t[i] - t[i - 1]) / DAY
        assert got[now] == pytest.approx(top / bottom)
    assert got[0] == 0.0


@pytest.mark.parametrize(
    ("step", "horizon", "many"),
    [(DAY, 4 * HOUR, False), (DAY, DAY, True), (DAY + 12, DAY, True), (300, 4 * HOUR, True)],
)
def test_windows__steps_and_horizons__never_finer_than_the_data(step, horizon, many):
    """Daily bars say nothing about four hours; five-minute bars give at most 24 windows to a horizon."""
    found = windows(a_history(np.arange(0, 20 * DAY, step)), horizon_s=horizon)
    assert bool(len(found)) is many
    assert found.step_s >= horizon / 24
    assert found.per_horizon >= 1


def test_windows__nan__law_broken():
    one = np.ones(1)
    with pytest.raises(LawBroken):
        Windows(start_s=one, log_return=one * np.nan, start_variance=one, variance_now=1.0, horizon_s=1.0, step_s=1.0)
