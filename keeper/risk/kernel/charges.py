"""Add-ons a preset may ask for, as data.  `keeper.risk.kernel.charging` computes each as lines of a requirement.

`maintenance` and `initial` are what each requirement asks in all, not on top of each other.  What depends on the state
of strangers, oracles or stablecoins enters IM only (KER-8) and so has no `maintenance`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PerpNotional:
    """Rate on |size| · spot of each perpetual."""

    maintenance: float
    initial: float


@dataclass(frozen=True, kw_only=True)
class ShortOptions:
    """Rate on spot of each naked short at a strike: calls and puts of opposite sign net, same-sign shorts add."""

    maintenance: float
    initial: float


@dataclass(frozen=True, kw_only=True)
class Haircut:
    """What the market's haircuts leave out of each positive collateral balance."""


@dataclass(frozen=True, kw_only=True)
class OracleConfidence:
    """(1 − confidence) · rate · notional where the least confidence of a position's feeds is under the threshold."""

    threshold: float
    rate: float


@dataclass(frozen=True, kw_only=True)
class Peg:
    """Scenario part · slope · max(0, threshold − price of the settlement token)."""

    threshold: float
    slope: float


@dataclass(frozen=True, kw_only=True)
class OpenInterestRamp:
    """What rises of the initial fraction with open interest: ramp · (1 − base) of the net delta's notional."""

    lower: float
    """Share of the safe open interest where the ramp starts."""
    upper: float
    """Share where the whole notional is asked."""


@dataclass(frozen=True, kw_only=True)
class CloseCost:
    """Cost of closing each underlying's net delta: the book walked where there is one, else Y·σ·√(Q/V)."""

    coefficient: float
    """Y of the square-root law."""
    maintenance: float
    """Part of it that MM asks."""
    initial: float
    """Part of it that IM asks."""


@dataclass(frozen=True, kw_only=True)
class VolSpread:
    """Half the bid-ask spread of an expiry's volatilities times its net vega: what closing its options costs."""

    maintenance: float
    """Part of it that MM asks."""
    initial: float
    """Part of it that IM asks."""


@dataclass(frozen=True, kw_only=True)
class Crowding:
    """Rate · signal · scan range of the net delta's notional, where everybody would have to trade the same side."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class Concentration:
    """Size beyond what one horizon absorbs takes longer to close: edge · (√horizons − 1) of its notional.

    MM measures it by volume alone: open interest is what strangers do (KER-8).
    """

    volume_share: float
    """Part of a day's volume that a close may be."""
    open_interest_share: float
    """Part of the open interest that finds a counterparty in a day."""
    maintenance: float
    """Part of it that MM asks."""
    initial: float
    """Part of it that IM asks."""


@dataclass(frozen=True, kw_only=True)
class RollShock:
    """Rate on the absolute delta of each expiry, perpetuals being one of their own.  In the account's currency."""

    maintenance: float
    initial: float


@dataclass(frozen=True, kw_only=True)
class FundingProvision:
    """Funding that a perpetual would owe over the coming funding period; what it would earn counts nothing."""

    maintenance: float
    """Part of it that MM asks."""
    initial: float
    """Part of it that IM asks."""


@dataclass(frozen=True, kw_only=True)
class FeeProvision:
    """Rate on the notional of each perpetual, future and option: what closing it would cost in fees."""

    maintenance: float
    initial: float


@dataclass(frozen=True, kw_only=True)
class DeltaMinimum:
    """Least scenario part: (net · |Δ| + hedged · hedged Δ) · spot per underlying, summed over underlyings.

    Hedged Δ = (Σ|δ| − |Σδ|) / 2: a unit long against a unit short is one unit hedged, as in Paradex's own example.
    """

    net: float
    hedged: float


Charge = (
    PerpNotional
    | ShortOptions
    | Haircut
    | OracleConfidence
    | Peg
    | OpenInterestRamp
    | CloseCost
    | VolSpread
    | Crowding
    | Concentration
    | RollShock
    | FundingProvision
    | FeeProvision
)
