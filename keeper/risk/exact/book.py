"""Every account's positions in one underlying, laid out for one pass of arithmetic over all of them.

`keeper.risk.exact.sweep` assesses a whole book at once; the result equals `grid.assess` account by account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from keeper.domain.words import Bigs, Words
from keeper.errors import LawBroken
from keeper.risk.exact.grid import Leg
from keeper.risk.exact.limbs import LOT, PART_BITS, Ints, Sizes, join, segment_sums


class Option(NamedTuple):
    """An instrument of the book.  Ascending order puts the two options of one strike side by side."""

    expiry: int
    """Unix seconds."""
    strike: int
    """1e-8 USD."""
    is_put: bool


@dataclass(frozen=True, kw_only=True)
class Book:
    """Unexpired options and perps of many accounts in one underlying."""

    options: tuple[Option, ...]
    """Distinct, ascending."""
    start: Ints
    """Positions of account i are start[i] … start[i + 1] − 1; shape (accounts + 1,)."""
    option: Ints
    """Index into `options`, ascending within an account; shape (positions,)."""
    words: Words
    """Signed wad sizes; shape (positions,)."""
    perps: Words
    """Signed wad perp sizes; shape (accounts,)."""

    def __len__(self) -> int:
        return len(self.perps)

    @cached_property
    def sizes(self) -> Sizes:
        """The sizes, cut for numpy."""
        return Sizes.of(self.words.bigs().tolist())

    @cached_property
    def perp(self) -> Bigs:
        """The perp sizes as Python ints."""
        return self.perps.bigs()

    @cached_property
    def strike(self) -> Ints:
        """Number of each option's strike, ascending with the options."""
        strikes = {key: i for i, key in enumerate(dict.fromkeys((o.expiry, o.strike) for o in self.options))}
        return np.array([strikes[o.expiry, o.strike] for o in self.options], dtype=np.int64)

    @cached_property
    def naked(self) -> Bigs:
        """Naked shorts of each account, wad contracts, the sum of `grid.naked_short` over its strikes.

        In all its cases that function is max(0, −(calls + puts)).
        """
        if not len(self.option):
            return join([], len(self))
        strike = self.strike[self.option]
        is_new = np.concatenate((np.ones(1, dtype=np.bool_), np.diff(strike) != 0))
        is_new[self.start[:-1][np.diff(self.start) > 0]] = True
        group = np.concatenate((np.flatnonzero(is_new), [len(strike)])).astype(np.int64)
        account = np.searchsorted(group, self.start).astype(np.int64)
        # Carry from dust to lots to the high part, so that the sign sits in the high part alone.
        carry, dust = np.divmod(segment_sums(self.sizes.dust, group), LOT)
        lots = segment_sums(self.sizes.lots, group) + carry
        high = segment_sums(self.sizes.high, group) + (lots >> PART_BITS)
        lots &= (1 << PART_BITS) - 1
        half = PART_BITS // 2
        parts = ((LOT << PART_BITS, high), (LOT << half, lots >> half), (LOT, lots & ((1 << half) - 1)), (1, dust))
        short = high < 0
        net = join([(scale, segment_sums(np.where(short, part, 0), account)) for scale, part in parts], len(self))
        return np.asarray(-net)

    @classmethod
    def of(cls, holdings: Sequence[tuple[Sequence[Leg], int]]) -> Book:
        """Lay out (legs, perp size) of each account.

        Raises:
            LawBroken: an account holds two positions in one option.
        """
        rows = [[(Option(leg.expiry, leg.strike, not leg.is_call), leg.size) for leg in legs] for legs, _ in holdings]
        options = tuple(sorted({option for row in rows for option, _ in row}))
        number = {option: i for i, option in enumerate(options)}
        ordered = [sorted((number[option], size) for option, size in row) for row in rows]
        return cls.from_columns(
            options=options,
            counts=[len(row) for row in ordered],
            option=[i for row in ordered for i, _ in row],
            sizes=[size for row in ordered for _, size in row],
            perp=[perp for _, perp in holdings],
        )

    @classmethod
    def from_columns(
        cls,
        *,
        options: tuple[Option, ...],
        counts: Sequence[int],
        option: Sequence[int],
        sizes: Sequence[int],
        perp: Sequence[int],
    ) -> Book:
        """Take columns that are already in order.

        Args:
            options: distinct, ascending.
            counts: option positions of each account.
            option: index into `options` of each position, ascending within an account.
            sizes: signed wad size of each position.
            perp: signed wad perp size of each account.

        Raises:
            LawBroken: the columns are not in order or not of one length, or an account holds an option twice.
        """
        start = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(np.array(counts, dtype=np.int64))))
        index = np.array(option, dtype=np.int64)
        if len(counts) != len(perp) or len(index) != len(sizes) or start[-1] != len(index):
            raise LawBroken("columns of a book differ in length", accounts=len(perp), positions=len(sizes))
        rising = np.diff(index) > 0
        seams = start[1:-1]
        rising[seams[(seams > 0) & (seams < len(index))] - 1] = True
        if not rising.all() or any(a >= b for a, b in pairwise(options)):
            raise LawBroken("positions of a book are not distinct and ascending")
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(options):
            raise LawBroken("a position of a book names no option", options=len(options))
        return cls(options=options, start=start, option=index, words=Words.of(sizes), perps=Words.of(perp))

    def only(self, accounts: Ints) -> Book:
        """The book of some of the accounts, in the order asked for."""
        counts = (self.start[1:] - self.start[:-1])[accounts]
        start = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
        held = np.arange(start[-1]) + np.repeat(self.start[accounts] - start[:-1], counts)
        return Book(
            options=self.options,
            start=start,
            option=self.option[held],
            words=Words(self.words.pairs[held]),
            perps=Words(self.perps.pairs[accounts]),
        )
