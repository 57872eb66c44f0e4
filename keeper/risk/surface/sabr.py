"""SABR by Hagan's lognormal expansion, as a second model of a smile.

    σ(K) = α/((FK)^{(1−β)/2}·(1 + (1−β)²/24·x² + (1−β)⁴/1920·x⁴)) · z/χ(z)
           · (1 + ((1−β)²α²/(24(FK)^{1−β}) + ρβνα/(4(FK)^{(1−β)/2}) + (2−3ρ²)ν²/24)·T)

    x = ln(F/K),   z = ν/α·(FK)^{(1−β)/2}·x,   χ(z) = ln((√(1−2ρz+z²) + z − ρ)/(1−ρ))

Far from the forward the expansion breaks down: its total variance grows faster than Lee allows.  A smile therefore
follows it over the quotes only and continues along its tangents.

Source: Hagan, Kumar, Lesniewski, Woodward (2002), "Managing smile risk", eq. 2.17a.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.surface.smile import DIFFERENCE

Floats = npt.NDArray[np.float64]

#: Below this |z| the quotient z/χ(z) is its series: both go to 0.
_SMALL_Z = 1e-5


@dataclass(frozen=True, kw_only=True)
class Sabr:
    """Parameters of one expiry."""

    alpha: float
    """Level of volatility, positive; of forward^(1−β) unless β is 1."""
    beta: float
    """Backbone, from 0 (normal) to 1 (lognormal)."""
    rho: float
    """Correlation of forward and volatility, inside −1 and 1."""
    nu: float
    """Volatility of volatility, annual, not negative."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a parameter is not finite or out of its range."""
        values = (self.alpha, self.beta, self.rho, self.nu)
        legal = self.alpha > 0.0 and 0.0 <= self.beta <= 1.0 and abs(self.rho) < 1.0 and self.nu >= 0.0
        if not (all(np.isfinite(values)) and legal):
            raise LawBroken(f"no SABR smile: alpha={self.alpha} beta={self.beta} rho={self.rho} nu={self.nu}")

    def vol(self, strike: npt.ArrayLike, *, forward: float, years: float) -> Floats:
        """Annual lognormal volatility at strikes, shape as given.

        Raises:
            LawBroken: forward, a strike or the time is not a positive number, or the expansion gives none.
        """
        k = np.asarray(strike, dtype=np.float64)
        if not (forward > 0.0 and years > 0.0 and np.isfinite(k).all() and (k > 0.0).all()):
            raise LawBroken("SABR needs a positive forward, time and strike", forward=forward, years=years)
        vol = self.raw_vol(np.log(k / forward), forward=forward, years=years)
        if not (np.isfinite(vol).all() and (vol > 0.0).all()):
            raise LawBroken("Hagan's expansion gives no positive volatility there", alpha=self.alpha, nu=self.nu)
        return vol

    def raw_vol(self, k: Floats, *, forward: float, years: float) -> Floats:
        """The expansion at log-moneyness k = ln(K/F), unchecked: it may be negative or overflow far out."""
        left = 1.0 - self.beta
        middle = forward**left * np.exp(0.5 * left * k)  # (FK)^{(1−β)/2}
        z = -self.nu / self.alpha * middle * k
        root = np.sqrt(1.0 - 2.0 * self.rho * z + z * z)
        near = np.abs(z) < _SMALL_Z
        chi = np.log((root + np.where(near, 1.0, z) - self.rho) / (1.0 - self.rho))
        series = 1.0 - 0.5 * self.rho * z
        ratio = np.where(near, series, np.divide(z, chi, out=np.ones_like(z), where=~near & (chi != 0.0)))
        level = self.alpha / (middle * (1.0 + left**2 / 24.0 * k**2 + left**4 / 1920.0 * k**4))
        drift = (
            left**2 / 24.0 * self.alpha**2 / middle**2
            + 0.25 * self.rho * self.beta * self.nu * self.alpha / middle
            + (2.0 - 3.0 * self.rho**2) / 24.0 * self.nu**2
        )
        return np.asarray(level * ratio * (1.0 + drift * years))


@dataclass(frozen=True, kw_only=True)
class SabrSmile:
    """Hagan's volatilities over a range of k, total variance along its tangents beyond."""

    sabr: Sabr
    forward: float
    low: float
    """Log-moneyness where the left tangent begins."""
    high: float
    """Where the right one begins."""

    def variance_at(self, k: Floats, years: float) -> Floats:
        """As `Smile`."""
        return self.shape_at(k, years)[0]

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """As `Smile`; derivatives by central differences, which are exact enough for a smooth expansion."""
        at = np.asarray(k, dtype=np.float64)
        inside = np.clip(at, self.low, self.high)
        w, up, down = (self._variance(inside + step, years) for step in (0.0, DIFFERENCE, -DIFFERENCE))
        slope = (up - down) / (2.0 * DIFFERENCE)
        bend = np.where(at == inside, (up - 2.0 * w + down) / DIFFERENCE**2, 0.0)
        return np.asarray(w + slope * (at - inside)), np.asarray(slope), np.asarray(bend)

    def _variance(self, k: Floats, years: float) -> Floats:
        vol = self.sabr.raw_vol(k, forward=self.forward, years=years)
        # Squared, a negative volatility would look like a variance.
        return np.asarray(vol * np.abs(vol) * years)
