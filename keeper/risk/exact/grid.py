"""The adding machine: one account's requirement in one underlying, slowly and obviously.

Mirrors contracts/src/libraries/Grid.sol.  `keeper.risk.exact.book` is the fast version over all accounts; a property
test holds the two equal to the wei.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.domain.riskfile import File
from keeper.risk.exact.riskfile import (
    INNER,
    PPM,
    WAD,
    forward_rows,
    levels,
    live_call,
    live_put,
    strike_ppm,
    weights,
)

#: Rows of the price ladder with volatility up, from −3 scan ranges to +3; the ends are the extreme rows.
LADDER_UP: Final = (15, 12, 8, 4, 0, 2, 6, 10, 14)
#: The same with volatility down.
LADDER_DOWN: Final = (15, 13, 9, 5, 1, 3, 7, 11, 14)
#: The unshocked node between the falling and the rising outer rows.
CENTRE: Final = 0
#: `worst_row` when no row loses.
NO_ROW: Final = 255


@dataclass(frozen=True, kw_only=True)
class Leg:
    """An option position, not yet expired."""

    expiry: int
    strike: int
    """1e-8 USD."""
    is_call: bool
    size: int
    """Signed, wad contracts."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What one underlying adds to an account."""

    option_mark: int
    """Mark-to-market of the options, wad USD, rounded down."""
    grid: int
    """Worst weighted row loss, wad USD, rounded up; never negative."""
    short_minimum: int
    """Short-option minimum, wad USD, rounded up."""
    worst_row: int
    """Row that attains `grid`, lowest index on ties; `NO_ROW` if none loses."""
    losses: tuple[int, ...]
    """Weighted loss of each row, wad USD (not in the contract's answer; for explanation)."""


def naked_short(call_size: int, put_size: int) -> int:
    """Naked shorts at one strike, wad: same-sign shorts add, opposite signs net, longs count nothing.

    All three cases are one: what is short of calls and puts together.
    """
    return max(0, -(call_size + put_size))


def outer_ladder(row_levels: Sequence[int]) -> tuple[int, ...]:
    """Extreme and tail rows and the unshocked one, in ascending order of level, ties by row number."""
    return tuple(sorted((CENTRE, *range(INNER, len(row_levels))), key=lambda j: (row_levels[j], j)))


def interpolate_inner(nodes: Sequence[int], values: Sequence[int], x: int) -> int:
    """Value of one volatility's summed ladder at level `x`.

    Between inner nodes linear.  In the two outer segments the lower of the chord to the extreme row and of the
    extended inner segment, since either alone can flatter a short position.  All divisions round down.

    Args:
        nodes: nine ascending levels.
        values: summed value at each.
        x: level, same unit as `nodes`.
    """
    if x < nodes[1]:
        return min(_line(nodes, values, 0, x), _line(nodes, values, 1, x))
    if x > nodes[7]:
        return min(_line(nodes, values, 7, x), _line(nodes, values, 6, x))
    i = 1
    while i < 6 and x > nodes[i + 1]:
        i += 1
    return _line(nodes, values, i, x)


def interpolate_outer(nodes: Sequence[int], values: Sequence[int], x: int) -> int:
    """Value of the outer ladder at level `x`: chords between neighbours, the end chords extended.  Rounds down."""
    i = 0
    while i < len(nodes) - 2 and x > nodes[i + 1]:
        i += 1
    return _line(nodes, values, i, x)


def _line(nodes: Sequence[int], values: Sequence[int], i: int, x: int) -> int:
    if nodes[i + 1] == nodes[i]:  # two rows at one level (PSR = 11 %, 22 %, …): the lower counts
        return min(values[i], values[i + 1])
    return values[i] + (values[i + 1] - values[i]) * (x - nodes[i]) // (nodes[i + 1] - nodes[i])


def assess(file: File, legs: Sequence[Leg], perp_size: int, spot: int, now: int) -> Assessment:
    """Requirement of one account in one underlying.

    Args:
        file: the live risk file.
        legs: unexpired option positions.
        perp_size: signed, wad.
        spot: live spot, wad USD.
        now: block time, unix seconds.

    Raises:
        KeyError: a leg's strike is not in the file.
    """
    ref = file.ref_spot
    row_levels = levels(file.ranges.psr_ppm)
    row_weights = weights(file.ranges.psr_ppm, file.tail_ppm)

    ladder = [0] * len(row_levels)
    option_mark = 0
    naked: dict[tuple[int, int], list[int]] = {}
    for leg in legs:
        params = file.expiries[leg.expiry]
        array = file.arrays[leg.expiry, leg.strike]
        a_rows, b = forward_rows(params, file.ranges), strike_ppm(leg.strike, params, file.ref_spot)
        for j, value in enumerate(array.values):
            ladder[j] += leg.size * (value if leg.is_call else value - a_rows[j] + b)
        mark = live_call(strike=leg.strike, sigma_ppm=array.sigma_ppm, expiry=params, spot=spot, now=now)
        if not leg.is_call:
            mark = live_put(mark, strike=leg.strike, expiry=params, spot=spot)
        option_mark += leg.size * mark // WAD
        naked.setdefault((leg.expiry, leg.strike), [0, 0])[0 if leg.is_call else 1] += leg.size

    nodes = [row_levels[r] * PPM for r in LADDER_UP]
    up, down = [ladder[r] for r in LADDER_UP], [ladder[r] for r in LADDER_DOWN]
    outer = outer_ladder(row_levels)
    outer_nodes, outer_values = [row_levels[r] * PPM for r in outer], [ladder[r] for r in outer]
    losses = []
    for j, level in enumerate(row_levels):
        shifted = level * spot * PPM // ref
        if spot == ref:
            summed = ladder[j]
        elif j < INNER:
            summed = interpolate_inner(nodes, down if j % 2 else up, shifted)
        else:
            summed = interpolate_outer(outer_nodes, outer_values, shifted)
        scenario_spot = level * spot // PPM
        pnl = summed * ref // (PPM * WAD) - option_mark + perp_size * (scenario_spot - spot) // WAD
        losses.append(-(pnl * row_weights[j] // PPM))
    grid = max(0, *losses)
    naked_total = sum(naked_short(c, p) for c, p in naked.values())
    return Assessment(
        option_mark=option_mark,
        grid=grid,
        short_minimum=-(-naked_total * spot * file.short_min_ppm // (WAD * PPM)),
        worst_row=losses.index(grid) if grid > 0 else NO_ROW,
        losses=tuple(losses),
    )
