"""What one account holds.

Sizes are signed, in units of the underlying; short is negative.  Money is in the preset's currency: USD, or coin where
an inverse venue settles in coin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from keeper.errors import LawBroken


@dataclass(frozen=True, kw_only=True)
class PerpPosition:
    """A perpetual."""

    underlying: str
    size: float
    """Units of the underlying; of an inverse perpetual its worth in coin at today's mark."""
    unrealised: float = 0.0
    """Profit since it was opened or last settled, at today's mark."""
    funding: float = 0.0
    """Funding earned and not yet paid; negative is owed."""

    @property
    def name(self) -> str:
        """`ETH-PERP`."""
        return f"{self.underlying}-PERP"


@dataclass(frozen=True, kw_only=True)
class FuturePosition:
    """A dated future, linear, at the expiry's forward."""

    underlying: str
    expiry: str
    size: float
    unrealised: float = 0.0
    """Profit since it was opened or last settled, at today's forward."""

    @property
    def name(self) -> str:
        """`ETH-20260327`."""
        return f"{self.underlying}-{self.expiry}"


@dataclass(frozen=True, kw_only=True)
class OptionPosition:
    """A European option, fully paid: its value is part of equity."""

    underlying: str
    expiry: str
    strike: float
    """USD; 0 makes a call the discounted forward."""
    is_call: bool
    size: float
    vol: float
    """Annual implied volatility of this strike, as a fraction."""

    @property
    def name(self) -> str:
        """`ETH-20260327-3000-C`."""
        strike = f"{self.strike:.0f}" if self.strike == int(self.strike) else repr(self.strike)
        return f"{self.underlying}-{self.expiry}-{strike}-{'C' if self.is_call else 'P'}"


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A balance of a collateral; negative is a debt in that token."""

    symbol: str
    amount: float

    @property
    def name(self) -> str:
        """The token."""
        return self.symbol


Position = PerpPosition | FuturePosition | OptionPosition | Holding


@dataclass(frozen=True, kw_only=True)
class Portfolio:
    """One account."""

    cash: float = 0.0
    """Settlement token; negative is borrowed."""
    collateral: tuple[Holding, ...] = ()
    perps: tuple[PerpPosition, ...] = ()
    futures: tuple[FuturePosition, ...] = ()
    options: tuple[OptionPosition, ...] = ()

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a number is not finite, or a strike or volatility is negative."""
        numbers = [self.cash, *(holding.amount for holding in self.collateral)]
        numbers += [number for perp in self.perps for number in (perp.size, perp.unrealised, perp.funding)]
        numbers += [number for future in self.futures for number in (future.size, future.unrealised)]
        numbers += [number for option in self.options for number in (option.strike, option.size, option.vol)]
        if not all(math.isfinite(number) for number in numbers):
            raise LawBroken("a portfolio holds a number that is not finite")
        if any(option.strike < 0.0 or option.vol < 0.0 for option in self.options):
            raise LawBroken("a portfolio holds an option with a negative strike or volatility")

    @property
    def positions(self) -> tuple[Position, ...]:
        """Everything but cash, in the order of the kernel's legs: perps, futures, options, collateral."""
        return (*self.perps, *self.futures, *self.options, *self.collateral)
