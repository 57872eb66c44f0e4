"""How much of what one underlying gains may pay for what another loses, and whether that is enough.

A grid moves every underlying by its own range in the same direction, as if they were one.  They are not: so in each
row only the share o of a gain counts against the losses of others,

    loss(row) = Σ losses − o · Σ gains        requirement = max over rows, zero at least

and the joint moves of the past are the check: the expected shortfall of the account's whole P&L over joint rows, where
gains count in full because they happened together, must not exceed the requirement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite
from keeper.risk.tail import expected_shortfall

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class OffsetCheck:
    """One account's offset against joint history."""

    requirement: float
    """Of the grid with this share of gains, USD; never negative."""
    shortfall: float
    """Expected shortfall over joint rows, USD; negative where the account gains even in the tail."""
    largest_share: float | None
    """Largest o at which the grid still covers the shortfall; None where it does not even without offset."""

    @property
    def covered(self) -> bool:
        """Whether the requirement covers the joint rows."""
        return self.requirement >= self.shortfall

    @property
    def missing(self) -> float:
        """What the requirement lacks, USD; 0 where it covers."""
        return max(0.0, self.shortfall - self.requirement)


def row_losses(pnl: npt.ArrayLike, *, share: float) -> Floats:
    """Loss of an account under each row.

    Args:
        pnl: of each underlying under each row, weighted, USD, shape (…, U).
        share: o, between 0 and 1: part of a gain that counts.

    Returns:
        shape (…,); positive is a loss.
    """
    (values,) = finite(pnl=pnl)
    if not 0.0 <= share <= 1.0:
        raise LawBroken(f"an offset of {share} is not between 0 and 1", share=share)
    return np.asarray(-np.where(values > 0.0, share * values, values).sum(axis=-1), dtype=np.float64)


def check_offset(
    grid_pnl: npt.ArrayLike,
    joint_pnl: npt.ArrayLike,
    *,
    share: float,
    level: float,
    probability: npt.ArrayLike | None = None,
) -> OffsetCheck:
    """Hold the offset against joint rows.

    Args:
        grid_pnl: of each underlying under each grid row, weighted, USD, shape (K, U).
        joint_pnl: of each underlying under each joint row, USD, shape (S, U).
        share: o.
        level: α of the expected shortfall.
        probability: of the joint rows, shape (S,); all alike if None.

    Raises:
        LawBroken: no rows, a value that is not finite, or underlyings that differ.
    """
    (grid,), (joint,) = finite(grid_pnl=grid_pnl), finite(joint_pnl=joint_pnl)
    if grid.ndim != 2 or joint.ndim != 2 or grid.shape[1] != joint.shape[1] or not grid.size:
        raise LawBroken(f"grid rows {grid.shape} and joint rows {joint.shape} are not of the same underlyings")
    shortfall = expected_shortfall(-joint.sum(axis=1), level, probability)
    return OffsetCheck(
        requirement=max(0.0, float(row_losses(grid, share=share).max())),
        shortfall=shortfall,
        largest_share=_largest_share(grid, shortfall),
    )


def _largest_share(grid: Floats, shortfall: float) -> float | None:
    """Where the last row meets the shortfall: each falls in a line, from Σ losses to Σ losses − Σ gains."""
    if shortfall <= 0.0:
        return 1.0
    losses = np.maximum(-grid, 0.0).sum(axis=1)
    gains = np.maximum(grid, 0.0).sum(axis=1)
    covering = losses >= shortfall
    if not covering.any():
        return None
    room, pays = losses[covering] - shortfall, gains[covering]
    return float(np.where(pays <= room, 1.0, room / np.where(pays > 0.0, pays, 1.0)).max())
