"""The reducer: from losses under rows to one loss, and which rows it is made of.

Every preset's requirement passes through `reduce`, linear rules included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite

Floats = npt.NDArray[np.float64]

#: A cumulative probability this close to 1 − α has reached it.  Source: conventions of the margin methodology.
_TOLERANCE = 1e-12
#: Rows this close to the worst, relative, lose the same: the first of them is named.
_TIE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Reduced:
    """G losses, each a weighted sum of its rows: `loss = (share · losses).sum(axis=1)`."""

    loss: Floats
    """Never negative, shape (G,)."""
    gain: Floats
    """What is gained at the least where nothing loses, else 0; infinite where there are no rows.  Shape (G,)."""
    share: Floats
    """Weight of each row, shape (G, S); all zero where nothing loses."""
    row: npt.NDArray[np.int64]
    """The worst row, shape (G,), the earliest of those that are equal but for rounding; −1 where nothing loses."""


def reduce(losses: Floats, *, level: float | None, probability: Floats | None) -> Reduced:
    """The worst row, or the expected shortfall of the rows.

    Args:
        losses: positive is bad, shape (G, S).
        level: α of the expected shortfall, counted from the worst with a fractional last weight (Rockafellar–Uryasev);
            None takes the worst row.
        probability: of each row, shape (S,), summing to 1; all alike if None.

    Raises:
        LawBroken: a loss is not finite, or the rows do not fill the tail.
    """
    (checked,) = finite(losses=losses)
    groups, rows = checked.shape
    if rows == 0:
        none = np.zeros(groups)
        return Reduced(loss=none, gain=none + np.inf, share=np.zeros((groups, 0)), row=np.full(groups, -1))
    worst = np.argmax(checked, axis=1)
    if level is None:
        share = np.zeros(checked.shape)
        share[np.arange(groups), worst] = 1.0
    else:
        share = np.stack([_tail_share(one, level, probability) for one in checked]) if groups else checked
    loss = np.where(share > 0.0, share * checked, 0.0).sum(axis=1)
    losing = loss > 0.0
    return Reduced(
        loss=np.where(losing, loss, 0.0),
        gain=np.where(losing, 0.0, -loss),
        share=np.where(losing[:, None], share, 0.0),
        row=np.where(losing, np.argmax(checked >= checked.max(axis=1, keepdims=True) * (1.0 - _TIE), axis=1), -1),
    )


def _tail_share(losses: Floats, level: float, probability: Floats | None) -> Floats:
    """Weight of each row in the tail mean, shape (S,), summing to 1."""
    weights = np.full(losses.shape, 1.0 / losses.size) if probability is None else probability
    tail = 1.0 - level
    order = np.argsort(-losses, kind="stable")
    cumulative = np.cumsum(weights[order])
    if not 0.0 < level < 1.0 or cumulative[-1] < tail - _TOLERANCE:
        raise LawBroken(f"rows of probability {cumulative[-1]} do not fill the tail beyond {level}", level=level)
    last = int(np.argmax(cumulative >= tail - _TOLERANCE))
    used = np.diff(np.minimum(cumulative[: last + 1], tail), prepend=0.0)
    used[-1] = tail - (float(cumulative[last - 1]) if last else 0.0)
    share = np.zeros(losses.shape)
    share[order[: last + 1]] = used / tail
    return share
