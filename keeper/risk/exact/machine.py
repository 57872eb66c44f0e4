"""A whole book through the compiled grid: what it needs to know, and what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.domain.riskfile import File
from keeper.domain.words import Words
from keeper.risk.exact.book import Book
from keeper.risk.exact.ladders import option_table
from keeper.risk.exact.limbs import Ints
from keeper.risk.exact.rule import Rule


@dataclass(frozen=True, kw_only=True)
class Assessed:
    """What the kernel says of each account; shape (accounts,)."""

    mark: Words
    """Of the options, wad USD."""
    grid: Words
    """wad USD."""
    short: Words
    """Short-option minimum, wad USD."""
    worst_row: Ints
    too_large: npt.NDArray[np.bool_]
    """Accounts that it left alone, because 128 bits might not carry them to the end; their figures mean nothing."""


def assess(file: File, book: Book, *, spot: int, now: int) -> Assessed | None:
    """Assess every account that fits; None where the file or the market does not.  Needs `compiled.COMPILED`.

    Raises:
        KeyError: an option of the book is not in the file.
    """
    from keeper.risk.compiled import grid  # noqa: PLC0415 - numba takes half a second to import

    rows, marks = option_table(file, book.options, spot=spot, now=now)
    most = int(np.diff(book.start).max(initial=0))
    rule = Rule.of(file, rows=rows, marks=marks, spot=spot, most=most)
    if rule is None:
        return None
    accounts = len(book)
    mark, worst, short = (np.zeros((accounts, 2), dtype=np.uint64) for _ in range(3))
    worst_row, too_large = np.zeros(accounts, dtype=np.int64), np.zeros(accounts, dtype=np.bool_)
    columns = (book.start, book.option, book.words.pairs, book.perps.pairs)
    grid.assess(columns, rule.table(book.strike), rule.packed(), (mark, worst, short, worst_row, too_large))
    return Assessed(
        mark=Words(mark),
        grid=Words(worst),
        short=Words(short),
        worst_row=worst_row,
        too_large=too_large,
    )
