"""EWMA volatility from irregular oracle rounds (EST-1)."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.snapshot import Observation
from keeper.errors import LawBroken
from keeper.risk.timeseries.volatility import Series, Unestimated, estimate, filtered, horizon_returns

DAY = 86_400
WAD = 10**18


def rounds(*, count=200, step_s=3_600, vol=0.8, seed=1, jitter=0):
    """A random walk of annual volatility `vol`."""
    rng = np.random.default_rng(seed)
    gaps = step_s + rng.integers(-jitter, jitter + 1, count)
    moves = rng.normal(size=count) * vol * np.sqrt(gaps / (365 * DAY))
    times, prices = np.cumsum(gaps), 3_000 * np.exp(np.cumsum(moves))
    return [Observation(time=int(t), price=int(p * WAD)) for t, p in zip(times, prices, strict=True)]


def series(observations, decay=0.97):
    found = estimate(observations, decay_per_day=decay, min_rounds=2)
    assert isinstance(found, Series)
    return found


@pytest.mark.parametrize(("step_s", "jitter"), [(3_600, 0), (600, 500), (DAY, 40_000)])
def test_estimate__long_walk__its_volatility(step_s, jitter):
    """However the rounds are spaced, the estimate finds the volatility that made them."""
    found = series(rounds(count=4_000, step_s=step_s, jitter=jitter), decay=0.999)
    assert found.vol_annual == pytest.approx(0.8, rel=0.1)
    assert found.mean_vol_annual == pytest.approx(0.8, rel=0.05)


def test_estimate__daily_rounds__hulls_update():
    """Hull, Options, Futures and Other Derivatives: σ 1 %, return 2 %, λ 0.9 give 1.1402 %.

    A history of 1 % days long enough for its weight to be one, then the 2 % day.
    """
    logs = [0.01 * (i % 2) for i in range(400)]
    logs.append(logs[-1] + 0.02)
    observations = [Observation(time=i * DAY, price=round(math.exp(x) * 10**30)) for i, x in enumerate(logs)]
    found = series(observations, decay=0.9)
    assert math.sqrt(found.variance_per_day[-1]) == pytest.approx(0.01140175425, abs=1e-9)


@hypothesis.given(st.randoms(use_true_random=False), st.integers(1, 20))
def test_estimate__order_and_repeats__no_difference(shuffle, repeats):
    """EST-1: a log that delivers rounds late or twice changes nothing."""
    clean = rounds(count=60)
    dirty = [*clean, *clean[:repeats]]
    shuffle.shuffle(dirty)
    a, b = series(clean), series(dirty)
    assert a.variance_per_day.tolist() == b.variance_per_day.tolist(), "EST-1"


def test_estimate__silence__counts_as_calm():
    """A price that stands still for a month lowers the volatility: time weighs, not the number of rounds."""
    walk = rounds()
    still = [*walk, Observation(time=walk[-1].time + 30 * DAY, price=walk[-1].price)]
    assert series(still).vol_annual < series(walk).vol_annual


@pytest.mark.parametrize(
    ("observations", "reason"),
    [
        ([], "0 oracle rounds, 24 needed"),
        (rounds(count=23), "23 oracle rounds, 24 needed"),
        ([Observation(time=5, price=WAD)] * 30, "1 oracle rounds, 24 needed"),
        ([Observation(time=i, price=WAD) for i in range(30)], "did not move"),
        ([*rounds(count=30), Observation(time=77, price=0)], "at 77 has price 0"),
    ],
)
def test_estimate__not_enough__a_value_with_a_reason(observations, reason):
    """Too little to go on is an answer, not an exception and not a number."""
    found = estimate(observations, decay_per_day=0.97, min_rounds=24)
    assert isinstance(found, Unestimated)
    assert reason in found.reason


def test_estimate__decay_out_of_range__law_broken():
    with pytest.raises(LawBroken):
        estimate(rounds(), decay_per_day=1.0, min_rounds=2)


def test_horizon_returns__non_overlapping__sum_to_the_whole():
    """Horizon returns of one step tile the series."""
    found = series(rounds(count=241))
    returns, variance = horizon_returns(found, horizon_s=DAY, step_s=DAY)
    assert len(returns) == len(variance) == 10
    assert returns.sum() == pytest.approx(found.log_price[-1] - found.log_price[0])


def test_horizon_returns__overlapping__each_a_difference_of_the_price_held():
    """A price holds until the next round."""
    found = series(rounds(count=50, step_s=7_000))
    returns, _ = horizon_returns(found, horizon_s=DAY, step_s=3_600)
    last = found.time_s[-1]
    for i, got in enumerate(returns[::-1]):
        end, start = last - 3_600 * i, last - 3_600 * i - DAY
        held = [found.log_price[found.time_s <= t][-1] for t in (start, end)]
        assert got == held[1] - held[0]


def test_horizon_returns__short_history__empty():
    returns, variance = horizon_returns(series(rounds(count=5)), horizon_s=DAY, step_s=3_600)
    assert len(returns) == len(variance) == 0


def test_filtered__scaled_from_then_to_now_within_reason():
    """FHS: calm days are stretched, wild ones shrunk, neither beyond all measure."""
    got = filtered(np.array([0.01, 0.01, 0.01, 0.01]), np.array([1.0, 4.0, 1e-9, 0.0]), 1.0)
    assert got.tolist() == pytest.approx([0.01, 0.005, 0.03, 0.01])
