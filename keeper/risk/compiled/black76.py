"""Black-76 without branches, so that the processor prices several options at once.

    N(d) for d < 0 is φ(d)·m(−d), with Mills' ratio m a quotient of two polynomials, and F·φ(d1) = K·φ(d2):
    one exponential serves both normal distributions, and one division both ratios.

The exponential and the logarithm are polynomials too, after the exponent bits are taken off by integer arithmetic; a
call into a mathematics library would price one option at a time.  Coefficients: Chebyshev interpolation in 50 digits,
each within 2e-17 of its function over the range named beside it, relative.  All of Mills' coefficients are positive,
so nothing cancels.  A price differs from the numpy twin in `keeper.risk.black76` by less than 1e-15 of forward plus
strike.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from keeper.risk.compiled import inlined_kernel, kernel, parallel_kernel, prange

#: Options per round: what a round touches stays in the first-level cache.
BLOCK: Final = 512

#: Mills' ratio (1 − N(x))/φ(x) over 0 ≤ x ≤ 39, highest power first.
_MILLS_ABOVE: Final = (
    1.0000000000009814,
    32.458414207640985,
    513.3246644872046,
    5158.744773958847,
    36277.93722752767,
    185988.8856557304,
    703574.2425230186,
    1942830.0508235951,
    3767121.054794191,
    4678720.618813063,
    2885773.5852326388,
)
_MILLS_BELOW: Final = (
    1.0,
    32.45841420785283,
    514.324664466436,
    5191.20318940103,
    36789.26184184816,
    191082.71509245376,
    738835.4965327176,
    2118826.6386307543,
    4403189.878936062,
    6298862.748076328,
    5570219.468996153,
    2302514.189629854,
)
#: e^r over |r| ≤ ln 2 / 2, highest power first.
_EXP: Final = (
    2.511015364692893e-08,
    2.763279054211718e-07,
    2.7557240604663896e-06,
    2.4801485074105115e-05,
    0.00019841269890340666,
    0.0013888888952696516,
    0.00833333333331949,
    0.04166666666648666,
    0.1666666666666668,
    0.5000000000000019,
    1.0,
    1.0,
)
#: (ln((1 + s)/(1 − s)) − 2s)/s³ in powers of s² over one octave around 1, highest power first.
_LOG: Final = (
    0.14617807153417325,
    0.15331611722055008,
    0.1818289243253687,
    0.22222211089379496,
    0.28571428626253836,
    0.3999999999989889,
    0.666666666666667,
)
#: ln 2 in two parts: products of the first with an exponent are exact.
_LN2_HIGH: Final = 0.6931471803691238
_LN2_LOW: Final = 1.9082149292705877e-10
_LOG2_E: Final = 1.4426950408889634
_INV_SQRT_2PI: Final = 0.3989422804014327
#: 1.5·2^52: a double this large holds an integer in its low bits, so adding it rounds and its bits convert.
_MAGIC: Final = 6755399441055744.0
_MAGIC_BITS: Final = 4843621399236968448
#: Exponent bits of one, and the bits of a mantissa.
_BIAS: Final = 1023
_MANTISSA: Final = (1 << 52) - 1
_SQRT_2: Final = 1.4142135623730951
#: Beyond this many deviations a normal tail is nothing, in float64 and in the ratio's range.
_FAR: Final = 37.5


@inlined_kernel
def log_ratio(a: float, b: float) -> float:
    """ln(a/b) of normal numbers, near one to the last digit, without dividing; zero counts as about 1e-308."""
    bits_a, bits_b = np.float64(a).view(np.int64), np.float64(b).view(np.int64)
    # Mantissas in [1, 2), then doubled or halved until their quotient is within half an octave of one.
    top = np.int64((bits_a & _MANTISSA) | (_BIAS << 52)).view(np.float64)
    below = np.int64((bits_b & _MANTISSA) | (_BIAS << 52)).view(np.float64)
    high, low = top > _SQRT_2 * below, below > _SQRT_2 * top
    exponent = (bits_a >> 52) - (bits_b >> 52) + (1 if high else 0) - (1 if low else 0)
    top *= (0.5 if high else 1.0) * (2.0 if low else 1.0)
    e = np.int64(exponent + _MAGIC_BITS).view(np.float64) - _MAGIC
    # The difference is exact.
    s = (top - below) / (top + below)
    z = s * s
    y = _LOG[0]
    for c in _LOG[1:]:
        y = y * z + c
    return e * _LN2_HIGH + (2.0 * s + (s * z * y + e * _LN2_LOW))


@inlined_kernel
def _exp(y: float) -> float:
    """e^y for −708 ≤ y ≤ 0."""
    shifted = y * _LOG2_E + _MAGIC
    n = shifted - _MAGIC
    r = (y - n * _LN2_HIGH) - n * _LN2_LOW
    p = _EXP[0]
    for c in _EXP[1:]:
        p = p * r + c
    return p * np.int64((np.float64(shifted).view(np.int64) + _BIAS) << 52).view(np.float64)


@inlined_kernel
def value(forward: float, strike: float, deviation: float, sign: float) -> float:
    """Undiscounted price of one option; `deviation` is σ√T, `sign` 1 for a call and −1 for a put.

    Every input finite and not negative.  Without deviation the price is intrinsic, to the last bit.
    """
    log_moneyness = log_ratio(forward, strike)
    limit = np.inf if log_moneyness > 0.0 else -np.inf
    ratio = log_moneyness / deviation if deviation > 0.0 else limit
    half = 0.5 * deviation
    d1, d2 = ratio + half, ratio - half
    x1, x2 = min(abs(d1), _FAR), min(abs(d2), _FAR)
    near = abs(d1) < _FAR
    n = (forward * _INV_SQRT_2PI if near else 0.0) * _exp(-0.5 * x1 * x1)
    a1, b1, a2, b2 = _MILLS_ABOVE[0], _MILLS_BELOW[0], _MILLS_ABOVE[0], _MILLS_BELOW[0]
    for c in _MILLS_ABOVE[1:]:
        a1 = a1 * x1 + c
        a2 = a2 * x2 + c
    for c in _MILLS_BELOW[1:]:
        b1 = b1 * x1 + c
        b2 = b2 * x2 + c
    per = n / (b1 * b2)
    tail1, tail2 = per * (a1 * b2), per * (a2 * b1)
    in1, in2 = sign * d1 > 0.0, sign * d2 > 0.0
    # w·(F·N(w·d1) − K·N(w·d2)) with each N from its tail: what is certain first, then the tails.
    certain = (forward if in1 else 0.0) - (strike if in2 else 0.0)
    tails = (tail2 if in2 else -tail2) - (tail1 if in1 else -tail1)
    found = sign * (certain + tails)
    return max(found, 0.0)


@kernel
def _round(inputs: Any, out: Any) -> int:
    sign, forward, strike, vol, years, df = inputs
    bad = 0
    for i in range(out.size):
        w, f, k, s, t, d = sign[i], forward[i], strike[i], vol[i], years[i], df[i]
        deviation = s * np.sqrt(t)
        # Not `and`: a branch would price one option at a time.
        market = (f >= 0.0) & (f < np.inf) & (k >= 0.0) & (k < np.inf) & (d > 0.0) & (d < np.inf)
        spread = (s >= 0.0) & (s < np.inf) & (t >= 0.0) & (t < np.inf) & (deviation < np.inf)
        bad += 0 if market & spread & (abs(w) == 1.0) else 1
        out[i] = d * value(f, k, deviation, w)
    return bad


@parallel_kernel
def prices(inputs: Any, steps: Any, out: Any) -> int:
    """Discounted prices into `out`.

    Args:
        inputs: (sign, forward, strike, vol, years, df), each a writable, contiguous float64 array of one axis: as long
            as `out`, or `BLOCK` copies of one number, which stay in the cache.
        steps: int64, one per input: 1 where it is as long as `out`, else 0.
        out: float64, shape (n,).

    Returns:
        how many options have an input outside its domain; if any, `out` means nothing.
    """
    sign, forward, strike, vol, years, df = inputs
    n = out.size
    bad = 0
    for block in prange((n + BLOCK - 1) // BLOCK):
        low = block * BLOCK
        count = min(BLOCK, n - low)
        w, f, k = low * steps[0], low * steps[1], low * steps[2]
        s, t, d = low * steps[3], low * steps[4], low * steps[5]
        here = (
            sign[w : w + count],
            forward[f : f + count],
            strike[k : k + count],
            vol[s : s + count],
            years[t : t + count],
            df[d : d + count],
        )
        bad += _round(here, out[low : low + count])
    return bad
