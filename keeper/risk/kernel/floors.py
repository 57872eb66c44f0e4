"""Least scenario parts: what a hedged account is asked though no row of the grid hurts it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.risk.kernel.charges import DeltaMinimum
from keeper.risk.kernel.legs import Kind, Legs
from keeper.risk.kernel.losses import BlockLoss

Floats = npt.NDArray[np.float64]


def floor_loss(rule: DeltaMinimum, legs: Legs, *, deltas: Floats, units: Floats) -> BlockLoss:
    """(net · |Δ| + hedged · (Σ|δ| − |Δ|) / 2) · price of each underlying, Δ = Σδ, and each leg's part.

    Args:
        rule: the two rates.
        legs: the account; collateral does not count.
        deltas: of each leg, signed, shape (L,).
        units: what one unit of each underlying is worth, shape (U,).
    """
    parts = np.zeros(len(legs))
    for u in range(units.size):
        mine = (legs.underlying == u) & (legs.kind != Kind.COLLATERAL)
        delta = deltas[mine]
        along = np.sign(delta.sum()) * delta
        parts[mine] = (rule.net * along + rule.hedged * 0.5 * (np.abs(delta) - along)) * units[u]
    return BlockLoss(loss=float(parts.sum()), gain=0.0, parts=parts, rows=("least for net and hedged delta",))
