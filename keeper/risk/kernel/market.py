"""What the kernel knows of the world at one instant: prices, forwards, confidences, depth and the past.

Prices are USD per unit, rates are annual and continuous, times are seconds to expiry, confidences lie in [0, 1] where
1 is full confidence.  A volatility belongs to a position, not to the market: it was read off a surface before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]


class PerpKind(StrEnum):
    """How a perpetual is sized and settled."""

    LINEAR = "linear"
    """Sized in the underlying, settled in USD."""
    INVERSE = "inverse"
    """Sized in the underlying's coin at today's price, a fixed number of USD, settled in coin."""


@dataclass(frozen=True, kw_only=True)
class Perp:
    """A perpetual."""

    price: float
    """Mark, USD."""
    confidence: float = 1.0
    """Of the mark."""
    kind: PerpKind = PerpKind.LINEAR
    """How it is settled."""
    funding_rate: float = 0.0
    """Fraction of notional that longs pay shorts over one funding period; negative where shorts pay."""


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """One expiry of one underlying."""

    name: str
    """How positions refer to it: `20260327`."""
    seconds: float
    """To expiry; 0 once expired."""
    forward: float
    """Of the settlement price, USD.  In the averaging window it includes what is already averaged."""
    rate: float = 0.0
    """For discounting, annual and continuous."""
    forward_confidence: float = 1.0
    """Of the forward."""
    rate_confidence: float = 1.0
    """Of the rate."""
    vol_confidence: float = 1.0
    """Of the volatilities."""
    vol_half_spread: float = 0.0
    """Half the bid-ask spread of its volatilities, as a fraction; 0 where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Liquidity:
    """What it takes to close a position in one underlying.  A field left out switches its charge off."""

    bids: tuple[tuple[float, float], ...] = ()
    """(price, size) from the best down; empty where no book is known."""
    asks: tuple[tuple[float, float], ...] = ()
    """(price, size) from the best up."""
    daily_volume_usd: float | None = None
    """Average traded per day."""
    daily_volatility: float | None = None
    """Standard deviation of a day's return."""
    open_interest_usd: float | None = None
    """Of the whole venue."""
    safe_open_interest_usd: float | None = None
    """What the depth could absorb in a liquidation of it all."""
    sell_crowding: float = 0.0
    """How much everybody would sell to the bids, 0 to 1: `state_penalties.Crowding.signal` of an account net long."""
    buy_crowding: float = 0.0
    """The same for the asks, of an account net short."""


@dataclass(frozen=True, kw_only=True)
class ScanRange:
    """How far one underlying is scanned, calibrated."""

    price: float
    """PSR, fraction of spot."""
    vol_up: float
    """One full rise of a 30-day volatility, relative."""
    vol_down: float
    """One full fall of it, relative and positive."""


