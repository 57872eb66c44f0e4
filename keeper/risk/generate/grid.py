"""The grid: price moves in fractions of a scan range or of spot, volatility up, same or down, and weighted tails.

A venue's grid is data, a tuple of `GridRow`; the two below are the standard ones.  The level of a row is

    1 + move·PSR   (moves in scan ranges)      1 + move   (moves in spot)      never below `min_level`

and the tail law weighs a far move so that a delta-one position never pays more than c times its edge loss:

    w(s) = min(1, c·PSR/|s|)

Sources: SPAN-type grids and their order are public; the tail law is common to the venues we checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.domain.riskfile import Ranges
from keeper.errors import LawBroken
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved

Floats = npt.NDArray[np.float64]

#: Spot never falls below this part of itself in a row.  Source: contracts/src/libraries/Scenarios.sol, 5 %.
MIN_LEVEL: Final = 0.05
#: Cover of the two extreme rows.  Source: SPAN's 33 % extreme move cover fraction.
EXTREME_WEIGHT: Final = 0.33


class Unit(StrEnum):
    """What a row's move is a fraction of."""

    SCAN_RANGE = "PSR"
    SPOT = "spot"


class VolMove(IntEnum):
    """Which way volatility goes, by one volatility scan range."""

    DOWN = -1
    SAME = 0
    UP = 1


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """One row of a venue's grid."""

    move: float
    """Signed, in `unit`: +1 of PSR is the upper edge of the scan range, −0.66 of spot is down by 66 %."""
    unit: Unit = Unit.SCAN_RANGE
    """What `move` is a fraction of."""
    vol: VolMove = VolMove.SAME
    """Which way volatility goes."""
    weight: float | None = 1.0
    """Factor on the row's P&L; None takes the tail law."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Scan ranges of one underlying."""

    psr: float
    """Price scan range, fraction of spot."""
    vsr_up: float
    """One full rise of a 30-day volatility, relative: 0.45 is 45 %."""
    vsr_down: float
    """One full fall, relative and positive: 0.3 takes 30 % off."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` on a range that is not finite, or negative, or a volatility that falls below zero."""
        values = (self.psr, self.vsr_up, self.vsr_down)
        if not (np.isfinite(values).all() and min(values) >= 0.0 and self.vsr_down <= 1.0):
            raise LawBroken(f"scan ranges {values} are out of range", psr=self.psr)

    @classmethod
    def of(cls, ranges: Ranges) -> Scan:
        """From the published integers."""
        return cls(psr=ranges.psr_ppm / 1e6, vsr_up=ranges.vsr_up_ppm / 1e6, vsr_down=ranges.vsr_down_ppm / 1e6)


def _standard() -> tuple[GridRow, ...]:
    inner = [
        GridRow(move=thirds / 3, vol=vol) for thirds in (0, 1, -1, 2, -2, 3, -3) for vol in (VolMove.UP, VolMove.DOWN)
    ]
    return (*inner, *(GridRow(move=move, weight=EXTREME_WEIGHT) for move in (3.0, -3.0)))


#: The standard 16 SPAN-type rows in order.
STANDARD_16: Final = _standard()
#: Tails of the house grid: fixed moves of spot with volatility up, weighted by the tail law.
TAILS: Final = tuple(
    GridRow(move=move, unit=Unit.SPOT, vol=VolMove.UP, weight=None)
    for move in (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
)


def grid(
    rows: Sequence[GridRow],
    *,
    scans: Mapping[str, Scan],
    underlyings: tuple[str, ...],
    collaterals: tuple[str, ...] = (),
    tail_weight: float = 1.0,
    min_level: float = MIN_LEVEL,
) -> Scenarios:
    """Lay a venue's grid over the scan ranges.

    Args:
        rows: the venue's data, in its order; S of them.
        scans: ranges of those underlyings that move, together, each in its own range; the others stay.
        underlyings: all of them, in the table's order.
        collaterals: all of them; a grid leaves them.
        tail_weight: c of the tail law.
        min_level: lowest factor on spot.

    Returns:
        S rows.  Where several ranges move together a tail weighs by the widest of them, against the account.

    Raises:
        LawBroken: no range, a range of an unknown underlying, or a value that is not finite.
    """
    strangers = set(scans) - set(underlyings)
    if strangers or not scans:
        raise LawBroken(f"scan ranges of {sorted(scans)} do not fit the underlyings {sorted(underlyings)}")
    columns: dict[str, Any] = unmoved(
        Generator.GRID, underlyings=underlyings, collaterals=collaterals, tags=tuple(_tag(row) for row in rows)
    )
    moves = np.array([row.move for row in rows], dtype=np.float64)
    scanned = np.array([row.unit is Unit.SCAN_RANGE for row in rows], dtype=np.bool_)
    direction = np.array([int(row.vol) for row in rows], dtype=np.float64)
    spot, vol = np.ones((len(rows), len(underlyings))), np.zeros((len(rows), len(underlyings)))
    for name, scan in scans.items():
        column = underlyings.index(name)
        spot[:, column] = np.maximum(min_level, 1.0 + np.where(scanned, moves * scan.psr, moves))
        vol[:, column] = np.where(direction > 0, scan.vsr_up, scan.vsr_down) * direction
    widest = max(scan.psr for scan in scans.values())
    sizes = np.where(scanned, np.abs(moves) * widest, np.abs(moves))
    tails = tail_weights(sizes, psr=widest, tail_weight=tail_weight)
    weight = np.array([tails[i] if row.weight is None else row.weight for i, row in enumerate(rows)])
    return Scenarios(**columns | {"spot": spot, "vol": vol, "weight": weight})


def tail_weights(moves: npt.ArrayLike, *, psr: float, tail_weight: float) -> Floats:
    """The tail law min(1, c·PSR/|s|) of moves in spot, any shape; a move of zero weighs one."""
    size = np.abs(np.asarray(moves, dtype=np.float64))
    edge = tail_weight * psr
    return np.asarray(np.where(size <= edge, 1.0, edge / np.where(size > 0.0, size, 1.0)))


def _tag(row: GridRow) -> str:
    if row.unit is Unit.SPOT:
        move = f"{row.move:+.4g} of spot" if abs(row.move) < 0.001 else f"{row.move * 100:+.4g} %"
    else:
        move = f"{'+' if row.move > 0 else ''}{Fraction(row.move).limit_denominator(60)} PSR"
    words = {VolMove.UP: ", vol up", VolMove.SAME: "", VolMove.DOWN: ", vol down"}
    return move + words[row.vol]
