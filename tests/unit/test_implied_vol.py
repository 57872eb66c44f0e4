"""Implied volatility: the vol that made the price, the slow twins, and verdicts on quotes that have none."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.optimize import brentq

from keeper.risk.compiled import implied_vol as kernels
from keeper.risk.pricing import black76
from keeper.risk.pricing.implied_vol import COMPILED_FROM, ImpliedVols, Verdict, implied_vol, implied_vol_by_numpy

EPS = 2.220446049250313e-16


def vega(forward, strike, vol, years):
    """Undiscounted, per 1.00."""
    deviation = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / deviation + 0.5 * deviation
    return forward * np.exp(-0.5 * d1 * d1) / np.sqrt(2 * np.pi) * np.sqrt(years)


def allowed(forward, strike, vol, years):
    """1e-10 in vol, and what four last digits of the price mean where vega is too small to tell."""
    digits = 4 * EPS * (forward + strike)
    return 1e-10 + digits / np.maximum(vega(forward, strike, vol, years), 1e-300)


def markets(count: int) -> tuple[np.ndarray, ...]:
    """(forward, strike, years, vol, sign): a second to ten years, vols 5 to 500 %, strikes to ten deviations."""
    rng = np.random.default_rng(61)
    forward = np.exp(rng.uniform(-5, 12, count))
    years = np.exp(rng.uniform(np.log(3e-8), np.log(10.0), count))
    vol = np.exp(rng.uniform(np.log(0.05), np.log(5.0), count))
    away = rng.uniform(-10, 10, count) * (rng.random(count) > 0.05)
    strike = forward * np.exp(away * vol * np.sqrt(years))
    return forward, strike, years, vol, rng.choice([-1.0, 1.0], count)


@pytest.mark.parametrize("solve", [implied_vol, implied_vol_by_numpy])
def test_implied_vol__extreme_moneyness_and_tenors__the_vol_that_made_the_price(solve):
    """IV-1: within 1e-10 wherever vega tells volatilities apart, and never NaN."""
    forward, strike, years, vol, sign = markets(50_000)
    price = black76.price(forward, strike, vol, years, 0.97, sign=sign)
    found = solve(price, forward, strike, years, 0.97, sign=sign)
    assert np.isfinite(found.vol).all()
    told = found.found
    assert told.mean() > 0.85
    error = np.abs(found.vol - vol)
    assert (error[told] <= allowed(forward, strike, vol, years)[told]).all()
    # What was not told is worth its intrinsic to the last digits, or its bound.
    digits = vega(forward, strike, vol, years) * vol < 1e-13 * (forward + strike)
    assert (digits | told | (vol * np.sqrt(years) > 5)).all()


def test_implied_vol__out_of_the_money__relative_to_the_last_digits():
    """IV-1: a price of 1e-250 still tells its volatility."""
    deviation = np.linspace(0.5, 3.0, COMPILED_FROM)
    strike = np.exp(30 * deviation)
    price = black76.price(1.0, strike, deviation, 1.0, sign=1.0)
    assert price.min() < 1e-190
    assert price.min() > 0
    for solve in (implied_vol, implied_vol_by_numpy):
        found = solve(price, 1.0, strike, 1.0, sign=1.0)
        assert found.vol == pytest.approx(deviation, rel=1e-13)


def test_compiled__numpy_twin__same_vols_and_verdicts():
    """IV-2: the kernel and Newton in a bracket agree, broken quotes among them."""
    forward, strike, years, vol, sign = markets(20_000)
    price = black76.price(forward, strike, vol, years, sign=sign)
    rng = np.random.default_rng(62)
    for column, broken in (
        (price, np.nan),
        (price, -1.0),
        (price, 1e12),
        (forward, 0.0),
        (years, 0.0),
        (strike, np.inf),
    ):
        column[rng.random(price.size) < 0.02] = broken
    fast = implied_vol(price, forward, strike, years, sign=sign)
    slow = implied_vol_by_numpy(price, forward, strike, years, sign=sign)
    assert (fast.verdict == slow.verdict).all()
    assert set(fast.verdict.tolist()) == set(Verdict)
    assert (fast.vol[~fast.found] == 0.0).all()
    told = fast.found
    assert told.sum() > 10_000
    # Both see the same price, so that what its digits mean does not matter.
    deviation = slow.vol[told] * np.sqrt(years[told])
    difference = np.abs(fast.vol - slow.vol)[told] * np.sqrt(years[told])
    assert (difference <= 1e-13 * (1 + deviation)).all()


@hypothesis.given(
    st.floats(100, 10_000), st.floats(-4, 4), st.floats(0.05, 4.0), st.floats(1e-4, 3.0), st.sampled_from((1.0, -1.0))
)
def test_implied_vol__brentq__same_root(forward, away, vol, years, sign):
    """IV-2: the slow twin: a bracketed root of the price, by another library."""
    strike = forward * np.exp(away * vol * np.sqrt(years))
    price = float(black76.price(forward, strike, vol, years, 0.98, sign=sign))
    found = implied_vol(price, forward, strike, years, 0.98, sign=sign)
    hypothesis.assume(bool(found.found))
    slow = brentq(
        lambda sigma: float(black76.price(forward, strike, sigma, years, 0.98, sign=sign)) - price,
        1e-6,
        20.0,
        xtol=1e-14,
    )
    assert float(found.vol) == pytest.approx(slow, abs=2 * allowed(forward, strike, vol, years))


def test_implied_vol__arbitrageable_or_broken_quotes__verdict_and_zero():
    """IV-3: no vol is an answer; it is never NaN and never an exception."""
    nan, inf = float("nan"), float("inf")
    quotes = [
        (10.0, 100.0, 100.0, 1.0, 1.0, 1.0, Verdict.FOUND),
        (9.99, 110.0, 100.0, 1.0, 1.0, 1.0, Verdict.NO_TIME_VALUE),
        (10.0, 110.0, 100.0, 1.0, 1.0, 1.0, Verdict.NO_TIME_VALUE),
        (9.49, 110.0, 100.0, 1.0, 0.95, 1.0, Verdict.NO_TIME_VALUE),
        (9.51, 110.0, 100.0, 1.0, 0.95, 1.0, Verdict.FOUND),
        (0.0, 100.0, 120.0, 1.0, 1.0, 1.0, Verdict.NO_TIME_VALUE),
        (-1.0, 100.0, 120.0, 1.0, 1.0, 1.0, Verdict.NO_TIME_VALUE),
        (100.0, 100.0, 120.0, 1.0, 1.0, 1.0, Verdict.AT_BOUND),
        (95.0, 100.0, 120.0, 1.0, 0.95, 1.0, Verdict.AT_BOUND),
        (120.0, 100.0, 120.0, 1.0, 1.0, -1.0, Verdict.AT_BOUND),
        (119.0, 100.0, 120.0, 1.0, 1.0, -1.0, Verdict.FOUND),
        (5.0, 100.0, 100.0, 0.0, 1.0, 1.0, Verdict.NO_TIME),
        (5.0, 100.0, 100.0, -1.0, 1.0, 1.0, Verdict.NO_TIME),
        (nan, 100.0, 100.0, 1.0, 1.0, 1.0, Verdict.NOT_A_QUOTE),
        (inf, 100.0, 100.0, 1.0, 1.0, 1.0, Verdict.NOT_A_QUOTE),
        (5.0, nan, 100.0, 1.0, 1.0, 1.0, Verdict.NOT_A_QUOTE),
        (5.0, 100.0, 0.0, 1.0, 1.0, 1.0, Verdict.NOT_A_QUOTE),
        (5.0, 100.0, 100.0, nan, 1.0, 1.0, Verdict.NOT_A_QUOTE),
        (5.0, 100.0, 100.0, 1.0, 0.0, 1.0, Verdict.NOT_A_QUOTE),
        (5.0, 100.0, 100.0, 1.0, 1.0, 0.0, Verdict.NOT_A_QUOTE),
    ]
    *columns, expected = (np.array(column) for column in zip(*quotes, strict=True))
    repeats = -(-COMPILED_FROM // len(expected))
    for times in (1, repeats):
        price, forward, strike, years, df, sign = (np.tile(column, times) for column in columns)
        found = implied_vol(price, forward, strike, years, df, sign=sign)
        assert found.verdict.tolist() == np.tile(expected, times).tolist()
        assert (found.vol[~found.found] == 0.0).all()
        assert (found.vol[found.found] > 0.0).all()


def test_implied_vol__any_floats__no_nan_and_no_exception():
    """IV-3: whatever five numbers a venue sends: each combination of awkward ones."""
    awkward = (np.nan, np.inf, -np.inf, 0.0, -1.0, 5e-324, 1.0, 99.0, 1e308)
    grid = [column.ravel() for column in np.meshgrid(*[awkward] * 5, [1.0, -1.0])]
    fast = implied_vol(*grid[:5], sign=grid[5])
    slow = implied_vol_by_numpy(*grid[:5], sign=grid[5])
    for found in (fast, slow):
        assert isinstance(found, ImpliedVols)
        assert (found.vol >= 0.0).all()
        assert (found.vol[~found.found] == 0.0).all()
    assert (fast.verdict == slow.verdict).all()


@pytest.mark.parametrize(
    ("x", "deviation"), [(0.0, 1e-4), (0.0, 3.0), (2.0, 0.4), (2.0, 4.0), (150.0, 17.0), (1e-9, 2.0)]
)
def test_bisect__any_half__the_root(x, deviation):
    """IV-2: the way out of a quote that has not settled is the same root, by halving."""
    price = float(black76.price(1.0, np.exp(x), deviation, 1.0, sign=1.0))
    side = 1.0 if price <= 0.5 else -1.0
    target = np.log(price if side > 0 else 1 - price) + 0.5 * np.log(2 * np.pi) - 0.5 * x
    root = kernels.bisect(x, side, target)
    assert root == pytest.approx(deviation, rel=1e-9)


def test_implied_vol__far_beyond_markets__settled_by_halving():
    """IV-1: strikes e^80 to e^190 away, where three steps are not always enough."""
    x = np.linspace(80.0, 190.0, COMPILED_FROM)
    deviation = np.sqrt(2 * x) + np.linspace(-0.5, 0.5, COMPILED_FROM)
    price = black76.price(1.0, np.exp(-x), deviation, 1.0, sign=-1.0)
    found = implied_vol(price, 1.0, np.exp(-x), 1.0, sign=-1.0)
    assert found.vol == pytest.approx(deviation, abs=1e-9)


def test_implied_vol__no_compiler__numpy(monkeypatch):
    """Without numba Newton's form answers for many quotes too."""
    monkeypatch.setattr("keeper.risk.compiled.COMPILED", False)
    price = np.full((2, COMPILED_FROM), 10.0)
    found = implied_vol(price, 100.0, 100.0, 1.0, sign=1.0)
    assert found.vol.shape == price.shape
    assert (found.vol == implied_vol_by_numpy(10.0, 100.0, 100.0, 1.0, sign=1.0).vol).all()
