"""Whom a change of parameters hurts: the margins of the same accounts under two sets of them, compared.

A book has a hundred thousand accounts of which few are named: counts and sums are taken of columns, and a row is built
only of an account that is told of.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.margin import AccountMargin, Band
from keeper.domain.margin_table import MarginTable
from keeper.domain.words import Words

Bools = npt.NDArray[np.bool_]

#: Accounts whose requirement moved most that an effect names.
LARGEST: Final = 10
#: Accounts that fall below a line which an effect names; the others are counted.
NAMED: Final = 50


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One account under both sets of parameters.  wad USD."""

    account: int
    equity_before: int
    equity_after: int
    mm_before: int
    mm_after: int
    im_before: int
    im_after: int


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change of one underlying's parameters does to everybody who holds something in it.  wad USD."""

    underlying: int
    accounts: int
    """Holders that can be priced under both and must hold something under either."""
    unknown: int
    """Holders that cannot be priced under one of them: nothing is said about these."""
    below_mm: int
    """Accounts below maintenance after and not before."""
    below_im: int
    """Accounts below initial margin after and not before."""
    named_mm: tuple[Moved, ...]
    """Those newly below maintenance, largest requirement first, at most `NAMED`."""
    named_im: tuple[Moved, ...]
    mm_before: int
    """Maintenance of all holders."""
    mm_after: int
    im_before: int
    im_after: int
    mm_fallen: int
    """Maintenance, before, of those newly below it."""
    largest: tuple[Moved, ...]
    """Whose maintenance moved most, at most `LARGEST`, largest move first."""
    bad_debt_before: int
    """What insolvent accounts owe beyond everything they have."""
    bad_debt_after: int
    at_risk_before: int
    """What accounts below maintenance would owe beyond everything they have if their worst row came true before they
    are closed."""
    at_risk_after: int

    @property
    def accounts_ppm(self) -> int:
        """Share of holders newly below maintenance, ppm, rounded up."""
        return share_ppm(self.below_mm, self.accounts)

    @property
    def requirement_ppm(self) -> int:
        """Share of all maintenance that they had to hold, ppm, rounded up."""
        return share_ppm(self.mm_fallen, self.mm_before)


