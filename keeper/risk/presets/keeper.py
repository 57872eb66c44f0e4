"""Ours: the grid of the contracts, and off-chain everything that a grid does not see.

Rows that do not depend on estimates (grid, basis, skew, depeg) bind IM and MM.  History, simulation and stress move
with every day's estimate, so they bind IM only: IM may tighten at once, MM must not jump.
"""

from __future__ import annotations

from typing import Final

from keeper.risk.generate.grid import STANDARD_16, TAILS
from keeper.risk.kernel.charges import (
    CloseCost,
    Concentration,
    Haircut,
    OpenInterestRamp,
    OracleConfidence,
    Peg,
    ShortOptions,
)
from keeper.risk.kernel.market import ScanRange
from keeper.risk.kernel.preset import Applies, Block, Netting, Preset, Reading, SkewShape, TermScale, VolTerm
from keeper.risk.kernel.rows import Depegs, Historical, Listed, Row, Scanned, Simulated, Stressed
from keeper.risk.kernel.scenarios import Generator

#: κ: MM as a part of IM's scenario part.
KAPPA: Final = 0.8
#: o: share of gains in other underlyings that may offset.
OFFSET: Final = 0.6
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
                tail_weight=0.75,
                fallback=ScanRange(price=0.15, vol_up=0.45, vol_down=0.3),
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
            rows=Simulated(draws=2_000, seed=20_200_312, decay=DECAY, correlation_decay=0.99, dof=4.0),
            expected_shortfall=LEVEL,
            applies=Applies.INITIAL,
        ),
        Block(
            name="stress",
            rows=Stressed(
                days=(
                    "2018-02-05",
                    "2020-03-12",
                    "2021-05-19",
                    "2022-06-13",
                    "2022-11-08",
                    "2022-11-09",
                    "2024-08-05",
                    "2025-10-10",
                    "2026-02-05",
                ),
                # As SPAN covers an extreme move.
                weight=0.33,
            ),
            applies=Applies.INITIAL,
        ),
        Block(
            name="basis",
            rows=Listed(
                generator=Generator.BASIS,
                rows=(Row(tag="forwards +3 %", basis=1.03), Row(tag="forwards −3 %", basis=0.97)),
            ),
            netting=Netting.EXPIRY,
            term=TermScale(add=0.5, mult=2.0),
        ),
        Block(
            name="skew",
            rows=Listed(
                generator=Generator.SKEW,
                rows=(Row(tag="smile turns", skew=1.0), Row(tag="wings rise or fall", smile=1.0)),
            ),
            reading=Reading.ADVERSE,
        ),
        # USDC fell to 0.8748 on 2023-03-11.
        Block(name="depeg", rows=Depegs(drop=0.12)),
    ),
    initial_factor=1.0,
    maintenance_factor=KAPPA,
    charges=(
        ShortOptions(maintenance=KAPPA * 0.01, initial=0.01),
        Haircut(),
        CloseCost(coefficient=1.0, maintenance=KAPPA, initial=1.0),
        Concentration(volume_share=0.1, open_interest_share=0.1, maintenance=KAPPA, initial=1.0),
        OpenInterestRamp(lower=0.25, upper=0.5),
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
