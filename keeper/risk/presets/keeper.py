"""Ours: the grid of the contracts, and off-chain everything that a grid does not see.

Rows that do not depend on estimates (grid, basis, skew, depeg) bind IM and MM.  History and simulation move with every
day's estimate, so they bind IM only: IM may tighten at once, MM must not jump.  Stress days bind IM only too: they are
what an account must withstand when it takes risk on, not when it is closed.  They need no history.

How far gains offset (o) binds MM as well, with nothing behind it: so it is a constant that recorded days carry.  With
calibrated ranges, joint days of 2017 to 2026 as they happened carry at most these shares of a gain, at equal notionals
(long the first; short it) and at equal risk (long; short):

    BTC/ETH  .20 .35 .18 .20      BTC/SOL  .12 .80 .63 1       ETH/SOL  .105 .83 .34 .77

.6 is too much for some spread of every pair, .1 for none.  With ranges set each New Year's Day for its year, spreads of
BTC and ETH went beyond MM on 123 of 10,308 days at .6, more than 1 %, and on 11 at .1.  All of these figures are
computed by `tests/unit/test_keeper_offset.py`.  Pairs of smaller coins can part further (SOL/XRP): where joint history
asks for more than the grid, IM asks it.
"""

from __future__ import annotations

from typing import Final

from keeper.risk.generate.basis import BasisRow
from keeper.risk.generate.depeg import KNOWN
from keeper.risk.generate.grid import STANDARD_16, TAILS
from keeper.risk.generate.skew import SkewRow
from keeper.risk.generate.stress import PROXY
from keeper.risk.generate.stress_days import STRESS_DAYS
from keeper.risk.kernel.charges import (
    CloseCost,
    Concentration,
    Crowding,
    Haircut,
    OpenInterestRamp,
    OracleConfidence,
    Peg,
    ShortOptions,
    VolSpread,
)
from keeper.risk.kernel.market import ScanRange
from keeper.risk.kernel.preset import Applies, Block, Netting, Preset, Reading, SkewShape, TermScale, VolTerm
from keeper.risk.kernel.rows import Based, Depegs, Historical, Scanned, Simulated, Skewed, Stressed
from keeper.risk.timeseries.volatility import Model

#: κ: MM as a part of IM's scenario part.
KAPPA: Final = 0.8
#: o: share of gains in other underlyings that may offset; see above.
OFFSET: Final = 0.1
#: c: weight of the tails.
TAIL_WEIGHT: Final = 0.75
#: Where a market brings no calibrated ranges.
FALLBACK: Final = ScanRange(price=0.15, vol_up=0.45, vol_down=0.3)
#: α of expected shortfall.
LEVEL: Final = 0.99
#: λ of the EWMA that scales history.
DECAY: Final = 0.97

PRESET: Final = Preset(
    name="keeper",
    source="the margin methodology's starting values; the grid is that of contracts/src/libraries/Scenarios.sol",
    blocks=(
        Block(
            name="grid",
            rows=Scanned(
                rows=(*STANDARD_16, *TAILS),
                tail_weight=TAIL_WEIGHT,
                fallback=FALLBACK,
            ),
            offset=OFFSET,
        ),
        Block(
            name="history",
            rows=Historical(decay=DECAY),
            expected_shortfall=LEVEL,
            applies=Applies.INITIAL,
        ),
        Block(
            name="simulation",
            rows=Simulated(
                draws=2_000, seed=20_200_312, model=Model.GARCH, decay=DECAY, correlation_decay=0.99, dof=4.0
            ),
            expected_shortfall=LEVEL,
            applies=Applies.INITIAL,
        ),
        Block(
            name="stress",
            rows=Stressed(
                days=STRESS_DAYS, proxy=PROXY, unrecorded_vol=0.3, tail_weight=TAIL_WEIGHT, fallback=FALLBACK
            ),
            applies=Applies.INITIAL,
        ),
        Block(
            name="basis",
            rows=Based(rows=(BasisRow(basis=0.045), BasisRow(basis=-0.045))),
            netting=Netting.EXPIRY,
            term=TermScale(add=0.5, mult=2.0),
        ),
        # Read as a loss whichever way it falls, so each shock once.
        Block(
            name="skew",
            rows=Skewed(rows=(SkewRow(linear=1.0), SkewRow(absolute=1.0))),
            reading=Reading.ADVERSE,
        ),
        Block(name="depeg", rows=Depegs(falls=KNOWN)),
    ),
    initial_factor=1.0,
    maintenance_factor=KAPPA,
    charges=(
        ShortOptions(maintenance=KAPPA * 0.01, initial=0.01),
        Haircut(),
        CloseCost(coefficient=1.0, maintenance=KAPPA, initial=1.0),
        VolSpread(maintenance=KAPPA, initial=1.0),
        Concentration(volume_share=0.1, open_interest_share=0.1, maintenance=KAPPA, initial=1.0),
        OpenInterestRamp(lower=0.25, upper=0.5),
        Crowding(rate=0.5),
        OracleConfidence(threshold=0.55, rate=1.0),
        Peg(threshold=0.98, slope=2.0),
    ),
    vol_term=VolTerm(short_power=0.3, long_power=0.13, floor_days=1.0, up_floor=0.25),
    skew=SkewShape(
        linear_base_cap=0.15,
        linear_c_base=-0.05,
        smile_base_cap=0.15,
        smile_c_base=-0.05,
        min_k_star=0.01,
        width_scale=4.0,
        vol_static=0.6,
        vol_scale=-0.1,
    ),
)
