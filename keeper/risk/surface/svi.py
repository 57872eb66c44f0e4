"""Raw SVI: the total implied variance of one expiry as a hyperbola in log-moneyness.

    w(k) = a + b·(ρ·(k − m) + √((k − m)² + σ²)),   k = ln(strike / forward),   vol(k) = √(w(k) / years)

w is variance times time, so a and b scale with time to expiry; ρ, m and σ do not.  Parameters are always named: the
literature orders them in at least three ways.

Source: Gatheral (2004), "A parsimonious arbitrage-free implied volatility parameterization"; METHODOLOGY, derive_pmrm2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Clamps:
    """How a feed keeps its hyperbola in bounds."""

    k_widths: float
    """k is clamped to plus or minus this many √(a + bσ)."""
    w_cap: float
    """Largest total variance."""


#: What Derive's SVI feed does with far strikes and absurd parameters.  Source: METHODOLOGY, derive_pmrm2.
DERIVE_CLAMPS: Final = Clamps(k_widths=4.0, w_cap=144.0)


@dataclass(frozen=True, kw_only=True)
class Svi:
    """Parameters of one slice.  Legal parameters may still allow arbitrage: see `keeper.risk.surface.arbitrage`."""

    a: float
    """Level of total variance; may be negative as long as w stays positive."""
    b: float
    """Steepness of the wings, not negative; the slopes of w far out are b·(ρ ± 1)."""
    rho: float
    """Turn: negative where puts are dearer; from −1 to 1."""
    m: float
    """Log-moneyness around which the smile lies."""
    sigma: float
    """Roundness at the bottom, not negative; 0 is a corner."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a parameter is not finite or out of its range."""
        values = (self.a, self.b, self.rho, self.m, self.sigma)
        if not all(np.isfinite(values)) or self.b < 0.0 or abs(self.rho) > 1.0 or self.sigma < 0.0:
            raise LawBroken(
                f"no SVI slice: a={self.a} b={self.b} rho={self.rho} m={self.m} sigma={self.sigma}",
                a=self.a,
                b=self.b,
                rho=self.rho,
                m=self.m,
                sigma=self.sigma,
            )

    @property
    def lowest(self) -> float:
        """The least total variance of any strike: a + bσ√(1−ρ²)."""
        return float(self.a + self.b * self.sigma * np.sqrt(1.0 - self.rho * self.rho))

    def scaled(self, factor: float) -> Svi:
        """The slice with every variance times `factor`: a and b scale, the shape stays."""
        return Svi(a=self.a * factor, b=self.b * factor, rho=self.rho, m=self.m, sigma=self.sigma)

    def total_variance(self, k: npt.ArrayLike, *, clamps: Clamps | None = None) -> Floats:
        """w at log-moneyness k, shape as given.

        Raises:
            LawBroken: k is not finite, or w is negative there or overflows.
        """
        at = np.asarray(k, dtype=np.float64)
        if clamps is not None:
            reach = clamps.k_widths * np.sqrt(max(self.a + self.b * self.sigma, 0.0))
            at = np.clip(at, -reach, reach)
        w = self.unchecked(at)
        if clamps is not None:
            w = np.minimum(w, clamps.w_cap)
        if not (np.isfinite(w).all() and (w >= 0.0).all()):
            raise LawBroken("SVI total variance is negative or not a number", a=self.a, b=self.b, rho=self.rho)
        return np.asarray(w)

    def unchecked(self, k: Floats) -> Floats:
        """w at log-moneyness k, negative where the parameters are bad; for whoever looks for just that."""
        x = k - self.m
        return np.asarray(self.a + self.b * (self.rho * x + np.sqrt(x * x + self.sigma * self.sigma)))

    def slope(self, k: npt.ArrayLike) -> Floats:
        """dw/dk, shape as given; a corner (σ = 0, k = m) has slope bρ."""
        x = np.asarray(k, dtype=np.float64) - self.m
        root = np.sqrt(x * x + self.sigma * self.sigma)
        return np.asarray(self.b * (self.rho + np.divide(x, root, out=np.zeros_like(root), where=root > 0.0)))

    def curvature(self, k: npt.ArrayLike) -> Floats:
        """d²w/dk², shape as given; 0 where there is a corner, whose mass lies in the corner itself."""
        x = np.asarray(k, dtype=np.float64) - self.m
        square = x * x + self.sigma * self.sigma
        lift = self.b * self.sigma * self.sigma
        return np.asarray(np.divide(lift, square * np.sqrt(square), out=np.zeros_like(square), where=square > 0.0))

    def vol(self, k: npt.ArrayLike, years: float, *, clamps: Clamps | None = None) -> Floats:
        """Annual volatility at log-moneyness k, shape as given.

        Args:
            k: ln(strike / forward).
            years: to expiry, positive; the time with which a and b were fitted.
            clamps: of the feed the parameters came from, if it has any.

        Raises:
            LawBroken: time is not positive, or as `total_variance`.
        """
        if not years > 0.0:
            raise LawBroken(f"an SVI slice has no volatility {years} years before expiry", years=years)
        return np.asarray(np.sqrt(self.total_variance(k, clamps=clamps) / years))
