"""dYdX v4 perpetuals: a fraction per market; the initial one rises to 1 with open interest."""

from __future__ import annotations

from typing import Final

from keeper.risk.kernel.preset import Applies, Block, Netting, Preset
from keeper.risk.kernel.rows import Linear, Rate

#: BTC and ETH.  Open interest never raises it.
LARGE_CAP: Final = Rate(base=0.02)
#: Everything else that a market is opened with.
SMALL_CAP: Final = Rate(base=0.1, ramp_lower_usd=20e6, ramp_upper_usd=50e6)

PRESET: Final = Preset(
    name="dydx",
    source="dydxprotocol/v4-chain, protocol/testing/genesis.sh: liquidity tiers Large-Cap and Small-Cap",
    blocks=(
        Block(
            name="initial margin",
            rows=Linear(default=SMALL_CAP, by_symbol=(("BTC", LARGE_CAP), ("ETH", LARGE_CAP))),
            netting=Netting.UNDERLYING,
            applies=Applies.INITIAL,
        ),
        Block(
            name="maintenance margin",
            rows=Linear(
                default=Rate(base=0.1, scale=0.5),
                by_symbol=(("BTC", Rate(base=0.02, scale=0.6)), ("ETH", Rate(base=0.02, scale=0.6))),
            ),
            netting=Netting.UNDERLYING,
            applies=Applies.MAINTENANCE,
        ),
    ),
)
