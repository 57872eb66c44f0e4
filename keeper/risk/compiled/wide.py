"""Products and quotients beyond 128 bits, for values whose divisor is an account's own."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from keeper.risk.compiled import inlined_kernel, kernel
from keeper.risk.compiled.grid import add, mask, mul_high, subtract

#: Magnitudes stay below 2**BITS.
BITS: Final = 95
_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_63: Final = np.uint64(63)
_64: Final = np.uint64(64)
_BITS: Final = np.uint64(BITS)
_HIGH: Final = np.uint64(BITS - 64)


@inlined_kernel
def is_wide(x1: Any) -> Any:
    """Whether |x| may be 2**BITS or more."""
    return ((x1 ^ mask(x1)) >> _HIGH) != _0


@inlined_kernel
def exceeds(x1: Any, x0: Any, bits: Any) -> Any:
    """Whether |x| may be 2**bits or more."""
    sign = mask(x1)
    high, low = x1 ^ sign, x0 ^ sign
    if bits >= _64:
        return (high >> (bits - _64)) != _0
    return high != _0 or (low >> bits) != _0


@inlined_kernel
def bit_length(x: Any) -> Any:
    """Bits of an unsigned word up to its highest one."""
    length = _0
    step = np.uint64(32)
    while step != _0:
        if x >> step != _0:
            x >>= step
            length += step
        step >>= _1
    return length + x


@kernel
def scale_down(x: Any, y: Any, d: Any) -> Any:
    """⌊x·y / d⌋ for |x|, |y| and d below 2**BITS, d positive.

    Returns: the two words, and whether the quotient is surely below 2**BITS; if not, the words mean nothing.

    The product has three words, p.  Long division: as many of its upper bits as surely stay below d are a remainder as
    they stand, and each bit after them gives one of the quotient.  Twice a remainder stays below 2**128.
    """
    (x1, x0), (y1, y0), (d1, d0) = x, y, d
    if y1 | y0 == _0 or x1 | x0 == _0:
        return _0, _0, True
    sign = mask(x1) ^ mask(y1)
    m1, m0 = subtract(x1 ^ mask(x1), x0 ^ mask(x1), mask(x1), mask(x1))
    n1, n0 = subtract(y1 ^ mask(y1), y0 ^ mask(y1), mask(y1), mask(y1))
    p2, p1 = add(m1 * n1, mul_high(m0, n0), mul_high(m0, n1), m0 * n1)
    p2, p1 = add(p2, p1, mul_high(m1, n0), m1 * n0)
    p0 = m0 * n0
    # Bring the highest bit of p to the top.
    left = _64 * np.uint64(3)
    while p2 == _0 and left > _64:
        p2, p1, p0 = p1, p0, _0
        left -= _64
    empty = _64 - bit_length(p2)
    left -= empty
    if _0 < empty < _64:
        back = _64 - empty
        p2, p1, p0 = p2 << empty | p1 >> back, p1 << empty | p0 >> back, p0 << empty
    # One bit less than d has: below d whatever they are.
    bits = (bit_length(d1) + _64 if d1 != _0 else bit_length(d0)) - _1
    r1, r0, q1, q0 = _0, _0, _0, _0
    whole = min(bits, left)
    if whole >= _64:
        r0, p2, p1, p0 = p2, p1, p0, _0
        whole -= _64
        left -= _64
    if whole > _0:
        back = _64 - whole
        r1, r0 = r0 >> back, r0 << whole | p2 >> back
        p2, p1, p0 = p2 << whole | p1 >> back, p1 << whole | p0 >> back, p0 << whole
        left -= whole
    fits = left <= _BITS
    while left != _0 and fits:
        r1, r0 = r1 << _1 | r0 >> _63, r0 << _1 | p2 >> _63
        p2, p1, p0 = p2 << _1 | p1 >> _63, p1 << _1 | p0 >> _63, p0 << _1
        over = np.uint64(r1 > d1 or (r1 == d1 and r0 >= d0))
        q1, q0 = q1 << _1 | q0 >> _63, q0 << _1 | over
        less = _0 - over
        r1, r0 = subtract(r1, r0, d1 & less, d0 & less)
        left -= _1
    # One more for a negative number that does not divide, then the sign.
    q1, q0 = add(q1, q0, _0, sign & np.uint64((r1 | r0) != _0))
    q1, q0 = subtract(q1 ^ sign, q0 ^ sign, sign, sign)
    return q1, q0, fits
