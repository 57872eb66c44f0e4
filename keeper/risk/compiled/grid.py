"""The adding machine over a whole book in 128-bit integers: `keeper.risk.exact.grid.assess`, account by account.

Same integers, same order of roundings.  Nothing here can overflow: `keeper.risk.exact.rule` proves up to which size of
position every intermediate fits, and an account with a larger one is left alone and flagged.

A value is two words (high, low) in two's complement, so that addition wraps as hardware does and a sign is the top bit
of `high`.  Everything is uint64, constants too: numba turns int64 with uint64 into float64, and no float may come near.
Import this only where `keeper.risk.compiled.COMPILED`: one instruction of the machine is not to be had in Python.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from keeper.risk.compiled import inlined_kernel, kernel, parallel_kernel, prange
from keeper.risk.exact.grid import NO_ROW

#: Accounts of one parcel of work.
PARCEL: Final = 512
_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_63: Final = np.uint64(63)
_ALL: Final = 2**64 - 1


def _mul_high(_context: Any, _a: Any, _b: Any) -> Any:
    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = arguments[0].type
        wide = type(word)(128)
        a, b = (builder.zext(argument, wide) for argument in arguments)
        return builder.trunc(builder.lshr(builder.mul(a, b), wide(64)), word)

    return types.uint64(types.uint64, types.uint64), generate


#: Upper 64 bits of the product of two uint64: one multiplication of the machine.
mul_high: Any = intrinsic(_mul_high)


@inlined_kernel
def mask(high: Any) -> Any:
    """All ones for a negative value, else zero."""
    return _0 - (high >> _63)


@inlined_kernel
def add(a1: Any, a0: Any, b1: Any, b0: Any) -> Any:
    """a + b."""
    low = a0 + b0
    return a1 + b1 + np.uint64(low < a0), low


@inlined_kernel
def subtract(a1: Any, a0: Any, b1: Any, b0: Any) -> Any:
    """a − b."""
    return a1 - b1 - np.uint64(a0 < b0), a0 - b0


@inlined_kernel
def less(a1: Any, a0: Any, b1: Any, b0: Any) -> Any:
    """Whether a < b, signed: flipping the sign bits turns it into an unsigned comparison."""
    top = _1 << _63
    return (a1 ^ top) < (b1 ^ top) or (a1 == b1 and a0 < b0)


@inlined_kernel
def times(a1: Any, a0: Any, v: Any) -> Any:
    """a·v for a signed 64-bit v, modulo 2**128: exact where the product fits."""
    # v as a 128-bit number has all ones above it if negative, and those subtract a0 from the upper word.
    return mul_high(a0, v) + a1 * v - (a0 & mask(v)), a0 * v


@inlined_kernel
def product(a1: Any, a0: Any, b1: Any, b0: Any) -> Any:
    """a·b modulo 2**128."""
    return mul_high(a0, b0) + a1 * b0 + a0 * b1, a0 * b0


@inlined_kernel
def scale(x1: Any, x0: Any, fractions: Any, i: Any) -> Any:
    """Multiply by a fraction and round down: ⌊x·num / den⌋, exact while the result fits 128 bits.

    Args:
        x1: upper word of x.
        x0: lower word; |x| < 2**127.
        fractions: table of `fraction`s.
        i: which of them.

    With m = |x|, |num| = whole·den + rest and r = ⌊rest·2**128 / den⌋, kept in the table:

    1. m·rest/den − m·r/2**128 lies in [0, m/2**128), less than a half, so ⌊m·rest/den⌋ is q = ⌊m·r/2**128⌋ or q + 1.
    2. The remainder m·rest − q·den tells which.  It lies in [0, 2·den), below 2**128, so modulo 2**128 it is exact.
    3. ⌊−y⌋ is −⌊y⌋, less one unless the remainder is zero.
    """
    sign = mask(x1)
    m1, m0 = subtract(x1 ^ sign, x0 ^ sign, sign, sign)
    sign ^= fractions[i, 0]
    r1, r0 = fractions[i, 2], fractions[i, 3]
    den1, den0 = fractions[i, 6], fractions[i, 7]
    # Words 2 and 3 of the four of m·r: the first only matters by its carry into the second, and that by its own.
    middle = mul_high(m0, r0)
    part = m0 * r1
    middle += part
    carry = np.uint64(middle < part)
    part = m1 * r0
    middle += part
    carry += np.uint64(middle < part)
    q1, q0 = add(_0, mul_high(m0, r1), _0, mul_high(m1, r0))
    q1, q0 = add(q1, q0, mul_high(m1, r1), m1 * r1)
    q1, q0 = add(q1, q0, _0, carry)
    if den1:
        t1, t0 = product(m1, m0, fractions[i, 4], fractions[i, 5])
        d1, d0 = product(q1, q0, den1, den0)
        left1, left0 = subtract(t1, t0, d1, d0)
        over = np.uint64(left1 > den1 or (left1 == den1 and left0 >= den0))
        is_whole = left1 == den1 * over and left0 == den0 * over
    else:  # the denominator is below 2**63: one word holds the remainder
        left0 = m0 * fractions[i, 5] - q0 * den0
        over = np.uint64(left0 >= den0)
        is_whole = left0 == den0 * over
    # One more for a negative number that does not divide, then the sign.
    q1, q0 = add(q1, q0, _0, over + (sign & _1 & np.uint64(not is_whole)))
    whole = fractions[i, 1]
    q1, q0 = add(q1, q0, m1 * whole + mul_high(m0, whole), m0 * whole)
    return subtract(q1 ^ sign, q0 ^ sign, sign, sign)


def fraction(num: int, den: int) -> tuple[int, ...]:
    """What `scale` multiplies by: |num| // den below 2**64, den positive and below 2**127.

    Eight words: sign mask, whole part, the two words each of ⌊rest·2**128 / den⌋, of the rest and of the denominator.
    """
    if den >> 63 == 1:
        num, den = 2 * num, 2 * den
    whole, rest = divmod(abs(num), den)
    return (
        -int(num < 0) & _ALL,
        whole,
        *divmod((rest << 128) // den, 1 << 64),
        *divmod(rest, 1 << 64),
        *divmod(den, 1 << 64),
    )


@parallel_kernel
def assess(book: Any, table: Any, rule: Any, out: Any) -> None:
    """Assess every account.

    Args:
        book: (first, last, option, sizes, perps): positions of account a are first[a] … last[a] − 1, options ascending;
            the index of each, its size, and the perp of each account.
        table: (rows, marks, strike) by option: value under each row, int64 as uint64; the mark as a numerator; the
            number of its strike.
        rule: what is the same for every account, from `keeper.risk.exact.rule`.
        out: (marks, grids, shorts, worst rows, whether the account was too large); written.
    """
    accounts = len(book[0])
    for parcel in prange((accounts + PARCEL - 1) // PARCEL):
        _assess_some((parcel * PARCEL, min(accounts, (parcel + 1) * PARCEL)), book, table, rule, out)


@kernel
def _assess_some(span: Any, book: Any, table: Any, rule: Any, out: Any) -> None:
    bits, short, too_large, worst = rule[0], rule[1], out[4], out[3]
    ladder = np.empty((table[0].shape[1], 2), dtype=np.uint64)
    sums = (ladder, out[0], out[1], out[2])
    for a in range(span[0], span[1]):
        too_large[a] = _too_large(a, book, bits)
        if not too_large[a]:
            _sum(a, book, table, short, sums)
            worst[a] = _worst(a, book, rule, sums)


@kernel
def _too_large(a: Any, book: Any, shift: Any) -> Any:
    """Whether a position or the perp is beyond 2**(64 + shift) wei."""
    first, last, _, sizes, perps = book
    high = perps[a, 0]
    bits = (high ^ mask(high)) >> shift
    for k in range(first[a], last[a]):
        high = sizes[k, 0]
        bits |= (high ^ mask(high)) >> shift
    return bits != _0


@kernel
def _sum(a: Any, book: Any, table: Any, short: Any, sums: Any) -> None:
    """Ladder, mark and short-option minimum of one account."""
    first, last, option, sizes, _ = book
    rows, marks, strike = table
    ladder, mark, _, minimum = sums
    ladder[:] = _0
    mark1, mark0, net1, net0, naked1, naked0 = _0, _0, _0, _0, _0, _0
    for k in range(first[a], last[a]):
        i, s1, s0 = option[k], sizes[k, 0], sizes[k, 1]
        values = rows[i]
        for j in range(len(values)):
            p1, p0 = times(s1, s0, values[j])
            ladder[j, 0], ladder[j, 1] = add(ladder[j, 0], ladder[j, 1], p1, p0)
        p1, p0 = scale(s1, s0, marks, i)
        mark1, mark0 = add(mark1, mark0, p1, p0)
        # The two options of a strike stand side by side; what is short of both together is naked.
        if k == first[a] or strike[i] != strike[option[k - 1]]:
            naked1, naked0 = _less_if_negative(naked1, naked0, net1, net0)
            net1, net0 = _0, _0
        net1, net0 = add(net1, net0, s1, s0)
    naked1, naked0 = _less_if_negative(naked1, naked0, net1, net0)
    # Rounded up: the fraction is negative, and so is the answer that was rounded down.
    p1, p0 = scale(naked1, naked0, short, 0)
    mark[a, 0], mark[a, 1] = mark1, mark0
    minimum[a, 0], minimum[a, 1] = subtract(_0, _0, p1, p0)


@inlined_kernel
def _less_if_negative(a1: Any, a0: Any, b1: Any, b0: Any) -> Any:
    """a − min(0, b)."""
    negative = mask(b1)
    return subtract(a1, a0, b1 & negative, b0 & negative)


@kernel
def _worst(a: Any, book: Any, rule: Any, sums: Any) -> Any:
    """Grid requirement of one account; returns the worst row, the lowest on ties."""
    _, _, terms, slopes, reference, moves, moved, weights, is_light = rule
    ladder, mark, grid, _ = sums
    perps = book[4]
    perp1, perp0 = perps[a, 0], perps[a, 1]
    mark1, mark0 = mark[a, 0], mark[a, 1]
    grid1, grid0, worst = _0, _0, NO_ROW
    p1, p0 = _0, _0
    for j in range(len(ladder)):
        if moved[j] and perp1 | perp0:  # else as the row before: rows come in pairs of one level
            p1, p0 = scale(perp1, perp0, moves, j)
        v1, v0 = _shifted(j, ladder, terms, slopes)
        v1, v0 = scale(v1, v0, reference, 0)
        v1, v0 = add(v1, v0, p1, p0)
        v1, v0 = subtract(mark1, mark0, v1, v0)
        # A weight only lowers a loss, so a row that does not exceed the worst without it never does.
        if less(grid1, grid0, v1, v0):
            if is_light[j]:
                v1, v0 = subtract(_0, _0, v1, v0)
                v1, v0 = scale(v1, v0, weights, j)
                v1, v0 = subtract(_0, _0, v1, v0)
            if less(grid1, grid0, v1, v0):
                grid1, grid0, worst = v1, v0, j
    grid[a, 0], grid[a, 1] = grid1, grid0
    return worst


@inlined_kernel
def _shifted(j: Any, ladder: Any, terms: Any, slopes: Any) -> Any:
    """Summed ladder of a row at live spot: the least of its terms near + ⌊(far − near)·num / den⌋."""
    low1, low0 = _0, _0
    for t in range(terms[j, 0], terms[j + 1, 0]):
        near, far = terms[t, 1], terms[t, 2]
        v1, v0 = ladder[near, 0], ladder[near, 1]
        if near != far:
            p1, p0 = subtract(ladder[far, 0], ladder[far, 1], v1, v0)
            p1, p0 = scale(p1, p0, slopes, t)
            v1, v0 = add(v1, v0, p1, p0)
        if t == terms[j, 0] or less(v1, v0, low1, low0):
            low1, low0 = v1, v0
    return low1, low0
