"""Implied volatility without branches: a start within a few per cent, then three steps of the fourth order.

With the time value as a share t of what it can be at most, x = |ln(F/K)|, deviation s = σ√T and h = x/s:

    lower half (t ≤ ½)   solve ln t       = ln(m(h − s/2) − m(h + s/2)) − (h² + s²/4)/2 + x/2 − ln √2π
    upper half           solve ln(1 − t)  = ln(m(s/2 − h) + m(h + s/2)) − (h² + s²/4)/2 + x/2 − ln √2π

where m is Mills' ratio.  Logarithms keep every digit of a price of 1e-300 as of one a hair under its bound, and the
derivative of the left side by s is ±1 over the sum of the m, so that a step takes no exponential.

The start of the lower half is the volatility of a normal model, whose time value per x depends on h alone: inverted by
a fitted quotient of polynomials, and repeated once with the time value corrected by e^{s²/8}.  That of the upper half
puts both tails together and inverts the normal distribution by another quotient.  A quote that has not settled after
three steps (of ten million tried, only such as lie e^80 from the forward) is bisected.

Steps: Householder's method of third order (fourth-order convergence) with analytic derivatives.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from keeper.risk.compiled import inlined_kernel, kernel, parallel_kernel, prange
from keeper.risk.compiled.columns import BLOCK
from keeper.risk.compiled.elementary import exp, log_ratio
from keeper.risk.pricing.verdict import LEAST_SHARE, Verdict

FOUND: Final = int(Verdict.FOUND)
NOT_A_QUOTE: Final = int(Verdict.NOT_A_QUOTE)
NO_TIME: Final = int(Verdict.NO_TIME)
NO_TIME_VALUE: Final = int(Verdict.NO_TIME_VALUE)
AT_BOUND: Final = int(Verdict.AT_BOUND)
#: Never handed out.
_UNSETTLED: Final = -1

#: A quote has settled once its last step was smaller than this share of the deviation: the next would be its square.
_SETTLED: Final = 1e-7
_STEPS: Final = 3
_BISECTIONS: Final = 200

#: Mills' ratio at y − 1 over 0 ≤ y ≤ 41, highest power first; within 1e-17, all terms positive.
_MILLS_ABOVE: Final = (
    0.9999999999997629,
    28.630849417548692,
    416.7471469103379,
    3991.4770486788643,
    27665.660443813427,
    144948.9434983909,
    584877.5886379551,
    1821144.8138656619,
    4314223.370502164,
    7492702.046607587,
    8766835.090361344,
    5469169.73458843,
)
_MILLS_BELOW: Final = (
    1.0,
    27.630849417488147,
    389.11629749989737,
    3604.3607506808794,
    24118.56141599278,
    121657.87553285192,
    471024.9045479753,
    1402808.496664043,
    3175808.0220946628,
    5311177.821034194,
    6210046.588320361,
    4546650.0753501095,
    1572933.0567290664,
)
#: (h/q)² of a normal model by q = ln(1 + x/time value), highest power first; h within 7e-4.
_NORMAL_ABOVE: Final = (0.0017441699212227884, 0.023612419578558082, 0.15915494309189535)
_NORMAL_BELOW: Final = (0.000876024296360202, 0.020170189783515455, 0.14617680986136114, 1.0)
#: Where a normal tail is p: y − (a + b·y)/(1 + c·y + d·y²) with y = √(−2 ln p), within 3e-3 for p ≤ ½.
_TAIL: Final = (2.3330403194735636, 0.326569368935412, 1.0461856121350668, 0.057605608434586675)
_SQRT_2PI: Final = 2.5066282746310002
_LN_SQRT_2PI: Final = 0.9189385332046728
_LN_2: Final = 0.6931471805599453
#: Half the time value is reached before d1 is this large, whatever the moneyness: N(0.6745) = ¾.
_MOST_D1: Final = 0.7


@inlined_kernel
def _normal_deviation(z: float, log_value: float, x: float) -> float:
    """Deviation s = x/h at which a normal model has this time value; z = ln(x/value)."""
    far = exp(-min(abs(z), 700.0))
    q = max(z, 0.0) + log_ratio(1.0 + far, 1.0)
    above, below = _NORMAL_ABOVE[0], _NORMAL_BELOW[0]
    for c in _NORMAL_ABOVE[1:]:
        above = above * q + c
    for c in _NORMAL_BELOW[1:]:
        below = below * q + c
    # At the money q is the quotient itself, and x cancels.
    per_q = x / q if z > -20.0 else exp(max(log_value, -700.0))
    deviation: float = per_q * np.sqrt(below / above)
    return deviation


@inlined_kernel
def _lower_start(log_share: float, x: float) -> float:
    log_value = log_share - 0.5 * x
    z = log_ratio(x, 1.0) - log_value
    most = _MOST_D1 + np.sqrt(_MOST_D1 * _MOST_D1 + 2.0 * x)
    first = min(_normal_deviation(z, log_value, x), most)
    lift = 0.125 * first * first
    second: float = min(_normal_deviation(z - lift, log_value + lift, x), most)
    return second


@inlined_kernel
def _tail_deviation(log_p: float) -> float:
    y = np.sqrt(max(-2.0 * log_p, 0.0))
    deviation: float = max(y - (_TAIL[0] + _TAIL[1] * y) / (1.0 + y * (_TAIL[2] + y * _TAIL[3])), 0.0)
    return deviation


@inlined_kernel
def _upper_start(log_rest: float, x: float) -> float:
    d = _tail_deviation(log_rest - _LN_2)
    # The second tail over the first, Mills' ratio at z being about 1/(z + 0.8).
    second = (d + 0.8) / (np.sqrt(d * d + 2.0 * x) + 0.8)
    d = _tail_deviation(log_rest - log_ratio(1.0 + second, 1.0))
    s: float = d + np.sqrt(d * d + 2.0 * x)
    return s


@inlined_kernel
def _mills_pair(one: float, other: float, side: float) -> tuple[float, float]:
    """m(one) − side·m(other) as numerator and denominator; arguments above −1."""
    y, z = one + 1.0, other + 1.0
    a1, b1, a2, b2 = _MILLS_ABOVE[0], _MILLS_BELOW[0], _MILLS_ABOVE[0], _MILLS_BELOW[0]
    for c in _MILLS_ABOVE[1:]:
        a1 = a1 * y + c
        a2 = a2 * z + c
    for c in _MILLS_BELOW[1:]:
        b1 = b1 * y + c
        b2 = b2 * z + c
    return a1 * b2 - side * (a2 * b1), b1 * b2


@inlined_kernel
def _step(s: float, x: float, side: float, target: float) -> float:
    """Householder's step from s; `side` 1 in the lower half and −1 in the upper."""
    per_s = 1.0 / s
    h, half = x * per_s, 0.5 * s
    above, below = _mills_pair(side * (h - half), h + half, side)
    miss = log_ratio(above, below) - 0.5 * (h * h + half * half) - target
    both = 1.0 / (above * below)
    slope = side * below * below * both
    newton = -miss * side * above * above * both
    # Derivatives over the one before: of the vega's logarithm, then of ours.
    g = h * h * per_s - 0.5 * half
    g_slope = -3.0 * h * h * per_s * per_s - 0.25
    second = g - slope
    third = second * second + g_slope - slope * second
    return newton * (1.0 + 0.5 * second * newton) / (1.0 + newton * (second + third * newton / 6.0))


