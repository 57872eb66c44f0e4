"""Morpho Blue loans: one threshold, LLTV, for borrowing and for liquidation; a market's `mm_haircut` is 1 − LLTV."""

from __future__ import annotations

from typing import Final

from keeper.risk.kernel.preset import Block, Liquidation, Preset
from keeper.risk.kernel.rows import Counted, Thresholds

PRESET: Final = Preset(
    name="morpho",
    source="morpho-org/morpho-blue@3085651, ConstantsLib.sol and Morpho.sol",
    blocks=(Block(name="LLTV", rows=Thresholds(counted=Counted.LIQUIDATION_THRESHOLD)),),
    liquidation=Liquidation(close_share=1.0, incentive_cap=1.15, incentive_cursor=0.3),
)
