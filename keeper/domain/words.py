"""Wide integers as columns: 128 bits in two words, which numpy moves and a compiled kernel computes with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Bigs = npt.NDArray[np.object_]
"""Python ints in an object array."""

#: The largest magnitude of a word pair, one more on the negative side.
MOST: Final = (1 << 127) - 1
_LOW: Final = (1 << 64) - 1


def fits(value: int) -> bool:
    """Whether 128 bits hold a number with its sign."""
    return -MOST - 1 <= value <= MOST


@dataclass(frozen=True, eq=False)
class Words:
    """Signed 128-bit integers in two's complement, as a compiled kernel takes them."""

    pairs: npt.NDArray[np.uint64]
    """Upper and lower 64 bits, shape (values, 2)."""

    @classmethod
    def of(cls, values: Sequence[int]) -> Words:
        """Cut Python ints.

        Raises:
            LawBroken: one does not fit 128 bits.
        """
        try:
            whole = b"".join([value.to_bytes(16, "big", signed=True) for value in values])
        except OverflowError:
            raise LawBroken("a number is beyond 128 bits", numbers=len(values)) from None
        return cls(np.frombuffer(whole, dtype=">u8").astype(np.uint64).reshape(-1, 2))

    @classmethod
    def zeros(cls, count: int) -> Words:
        """That many zeros."""
        return cls(np.zeros((count, 2), dtype=np.uint64))

    @classmethod
    def joined(cls, parts: Iterable[Words]) -> Words:
        """One after the other."""
        pairs = [part.pairs for part in parts]
        return cls(np.concatenate(pairs)) if pairs else cls.zeros(0)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> int:
        high: int
        low: int
        high, low = self.pairs[index].tolist()
        return (high - (high >> 63 << 64)) << 64 | low

    def at(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice) -> Words:
        """Some of them, in the order asked for."""
        return Words(self.pairs[rows])

    def ints(self) -> list[int]:
        """The same as Python ints."""
        high, low = self.pairs[:, 0].astype(np.int64), self.pairs[:, 1]
        return [h << 64 | w for h, w in zip(high.tolist(), low.tolist(), strict=True)]

    def bigs(self) -> Bigs:
        """The same in an object array."""
        whole: Bigs = np.empty(len(self), dtype=np.object_)
        whole[:] = self.ints()
        return whole

    def floats(self) -> npt.NDArray[np.float64]:
        """The nearest float64 of each, to half a unit in its last place or two."""
        return self.pairs[:, 0].astype(np.int64).astype(np.float64) * 2.0**64 + self.pairs[:, 1].astype(np.float64)

    @property
    def negative(self) -> npt.NDArray[np.bool_]:
        """Which are below zero."""
        return np.asarray(self.pairs[:, 0] >> np.uint64(63) != 0)

    @property
    def nonzero(self) -> npt.NDArray[np.bool_]:
        """Which are not zero."""
        return np.asarray((self.pairs[:, 0] | self.pairs[:, 1]) != 0)

    def below(self, other: Words) -> npt.NDArray[np.bool_]:
        """Which are less than their neighbour in the other column."""
        high, than = self.pairs[:, 0].astype(np.int64), other.pairs[:, 0].astype(np.int64)
        return np.asarray((high < than) | ((high == than) & (self.pairs[:, 1] < other.pairs[:, 1])))

    def differs(self, other: Words) -> npt.NDArray[np.bool_]:
        """Which are not equal to their neighbour in the other column."""
        return np.asarray((self.pairs != other.pairs).any(axis=1))

    def total(self, rows: npt.NDArray[np.bool_]) -> int:
        """Exact sum of some of them; for fewer than 2**31."""
        pairs = self.pairs[rows]
        high, low = pairs[:, 0], pairs[:, 1]
        # Halves of 32 bits add up in 64; the sign sits in the top one alone.
        parts = (low & np.uint64(2**32 - 1), low >> np.uint64(32), high & np.uint64(2**32 - 1))
        top = int((high.astype(np.int64) >> 32).sum())
        return sum(int(part.sum()) << 32 * i for i, part in enumerate(parts)) + (top << 96)
