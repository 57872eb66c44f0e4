"""What a bid takes over, in greeks, and how to be rid of its risk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StraddleHedge:
    """Straddles at the money that bring one expiry's vega to zero."""

    expiry: int
    """Unix seconds."""
    vega: int
    """Taken over in this expiry, wad USD per 0.01 of volatility."""
    size: int
    """Straddles to trade at the money, wad contracts; negative sells."""


@dataclass(frozen=True, kw_only=True)
class TakenOver:
    """The part of one underlying that a bid takes over."""

    underlying: int
    delta: int
    """wad contracts of the underlying."""
    gamma: int
    """Change of delta when spot rises by 1 %, wad contracts."""
    vega: int
    """wad USD per 0.01 of volatility."""
    theta: int
    """wad USD a day, at constant spot and volatility."""
    hedge_perp: int
    """Perp contracts to trade, wad; negative sells."""
    straddles: tuple[StraddleHedge, ...]
    """Ascending by expiry; empty if nothing but delta is taken over."""
    hedge_cost: int
    """Expected cost of these trades by the square-root law and half the spread of volatilities, wad USD."""
    drift: int
    """What spot may move against the position until it is hedged, one standard deviation, wad USD."""
