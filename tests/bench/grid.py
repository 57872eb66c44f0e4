"""The exact grid over a whole book against Python ints.

The whole assessment at the file's reference spot and away from it, and the sums of the rows alone.  The baseline is a
loop over Python ints that is given every row, mark and interpolation term ready-made, so that only the adding machine
is compared; `grid.assess` itself is about ten times slower than that.  Both must agree to the wei.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from keeper.domain.riskfile import ExpiryParams, File, Ranges
from keeper.risk.exact.book import Book, Option
from keeper.risk.exact.grid import NO_ROW
from keeper.risk.exact.ladders import BLOCK, multiply, option_table, size_limbs
from keeper.risk.exact.limbs import bits
from keeper.risk.exact.riskfile import DAY, PPM, WAD, levels, strike_array, weights
from keeper.risk.exact.shift import shift_terms
from keeper.risk.exact.sweep import assess_book
from tests.bench.machine import Machine
from tests.bench.timing import Row, best

NOW = 1_700_000_000
POSITIONS = 10
SPOT = 3_000 * WAD
#: Exact 64-bit products of one account, counted in `keeper.risk.compiled.grid`: two for each size and row, eight for
#: each scaling by a fraction: marks, rows at reference, a perp at 16 levels, half of the weights; slopes when shifted.
PRODUCTS = {
    "at reference": 2 * 10 * 24 + 8 * (10 + 1 + 24 + 16 + 5),
    "shifted": 2 * 10 * 24 + 8 * (10 + 1 + 24 + 16 + 5 + 26),
}
#: Least ratio that passes.
FLOORS = {
    "grid: micro-contract sizes, at reference": 25.0,
    "grid: micro-contract sizes, shifted": 25.0,
    "grid: sizes to the wei, at reference": 25.0,
    "grid: sizes to the wei, shifted": 25.0,
    "grid: row sums, micro-contract sizes": 8.0,
}


@dataclass(frozen=True, kw_only=True)
class Work:
    """A book in both shapes."""

    file: File
    book: Book
    legs: list[list[tuple[int, int]]]
    """(option index, wad size) of each account."""
    perps: list[int]


def a_file() -> File:
    """500 strikes, 1,000 instruments."""
    ranges = Ranges(psr_ppm=150_000, vsr_up_ppm=450_000, vsr_down_ppm=300_000)
    days = (1, 2, 3, 7, 14, 21, 30, 60, 90, 180)
    expiries = {
        NOW + d * DAY: ExpiryParams(
            expiry=NOW + d * DAY, phi_ppb=10**9 + d * 10**5, df_ppb=10**9 - d * 10**5, sigma_atm_ppm=700_000
        )
        for d in days
    }
    arrays = {
        (at, k * 10**8): strike_array(
            strike=k * 10**8,
            sigma_ppm=700_000,
            expiry=params,
            ranges=ranges,
            vol_floor_ppm=250_000,
            ref_spot=SPOT,
            now=NOW,
        )
        for at, params in expiries.items()
        for k in range(1_000, 6_000, 100)
    }
    return File(ref_spot=SPOT, ranges=ranges, tail_ppm=750_000, short_min_ppm=10_000, expiries=expiries, arrays=arrays)


def a_book(file: File, accounts: int, *, dusty: int, seed: int) -> Work:
    """Random books; one in `dusty` sizes has digits below a micro-contract."""
    rng = np.random.default_rng(seed)
    options = tuple(Option(e, k, put) for e, k in sorted(file.arrays) for put in (False, True))
    index = np.sort(np.argsort(rng.random((accounts, 40)), axis=1)[:, :POSITIONS], axis=1)
    index = index * (len(options) // 40) + rng.integers(0, len(options) // 40, index.shape)
    size = [int(s) * 10**12 for s in rng.integers(-100_000_000, 100_000_000, accounts * POSITIONS)]
    grain = rng.integers(0, 10**12, len(size))
    size = [s + int(g) if g % dusty == 0 else s for s, g in zip(size, grain, strict=True)]
    perps = [int(p) * 10**12 for p in rng.integers(-50_000_000, 50_000_000, accounts)]
    flat = [int(i) for i in index.ravel()]
    book = Book.from_columns(options=options, counts=[POSITIONS] * accounts, option=flat, sizes=size, perp=perps)
    pairs = list(zip(flat, size, strict=True))
    legs = [pairs[i : i + POSITIONS] for i in range(0, len(pairs), POSITIONS)]
    return Work(file=file, book=book, legs=legs, perps=perps)


def loop(work: Work, spot: int) -> list[tuple[int, int]]:
    """(grid, worst row) of each account in Python ints."""
    rows, marks = option_table(work.file, work.book.options, spot=spot, now=NOW)
    terms, ref = shift_terms(work.file, spot), work.file.ref_spot
    row_levels = levels(work.file.ranges.psr_ppm)
    row_weights = weights(work.file.ranges.psr_ppm, work.file.tail_ppm)
    moves = [level * spot // PPM - spot for level in row_levels]
    numbers = range(len(row_levels))
    out = []
    for legs, perp in zip(work.legs, work.perps, strict=True):
        ladder = [0] * len(row_levels)
        mark = 0
        for option, size in legs:
            row = rows[option]
            for j in numbers:
                ladder[j] += size * row[j]
            mark += size * marks[option] // WAD
        worst, at = 0, NO_ROW
        for j in numbers:
            summed = min(term.read(ladder[term.near], ladder[term.far]) for term in terms[j])
            loss = -((summed * ref // (PPM * WAD) - mark + perp * moves[j] // WAD) * row_weights[j] // PPM)
            if loss > worst:
                worst, at = loss, j
        out.append((worst, at))
    return out


def assessed(work: Work, spot: int) -> list[tuple[int, int]]:
    """The same from the book's own machinery, Python ints again in the end."""
    swept = assess_book(work.file, work.book, spot=spot, now=NOW)
    return list(zip(swept.grid.tolist(), swept.worst_row.tolist(), strict=True))


