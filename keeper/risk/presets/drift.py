"""Drift perpetuals: max(base, 0.8·base + imf·√size), and weights on collateral."""

from __future__ import annotations

from typing import Final

from keeper.risk.kernel.charges import Haircut
from keeper.risk.kernel.preset import Applies, Block, Netting, Preset
from keeper.risk.kernel.rows import Linear, Rate

#: Weight of the root of a position's size.  Each market has its own; this one stands for all.
IMF: Final = 0.00045

PRESET: Final = Preset(
    name="drift",
    source="drift-labs/protocol-v2: size premium of the liability weight; an ordinary market's 10 % and 5 %",
    blocks=(
        Block(
            name="initial margin",
            rows=Linear(default=Rate(base=0.1, root=IMF)),
            netting=Netting.UNDERLYING,
            applies=Applies.INITIAL,
        ),
        Block(
            name="maintenance margin",
            rows=Linear(default=Rate(base=0.05, root=IMF)),
            netting=Netting.UNDERLYING,
            applies=Applies.MAINTENANCE,
        ),
    ),
    charges=(Haircut(),),
)
