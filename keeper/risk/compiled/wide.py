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


@kernel
def scale_down(x: Any, y: Any, d: Any) -> Any:
    """⌊x·y / d⌋ for |x|, |y| and d of at most 2**BITS, d positive.

    Returns: the two words, and whether the quotient is below 2**BITS; if not, the words mean nothing.

    The product has three words; long division takes them bit by bit.  A divisor below 2**BITS keeps twice a remainder
    below 2**128.
    """
    (x1, x0), (y1, y0), (d1, d0) = x, y, d
    sign = mask(x1) ^ mask(y1)
    m1, m0 = subtract(x1 ^ mask(x1), x0 ^ mask(x1), mask(x1), mask(x1))
    n1, n0 = subtract(y1 ^ mask(y1), y0 ^ mask(y1), mask(y1), mask(y1))
    p2, p1 = add(m1 * n1, mul_high(m0, n0), mul_high(m0, n1), m0 * n1)
    p2, p1 = add(p2, p1, mul_high(m1, n0), m1 * n0)
    p0 = m0 * n0
    r1, r0, q1, q0, lost = _0, _0, _0, _0, _0
    for word in range(3):
        bits = p2 if word == 0 else (p1 if word == 1 else p0)
        if bits | r1 | r0 | q1 | q0:  # leading zeros give nothing
            for _ in range(64):
                r1, r0 = r1 << _1 | r0 >> _63, r0 << _1 | bits >> _63
                bits <<= _1
                lost |= q1 >> _63
                over = np.uint64(r1 > d1 or (r1 == d1 and r0 >= d0))
                q1, q0 = q1 << _1 | q0 >> _63, q0 << _1 | over
                less = _0 - over
                r1, r0 = subtract(r1, r0, d1 & less, d0 & less)
    # One more for a negative number that does not divide, then the sign.
    q1, q0 = add(q1, q0, _0, sign & np.uint64((r1 | r0) != _0))
    fits = lost == _0 and (q1 >> _HIGH) == _0
    q1, q0 = subtract(q1 ^ sign, q0 ^ sign, sign, sign)
    return q1, q0, fits
