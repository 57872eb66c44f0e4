"""SSVI: one smile law for all expiries, by at-the-money total variance θ.

    w(k, θ) = θ/2·(1 + ρφ(θ)k + √((φ(θ)k + ρ)² + 1 − ρ²))

φ says how smiles flatten with time; here a power law, φ(θ) = η·θ^{−γ}·(1 + θ)^{γ−1}, or Heston's.  A slice is raw SVI
with b = θφ/2, m = −ρ/φ, σ = √(1−ρ²)/φ and a = θ(1−ρ²)/2.

No arbitrage, for a rising θ:
    calendar   0 ≤ ∂(θφ)/∂θ ≤ (1 + √(1−ρ²))·φ/ρ²                 (Theorem 4.1)
    butterfly  θφ(1 + |ρ|) < 4   and   θφ²(1 + |ρ|) ≤ 4           (Theorem 4.2, sufficient)

Source: Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces", section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.surface.svi import Svi

Floats = npt.NDArray[np.float64]


class Curvature(Protocol):
    """How a smile's curvature follows its level."""

    def phi(self, theta: float) -> float:
        """φ(θ), positive."""

    def growth(self, theta: float) -> float:
        """∂(θφ)/∂θ over φ, of which the calendar condition is made."""


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """φ(θ) = η·θ^{−γ}·(1 + θ)^{γ−1}: free of arbitrage for all θ if γ ≤ ½ and η(1 + |ρ|) ≤ 2."""

    eta: float
    """Positive."""
    gamma: float
    """Between 0 and 1."""

    def phi(self, theta: float) -> float:
        """As `Curvature`."""
        return float(self.eta * theta**-self.gamma * (1.0 + theta) ** (self.gamma - 1.0))

    def growth(self, theta: float) -> float:
        """As `Curvature`: (1 − γ)/(1 + θ)."""
        return (1.0 - self.gamma) / (1.0 + theta)


@dataclass(frozen=True, kw_only=True)
class HestonLike:
    """φ(θ) = (1 − (1 − e^{−λθ})/(λθ))/(λθ): free of arbitrage for all θ if λ ≥ (1 + |ρ|)/4."""

    decay: float
    """λ, positive."""

    def phi(self, theta: float) -> float:
        """As `Curvature`."""
        x = self.decay * theta
        if x < 1e-4:  # the formula loses its digits; this is its series
            return 0.5 - x / 6.0 + x * x / 24.0
        return float((1.0 + np.expm1(-x) / x) / x)

    def growth(self, theta: float) -> float:
        """As `Curvature`: ∂(θφ)/∂θ = (1 − (1 + x)e^{−x})/x², x = λθ."""
        x = self.decay * theta
        inner = 0.5 - x / 3.0 if x < 1e-4 else float((1.0 - (1.0 + x) * np.exp(-x)) / (x * x))
        return inner / self.phi(theta)


def slice_svi(*, theta: float, rho: float, phi: float) -> Svi:
    """One slice as raw SVI.

    Raises:
        LawBroken: θ or φ is not positive, or |ρ| ≥ 1.
    """
    if not (theta > 0.0 and phi > 0.0 and abs(rho) < 1.0):
        raise LawBroken(f"no SSVI slice: theta={theta} rho={rho} phi={phi}", theta=theta, rho=rho, phi=phi)
    turn = 1.0 - rho * rho
    return Svi(a=0.5 * theta * turn, b=0.5 * theta * phi, rho=rho, m=-rho / phi, sigma=float(np.sqrt(turn)) / phi)


def butterfly_slack(*, theta: float, rho: float, phi: float) -> float:
    """How far inside Theorem 4.2 a slice is: the smaller of 4 − θφ(1+|ρ|) and 4 − θφ²(1+|ρ|)."""
    wide = theta * phi * (1.0 + abs(rho))
    return min(4.0 - wide, 4.0 - wide * phi)


def calendar_slack(*, theta: float, rho: float, curvature: Curvature) -> float:
    """How far inside Theorem 4.1 the surface is at θ; infinite above if ρ is 0."""
    growth = curvature.growth(theta)
    if rho == 0.0:
        return growth
    return min(growth, (1.0 + float(np.sqrt(1.0 - rho * rho))) / (rho * rho) - growth)
