"""An account's risk array: its P&L under every row of every block, before anything is reduced.

The same numbers serve fund sizing (sums per row above IM), liquidation order and backtests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.risk.kernel.legs import lay_out
from keeper.risk.kernel.losses import read
from keeper.risk.kernel.market import Market
from keeper.risk.kernel.numeraire import numeraire
from keeper.risk.kernel.portfolio import Portfolio
from keeper.risk.kernel.preset import Preset
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.kernel.revalue import revalue
from keeper.risk.kernel.scenarios import Generator, Scenarios
from keeper.risk.kernel.tables import table

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RiskArray:
    """One block's rows."""

    name: str
    """The block's."""
    generator: Generator
    tags: tuple[str, ...]
    """Of each row."""
    pnl: Floats
    """Of the account under each row, weighted and read as the block does; a loss is negative.  Shape (S,)."""


@np.errstate(all="ignore")  # each stage refuses what is not finite, by name
def risk_arrays(market: Market, portfolio: Portfolio, preset: Preset) -> tuple[RiskArray, ...] | Unpriced:
    """P&L under each row of each block that the market can make, in the preset's order."""
    legs = lay_out(market, portfolio)
    if isinstance(legs, Unpriced):
        return legs
    money = numeraire(preset.currency, market, legs)
    if isinstance(money, Unpriced):
        return money
    found = []
    for block in preset.blocks:
        rows = table(block.rows, market, legs)
        if isinstance(rows, Unpriced):
            return rows
        if isinstance(rows, Scenarios):
            values = revalue(legs, rows, vol_term=preset.vol_term, skew=preset.skew, money=money)
            pnl = read(block, rows, legs, values).sum(axis=0)
            found.append(RiskArray(name=block.name, generator=rows.generator, tags=rows.tags, pnl=pnl))
    return tuple(found)
