"""A whole book through the compiled grid: what it needs to know, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from keeper.domain.riskfile import File
from keeper.domain.words import Words
from keeper.risk.exact.book import Book, Option
from keeper.risk.exact.ladders import option_table
from keeper.risk.exact.limbs import Ints
from keeper.risk.exact.riskfile import ROWS
from keeper.risk.exact.rule import Rule

T = TypeVar("T")


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


@dataclass(frozen=True, kw_only=True)
class Held:
    """Options and perps of many accounts, wherever they lie: those of account a are first[a] … last[a] − 1."""

    first: Ints
    last: Ints
    option: npt.NDArray[np.int32]
    """Number of each option, ascending within an account."""
    words: Words
    """Signed wad sizes."""
    perps: Words
    """Signed wad perp sizes; shape (accounts,)."""


def assess(file: File, book: Book, *, spot: int, now: int) -> Assessed | None:
    """Assess every account that fits; None where the file or the market does not.  Needs `compiled.COMPILED`.

    Raises:
        KeyError: an option of the book is not in the file.
    """
    held = Held(
        first=book.start[:-1],
        last=book.start[1:],
        option=book.option.astype(np.int32),
        words=book.words,
        perps=book.perps,
    )
    return assess_held(file, book.options, book.strike, held, spot=spot, now=now)


def assess_held(
    file: File, options: Sequence[Option | None], strike: Ints, held: Held, *, spot: int, now: int
) -> Assessed | None:
    """The same for options that lie anywhere.

    Args:
        file: the risk file.
        options: by their number; None where no account's run holds that number.
        strike: number of each one's strike.
        held: who holds what.
        spot: live spot, wad USD.
        now: block time, unix seconds.
    """
    from keeper.risk.compiled import grid  # noqa: PLC0415 - numba takes half a second to import

    rows, marks = option_table(file, [o for o in options if o is not None], spot=spot, now=now)
    most = int((held.last - held.first).max(initial=0))
    rule = Rule.of(
        file, rows=_spread(options, rows, [0] * ROWS), marks=_spread(options, marks, 0), spot=spot, most=most
    )
    if rule is None:
        return None
    accounts = len(held.first)
    mark, worst, short = (np.zeros((accounts, 2), dtype=np.uint64) for _ in range(3))
    worst_row, too_large = np.zeros(accounts, dtype=np.int64), np.zeros(accounts, dtype=np.bool_)
    columns = (held.first, held.last, held.option, held.words.pairs, held.perps.pairs)
    grid.assess(columns, rule.table(strike), rule.packed(), (mark, worst, short, worst_row, too_large))
    return Assessed(
        mark=Words(mark),
        grid=Words(worst),
        short=Words(short),
        worst_row=worst_row,
        too_large=too_large,
    )


def _spread(options: Sequence[Option | None], values: Sequence[T], nothing: T) -> list[T]:
    """Values of the options that are there, and `nothing` for the others."""
    rest = iter(values)
    return [nothing if option is None else next(rest) for option in options]
