"""What every account must hold, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Band(StrEnum):
    """Where an account stands."""

    HEALTHY = "healthy"
    WARNING = "warning"
    """1 <= health < 1 + buffer: margin call."""
    LIQUIDATABLE = "liquidatable"
    """0 <= equity < MM."""
    INSOLVENT = "insolvent"
    """Equity below zero, whatever MM is."""
    UNKNOWN = "unknown"
    """It cannot be priced: never safe, never liquidated."""


#: Health when MM is zero and equity is not negative.
INFINITE_HEALTH_PPM = 2**256 - 1
_PPM = 10**6


def health_ppm(equity: int, mm: int) -> int:
    """equity / MM in ppm, rounded down; 0 below zero equity; infinite when nothing is required."""
    if equity < 0:
        return 0
    return equity * _PPM // mm if mm else INFINITE_HEALTH_PPM


@dataclass(frozen=True, kw_only=True)
class UnderlyingMargin:
    """What one underlying adds to an account.  wad USD."""

    underlying: int
    option_mark: int
    """Unexpired options at live marks, rounded down."""
    expired_value: int
    """Expired options at intrinsic, rounded down."""
    perp_value: int
    """size·spot − open notional − funding owed, rounded down."""
    grid: int
    short_minimum: int
    worst_row: int
    """255 if no row loses."""


@dataclass(frozen=True, kw_only=True)
class AccountMargin:
    """An account that could be priced.  wad USD."""

    account: int
    equity: int
    mm: int
    im: int
    health_ppm: int
    """equity / MM; `INFINITE_HEALTH_PPM` when MM = 0 and equity >= 0; 0 when equity < 0."""
    band: Band
    cash: int
    """Cash after interest."""
    collateral_value: int
    """After haircut and caps."""
    haircut: int
    """What haircuts and caps leave out of the collateral's value; equity + haircut is the mark to market."""
    pending_loss: int
    """Socialised loss not yet pulled."""
    underlyings: tuple[UnderlyingMargin, ...]
    stale: bool
    """Some file it depends on is stale."""
    unsettled: bool
    """It holds an expired option whose settlement price is not fixed yet: nobody can liquidate it before that."""
    in_auction: bool


@dataclass(frozen=True, kw_only=True)
class Unpriced:
    """An account that could not."""

    account: int
    reason: str
    in_auction: bool
