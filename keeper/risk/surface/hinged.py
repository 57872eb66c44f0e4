"""SVI with hinges: the extra freedom for smiles that one hyperbola cannot follow without breaking a law.

    w(k) = SVI(k) + Σ δ·½·(x + √(x² + s²)),   x = ±(k − κ)

Each hinge is zero on its inner side and a straight line of slope δ on its outer side, with a bend of width s at κ; so a
wing stays straight far out, and Lee's bound stays one on its slope.  Most arbitrage of a fitted SVI lies outside its
quotes, in a wing that the middle has made too steep; a hinge beyond the last quote takes that slope back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.risk.surface.svi import Svi

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Hinge:
    """One change of slope."""

    at: float
    """κ, log-moneyness of the bend."""
    width: float
    """s, positive."""
    slope: float
    """δ, of total variance on the outer side."""
    right: bool
    """Whether the outer side is the right one."""


@dataclass(frozen=True, kw_only=True)
class HingedSmile:
    """Raw SVI plus hinges."""

    svi: Svi
    hinges: tuple[Hinge, ...]

    def variance_at(self, k: Floats, years: float) -> Floats:
        """As `Smile`."""
        return self.shape_at(k, years)[0]

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """As `Smile`; total variance may be anything here, a slice checks it."""
        del years
        at = np.asarray(k, dtype=np.float64)
        w = self.svi.unchecked(at)
        slope, bend = self.svi.slope(at), self.svi.curvature(at)
        for hinge in self.hinges:
            level, tilt, curve = hinge_shape(at, hinge.at, hinge.width, hinge.right)
            w, slope, bend = w + hinge.slope * level, slope + hinge.slope * tilt, bend + hinge.slope * curve
        return np.asarray(w), np.asarray(slope), np.asarray(bend)


def hinge_shape(k: Floats, at: float, width: float, right: bool) -> tuple[Floats, Floats, Floats]:  # noqa: FBT001 - a side
    """½(x + R) and its derivatives by k."""
    side = 1.0 if right else -1.0
    x = side * (k - at)
    root = np.sqrt(x * x + width * width)
    # On the inner side x + R would lose its digits.
    level = np.where(x > 0.0, 0.5 * (x + root), 0.5 * width * width / (root + np.abs(x)))
    return level, side * 0.5 * (1.0 + x / root), 0.5 * width * width / (root * root * root)
