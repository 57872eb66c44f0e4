"""What the model makes of a snapshot: prices, files with their rows, and the parameters we would like."""

from __future__ import annotations

from dataclasses import dataclass, field

from keeper.domain.fitted import FittedNumbers
from keeper.domain.knobs import RiskKnobs
from keeper.domain.quotes import Quoted
from keeper.domain.riskfile import ExpiryParams, File, Ranges


@dataclass(frozen=True, kw_only=True)
class ExpiryTarget:
    """What we would publish for one expiry if nothing held us back."""

    params: ExpiryParams
    sigmas_ppm: tuple[int, ...]
    """One per listed strike, ascending; 0 leaves out a strike that never was in force."""


@dataclass(frozen=True, kw_only=True)
class UnderlyingTarget:
    """What we would publish for one underlying if nothing held us back."""

    underlying: int
    ranges: Ranges
    expiries: tuple[ExpiryTarget, ...]
    realised_vol: float
    """Annualised EWMA volatility behind it."""
    reasons: tuple[str, ...]
    """Which sample, which floor binds, one line each."""


@dataclass(frozen=True, kw_only=True)
class UnderlyingMarket:
    """One underlying, ready to be summed."""

    underlying: int
    symbol: str
    spot: int | None
    """wad USD; None if unusable."""
    why_unpriced: str
    """Reason when `spot` is None."""
    file: File | None
    previous: File | None
    """Set only inside the notice window."""
    refreshed: File | None
    """What a refresh would make of a stale file: a flag refreshes first, so it is judged by this."""
    epoch: int
    """Of the live file; 0 if there is none."""
    stale: bool
    target: UnderlyingTarget | None
    """None when it could not be estimated; `why_untargeted` says why."""
    why_untargeted: str
    quotes: Quoted | None = None
    """What was quoted for it; None if no source is configured."""
    why_realised: str = ""
    """Why none of its quotes were used; empty if they were, or no source is configured."""
    fitted: FittedNumbers | None = None
    """What the target follows from; None without a target."""


@dataclass(frozen=True, kw_only=True)
class MarketModel:
    """All underlyings at one block."""

    now: int
    """Block time."""
    underlyings: tuple[UnderlyingMarket, ...]
    risk: RiskKnobs = field(default_factory=RiskKnobs)
    """The choices by which targets were estimated."""

    def of(self, underlying: int) -> UnderlyingMarket:
        """The market of one underlying.  Raises: `KeyError` if it is not listed."""
        for u in self.underlyings:
            if u.underlying == underlying:
                return u
        raise KeyError(underlying)
