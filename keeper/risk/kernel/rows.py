"""Where a block's rows come from, as data.  `keeper.risk.kernel.tables` makes the scenario table of each.

Ranges, histories and rates belong to a market or to an account; what a venue chose once is written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keeper.risk.generate.basis import BasisRow
from keeper.risk.generate.depeg import Depeg
from keeper.risk.generate.grid import GridRow
from keeper.risk.generate.skew import SkewRow
from keeper.risk.generate.stress_days import StressDay
from keeper.risk.kernel.market import ScanRange
from keeper.risk.kernel.scenarios import Generator
from keeper.risk.timeseries.volatility import Model


class Counted(StrEnum):
    """The part of a collateral that a lending market counts."""

    LIQUIDATION_THRESHOLD = "liquidation threshold"
    """1 − MM haircut."""
    LOAN_TO_VALUE = "loan to value"
    """1 − MM haircut − IM haircut."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row, the same for every underlying and collateral; what is left out does not move."""

    tag: str
    spot: float = 1.0
    """Factor."""
    vol: float = 0.0
    """Relative shock of a 30-day volatility."""
    skew: float = 0.0
    """Share of the full linear skew shock."""
    smile: float = 0.0
    """Share of the full absolute one."""
    basis: float = 1.0
    """Factor on forwards over spot."""
    collateral: float = 1.0
    """Factor on collaterals that follow no underlying."""
    weight: float = 1.0
    """Factor on the row's P&L."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Rows written out one by one."""

    generator: Generator
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """A grid over each underlying's scan range."""

    rows: tuple[GridRow, ...]
    tail_weight: float
    """c of the tail law."""
    fixed: ScanRange | None = None
    """The venue's own ranges, whatever the market's are."""
    fallback: ScanRange | None = None
    """Where a market gives none; None refuses to price."""
    min_level: float = 0.05
    """Lowest factor on spot."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A linear margin fraction of one market, of |size| units held.

        max(base, root_share·base + root·√|size|) + per_unit·|size|,   then + ramp·(1 − that),   at most 1

    where ramp = clamp((open interest − ramp_lower) / (ramp_upper − ramp_lower), 0, 1).
    """

    base: float
    per_unit: float = 0.0
    """Synthetix: initial margin ratio over skew scale."""
    root: float = 0.0
    """Drift: IMF factor."""
    root_share: float = 0.8
    """Drift: part of the base under the root."""
    ramp_lower_usd: float | None = None
    """dYdX: open interest where the ramp starts; None has no ramp."""
    ramp_upper_usd: float | None = None
    """dYdX: open interest where the fraction is 1."""
    scale: float = 1.0
    """Factor on all of it, before the cap: a maintenance fraction of the initial one."""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Spot up and down by a margin fraction: the rule `fraction · notional` as two rows."""

    default: Rate
    by_symbol: tuple[tuple[str, Rate], ...] = ()
    """Markets with a fraction of their own."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Every collateral down to the part of it that a lending market counts: one row."""

    counted: Counted
    """Which part that is."""


@dataclass(frozen=True, kw_only=True)
class Based:
    """Forwards move and spot does not, or against it."""

    rows: tuple[BasisRow, ...]


@dataclass(frozen=True, kw_only=True)
class Skewed:
    """The smile turns, or its wings rise and fall."""

    rows: tuple[SkewRow, ...]


@dataclass(frozen=True, kw_only=True)
class Depegs:
    """Tokens fall as far as they were seen to."""

    falls: tuple[Depeg, ...]


@dataclass(frozen=True, kw_only=True)
class Historical:
    """Filtered historical simulation over the market's history."""

    decay: float
    """λ of the EWMA that scales the past to today's volatility."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Joint Student-t moves at today's volatilities, correlated as in the market's history."""

    draws: int
    seed: int
    model: Model | None
    """Fitted to each underlying for today's volatility, and for the residuals whose correlation is measured; None takes
    the EWMA."""
    decay: float
    """λ of the EWMA, where no model is wanted or none can be had."""
    correlation_decay: float
    """λ of the correlation, slower than the volatilities'."""
    dof: float
    """Degrees of freedom of the Student-t."""


@dataclass(frozen=True, kw_only=True)
class Stressed:
    """Named days, as they happened, each underlying under its own tail law: weight = c·PSR/|move|."""

    days: tuple[StressDay, ...]
    proxy: str
    """The underlying whose move stands for one that a day does not list."""
    unrecorded_vol: float
    """Rise of a 30-day volatility on a day on which it was not recorded."""
    tail_weight: float
    """c of the tail law."""
    fallback: ScanRange
    """Where a market gives no range."""


Rows = Listed | Scanned | Linear | Thresholds | Based | Skewed | Depegs | Historical | Simulated | Stressed
