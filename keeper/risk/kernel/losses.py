"""From values under rows to the loss of one block of a preset, and each leg's part in it.

    value ─discount─ P&L ─weight─ reading ─offset─ netted into groups ─reduce─ loss

Once signs and rows are chosen every step is linear in positions, so each leg's part is exact and the parts sum to the
loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.risk.finite import finite
from keeper.risk.kernel import reduce
from keeper.risk.kernel.legs import NONE, Kind, Legs, Terms
from keeper.risk.kernel.preset import Block, Netting, Reading, StaticDiscount
from keeper.risk.kernel.revalue import Values
from keeper.risk.kernel.scenarios import Scenarios

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class BlockLoss:
    """What one block would require, before factors and add-ons."""

    loss: float
    """Never negative."""
    gain: float
    """What the account gains at the least where nothing loses; 0 where something does."""
    parts: Floats
    """Of each leg, shape (L,); they sum to `loss`."""
    rows: tuple[str, ...]
    """Tags of the rows that decide, one per group that loses."""


def block_loss(block: Block, rows: Scenarios, legs: Legs, values: Values) -> BlockLoss:
    """Reduce a block's rows.

    Args:
        block: how its P&L is read, netted and reduced.
        rows: its table.
        legs: the account.
        values: one unit of each leg under `rows`.
    """
    pnl = read(block, rows, legs, values)
    group, count = _groups(block.netting, legs)
    counted = group != NONE
    found = reduce.reduce(
        -_summed(pnl[counted], group[counted], count), level=block.expected_shortfall, probability=rows.probability
    )
    parts = np.zeros(len(legs))
    parts[counted] = -(pnl[counted] * found.share[group[counted]]).sum(axis=1)
    return BlockLoss(
        loss=float(found.loss.sum()),
        gain=float(found.gain.sum()) if not found.loss.any() else 0.0,
        parts=parts + 0.0,  # no −0
        rows=tuple(rows.tags[row] for row in found.row if row >= 0),
    )


def read(block: Block, rows: Scenarios, legs: Legs, values: Values) -> Floats:
    """P&L of each leg under each row, as the block reads it, shape (L, S)."""
    with np.errstate(all="ignore"):  # what is not finite is refused below
        value = legs.size[:, None] * values.moved
        if block.discount is not None:
            value = _discounted(value, legs, block.discount)
        pnl = (value - (legs.size * values.base)[:, None]) * rows.weight
        if rows.own_weight is not None:
            follows = legs.underlying != NONE
            pnl[follows] *= rows.own_weight.T[legs.underlying[follows]]
        dated = legs.term != NONE
        term = legs.term[dated]
        if block.reading is Reading.ADVERSE:
            gains = _summed(pnl[dated], term, len(legs.terms)) > 0.0
            pnl[dated] *= np.where(gains, -1.0, 1.0)[term]
        if block.term is not None:
            pnl[dated] *= (block.term.add + block.term.mult * legs.terms.years)[term, None]
        if block.offset != 1.0:
            column = legs.underlying + 1  # 0 for collateral that follows none
            gains = _summed(pnl, column, int(column.max(initial=0)) + 1) > 0.0
            pnl *= np.where(gains, block.offset, 1.0)[column]
    return finite(pnl=pnl)[0]


def _discounted(value: Floats, legs: Legs, discount: StaticDiscount) -> Floats:
    option = legs.is_option
    term = legs.term[option]
    positive = _summed(value[option], term, len(legs.terms)) >= 0.0
    long, short = discount_factors(discount, legs.terms)
    out = value.copy()
    out[option] *= np.where(positive, long[:, None], short[:, None])[term]
    return out


def discount_factors(discount: StaticDiscount, terms: Terms) -> tuple[Floats, Floats]:
    """Factors on a positive and on a negative shocked value of each expiry, each of shape (E,)."""
    t, r = terms.years, terms.rate
    long = discount.long_base * np.exp(-t * (r * discount.long_mult + discount.long_add))
    short = discount.short_base * np.exp(t * (r * discount.short_mult + discount.short_add))
    return np.asarray(long), np.asarray(np.minimum(1.0 / terms.df, short))


def _groups(netting: Netting, legs: Legs) -> tuple[Indices, int]:
    """Which group each leg nets in, `NONE` if it does not count; and how many groups there are."""
    if netting is Netting.ACCOUNT:
        return np.zeros(len(legs), dtype=np.int64), 1
    if netting is Netting.EXPIRY:
        return legs.term, len(legs.terms)
    group = np.where(legs.kind == Kind.COLLATERAL, NONE, legs.underlying)
    return group, int(group.max(initial=NONE)) + 1


def _summed(values: Floats, group: Indices, groups: int) -> Floats:
    """Rows of `values` added by group, shape (groups, S)."""
    out = np.zeros((groups, values.shape[1]))
    np.add.at(out, group, values)
    return out