@inlined_kernel
def _floor(s: float, x: float, side: float) -> float:
    turn: float = np.sqrt(2.0 * x)
    return s / 3.0 if side > 0.0 else max(s / 3.0, turn)


@inlined_kernel
def _ceiling(s: float, x: float, side: float) -> float:
    most: float = _MOST_D1 + np.sqrt(_MOST_D1 * _MOST_D1 + 2.0 * x)
    return min(3.0 * s, most) if side > 0.0 else 3.0 * s


@kernel
def bisect(x: float, side: float, target: float) -> float:
    """The same root by halving a bracket: slow, and sure."""
    low, high = 1e-12, _MOST_D1 + np.sqrt(_MOST_D1 * _MOST_D1 + 2.0 * x)
    if side < 0.0:
        low, high = max(low, np.sqrt(2.0 * x)), 100.0 + 2.0 * np.sqrt(2.0 * x)
    for _ in range(_BISECTIONS):
        s = 0.5 * (low + high)
        h, half = x / s, 0.5 * s
        above, below = _mills_pair(side * (h - half), h + half, side)
        miss = log_ratio(max(above, 0.0), below) - 0.5 * (h * h + half * half) - target
        if side * miss < 0.0:
            low = s
        else:
            high = s
    middle: float = 0.5 * (low + high)
    return middle


