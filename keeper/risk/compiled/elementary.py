"""Exponential and logarithm as polynomials, so that a loop around them does several elements at once.

A call into a mathematics library would do one.  The exponent bits are taken off by integer arithmetic; what is left is
Chebyshev interpolation in 50 digits, each within 2e-17 of its function over the range named beside it, relative.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from keeper.risk.compiled import inlined_kernel

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
#: 1.5·2^52: a double this large holds an integer in its low bits, so adding it rounds and its bits convert.
_MAGIC: Final = 6755399441055744.0
_MAGIC_BITS: Final = 4843621399236968448
#: Exponent bits of one, and the bits of a mantissa.
_BIAS: Final = 1023
_MANTISSA: Final = (1 << 52) - 1
_SQRT_2: Final = 1.4142135623730951


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
def exp(y: float) -> float:
    """e^y for −708 ≤ y ≤ 708."""
    shifted = y * _LOG2_E + _MAGIC
    n = shifted - _MAGIC
    r = (y - n * _LN2_HIGH) - n * _LN2_LOW
    p = _EXP[0]
    for c in _EXP[1:]:
        p = p * r + c
    return p * np.int64((np.float64(shifted).view(np.int64) + _BIAS) << 52).view(np.float64)
