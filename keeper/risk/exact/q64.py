"""Signed binary fixed point with 64 fractional bits: exp, ln, square root and the normal tail.

Mirrors contracts/src/libraries/Q64.sol.  A number x is held as the integer floor(x * 2**64).  Multiplication is
`a * b >> 64` and rounds toward minus infinity in both languages.
"""

from __future__ import annotations

from math import isqrt
from typing import Final

ONE: Final = 1 << 64
#: ln 2 in Q64.
LN2: Final = 12786308645202655659
#: sqrt(1/2) in Q64; mantissas are taken in [sqrt 1/2, sqrt 2).
SQRT_HALF: Final = 13043817825332782212
#: Inputs to `exp` below this give 0: exp(-44) is less than one unit of Q64.
EXP_MIN: Final = -44 * ONE
#: Inputs to `exp` above this are clamped; nothing in the risk file needs more than e**20.
EXP_MAX: Final = 20 * ONE
#: |d| at and beyond this is certain: the normal tail is below 8e-13.  Source: range of Hart's rational form, below.
TAIL_CUT: Final = 130438178253327725388  # 7.0710678118654755 in Q64

#: 1/n! in Q64 for n = 12 … 0: Taylor coefficients of exp on [-ln2/2, ln2/2], truncation below 1e-15.
_EXP: Final = tuple(ONE // f for f in (479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1))
#: 1/(2n+1) in Q64 for n = 8 … 0: atanh series on |z| <= 0.1716, truncation below 1e-15.
_ATANH: Final = tuple(ONE // n for n in (17, 15, 13, 11, 9, 7, 5, 3, 1))

#: Numerator and denominator of exp(x^2/2)·N(-x) for 0 <= x < 7.07, highest power first, Q64.
#: Source: J. F. Hart et al., Computer Approximations (1968), index 5666, as tabulated by G. West, "Better
#: approximations to cumulative normal functions", Wilmott (2005).
_HART_NUM: Final = (
    650478250178244362,
    12919787143353136591,
    117578849504046139487,
    625581961353917287603,
    2067498006223917203771,
    4080670594171652639712,
    4062099735652764000328,
)
_HART_DEN: Final = (
    1630477228166597028,
    32386342837845824709,
    296331772558254578451,
    1600821957476871612085,
    5470644798650576484341,
    11756730424506726822413,
    14643514515380871948050,
    8124199471305528000657,
)


def mul(a: int, b: int) -> int:
    """Product of two Q64 numbers, rounded toward minus infinity."""
    return a * b >> 64


def exp(x: int) -> int:
    """e**x in Q64; 0 below `EXP_MIN`, clamped at e**20.  Absolute error about 1e-15 times the result."""
    if x < EXP_MIN:
        return 0
    x = min(x, EXP_MAX)
    n = (x * 2 + LN2) // (2 * LN2)  # floor(x/ln2 + 1/2)
    r = x - n * LN2
    acc = _EXP[0]
    for c in _EXP[1:]:
        acc = (acc * r >> 64) + c
    return acc << n if n >= 0 else acc >> -n


def ln(x: int) -> int:
    """Natural logarithm of a positive Q64 number.  Raises `ValueError` if x <= 0."""
    if x <= 0:
        raise ValueError("ln of a non-positive number")
    n = x.bit_length() - 64  # x in [2**(n+63), 2**(n+64)) so m = x / 2**n lies in [1/2, 1)
    m = x >> n if n >= 0 else x << -n
    if m < SQRT_HALF:
        m <<= 1
        n -= 1
    num, den = (m - ONE) << 64, m + ONE
    # Truncating division, as the contract's sdiv.
    z = num // den if num >= 0 else -(-num // den)
    z2 = z * z >> 64
    acc = _ATANH[0]
    for c in _ATANH[1:]:
        acc = (acc * z2 >> 64) + c
    return (acc * z >> 63) + n * LN2


def sqrt(x: int) -> int:
    """Square root of a non-negative Q64 number, rounded down."""
    return isqrt(x << 64)


def mills(x: int) -> int:
    """exp(x²/2)·N(−x) in Q64 for 0 <= x < `TAIL_CUT`.  Relative error below 3e-9, at the far end; 1e-15 below x = 4."""
    num = _HART_NUM[0]
    for c in _HART_NUM[1:]:
        num = (num * x >> 64) + c
    den = _HART_DEN[0]
    for c in _HART_DEN[1:]:
        den = (den * x >> 64) + c
    return (num << 64) // den