@inlined_kernel
def _time_value(sign: float, price: float, forward: float, strike: float, df: float) -> tuple[float, float]:
    """(undiscounted time value, the most that it can be)."""
    return price / df - max(sign * (forward - strike), 0.0), min(forward, strike)


@inlined_kernel
def _normalised(value: float, most: float, forward: float, strike: float) -> tuple[float, float, float]:
    """(x, side, logarithm of the smaller part of the most)."""
    lower = value <= 0.5 * most
    log_part = log_ratio(value if lower else most - value, most)
    return abs(log_ratio(forward, strike)), 1.0 if lower else -1.0, log_part


@kernel
def _round(inputs: Any, vol: Any, verdict: Any) -> None:
    sign, price, forward, strike, years, df = inputs
    for i in range(vol.size):
        w, p, f, k, t, d = sign[i], price[i], forward[i], strike[i], years[i], df[i]
        value, most = _time_value(w, p, f, k, d)
        # Not `and`: a branch would judge one quote at a time.
        market = (f > 0.0) & (f < np.inf) & (k > 0.0) & (k < np.inf) & (abs(w) == 1.0)
        quote = (abs(p) < np.inf) & (abs(t) < np.inf) & (d > 0.0) & (d < np.inf)
        found = AT_BOUND if value >= most else FOUND
        found = found if value > LEAST_SHARE * most else NO_TIME_VALUE
        found = found if t > 0.0 else NO_TIME
        found = found if market & quote else NOT_A_QUOTE
        fine = found == FOUND
        # A quote without a volatility takes the way of one that has one, so that no lane waits.
        value, most = value if fine else 0.25, most if fine else 1.0
        x, side, log_part = _normalised(value, most, f if fine else 1.0, k if fine else 1.0)
        target = log_part + _LN_SQRT_2PI - 0.5 * x
        s = _lower_start(log_part, x) if side > 0.0 else _upper_start(log_part, x)
        step = 0.0
        for _ in range(_STEPS):
            step = _step(s, x, side, target)
            s = min(max(s + step, _floor(s, x, side)), _ceiling(s, x, side))
        vol[i] = s / np.sqrt(t) if fine else 0.0
        verdict[i] = found if abs(step) <= _SETTLED * s else _UNSETTLED
    for i in range(vol.size):
        if verdict[i] == _UNSETTLED:
            value, most = _time_value(sign[i], price[i], forward[i], strike[i], df[i])
            x, side, log_part = _normalised(value, most, forward[i], strike[i])
            vol[i] = bisect(x, side, log_part + _LN_SQRT_2PI - 0.5 * x) / np.sqrt(years[i])
            verdict[i] = FOUND


@parallel_kernel
def implied_vols(inputs: Any, steps: Any, vol: Any, verdict: Any) -> None:
    """Volatilities into `vol`, 0 where there is none, and why into `verdict`.

    Args:
        inputs: (sign, price, forward, strike, years, df), from `columns.columns`.
        steps: the same.
        vol: float64, shape (n,).
        verdict: int64, shape (n,).
    """
    sign, price, forward, strike, years, df = inputs
    n = vol.size
    for block in prange((n + BLOCK - 1) // BLOCK):
        low = block * BLOCK
        count = min(BLOCK, n - low)
        w, p, f = low * steps[0], low * steps[1], low * steps[2]
        k, t, d = low * steps[3], low * steps[4], low * steps[5]
        here = (
            sign[w : w + count],
            price[p : p + count],
            forward[f : f + count],
            strike[k : k + count],
            years[t : t + count],
            df[d : d + count],
        )
        _round(here, vol[low : low + count], verdict[low : low + count])
