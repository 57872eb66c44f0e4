"""Exact wide integers as columns of int64: how sizes and values are cut so that numpy never overflows.

Wad sizes do not fit int64 and their sums times ppm fit it even less.  A size is held as sign-magnitude parts: whole
micro-contracts (*lots*), which is all that most positions have, and the *dust* below one lot.  Parts are cut further
into limbs only where a bound asks for it.  Sign-magnitude, not two's complement: a small negative number then has one
small limb and no cancellation between limbs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.words import Bigs
from keeper.risk.exact.riskfile import WAD

Ints = npt.NDArray[np.int64]

#: One micro-contract in wad.
LOT: Final = 10**12
#: Bits of the low part of the lots: two of them still add up in int64.
PART_BITS: Final = 61
#: Sums of products stay below 2**62.
SUM_BITS: Final = 62
#: Bits of a limb that multiplies a remainder modulo a wad (< 2**60): the quotient is then exact to one in float64.
_HALF: Final = 30


@dataclass(frozen=True)
class Sizes:
    """Signed wad sizes, size = dust + LOT·(lots + 2**61·high); the parts of one size share its sign."""

    dust: Ints
    lots: Ints
    high: Ints

    @classmethod
    def of(cls, values: Sequence[int]) -> Sizes:
        """Cut Python ints.  Any int128 fits."""
        whole: Bigs = np.empty(len(values), dtype=np.object_)
        whole[:] = values
        sign: Ints = np.where(whole < 0, -1, 1).astype(np.int64)
        magnitude = np.abs(whole)
        lots = magnitude // LOT
        dust = (magnitude - lots * LOT).astype(np.int64)
        high = lots >> PART_BITS
        return cls(sign * dust, sign * (lots & ((1 << PART_BITS) - 1)).astype(np.int64), sign * high.astype(np.int64))

    def __len__(self) -> int:
        return len(self.lots)

    def parts(self) -> list[tuple[int, Ints]]:
        """The (scale, values) of the parts that are not all zero."""
        named = ((1, self.dust), (LOT, self.lots), (LOT << PART_BITS, self.high))
        return [(scale, values) for scale, values in named if values.any()]

    @cached_property
    def micro(self) -> Ints:
        """Lots modulo 10**6, in [0, 10**6): with dust 0, the size modulo a wad in units of `LOT`."""
        per_wad = WAD // LOT
        return np.asarray((self.lots % per_wad + self.high * (2**PART_BITS % per_wad)) % per_wad)


def bits(values: Ints) -> int:
    """Bit length of the largest magnitude."""
    return max(int(values.max()), -int(values.min())).bit_length() if len(values) else 0


def cut(values: Ints, width: int) -> list[tuple[int, Ints]]:
    """Cut signed int64 into limbs of `width` bits: (scale, limb), lowest first, at least one."""
    count = max(1, -(-bits(values) // width))
    if count == 1:
        return [(1, values)]
    sign, magnitude = np.sign(values), np.abs(values)
    return [(1 << k * width, sign * (magnitude >> k * width & ((1 << width) - 1))) for k in range(count)]


def cut_bigs(values: Sequence[Sequence[int]], width: int) -> list[tuple[int, Ints]]:
    """The same for a table of Python ints of any length."""
    table: Bigs = np.array(values, dtype=np.object_)
    sign = np.where(table < 0, -1, 1).astype(np.int64)
    magnitude = np.abs(table)
    count = max(1, -(-max((int(v).bit_length() for v in magnitude.flat), default=0) // width))
    mask = (1 << width) - 1
    return [(1 << k * width, sign * ((magnitude >> k * width) & mask).astype(np.int64)) for k in range(count)]


def join(parts: Sequence[tuple[int, Ints]], length: int) -> Bigs:
    """Σ scale·values as Python ints, shape (length,)."""
    total: Bigs | None = None
    for scale, values in parts:
        if values.any():
            term = values.astype(np.object_) * scale
            total = term if total is None else total + term
    return np.zeros(length, dtype=np.int64).astype(np.object_) if total is None else total


def segment_sums(values: Ints, start: Ints) -> Ints:
    """Sum of `values[start[i]:start[i + 1]]` for each i.  Wraps only if a segment's own sum does."""
    running = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
    return running[start[1:]] - running[start[:-1]]


def mul_mod_wad(a: Ints, b: Ints) -> Ints:
    """`a·b` modulo 10**18, for both in [0, 10**18), without leaving 64 bits."""
    upper = _mul_mod(_mul_mod(a, b >> _HALF), np.int64(1 << _HALF))
    return (upper + _mul_mod(a, b & ((1 << _HALF) - 1))) % WAD


def _mul_mod(a: Ints, small: Ints | np.int64) -> Ints:
    # a < 2**60 and small <= 2**30.  The float quotient is below 2**31, off by less than one, so the remainder lies
    # within two wads of zero: the products wrap modulo 2**64 and their difference does not.
    quotient = (a.astype(np.float64) * small / WAD).astype(np.int64)
    return (a * small - quotient * WAD) % WAD
