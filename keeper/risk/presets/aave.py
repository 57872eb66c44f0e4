"""Aave v3 loans: collateral counts up to its liquidation threshold, and for a new loan up to its loan to value.

Thresholds are each token's own: a market's `mm_haircut` is 1 − threshold, its `im_haircut` threshold − loan to value.
"""

from __future__ import annotations

from typing import Final

from keeper.risk.kernel.preset import Applies, Block, Liquidation, Preset
from keeper.risk.kernel.rows import Counted, Thresholds

PRESET: Final = Preset(
    name="aave",
    source="aave-dao/aave-v3-origin@fd1fbd91, LiquidationLogic.sol",
    blocks=(
        Block(
            name="loan to value",
            rows=Thresholds(counted=Counted.LOAN_TO_VALUE),
            applies=Applies.INITIAL,
        ),
        Block(
            name="liquidation threshold",
            rows=Thresholds(counted=Counted.LIQUIDATION_THRESHOLD),
            applies=Applies.MAINTENANCE,
        ),
    ),
    liquidation=Liquidation(close_share=0.5, full_below=0.95, small_usd=2_000.0),
)
