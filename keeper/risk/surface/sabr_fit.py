"""SABR for one expiry with β = 1: freely, and then within the laws if the free smile breaks one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from keeper.risk.surface.arbitrage import LEE_SLOPE, check, density_factor
from keeper.risk.surface.grid import FAR
from keeper.risk.surface.rules import Points
from keeper.risk.surface.sabr import Sabr, SabrSmile
from keeper.risk.surface.shock import Shock
from keeper.risk.surface.smile import Slice

Floats = npt.NDArray[np.float64]

#: Lognormal: with β free too, α, β and ρ describe the same turn.
BETA: Final = 1.0
#: The expansion is followed this many deviations beyond the last quote.
BEYOND: Final = 0.25
#: Weighted misses beyond this volatility count linearly.
SOFT_VOL: Final = 0.003
#: Penalty weight and least g, tried in turn.
HEAVIER: Final = ((1.0, 2e-3), (30.0, 5e-3), (300.0, 1e-2), (3000.0, 2e-2))
_ABOVE: Final = 1.0 + 1e-3
_GRID: Final = np.linspace(-9.0, 9.0, 61)
_OUTER: Final = np.concatenate([-np.geomspace(0.02, FAR, 16), np.geomspace(0.02, FAR, 16)])
_LOWEST: Final = np.array([np.log(1e-3), -0.999, np.log(1e-3)])
_HIGHEST: Final = np.array([np.log(20.0), 0.999, np.log(100.0)])


def free_sabr(points: Points) -> Slice:
    """The best smile, lawful or not."""
    atm = float(np.interp(0.0, points.k, points.vol))
    start = np.array([np.log(atm), -0.1, np.log(min(1.0 / points.years**0.5, 50.0))])
    return _slice(points, _descend(points, start, before=None, scales=None, weight=0.0, margin=0.0))


def lawful_sabr(points: Points, free: Slice, *, before: Slice | None, shocks: Sequence[Shock]) -> Slice | str:
    """The best smile that breaks no law, alone or against the expiry before; or the law it could not keep."""
    levels = np.array([1.0, *(shock.level(points.years) ** 2 for shock in shocks)])
    scales = np.unique([levels.min(), levels.max()])
    smile = free.smile
    assert isinstance(smile, SabrSmile)
    at = np.array([np.log(smile.sabr.alpha), smile.sabr.rho, np.log(max(smile.sabr.nu, 1e-3))])
    broken = "no smile fits"
    for weight, margin in HEAVIER:
        at = _descend(points, at, before=before, scales=scales, weight=weight, margin=margin)
        outcome = _slice(points, at)
        mine = [v for v in check((before, outcome) if before else (outcome,), shocks) if v.expiry_s == points.expiry_s]
        if not mine:
            return outcome
        broken = str(mine[0])
    return broken


def _slice(points: Points, at: Floats) -> Slice:
    deviation = float(np.sqrt(np.interp(0.0, points.k, points.w)))
    smile = SabrSmile(
        sabr=Sabr(alpha=float(np.exp(at[0])), beta=BETA, rho=float(at[1]), nu=float(np.exp(at[2]))),
        forward=points.forward,
        low=float(points.k[0]) - BEYOND * deviation,
        high=float(points.k[-1]) + BEYOND * deviation,
    )
    return Slice(expiry_s=points.expiry_s, years=points.years, forward=points.forward, smile=smile)


def _descend(
    points: Points, start: Floats, *, before: Slice | None, scales: Floats | None, weight: float, margin: float
) -> Floats:
    deviation = float(np.sqrt(np.interp(0.0, points.k, points.w)))
    grid = np.unique(np.clip(np.concatenate([_GRID * deviation, _OUTER]), -FAR, FAR))
    low = None if before is None else before.total_variance(grid) * _ABOVE
    least = np.zeros(2)
    if before is not None:
        ends = before.smile.shape_at(np.array([-FAR, FAR]), before.years)[1]
        least = np.maximum(np.array([-ends[0], ends[1]]), 0.0) * _ABOVE

    def residuals(at: Floats) -> Floats:
        one = _slice(points, at)
        w = one.smile.variance_at(points.k, points.years)
        miss = points.w_weight * (w - points.w)
        # Soft L1 as squares: √(2(√(1 + r²) − 1)) with the sign of r.
        part = miss / SOFT_VOL
        soft = SOFT_VOL * np.sign(part) * np.sqrt(2.0 * (np.sqrt(1.0 + part * part) - 1.0))
        if scales is None:
            return np.asarray(soft)
        w, slope, bend = one.smile.shape_at(grid, points.years)
        steep = np.array([-slope[0], slope[-1]])
        too_steep = np.maximum(steep - LEE_SLOPE / scales[-1] * 0.98, 0.0)
        laws = [weight * too_steep, weight * np.maximum(least - steep, 0.0), weight * np.minimum(w / points.years, 0.0)]
        if low is not None:
            laws.append(weight * np.maximum(np.sqrt(low) - np.sqrt(np.maximum(w, 0.0)), 0.0) / points.years**0.5)
        for scale in scales:
            g = density_factor(grid, scale * np.maximum(w, 1e-12), scale * slope, scale * bend)
            laws.append(weight * np.maximum(margin - np.maximum(g, -10.0), 0.0))
        return np.concatenate([soft, *laws])

    inside = np.clip(start, _LOWEST + 1e-9, _HIGHEST - 1e-9)
    found = least_squares(residuals, inside, bounds=(_LOWEST, _HIGHEST), x_scale=(0.1, 0.3, 0.3), max_nfev=60)
    return np.asarray(found.x)
