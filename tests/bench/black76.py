"""Black-76 prices and implied volatilities against QuantLib, numpy with scipy, and scipy's root finder.

The limit beside each row is the time that the row's own floating-point operations would take at the speed of a matrix
product on both cores, every operation counted as one multiplication or addition: no formula with divisions and
polynomials of one variable gets there.
"""

import math
import sys
from collections.abc import Iterator
from functools import partial

import numpy as np
import QuantLib
from scipy.optimize import brentq
from scipy.special import ndtr

from keeper.risk.pricing import black76
from keeper.risk.pricing.implied_vol import implied_vol
from tests.bench.machine import Machine
from tests.bench.timing import Row, best

FLOORS = {
    "black76: prices, QuantLib in a loop": 15.0,
    "black76: prices, numpy and ndtr": 2.0,
    "black76: implied vols, brentq in a loop": 80.0,
}

PRICES = 1_000_000
QUOTES = 100_000
#: Multiplications, additions, divisions and roots of one price, counted in `keeper.risk.compiled.black76`.
FLOP_PER_PRICE = 165
#: Likewise of one implied volatility: both starts and three steps.
FLOP_PER_VOL = 800


def a_market(count: int) -> tuple[np.ndarray, ...]:
    """(forward, strike, vol, years, df), an hour to two years, strikes within three deviations."""
    rng = np.random.default_rng(5)
    forward = rng.uniform(500, 5_000, count)
    vol = rng.uniform(0.2, 2.0, count)
    years = np.exp(rng.uniform(math.log(1 / 8_760), math.log(2.0), count))
    strike = forward * np.exp(rng.uniform(-3, 3, count) * vol * np.sqrt(years))
    return forward, strike, vol, years, np.exp(-0.05 * years)


def by_quantlib(forward: list[float], strike: list[float], deviation: list[float], df: list[float]) -> list[float]:
    """One call after the other; deviations ready-made."""
    price, kind = QuantLib.blackFormula, QuantLib.Option.Call
    return [price(kind, k, f, s, d) for f, k, s, d in zip(forward, strike, deviation, df, strict=True)]


def by_numpy(forward: np.ndarray, strike: np.ndarray, vol: np.ndarray, years: np.ndarray, df: np.ndarray) -> np.ndarray:
    """The plain formula, with no checks."""
    deviation = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / deviation + 0.5 * deviation
    return df * (forward * ndtr(d1) - strike * ndtr(d1 - deviation))


def by_brentq(price: list[float], forward: list[float], strike: list[float], root_years: list[float]) -> list[float]:
    """A bracketed root of the price of each quote, its constants ready-made."""

    def miss(s: float, f: float, k: float, log_moneyness: float, p: float) -> float:
        d1 = log_moneyness / s + 0.5 * s
        return 0.5 * (f * math.erfc(-d1 * _SQRT_HALF) - k * math.erfc((s - d1) * _SQRT_HALF)) - p

    return [
        brentq(miss, 1e-6 * t, 10.0 * t, args=(f, k, math.log(f / k), p), xtol=1e-14 * t, rtol=1e-14) / t
        for p, f, k, t in zip(price, forward, strike, root_years, strict=True)
    ]


_SQRT_HALF = math.sqrt(0.5)


def rows(machine: Machine) -> Iterator[Row]:
    """1,000,000 prices against two baselines, 100,000 implied volatilities against one."""
    market = a_market(PRICES)
    forward, strike, vol, years, df = market
    ours = black76.call(*market)
    lists = [column.tolist() for column in (forward, strike, vol * np.sqrt(years), df)]
    theirs = np.array(by_quantlib(*lists))
    worst = max(float((np.abs(ours - x) / (forward + strike)).max()) for x in (theirs, by_numpy(*market)))
    if worst > 1e-15:
        sys.exit(f"Black-76 and its baselines differ by {worst} of forward plus strike")
    ours_s = best(5, partial(black76.call, *market))
    common = {
        "ours_s": ours_s,
        "limit_s": machine.computing(FLOP_PER_PRICE * PRICES),
        "limit": "GEMM",
        "note": f"error {worst:.0e} of forward plus strike",
    }
    yield Row(name="black76: prices, QuantLib in a loop", baseline_s=best(1, partial(by_quantlib, *lists)), **common)
    yield Row(name="black76: prices, numpy and ndtr", baseline_s=best(5, partial(by_numpy, *market)), **common)
    yield _implied_vols(machine)


def _implied_vols(machine: Machine) -> Row:
    forward, strike, vol, years, _ = (column[:QUOTES] for column in a_market(PRICES))
    sign = np.where(strike >= forward, 1.0, -1.0)
    price = black76.price(forward, strike, vol, years, sign=sign)
    # brentq is given calls: one formula less to choose in its loop.
    calls = price + np.maximum(forward - strike, 0.0)
    lists = [column.tolist() for column in (calls, forward, strike, np.sqrt(years))]
    found = implied_vol(price, forward, strike, years, sign=sign)
    slow = np.array(by_brentq(*lists))
    worst = float(np.abs(found.vol - vol).max())
    if not found.found.all() or worst > 1e-10 or np.abs(slow - vol).max() > 1e-6:
        sys.exit(f"implied volatilities are off by {worst}, brentq's by {np.abs(slow - vol).max()}")
    return Row(
        name="black76: implied vols, brentq in a loop",
        baseline_s=best(1, partial(by_brentq, *lists)),
        ours_s=best(5, partial(implied_vol, price, forward, strike, years, sign=sign)),
        limit_s=machine.computing(FLOP_PER_VOL * QUOTES),
        limit="GEMM",
        note=f"error {worst:.0e} in vol",
    )
