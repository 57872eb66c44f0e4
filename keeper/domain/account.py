"""One account as the protocol stores it, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an instrument is."""

    PERP = "perp"
    CALL = "call"
    PUT = "put"


@dataclass(frozen=True, order=True)
class Instrument:
    """One tradable thing."""

    underlying: int
    """Underlying id."""
    expiry: int
    """Unix seconds; 0 for a perp."""
    strike: int
    """1e-8 USD; 0 for a perp."""
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Position:
    """What an account holds of one instrument."""

    instrument: Instrument
    size: int
    """Signed, wad contracts."""


@dataclass(frozen=True, kw_only=True)
class PerpState:
    """Lazily accrued state of an account's perp."""

    underlying: int
    open_notional: int
    """Σ size·price over the trades that made it, signed, wad USD."""
    funding_entry: int
    """Funding index when last touched, wad USD per contract."""


@dataclass(frozen=True, kw_only=True)
class AccountState:
    """One account as the contract stores it, before anything lazy is applied."""

    account: int
    cash: int
    """Signed, wad USD."""
    interest_entry: int
    """Borrow index (ray) when last touched."""
    keep_entry: int
    """Socialised-loss survival index (ray) when last touched."""
    collateral: tuple[tuple[int, int], ...]
    """(collateral id, token units), without the settlement token, ids ascending, no zeros."""
    positions: tuple[Position, ...]
    """Ascending by instrument, no zeros."""
    perps: tuple[PerpState, ...]
    in_auction: bool
