"""Paradex's portfolio margin: 24 rows, a least charge for delta, provisions for funding and fees."""

from __future__ import annotations

from typing import Final

from keeper.risk.generate.grid import TAILS, GridRow, Unit, VolMove
from keeper.risk.kernel.charges import DeltaMinimum, FeeProvision, FundingProvision
from keeper.risk.kernel.market import ScanRange
from keeper.risk.kernel.preset import Block, Netting, Preset, VolTerm
from keeper.risk.kernel.rows import Scanned

INNER: Final = (
    GridRow(move=0.16, unit=Unit.SPOT, vol=VolMove.UP),
    *(
        GridRow(move=move, unit=Unit.SPOT, vol=vol)
        for move in (0.12, 0.08, 0.04, 0.0, -0.04, -0.08, -0.12)
        for vol in (VolMove.UP, VolMove.DOWN)
    ),
    GridRow(move=-0.16, unit=Unit.SPOT, vol=VolMove.UP),
)

PRESET: Final = Preset(
    name="paradex",
    source="docs.paradex.trade, Portfolio Margin",
    blocks=(
        Block(
            name="scan risk",
            netting=Netting.UNDERLYING,
            rows=Scanned(
                rows=(*INNER, *TAILS),
                tail_weight=1.0,
                fixed=ScanRange(price=0.16, vol_up=0.4, vol_down=0.22),
            ),
        ),
    ),
    initial_factor=1.0,
    maintenance_factor=0.5,
    floor=DeltaMinimum(net=0.02, hedged=0.01),
    charges=(
        FundingProvision(maintenance=1.0, initial=1.0),
        # The provision is published, its rate is not: 3 bps of what would be closed stand in.
        FeeProvision(maintenance=0.0, initial=0.0003),
    ),
    vol_term=VolTerm(short_power=0.3, long_power=0.13, floor_days=1.0, up_floor=0.4),
)
