"""Synthetix v3 perpetuals: |size| / skewScale · ratio + minimum, and a part of it for maintenance.

Every market has its own numbers; these are one market's, for all.
"""

from __future__ import annotations

from typing import Final

from keeper.risk.kernel.charges import Haircut
from keeper.risk.kernel.preset import Applies, Block, Netting, Preset
from keeper.risk.kernel.rows import Linear, Rate

MINIMUM: Final = 0.05
RATIO: Final = 1.264
SKEW_SCALE: Final = 2_000_000.0
MAINTENANCE: Final = 0.317

PRESET: Final = Preset(
    name="synthetix",
    source="Synthetixio/SIPs, sccp-375: the VIRTUAL market on Base",
    blocks=(
        Block(
            name="initial margin",
            rows=Linear(default=Rate(base=MINIMUM, per_unit=RATIO / SKEW_SCALE)),
            netting=Netting.UNDERLYING,
            applies=Applies.INITIAL,
        ),
        Block(
            name="maintenance margin",
            rows=Linear(default=Rate(base=MINIMUM, per_unit=RATIO / SKEW_SCALE, scale=MAINTENANCE)),
            netting=Netting.UNDERLYING,
            applies=Applies.MAINTENANCE,
        ),
    ),
    charges=(Haircut(),),
)
