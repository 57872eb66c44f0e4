"""The worst row of one underlying, position by position, to the wei.

The contract rounds sums, not positions, so what the positions' own roundings leave over is a line of its own, called
rounding; it is a few wei.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.domain.riskfile import File
from keeper.domain.snapshot import Instrument, Kind
from keeper.risk.exact.book import Option
from keeper.risk.exact.grid import NO_ROW, Leg, assess, naked_short
from keeper.risk.exact.ladders import option_table
from keeper.risk.exact.riskfile import INNER, PPM, WAD, levels, weights
from keeper.risk.exact.shift import shift_terms


@dataclass(frozen=True, kw_only=True)
class Line:
    """One part of a figure, wad USD."""

    what: str
    amount: int
    instrument: Instrument | None = None
    """The position it belongs to, if it is one's own."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A scenario in words."""

    number: int
    move_ppm: int
    """Price move, ppm of live spot."""
    volatility: str
    """`up`, `down` or `unchanged`."""
    weight_ppm: int


@dataclass(frozen=True, kw_only=True)
class UnderlyingExplanation:
    """What one underlying requires."""

    underlying: int
    row: Row
    """The worst row; where none loses, the one that gains least."""
    grid: tuple[Line, ...]
    """Losses under `row`; they sum to the grid requirement."""
    short_minimum: tuple[Line, ...]
    """Charge per strike; they sum to the short-option minimum."""


def explain_grid(
    file: File, legs: Sequence[Leg], perp_size: int, *, underlying: int, spot: int, now: int
) -> UnderlyingExplanation:
    """The worst row and each position's loss under it.

    Args:
        file: the live file; it covers every leg.
        legs: unexpired options.
        perp_size: signed, wad.
        underlying: id, for the names of the lines.
        spot: live spot, wad USD.
        now: block time.
    """
    total = assess(file, legs, perp_size, spot, now)
    j = total.worst_row if total.worst_row != NO_ROW else total.losses.index(max(total.losses))
    weight = weights(file.ranges.psr_ppm, file.tail_ppm)[j]
    move = levels(file.ranges.psr_ppm)[j] - PPM
    lines = [
        Line(what=f"{leg.size / WAD:+g}", amount=loss, instrument=_instrument(underlying, leg))
        for leg, loss in zip(legs, _leg_losses(file, legs, j, spot=spot, now=now), strict=True)
    ]
    if perp_size:
        scenario = levels(file.ranges.psr_ppm)[j] * spot // PPM
        loss = -(perp_size * (scenario - spot) // WAD * weight // PPM)
        perp = Instrument(underlying=underlying, expiry=0, strike=0, kind=Kind.PERP)
        lines.append(Line(what=f"{perp_size / WAD:+g}", amount=loss, instrument=perp))
    lines += completing("rounding", lines, total.losses[j])
    lines += completing("no row loses", lines, total.grid)
    return UnderlyingExplanation(
        underlying=underlying,
        row=Row(
            number=j,
            move_ppm=move,
            volatility="unchanged" if j in (14, 15) else "down" if j < INNER and j % 2 else "up",
            weight_ppm=weight,
        ),
        grid=tuple(lines),
        short_minimum=_short_lines(file, legs, underlying, spot, total.short_minimum),
    )


def _leg_losses(file: File, legs: Sequence[Leg], j: int, *, spot: int, now: int) -> list[int]:
    """Each leg's own weighted loss under row `j`, wad USD."""
    options = [Option(leg.expiry, leg.strike, not leg.is_call) for leg in legs]
    values, marks = option_table(file, options, spot=spot, now=now)
    rows = [[leg.size * value for value in row] for leg, row in zip(legs, values, strict=True)]
    # The account's sum decides which of the row's terms counts; every leg is then read through that one.
    terms = shift_terms(file, spot)[j]
    term = min(terms, key=lambda t: t.read(sum(row[t.near] for row in rows), sum(row[t.far] for row in rows)))
    weight = weights(file.ranges.psr_ppm, file.tail_ppm)[j]
    losses = []
    for leg, row, mark in zip(legs, rows, marks, strict=True):
        pnl = term.read(row[term.near], row[term.far]) * file.ref_spot // (PPM * WAD) - leg.size * mark // WAD
        losses.append(-(pnl * weight // PPM))
    return losses


def _short_lines(file: File, legs: Sequence[Leg], underlying: int, spot: int, total: int) -> tuple[Line, ...]:
    """The charge of each strike with naked shorts."""
    sizes: dict[tuple[int, int], list[int]] = {}
    for leg in legs:
        sizes.setdefault((leg.expiry, leg.strike), [0, 0])[0 if leg.is_call else 1] += leg.size
    lines = []
    for (expiry, strike), (calls, puts) in sorted(sizes.items()):
        naked = naked_short(calls, puts)
        if naked:
            kind = Kind.CALL if calls <= puts else Kind.PUT
            where = Instrument(underlying=underlying, expiry=expiry, strike=strike, kind=kind)
            amount = naked * spot * file.short_min_ppm // (WAD * PPM)
            lines.append(Line(what=f"{naked / WAD:g} naked short", amount=amount, instrument=where))
    return (*lines, *completing("rounding", lines, total))


def completing(what: str, lines: Sequence[Line], total: int) -> list[Line]:
    """The line that completes `lines` to `total`, if one is missing."""
    rest = total - sum(line.amount for line in lines)
    return [Line(what=what, amount=rest)] if rest else []


def _instrument(underlying: int, leg: Leg) -> Instrument:
    kind = Kind.CALL if leg.is_call else Kind.PUT
    return Instrument(underlying=underlying, expiry=leg.expiry, strike=leg.strike, kind=kind)