@dataclass(frozen=True, kw_only=True)
class Underlying:
    """One underlying."""

    symbol: str
    """`ETH`."""
    spot: float
    """Index price, USD."""
    confidence: float = 1.0
    """Of the spot."""
    perp: Perp | None = None
    """Its perpetual."""
    expiries: tuple[Expiry, ...] = ()
    """Of its futures and options."""
    scan: ScanRange | None = None
    """Calibrated ranges; None takes the preset's own."""
    liquidity: Liquidity | None = None
    """Depth and volumes; None switches their charges off."""

    def expiry(self, name: str) -> Expiry | None:
        """The expiry called `name`, or None."""
        return next((one for one in self.expiries if one.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Collateral:
    """A token that counts towards equity."""

    symbol: str
    """`USDT`."""
    price: float
    """USD."""
    confidence: float = 1.0
    """Of the price."""
    underlying: str | None = None
    """The underlying whose price it follows in every scenario, where it cancels risk; else None."""
    mm_haircut: float = 0.0
    """Fraction of its value that MM leaves out; on a lending market 1 − liquidation threshold."""
    im_haircut: float = 0.0
    """Fraction that IM leaves out besides; on a lending market liquidation threshold − loan to value."""


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """Joint moves of the past, oldest first, one row per period of equal length.  T rows over U underlyings.

    A history equals itself alone: what is estimated from one is kept for it, and arrays are not to be written.
    """

    tags: tuple[str, ...]
    """When each was, as shown to people."""
    underlyings: tuple[str, ...]
    """Symbols, the order of the second axis."""
    returns: Floats
    """Log returns of spot, shape (T, U)."""
    vol_returns: Floats | None = None
    """Changes of the logarithm of the 30-day at-the-money volatility, shape (T, U); None where it was not seen."""
    period_hours: float = 24.0
    """Length of a period."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a shape differs or a value is not finite."""
        shape = (len(self.tags), len(self.underlyings))
        for values in (self.returns, self.vol_returns):
            if values is not None and (values.shape != shape or not np.isfinite(values).all()):
                raise LawBroken(f"a history of shape {values.shape} is not finite of shape {shape}")


@dataclass(frozen=True, kw_only=True)
class Market:
    """Everything a requirement depends on besides the account and the rules."""

    underlyings: tuple[Underlying, ...]
    """Each symbol once."""
    collaterals: tuple[Collateral, ...] = ()
    """Each symbol once."""
    stable: float = 1.0
    """Price of the settlement token, USD.  Collateral is worth amount · price / stable."""
    settlement: str | None = None
    """Which token that is, where its depeg is to be among the rows."""
    history: History | None = None
    """For the history and simulation generators; None leaves them out."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a number is not finite or out of its range, or a name is given twice."""
        _once("underlying", (one.symbol for one in self.underlyings))
        _once("collateral", (one.symbol for one in self.collaterals))
        _positive("stable", self.stable)
        for one in self.underlyings:
            _positive(f"{one.symbol} spot", one.spot)
            _share(f"{one.symbol} confidence", one.confidence)
            if one.perp is not None:
                _not_negative(f"{one.symbol} perp price", one.perp.price)
                _share(f"{one.symbol} perp confidence", one.perp.confidence)
                _finite(f"{one.symbol} funding rate", one.perp.funding_rate)
            if one.liquidity is not None:
                _share(f"{one.symbol} sell_crowding", one.liquidity.sell_crowding)
                _share(f"{one.symbol} buy_crowding", one.liquidity.buy_crowding)
            _once(f"{one.symbol} expiry", (expiry.name for expiry in one.expiries))
            for expiry in one.expiries:
                _check_expiry(f"{one.symbol} {expiry.name}", expiry)
        for token in self.collaterals:
            _not_negative(f"{token.symbol} price", token.price)
            for name in ("confidence", "mm_haircut", "im_haircut"):
                _share(f"{token.symbol} {name}", getattr(token, name))

    def underlying(self, symbol: str) -> Underlying | None:
        """The underlying called `symbol`, or None."""
        return next((one for one in self.underlyings if one.symbol == symbol), None)

    def collateral(self, symbol: str) -> Collateral | None:
        """The collateral called `symbol`, or None."""
        return next((one for one in self.collaterals if one.symbol == symbol), None)


def _check_expiry(where: str, expiry: Expiry) -> None:
    _not_negative(f"{where} seconds", expiry.seconds)
    _not_negative(f"{where} forward", expiry.forward)
    _not_negative(f"{where} vol_half_spread", expiry.vol_half_spread)
    _finite(f"{where} rate", expiry.rate)
    for name in ("forward_confidence", "rate_confidence", "vol_confidence"):
        _share(f"{where} {name}", getattr(expiry, name))


def _once(what: str, names: Iterable[str]) -> None:
    seen = list(names)
    if len(set(seen)) != len(seen):
        raise LawBroken(f"an {what} is given twice: {sorted(seen)}")


def _finite(what: str, value: float) -> None:
    if not math.isfinite(value):
        raise LawBroken(f"{what} is {value}")


def _positive(what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise LawBroken(f"{what} is {value}, not a positive number")


def _not_negative(what: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0.0):
        raise LawBroken(f"{what} is {value}, not a number from 0 up")


def _share(what: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:  # false for NaN too
        raise LawBroken(f"{what} is {value}, not between 0 and 1")
