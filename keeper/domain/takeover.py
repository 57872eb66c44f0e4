"""What a bid takes over, in greeks, and how to be rid of its risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_WAD: Final = 10**18


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

    @property
    def figures(self) -> dict[str, Any]:
        """Greeks and hedge plan for a log: contracts, and USD where the name says so; six digits are kept."""
        return {
            "underlying": self.underlying,
            "delta": _digits(self.delta),
            "gamma_per_percent": _digits(self.gamma),
            "vega_usd_per_point": _digits(self.vega),
            "theta_usd_per_day": _digits(self.theta),
            "hedge_perp": _digits(self.hedge_perp),
            "hedge_straddles": {one.expiry: _digits(one.size) for one in self.straddles},
            "hedge_cost_usd": _digits(self.hedge_cost),
            "drift_usd": _digits(self.drift),
        }


def _digits(wad: int) -> float:
    return float(f"{wad / _WAD:.6g}")
