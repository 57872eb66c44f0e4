"""The adding machine over all accounts at once: the fast twin of `grid.assess`, equal to the wei.

A large book is assessed by the compiled kernel in 128-bit integers.  A small one, and accounts with positions that 128
bits cannot carry to the end, are assessed by numpy:

1. Rows and marks are computed once per instrument and cut into limbs that int64 sums cannot overflow.
2. One sparse product (accounts x options) · (options x rows) sums every ladder, in blocks that fit the cache.
3. float64 picks, with a bound on its own error, the rows that can be the worst: nearly always one, more on ties.
4. Only those are evaluated with Python ints, in the contract's order of roundings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.riskfile import File
from keeper.domain.words import Bigs, Words
from keeper.risk.exact import machine
from keeper.risk.exact.book import Book
from keeper.risk.exact.grid import NO_ROW, Assessment
from keeper.risk.exact.ladders import Block, blocks
from keeper.risk.exact.limbs import Ints
from keeper.risk.exact.riskfile import PPM, WAD, levels, weights
from keeper.risk.exact.shift import Term, shift_terms

#: Bound on float64's relative error over the whole chain: sums, a line between two rows and a dozen operations, with
#: room to spare.
_ERROR: Final = 256 * 2.0**-53
#: The integer chain rounds down four times; a loss moves by less than this.
_ROUNDINGS_WEI: Final = 16.0

#: Accounts and positions from which the compiled kernel is used; less is done before a compiler could be imported.
COMPILED_FROM: Final = 5_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class BookAssessment:
    """What one underlying adds to each account; every array has shape (accounts,)."""

    marks: Words | Bigs
    grids: Words | Bigs
    shorts: Words | Bigs
    worst_row: Ints
    """Lowest index on ties; `NO_ROW` if no row loses."""

    def __len__(self) -> int:
        return len(self.worst_row)

    @cached_property
    def option_mark(self) -> Bigs:
        """wad USD, rounded down per position."""
        return _bigs(self.marks)

    @cached_property
    def grid(self) -> Bigs:
        """wad USD."""
        return _bigs(self.grids)

    @cached_property
    def short_minimum(self) -> Bigs:
        """wad USD, rounded up."""
        return _bigs(self.shorts)


@dataclass(frozen=True)
class _Rule:
    """What is the same for every account."""

    ref: int
    spot: int
    terms: tuple[tuple[Term, ...], ...]
    moves: tuple[int, ...]
    """Scenario spot minus spot, wad USD, per row."""
    weights: tuple[int, ...]


def assess_book(file: File, book: Book, *, spot: int, now: int) -> BookAssessment:
    """Assess every account of a book.

    Args:
        file: the live risk file.
        book: unexpired positions.
        spot: live spot, wad USD.
        now: block time, unix seconds.

    Raises:
        KeyError: an option of the book is not in the file.
    """
    if len(book) + len(book.option) < COMPILED_FROM:
        return _by_numpy(file, book, spot=spot, now=now)
    from keeper.risk import compiled  # noqa: PLC0415 - numba takes half a second to import

    found = machine.assess(file, book, spot=spot, now=now) if compiled.COMPILED else None
    if found is None:
        return _by_numpy(file, book, spot=spot, now=now)
    large = np.flatnonzero(found.too_large).astype(np.int64)
    if not len(large):
        return BookAssessment(marks=found.mark, grids=found.grid, shorts=found.short, worst_row=found.worst_row)
    rest = _by_numpy(file, book.only(large), spot=spot, now=now)
    mark, grid, short = found.mark.bigs(), found.grid.bigs(), found.short.bigs()
    mark[large], grid[large], short[large] = rest.option_mark, rest.grid, rest.short_minimum
    found.worst_row[large] = rest.worst_row
    return BookAssessment(marks=mark, grids=grid, shorts=short, worst_row=found.worst_row)


def _by_numpy(file: File, book: Book, *, spot: int, now: int) -> BookAssessment:
    rule = _rule(file, spot)
    marks, grids, worst = [], [], []
    for block in blocks(file, book, spot=spot, now=now):
        grid, row = _worst(rule, block)
        marks.append(block.option_mark)
        grids.append(grid)
        worst.append(row)
    return BookAssessment(
        marks=_concat(marks),
        grids=_concat(grids),
        shorts=np.asarray(-(-book.naked * (spot * file.short_min_ppm) // (WAD * PPM))),
        worst_row=np.concatenate(worst) if worst else np.zeros(0, dtype=np.int64),
    )


def assessments(file: File, book: Book, *, spot: int, now: int) -> list[Assessment]:
    """Each account's assessment with every row's loss, as `grid.assess` gives it: slower, for explanation."""
    swept = assess_book(file, book, spot=spot, now=now)
    rule = _rule(file, spot)
    rows: list[tuple[int, ...]] = []
    for block in blocks(file, book, spot=spot, now=now):
        everyone = np.arange(len(block.perp), dtype=np.int64)
        rows += zip(*(_exact_loss(rule, block, j, everyone).tolist() for j in range(len(rule.weights))), strict=True)
    return [
        Assessment(
            option_mark=int(swept.option_mark[i]),
            grid=int(swept.grid[i]),
            short_minimum=int(swept.short_minimum[i]),
            worst_row=int(swept.worst_row[i]),
            losses=losses,
        )
        for i, losses in enumerate(rows)
    ]


def _rule(file: File, spot: int) -> _Rule:
    psr_ppm = file.ranges.psr_ppm
    return _Rule(
        ref=file.ref_spot,
        spot=spot,
        terms=shift_terms(file, spot),
        moves=tuple(level * spot // PPM - spot for level in levels(psr_ppm)),
        weights=weights(psr_ppm, file.tail_ppm),
    )


def _worst(rule: _Rule, block: Block) -> tuple[Bigs, Ints]:
    """Grid requirement and worst row of each account of a block."""
    grid: Bigs = np.zeros(len(block.perp), dtype=np.int64).astype(np.object_)
    worst = np.full(len(block.perp), NO_ROW, dtype=np.int64)
    candidates = _candidates(rule, block)
    for j in np.flatnonzero(candidates.any(axis=1)):
        accounts = np.flatnonzero(candidates[j]).astype(np.int64)
        loss = _exact_loss(rule, block, int(j), accounts)
        # Strictly more, in ascending order of rows: the lowest index keeps a tie.
        more = (loss > grid[accounts]).astype(np.bool_)
        grid[accounts[more]] = loss[more]
        worst[accounts[more]] = j
    return grid, worst


def _exact_loss(rule: _Rule, block: Block, row: int, accounts: Ints) -> Bigs:
    """Weighted loss of one row, wad USD, with the contract's roundings."""
    ref, unit, move, weight = rule.ref, PPM * WAD, rule.moves[row], rule.weights[row]
    loss: Bigs = np.empty(len(accounts), dtype=np.object_)
    # One pass over Python ints: half the time of numpy's object arithmetic.
    loss[:] = [
        -((value * ref // unit - mark + perp * move // WAD) * weight // PPM)
        for value, mark, perp in zip(
            _shifted(rule.terms[row], block, accounts),
            block.option_mark[accounts].tolist(),
            block.perp[accounts].tolist(),
            strict=True,
        )
    ]
    return loss


def _shifted(terms: Sequence[Term], block: Block, accounts: Ints) -> list[int]:
    """Summed ladder at live spot, the minimum over the row's terms."""
    columns = []
    for term in terms:
        near = block.ladder(accounts, term.near)
        if term.num:
            num, den = term.num, term.den
            far = block.ladder(accounts, term.far)
            columns.append([a + (b - a) * num // den for a, b in zip(near, far, strict=True)])
        else:
            columns.append(near)
    return columns[0] if len(columns) == 1 else [min(values) for values in zip(*columns, strict=True)]


def _candidates(rule: _Rule, block: Block) -> npt.NDArray[np.bool_]:
    """Rows that may attain a positive worst loss, shape (rows, accounts): float64 with a bound on its error."""
    ladder, reach = np.zeros((len(rule.weights), len(block.perp))), np.zeros(len(block.perp))
    for scale, sums in block.sums:
        part = sums.T.astype(np.float64, order="C") * float(scale)
        ladder += part
        reach += np.maximum(part.max(axis=0), -part.min(axis=0))
    unit = rule.ref / (PPM * WAD)
    mark, perp = block.option_mark.astype(np.float64), block.perp.astype(np.float64)
    size_of_terms = reach * unit
    above, floor = np.empty_like(ladder), np.zeros(len(block.perp))
    for j, terms in enumerate(rule.terms):
        summed, stretch = _read(terms, ladder)
        move, weight = rule.moves[j] / WAD, rule.weights[j] / PPM
        loss = (mark - summed * unit - perp * move) * weight
        error = _ERROR * (size_of_terms * stretch + np.abs(mark) + np.abs(perp) * abs(move)) + _ROUNDINGS_WEI
        np.add(loss, error, out=above[j])
        np.maximum(floor, loss - error, out=floor)
    return np.asarray((above >= floor) & (above > 0.0))


def _read(terms: Sequence[Term], ladder: Floats) -> tuple[Floats, float]:
    """A row's shifted value, shape (accounts,), and how much its terms can magnify an error."""
    values, stretch = [], 1.0
    for term in terms:
        share = term.num / term.den
        near, far = ladder[term.near], ladder[term.far]
        values.append(near + (far - near) * share if share else near)
        stretch = max(stretch, 1.0 + 2.0 * abs(share))
    return reduce(np.minimum, values), stretch


def _concat(parts: Sequence[Bigs]) -> Bigs:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.object_)


def _bigs(column: Words | Bigs) -> Bigs:
    return column.bigs() if isinstance(column, Words) else column
