"""Summed risk ladders of many accounts, exact, in blocks that fit the cache.

Rows and marks are computed once per instrument and cut into limbs that int64 sums cannot overflow; one sparse product
(accounts x options) · (options x columns) then sums everything there is to sum about an account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from keeper.domain.riskfile import File
from keeper.domain.words import Bigs
from keeper.errors import LawBroken
from keeper.risk.exact.book import Book, Option
from keeper.risk.exact.limbs import (
    LOT,
    SUM_BITS,
    Ints,
    Sizes,
    bits,
    cut,
    cut_bigs,
    join,
    mul_mod_wad,
    segment_sums,
)
from keeper.risk.exact.riskfile import WAD, forward_rows, levels, live_call, live_put, strike_ppm

#: Accounts summed at a time: 28 columns of int64 then take under 2 MB.
BLOCK: Final = 8192
#: A column of the instrument table is cut to at least this many bits.
_COLUMN_BITS: Final = 24


@dataclass(frozen=True)
class Block:
    """Summed ladders of a run of accounts."""

    sums: tuple[tuple[int, Ints], ...]
    """(scale, sums), each of shape (accounts, rows); the ladder is Σ scale·sums."""
    option_mark: Bigs
    perp: Bigs

    def ladder(self, accounts: Ints, row: int) -> list[int]:
        """Summed unweighted value of some accounts under a row, wad times ppm of the reference spot."""
        if len(self.sums) == 1:
            scale, sums = self.sums[0]
            return [value * scale for value in sums[accounts, row].tolist()]
        total: list[int] = join([(scale, sums[accounts, row]) for scale, sums in self.sums], len(accounts)).tolist()
        return total


def option_table(file: File, options: Sequence[Option], *, spot: int, now: int) -> tuple[list[list[int]], list[int]]:
    """Rows (ppm of the reference spot) and live mark (wad USD) of each option, once for everybody."""
    forwards = {expiry: forward_rows(params, file.ranges) for expiry, params in file.expiries.items()}
    calls: dict[tuple[int, int], int] = {}
    rows, marks = [], []
    for option in options:
        params, array = file.expiries[option.expiry], file.arrays[option.expiry, option.strike]
        key = (option.expiry, option.strike)
        if key not in calls:
            calls[key] = live_call(strike=array.strike, sigma_ppm=array.sigma_ppm, expiry=params, spot=spot, now=now)
        if option.is_put:
            b = strike_ppm(option.strike, params, file.ref_spot)
            rows.append([value - a + b for value, a in zip(array.values, forwards[option.expiry], strict=True)])
            marks.append(live_put(calls[key], strike=option.strike, expiry=params, spot=spot))
        else:
            rows.append(list(array.values))
            marks.append(calls[key])
    return rows, marks


def blocks(file: File, book: Book, *, spot: int, now: int) -> Iterator[Block]:
    """Sum the ladders and marks of a book, `BLOCK` accounts at a time, in order.

    Args:
        file: the risk file.
        book: unexpired positions.
        spot: live spot, wad USD.
        now: block time, unix seconds.

    Raises:
        KeyError: an option of the book is not in the file.
    """
    rows, marks = option_table(file, book.options, spot=spot, now=now)
    width = max(_COLUMN_BITS, min(31, max((abs(v).bit_length() for row in rows for v in row), default=0)))
    row_tables = cut_bigs(rows, width) if rows else []
    mark_tables = cut_bigs([[mark] for mark in marks], width) if rows else []
    # Rows first, then the limbs of the mark: one product sums them all.
    tables = [table for _, table in row_tables] + [table for _, table in mark_tables]
    table = np.ascontiguousarray(np.concatenate(tables, axis=1)) if tables else np.zeros((0, 0), dtype=np.int64)
    matrix_parts = size_limbs(book, width)
    mark_mod = np.array([mark % WAD for mark in marks], dtype=np.int64)
    row_count = len(levels(file.ranges.psr_ppm))

    for first in range(0, len(book), BLOCK):
        start = book.start[first : first + BLOCK + 1]
        here = slice(int(start[0]), int(start[-1]))
        accounts, local = len(start) - 1, start - start[0]
        option = book.option[here]
        products = [
            (scale, multiply(values[here], option, local, table))
            for scale, values in matrix_parts
            if values[here].any()
        ]
        sums = tuple(
            (scale * row_scale, product[:, k * row_count : (k + 1) * row_count])
            for scale, product in products
            for k, (row_scale, _) in enumerate(row_tables)
        )
        offset = len(row_tables) * row_count
        value = [
            (scale * mark_scale, product[:, offset + k])
            for scale, product in products
            for k, (mark_scale, _) in enumerate(mark_tables)
        ]
        # Σ⌊s·m / wad⌋ = (Σ s·m − Σ (s·m mod wad)) / wad: the contract rounds each position down.
        rest = [(-scale, values) for scale, values in _remainders(book.sizes, here, mark_mod[option], local)]
        yield Block(
            sums=sums or ((1, np.zeros((accounts, row_count), dtype=np.int64)),),
            option_mark=join(value + rest, accounts) // WAD,
            perp=book.perp[first : first + accounts],
        )


def _remainders(sizes: Sizes, here: slice, mark_mod: Ints, start: Ints) -> list[tuple[int, Ints]]:
    """Parts of Σ (size·mark mod wad) of each account; marks come modulo a wad."""
    per_wad = WAD // LOT
    # (LOT·n + dust)·m mod LOT·per_wad: the lots give a multiple of LOT, and most sizes have no dust.
    rest = sizes.micro[here] * (mark_mod % per_wad) % per_wad
    dust = sizes.dust[here]
    if not dust.any():
        return [(LOT, segment_sums(rest, start))]
    dusty = np.flatnonzero(dust)
    whole = rest * LOT
    whole[dusty] = (whole[dusty] + mul_mod_wad(dust[dusty] % WAD, mark_mod[dusty])) % WAD
    return [(1, segment_sums(whole & (2**32 - 1), start)), (1 << 32, segment_sums(whole >> 32, start))]


def size_limbs(book: Book, width: int) -> list[tuple[int, Ints]]:
    """Cut sizes so that sums with columns of `width` bits stay in int64; one limb where the bound allows."""
    most = int(np.diff(book.start).max(initial=0))
    limbs = []
    for scale, values in book.sizes.parts():
        magnitude = np.abs(values)
        if bits(magnitude) + most.bit_length() <= SUM_BITS + 1:
            reach = int(segment_sums(magnitude, book.start).max()).bit_length()
        else:
            reach = bits(magnitude) + most.bit_length()
        room = SUM_BITS - width if reach + width <= SUM_BITS else SUM_BITS - width - most.bit_length()
        if room < 1:
            raise LawBroken("too many positions in one account", positions=most)
        limbs += [(scale * limb_scale, limb) for limb_scale, limb in cut(values, room) if limb.any()]
    return limbs


def multiply(values: Ints, option: Ints, start: Ints, table: Ints) -> Ints:
    """Sum of size times column for each account, shape (accounts, columns)."""
    matrix = sparse.csr_array((values, option, start), shape=(len(start) - 1, len(table)))
    return np.asarray(matrix @ table, dtype=np.int64)
