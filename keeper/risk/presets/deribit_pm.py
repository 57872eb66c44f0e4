"""Deribit's inverse portfolio margin, counted in coin: the ETH model of its published example.

Nine buckets over ±18 % with volatility up, same and down, and eight far rows with volatility up.  The far rows are
damped so that a perpetual pays in them what it pays at the edge of the buckets, as the example's extended vector shows:
weight = edge P&L / far P&L of q·s/(1 + s).  Roll shock at the least annualised move.  The delta shock of large
positions is unpublished and left at zero.
"""

from __future__ import annotations

from typing import Final

from keeper.risk.generate.grid import GridRow, Unit, VolMove
from keeper.risk.kernel.charges import RollShock
from keeper.risk.kernel.market import ScanRange
from keeper.risk.kernel.preset import Block, Currency, Preset, VolTerm
from keeper.risk.kernel.rows import Scanned

PRICE_RANGE: Final = 0.18
MM_FACTOR: Final = 0.8
MIN_ANNUALISED_MOVE: Final = 0.005

#: What one coin short gains at the lower edge, and one coin long at the upper, in coin.
DOWN: Final = PRICE_RANGE / (1.0 - PRICE_RANGE)
UP: Final = PRICE_RANGE / (1.0 + PRICE_RANGE)

BUCKETS: Final = tuple(
    GridRow(move=quarters / 4, vol=vol) for quarters in range(-4, 5) for vol in (VolMove.UP, VolMove.SAME, VolMove.DOWN)
)
EXTENDED: Final = tuple(
    GridRow(move=move, unit=Unit.SPOT, vol=VolMove.UP, weight=(DOWN if move < 0.0 else UP) / (abs(move) / (1.0 + move)))
    for move in (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
)

PRESET: Final = Preset(
    name="deribit_pm",
    source="docs.deribit.com, private/pme/simulate: model_params and risk vectors of the ETH example",
    currency=Currency.COIN,
    blocks=(
        Block(
            name="risk matrix",
            rows=Scanned(
                rows=(*BUCKETS, *EXTENDED),
                tail_weight=1.0,
                fixed=ScanRange(price=PRICE_RANGE, vol_up=0.4, vol_down=0.25),
            ),
        ),
    ),
    initial_factor=1.0,
    maintenance_factor=MM_FACTOR,
    charges=(RollShock(maintenance=MM_FACTOR * MIN_ANNUALISED_MOVE, initial=MIN_ANNUALISED_MOVE),),
    vol_term=VolTerm(short_power=0.3, long_power=0.13, floor_days=1.0, up_floor=0.5),
)
