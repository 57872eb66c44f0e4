"""How each row reads the summed ladder at live spot: the interpolation of `grid`, as terms of two rows each.

Which rows a row reads depends on the file and the spot, not on the account, so it is worked out once for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.domain.riskfile import File
from keeper.risk.exact.grid import LADDER_DOWN, LADDER_UP, outer_ladder
from keeper.risk.exact.riskfile import INNER, PPM, levels


@dataclass(frozen=True)
class Term:
    """ladder[near] + (ladder[far] − ladder[near])·num // den."""

    near: int
    far: int
    num: int
    den: int

    def read(self, near: int, far: int) -> int:
        """Value from the two summed rows, rounded down."""
        return near + (far - near) * self.num // self.den


def shift_terms(file: File, spot: int) -> tuple[tuple[Term, ...], ...]:
    """For each row the terms whose minimum is its value at `spot`; never empty.

    Equal to `grid.interpolate_inner` and `grid.interpolate_outer` at the row's shifted level.
    """
    row_levels = levels(file.ranges.psr_ppm)
    if spot == file.ref_spot:
        return tuple((Term(j, j, 0, 1),) for j in range(len(row_levels)))
    outer = outer_ladder(row_levels)
    out = []
    for j, level in enumerate(row_levels):
        x = level * spot * PPM // file.ref_spot
        if j >= INNER:
            out.append(_outer_terms(outer, row_levels, x))
        else:
            out.append(_inner_terms(LADDER_DOWN if j % 2 else LADDER_UP, row_levels, x))
    return tuple(out)


def _inner_terms(rows: Sequence[int], row_levels: Sequence[int], x: int) -> tuple[Term, ...]:
    nodes = [row_levels[r] * PPM for r in rows]
    if x < nodes[1]:
        return (*_line(rows, nodes, 0, x), *_line(rows, nodes, 1, x))
    if x > nodes[7]:
        return (*_line(rows, nodes, 7, x), *_line(rows, nodes, 6, x))
    i = 1
    while i < 6 and x > nodes[i + 1]:
        i += 1
    return _line(rows, nodes, i, x)


def _outer_terms(rows: Sequence[int], row_levels: Sequence[int], x: int) -> tuple[Term, ...]:
    nodes = [row_levels[r] * PPM for r in rows]
    i = 0
    while i < len(nodes) - 2 and x > nodes[i + 1]:
        i += 1
    return _line(rows, nodes, i, x)


def _line(rows: Sequence[int], nodes: Sequence[int], i: int, x: int) -> tuple[Term, ...]:
    near, far = rows[i], rows[i + 1]
    if nodes[i + 1] == nodes[i]:
        return (Term(near, near, 0, 1), Term(far, far, 0, 1))
    return (Term(near, far, x - nodes[i], nodes[i + 1] - nodes[i]),)
