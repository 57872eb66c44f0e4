"""What the compiled grid needs to know before it meets an account, and the proof that nothing in it overflows.

Let every position and the perp of an account be at most B wei, and no account hold more than n positions.  Then, with
K = (n + 1)·B, V the largest row value, M the largest mark, and r, m, f the fractions of reference, move and minimum:

    ladder         Σ size·value                     ≤ K·V
    its slopes     far − near                       ≤ 2·K·V
    at live spot   near + ⌊(far − near)·num/den⌋    ≤ K·V·(1 + 2·|num|/den) + 1
    in wad USD     ⌊…·reference / (PPM·WAD)⌋        ≤ that·r + 1
    mark           Σ ⌊size·mark / WAD⌋              ≤ K·M/WAD + n
    perp           ⌊perp·move / WAD⌋                ≤ K·m + 1
    loss           their sum, times a weight ≤ 1    ≤ the sum of the three + 1
    short minimum  ⌈naked·f⌉                        ≤ K·f + 1

`Rule.of` takes for B the largest power of two that keeps all of these below 2**126, so that 128 bits hold them with
their sign.  `compiled.grid.scale` multiplies before it divides, with 256 bits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from keeper.domain.riskfile import File
from keeper.risk.exact.riskfile import PPM, WAD, levels, weights
from keeper.risk.exact.shift import Term, shift_terms

#: What every intermediate stays below.
_ROOM: Final = 1 << 126
#: Bounds of `compiled.grid.fraction`.
_WHOLE: Final = 1 << 64
_DENOMINATOR: Final = 1 << 127
#: Row values fit int64 with room to spare.
_VALUE: Final = 1 << 62


@dataclass(frozen=True)
class Fraction:
    """num / den."""

    num: int
    den: int

    @property
    def fits(self) -> bool:
        """Whether `compiled.grid.fraction` takes it."""
        return abs(self.num) // self.den < _WHOLE and self.den < _DENOMINATOR

    def bound(self, reach: int) -> int:
        """At least |⌊x·num / den⌋| of every |x| ≤ `reach`."""
        return reach * abs(self.num) // self.den + 1


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Fractions by which the kernel scales, and how large a position may be."""

    bits: int
    """A position of at most 2**bits wei is safe; at least 64."""
    terms: tuple[tuple[Term, ...], ...]
    slopes: tuple[tuple[Fraction, ...], ...]
    """Of each term of each row."""
    reference: Fraction
    moves: tuple[Fraction, ...]
    weights: tuple[Fraction, ...]
    short: Fraction
    """Negative: see the kernel."""
    marks: tuple[int, ...]
    """wad USD, of each option; over WAD."""
    rows: tuple[Sequence[int], ...]

    @classmethod
    def of(
        cls, file: File, *, rows: Sequence[Sequence[int]], marks: Sequence[int], spot: int, most: int
    ) -> Rule | None:
        """Prepare a sweep; None where a number of the file or the market is out of all proportion.

        Args:
            file: the live risk file.
            rows: of each option, from `ladders.option_table`.
            marks: of each option, from the same.
            spot: live spot, wad USD.
            most: positions of the account that has most.
        """
        terms = shift_terms(file, spot)
        slopes = tuple(tuple(Fraction(term.num, term.den) for term in of_row) for of_row in terms)
        reference = Fraction(file.ref_spot, PPM * WAD)
        moves = tuple(Fraction(level * spot // PPM - spot, WAD) for level in levels(file.ranges.psr_ppm))
        weighted = tuple(Fraction(w, PPM) for w in weights(file.ranges.psr_ppm, file.tail_ppm))
        short = Fraction(-spot * file.short_min_ppm, WAD * PPM)
        value = max((max(*row, -min(row)) for row in rows), default=0)
        mark = max(map(abs, marks), default=0)
        fractions = (*(slope for of_row in slopes for slope in of_row), reference, short, *moves, *weighted)
        if value >= _VALUE or not all(fraction.fits for fraction in (*fractions, Fraction(mark, WAD))):
            return None
        rule: Any = {
            "terms": terms,
            "slopes": slopes,
            "reference": reference,
            "moves": moves,
            "weights": weighted,
            "short": short,
            "marks": tuple(marks),
            "rows": tuple(rows),
        }
        # The bound grows with the bits.
        sizes = range(64, 127)
        fitting = bisect_left(
            sizes, _ROOM, key=lambda bits: cls(bits=bits, **rule).largest(value=value, mark=mark, most=most)
        )
        return cls(bits=sizes[fitting - 1], **rule) if fitting else None

    def largest(self, *, value: int, mark: int, most: int) -> int:
        """Bound on every intermediate, by the table at the top."""
        reach = (most + 1) << self.bits
        ladder = reach * value
        live = ladder + max(slope.bound(2 * ladder) for of_row in self.slopes for slope in of_row)
        total = self.reference.bound(live) + Fraction(mark, WAD).bound(reach) + most
        total += max(move.bound(reach) for move in self.moves) + 1
        return max(2 * ladder, live, total, self.short.bound(reach))

    def packed(self) -> tuple[Any, ...]:
        """The `rule` of `compiled.grid.assess`."""
        flat = [term for of_row in self.terms for term in of_row]
        # (first term of the row, rows that a term reads): two lists of their own lengths side by side.
        terms = np.zeros((1 + max(len(flat), len(self.terms)), 3), dtype=np.int64)
        terms[1 : len(self.terms) + 1, 0] = np.cumsum([len(of_row) for of_row in self.terms])
        terms[: len(flat), 1:] = [(term.near, term.far) for term in flat]
        slopes = packed([slope for of_row in self.slopes for slope in of_row])
        is_light = np.array([weight.num != weight.den for weight in self.weights])
        short, reference = packed([self.short]), packed([self.reference])
        moves, light = packed(self.moves), packed(self.weights)
        nums = [move.num for move in self.moves]
        moved = np.array([num != before for num, before in zip(nums, [0, *nums], strict=False)])
        return np.uint64(self.bits - 64), short, terms, slopes, reference, moves, moved, light, is_light

    def table(self, strike: Any) -> tuple[Any, ...]:
        """The `table` of `compiled.grid.assess`, for options with these numbers of strikes."""
        rows = np.array(self.rows, dtype=np.int64).reshape(-1, len(self.terms))
        return rows.view(np.uint64), packed([Fraction(mark, WAD) for mark in self.marks]), strike


def packed(fractions: Sequence[Fraction]) -> Any:
    """Fractions as `compiled.grid.scale` takes them."""
    from keeper.risk.compiled.grid import fraction  # noqa: PLC0415 - numba takes half a second to import

    # Most are the same nothing: what a strike that nobody's account holds is worth.
    found = {f: fraction(f.num, f.den) for f in set(fractions)}
    return np.array([found[f] for f in fractions], dtype=np.uint64).reshape(-1, 8)
