"""The standard 16 SPAN-type rows, and nothing else: scan risk.

Ranges are the market's own; where it gives none, 10 % in price and 35 % in volatility stand in.
"""

from __future__ import annotations

from typing import Final

from keeper.risk.generate.grid import STANDARD_16
from keeper.risk.kernel.market import ScanRange
from keeper.risk.kernel.preset import Block, Netting, Preset, VolTerm
from keeper.risk.kernel.rows import Scanned

PRESET: Final = Preset(
    name="span16",
    source="order and weights of the rows: CME's public SPAN documents",
    blocks=(
        Block(
            name="scan risk",
            netting=Netting.UNDERLYING,
            rows=Scanned(
                rows=STANDARD_16,
                tail_weight=1.0,
                fallback=ScanRange(price=0.1, vol_up=0.35, vol_down=0.35),
                min_level=0.0,
            ),
        ),
    ),
    # A volatility scan range is one number for all tenors.
    vol_term=VolTerm(flat=1.0),
)
