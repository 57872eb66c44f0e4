"""Implied volatility of Black-76 quotes: for any array of them, a volatility or the reason why there is none.

The work is done on time values: a quote in the money is first turned into its counterpart out of the money, where no
digits are lost, and a price near its bound is measured from the bound.  What the deviation σ√T comes out at is exact to
about 2e-15, plus what the price's own last digit means.  Method and formulas: `keeper.risk.compiled.implied_vol`.

No quote raises: a quote that nobody could have traded at without arbitrage is a value with a verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx

from keeper.risk.pricing.verdict import LEAST_SHARE, Verdict

__all__ = ["ImpliedVols", "Verdict", "implied_vol", "implied_vol_by_numpy"]

Floats = npt.NDArray[np.float64]
Verdicts = npt.NDArray[np.int64]

#: From this many quotes on the compiled kernel is used.
COMPILED_FROM: Final = 4_096
_ITERATIONS: Final = 200


@dataclass(frozen=True, kw_only=True)
class ImpliedVols:
    """Volatilities of quotes, in the quotes' shape."""

    vol: Floats
    """Annual; 0 where there is none.  Never NaN."""
    verdict: Verdicts
    """A `Verdict` each."""

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Where there is a volatility."""
        return np.asarray(self.verdict == Verdict.FOUND)


def implied_vol(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    df: npt.ArrayLike = 1.0,
    *,
    sign: npt.ArrayLike,
) -> ImpliedVols:
    """Implied volatilities.  Arguments broadcast, and may be anything: what is no quote has its verdict.

    Args:
        price: discounted, in the unit of the forward.
        forward: of the expiry.
        strike: of the option.
        years: to expiry, of 365 days.
        df: discount factor.
        sign: 1 for a call, −1 for a put.
    """
    inputs = tuple(np.asarray(x, dtype=np.float64) for x in (sign, price, forward, strike, years, df))
    shape = np.broadcast_shapes(*(x.shape for x in inputs))
    if math.prod(shape) < COMPILED_FROM:
        return implied_vol_by_numpy(*inputs[1:], sign=inputs[0])
    from keeper.risk import compiled  # noqa: PLC0415 - numba takes half a second to import

    return _compiled(shape, *inputs) if compiled.COMPILED else implied_vol_by_numpy(*inputs[1:], sign=inputs[0])


def implied_vol_by_numpy(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    df: npt.ArrayLike = 1.0,
    *,
    sign: npt.ArrayLike,
) -> ImpliedVols:
    """The same by Newton's method inside a bracket: twin of the compiled kernel, and its stand-in without numba."""
    p, f, k, t, d, w = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (price, forward, strike, years, df, sign))
    )
    verdict = np.full(p.shape, Verdict.FOUND, dtype=np.int64)
    with np.errstate(all="ignore"):
        # NaN fails each comparison, and so ends up as no quote.
        most = np.minimum(f, k)
        value = p / d - np.maximum(w * (f - k), 0.0)
        quote = (np.abs(p) < np.inf) & (np.abs(t) < np.inf) & (d > 0.0) & (d < np.inf) & (np.abs(w) == 1.0)
        market = (f > 0.0) & (f < np.inf) & (k > 0.0) & (k < np.inf)
        verdict[value >= most] = Verdict.AT_BOUND
        verdict[~(value > LEAST_SHARE * most)] = Verdict.NO_TIME_VALUE
        verdict[~(t > 0.0)] = Verdict.NO_TIME
        verdict[~(quote & market)] = Verdict.NOT_A_QUOTE
    here = verdict == Verdict.FOUND
    vol = np.zeros(p.shape)
    share, rest = value[here] / most[here], (most[here] - value[here]) / most[here]
    vol[here] = _deviation(share, rest, np.abs(np.log(f[here] / k[here]))) / np.sqrt(t[here])
    return ImpliedVols(vol=vol, verdict=verdict)


def _deviation(share: Floats, rest: Floats, x: Floats) -> Floats:
    """σ√T at which the time value is `share` of its most, `rest` short of it, at moneyness x = |ln(F/K)|."""
    side = np.where(share <= 0.5, 1.0, -1.0)
    target = np.log(np.where(side > 0.0, share, rest)) - 0.5 * x
    turn = np.sqrt(2.0 * x)
    # d1 is under 0.7 in the lower half and over 0 in the upper.
    low = np.where(side > 0.0, 1e-12, np.maximum(turn, 1e-12))
    high = np.where(side > 0.0, 0.7 + np.sqrt(0.49 + 2.0 * x), 100.0 + 2.0 * turn)
    s = np.sqrt(low * high)
    with np.errstate(all="ignore"):
        for _ in range(_ITERATIONS):
            h, half = x / s, 0.5 * s
            tails = erfcx(side * (h - half) * math.sqrt(0.5)) - side * erfcx((h + half) * math.sqrt(0.5))
            # Mills' ratio is √(π/2) of these, and the density's √(2π) divides it.
            miss = np.log(0.5 * tails) - 0.5 * (h * h + half * half) - target
            low, high = np.where(side * miss < 0.0, s, low), np.where(side * miss < 0.0, high, s)
            newton = s - miss * side * tails * math.sqrt(0.5 * math.pi)
            inside = (newton > low) & (newton < high)
            step = np.where(inside, newton, np.sqrt(low * high)) - s
            s = s + step
            if (np.abs(step) <= 4e-16 * s).all():
                break
    return np.asarray(s)


def _compiled(shape: tuple[int, ...], *inputs: Floats) -> ImpliedVols:
    from keeper.risk.compiled import implied_vol as kernels  # noqa: PLC0415 - as above
    from keeper.risk.compiled.columns import columns  # noqa: PLC0415 - as above

    arrays, steps = columns(shape, *inputs)
    vol, verdict = np.empty(math.prod(shape)), np.empty(math.prod(shape), dtype=np.int64)
    kernels.implied_vols(arrays, steps, vol, verdict)
    return ImpliedVols(vol=vol.reshape(shape), verdict=verdict.reshape(shape))