def share_ppm(part: int, whole: int) -> int:
    """A part of a whole, ppm, rounded up; 0 of nothing."""
    return -(-part * 1_000_000 // whole) if whole else 0


def effect(underlying: int, before: MarginTable, after: MarginTable) -> Effect:
    """Compare the same accounts under two sets of parameters.

    Args:
        underlying: whose parameters change.
        before: margins of its holders.
        after: of the same accounts.
    """
    assert len(before) == len(after), "both are of one roster"
    known = ~(before.in_bands(Band.UNKNOWN) | after.in_bands(Band.UNKNOWN))
    was, is_, large = _short(before), _short(after), _large(before) | _large(after)
    plain = known & ~large & (before.mm.nonzero | after.mm.nonzero | was | is_)
    fallen = plain & is_ & ~was
    closed = plain & after.equity.below(after.im) & ~before.equity.below(before.im)
    moved = np.flatnonzero(plain & before.mm.differs(after.mm))
    # What the columns cannot hold is looked at one by one, and there is hardly any of it.
    odd = {row: one for row in np.flatnonzero(known & large).tolist() if (one := _pair(before, after, row)).counts}

    def named(most: int, of: list[tuple[int, int]]) -> tuple[Moved, ...]:
        """The first by weight, then by account; rows ascend by account."""
        return tuple(
            (odd.get(row) or _pair(before, after, row)).moved
            for _, row in heapq.nsmallest(most, of, key=lambda one: (-one[0], one[1]))
        )

    def total(column: Words, of: Callable[[Moved], int]) -> int:
        return column.total(plain) + sum(of(one.moved) for one in odd.values())

    low = [(one.moved.mm_before, row) for row, one in odd.items() if one.after.short and not one.before.short]
    shut = [(one.moved.im_before, row) for row, one in odd.items() if one.closed]
    shifted = [(abs(one.moved.mm_after - one.moved.mm_before), row) for row, one in odd.items()]
    steps = zip(after.mm.at(moved).ints(), before.mm.at(moved).ints(), moved.tolist(), strict=True)
    return Effect(
        underlying=underlying,
        accounts=int(plain.sum()) + len(odd),
        unknown=int((~known).sum()),
        below_mm=int(fallen.sum()) + len(low),
        below_im=int(closed.sum()) + len(shut),
        named_mm=named(NAMED, _weights(before.mm, fallen) + low),
        named_im=named(NAMED, _weights(before.im, closed) + shut),
        mm_before=total(before.mm, lambda one: one.mm_before),
        mm_after=total(after.mm, lambda one: one.mm_after),
        im_before=total(before.im, lambda one: one.im_before),
        im_after=total(after.im, lambda one: one.im_after),
        mm_fallen=before.mm.total(fallen) + sum(mm for mm, _ in low),
        largest=named(LARGEST, [(abs(a - b), row) for a, b, row in steps] + [one for one in shifted if one[0]]),
        bad_debt_before=-before.equity.total(plain & before.equity.negative) + sum(o.before.owed for o in odd.values()),
        bad_debt_after=-after.equity.total(plain & after.equity.negative) + sum(o.after.owed for o in odd.values()),
        at_risk_before=_at_risk(before, plain & was) + sum(one.before.at_risk for one in odd.values()),
        at_risk_after=_at_risk(after, plain & is_) + sum(one.after.at_risk for one in odd.values()),
    )


def moved_at(before: MarginTable, after: MarginTable, row: int) -> Moved:
    """One account that can be priced under both."""
    return _pair(before, after, row).moved


def short_of(table: MarginTable) -> frozenset[int]:
    """Accounts below maintenance or insolvent."""
    return frozenset(table.accounts_at(np.flatnonzero(_short(table))))


def _short(table: MarginTable) -> Bools:
    return table.in_bands(Band.LIQUIDATABLE, Band.INSOLVENT)


def _large(table: MarginTable) -> Bools:
    """Rows whose numbers the columns cannot hold."""
    rows = np.zeros(len(table), dtype=np.bool_)
    rows[[row for account in table.whole if (row := table.row(account)) is not None]] = True
    return rows


def _weights(column: Words, rows: Bools) -> list[tuple[int, int]]:
    """What each of some rows weighs, with its row."""
    return list(zip(column.at(rows).ints(), np.flatnonzero(rows).tolist(), strict=True))


def _at_risk(table: MarginTable, rows: Bools) -> int:
    """What these accounts would owe beyond everything they have if their worst row came true."""
    some = table.where(rows)
    required = [a + b for a, b in zip(some.grid.ints(), some.short_minimum.ints(), strict=True)]
    starts = some.part_start.tolist()
    equities = zip(some.equity.ints(), pairwise(starts), strict=True)
    return sum(max(0, sum(required[first:stop]) - equity) for equity, (first, stop) in equities)


@dataclass(frozen=True, slots=True)
class _Side:
    """One account under one set of parameters."""

    margin: AccountMargin

    @property
    def short(self) -> bool:
        return self.margin.band in (Band.LIQUIDATABLE, Band.INSOLVENT)

    @property
    def owed(self) -> int:
        return max(0, -self.margin.equity)

    @property
    def at_risk(self) -> int:
        required = sum(part.grid + part.short_minimum for part in self.margin.underlyings)
        return max(0, required - self.margin.equity) if self.short else 0


@dataclass(frozen=True, slots=True)
class _Pair:
    """One account under both."""

    before: _Side
    after: _Side

    @property
    def counts(self) -> bool:
        """Whether it must hold something under either."""
        return bool(self.before.margin.mm or self.after.margin.mm or self.before.short or self.after.short)

    @property
    def closed(self) -> bool:
        """Whether it is newly below initial margin."""
        old, new = self.before.margin, self.after.margin
        return new.equity < new.im and not old.equity < old.im

    @property
    def moved(self) -> Moved:
        old, new = self.before.margin, self.after.margin
        return Moved(
            account=old.account,
            equity_before=old.equity,
            equity_after=new.equity,
            mm_before=old.mm,
            mm_after=new.mm,
            im_before=old.im,
            im_after=new.im,
        )


def _pair(before: MarginTable, after: MarginTable, row: int) -> _Pair:
    old, new = before[row], after[row]
    assert isinstance(old, AccountMargin), "only rows that could be priced are asked for"
    assert isinstance(new, AccountMargin), "only rows that could be priced are asked for"
    return _Pair(_Side(old), _Side(new))