def sums_loop(work: Work) -> list[tuple[int, int]]:
    """The least that Python ints can do: sum the rows and take the lowest, no shift, no marks."""
    rows, _ = option_table(work.file, work.book.options, spot=SPOT, now=NOW)
    numbers = range(24)
    out = []
    for legs in work.legs:
        ladder = [0] * 24
        for option, size in legs:
            row = rows[option]
            for j in numbers:
                ladder[j] += size * row[j]
        low = min(ladder)
        out.append((low, ladder.index(low)))
    return out


def lowest_sums(work: Work) -> list[tuple[int, int]]:
    """The same with the book's own machinery; whole micro-contracts, so that one limb holds a size."""
    rows, _ = option_table(work.file, work.book.options, spot=SPOT, now=NOW)
    table = np.array(rows, dtype=np.int64)
    ((scale, size),) = size_limbs(work.book, bits(table))
    out: list[tuple[int, int]] = []
    for first in range(0, len(work.book), BLOCK):
        start = work.book.start[first : first + BLOCK + 1]
        here = slice(int(start[0]), int(start[-1]))
        sums = multiply(size[here], work.book.option[here], start - start[0], table)
        row = sums.argmin(axis=1)
        low = sums[np.arange(len(sums)), row]
        out += zip([value * scale for value in low.tolist()], row.tolist(), strict=True)
    return out


def rows(machine: Machine, accounts: int) -> Iterator[Row]:
    """The whole assessment at the file's reference spot and away from it, and the sums of the rows alone."""
    file = a_file()
    kinds = (("micro-contract sizes", 10**13), ("sizes to the wei", 1))
    for name, dusty in kinds:
        work = a_book(file, accounts, dusty=dusty, seed=1)
        for spot, where in ((SPOT, "at reference"), (3_050 * WAD, "shifted")):
            ours, theirs = partial(assessed, work, spot), partial(loop, work, spot)
            if ours() != theirs():
                sys.exit("the fast grid and the loop differ")
            yield Row(
                name=f"grid: {name}, {where}",
                baseline_s=best(1, theirs),
                ours_s=best(5, ours),
                limit_s=machine.multiplying(accounts * PRODUCTS[where]),
                limit="64-bit products",
            )
    work = a_book(file, accounts, dusty=kinds[0][1], seed=1)
    if lowest_sums(work) != sums_loop(work):
        sys.exit("the fast sums and the loop differ")
    yield Row(
        name=f"grid: row sums, {kinds[0][0]}",
        baseline_s=best(1, partial(sums_loop, work)),
        ours_s=best(5, partial(lowest_sums, work)),
    )
