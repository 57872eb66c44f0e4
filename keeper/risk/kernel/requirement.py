"""What an account must hold, and why: every figure is the sum of its lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from keeper.risk.kernel.scenarios import Generator


class LineKind(StrEnum):
    """What a line of a requirement is."""

    LEG = "leg"
    """Loss of one position under the binding scenario; negative where it gains."""
    ADD_ON = "add-on"
    """A charge besides the scenarios."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One part of a requirement.  Positive requires."""

    kind: LineKind
    what: str
    """A position's name (`ETH-PERP`), or the add-on's (`peg`, `short options`)."""
    amount: float
    detail: str = ""
    """The row that binds a position, or an add-on's numbers in words."""


@dataclass(frozen=True, kw_only=True)
class WorstRow:
    """What one generator would require, and the row of the table in which it would."""

    generator: Generator
    name: str
    """The preset's name for its block of rows: `grid`, `tails`, `basis ETH`."""
    loss: float
    """Before factors and add-ons; never negative."""
    gain: float
    """Where nothing loses, what its least favourable row gains; infinite where it has no rows.  Else 0."""
    rows: tuple[str, ...]
    """Tags of the rows that decide: one, or one for each underlying or expiry that is reduced by itself; of an
    expected shortfall the worst one.  Empty where nothing loses."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """IM or MM."""

    requirement: float
    """The sum of `lines`."""
    scenario: float
    """Its scenario part after its factor: the sum of the lines of kind LEG."""
    binding: str
    """Name of the block of rows that decides it; empty where nothing loses."""
    worst: tuple[WorstRow, ...]
    """Every generator's own worst, in the preset's order."""
    lines: tuple[Line, ...]
    """One per position with a part in it, in the portfolio's order; then one per add-on."""

    @property
    def binding_row(self) -> WorstRow | None:
        """The worst row of the block that decides, or None where nothing loses."""
        return next((one for one in self.worst if one.name == self.binding), None)


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What one account must hold under one preset."""

    preset: str
    currency: str
    """`USD`, or the coin in which everything here is counted."""
    equity: float
    """Cash and every position at today's marks, before haircuts; Derive's `mtm`."""
    debt: float
    """Negative cash and balances, as a positive number; equity counts it already."""
    initial: Level
    maintenance: Level
    is_loan: bool = False
    """Whether the preset is a lending market's: its health is the health factor."""
    notes: tuple[str, ...] = ()
    """What the preset looks at and could not use, and what stands in its place."""

    @property
    def im(self) -> float:
        """Initial requirement."""
        return self.initial.requirement

    @property
    def mm(self) -> float:
        """Maintenance requirement."""
        return self.maintenance.requirement

    @property
    def im_excess(self) -> float:
        """Equity over IM; below zero no risk may be added."""
        return self.equity - self.im

    @property
    def mm_excess(self) -> float:
        """Equity over MM; below zero the account is liquidated."""
        return self.equity - self.mm

    @property
    def health(self) -> float:
        """Equity / MM; 0 if insolvent, infinite where nothing is required.  Of a loan its health factor."""
        if self.is_loan:
            return max(self.health_factor, 0.0)
        if self.equity < 0.0:
            return 0.0
        return self.equity / self.mm if self.mm > 0.0 else math.inf

    @property
    def health_factor(self) -> float:
        """Lending form: Σ collateral · liquidation threshold / debt; infinite without debt."""
        return (self.mm_excess + self.debt) / self.debt if self.debt > 0.0 else math.inf


@dataclass(frozen=True, kw_only=True)
class Unpriced:
    """An account that could not be priced: unknown, never safe and never to be liquidated."""

    reason: str
