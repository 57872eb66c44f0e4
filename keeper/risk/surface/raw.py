"""Raw SVI for one expiry: freely, and then within the laws if the free slice breaks one.

The lawful fit asks, on a grid that reaches far beyond the quotes, for g ≥ 0 at the lowest and the highest level a shock
takes the smile to (between two levels it follows: g is concave in the scale of variance), for a total variance above
the expiry before, and for wings at least as steep as its.  What a penalty
leaves over, a heavier one takes; a slice that still breaks a law is no slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.compiled import COMPILED
from keeper.risk.compiled import svi as compiled
from keeper.risk.surface import svi_twin
from keeper.risk.surface.arbitrage import LEE_SLOPE, check
from keeper.risk.surface.grid import FAR
from keeper.risk.surface.rules import Points
from keeper.risk.surface.shock import Shock
from keeper.risk.surface.smile import Slice, SviSmile
from keeper.risk.surface.ssvi import slice_svi
from keeper.risk.surface.svi import Svi

Floats = npt.NDArray[np.float64]

#: The machine-code fit where there is a compiler, else its twin.
_ENGINE: Final = compiled if COMPILED else svi_twin

#: Weighted misses beyond this volatility count linearly.
SOFT_VOL: Final = 0.003
#: Penalty weight and least g, tried in turn.
HEAVIER: Final = ((1.0, 1e-3), (10.0, 2e-3), (100.0, 4e-3), (1000.0, 8e-3))
#: Wings stay this far inside Lee's bound: on it g falls to 0 far out.
_INSIDE: Final = 0.98
_STOP: Final = compiled.Stop(rounds=120, tolerance=1e-7)
_EMPTY: Final = np.empty(0)
_NO_LAWS: Final = compiled.Laws(_EMPTY, _EMPTY, _EMPTY, _EMPTY, 0.0, 0.0, 0.0)
_GRID: Final = np.concatenate([np.linspace(-39.0, -12.0, 10), np.linspace(-9.0, 9.0, 61), np.linspace(12.0, 39.0, 10)])
_OUTER: Final = np.concatenate([-np.geomspace(0.02, FAR, 16), np.geomspace(0.02, FAR, 16)])
_BEND: Final = np.sinh(np.linspace(-3.0, 3.0, 25))


def free_fit(points: Points, *, soft_vol: float = SOFT_VOL) -> Svi:
    """The best slice, lawful or not; weighted misses beyond `soft_vol` count linearly, at 0 all by their square."""
    theta = np.zeros(compiled.SIZE)
    box = _box(points, steepest=5.0 * LEE_SLOPE)
    targets = _targets(points, soft_vol)
    _ENGINE.start(theta, box, targets)
    _ENGINE.descend(theta, box, targets, _NO_LAWS, _STOP)
    return to_svi(theta)


def lawful_fit(points: Points, free: Svi, *, before: Slice | None, shocks: Sequence[Shock]) -> Slice | str:
    """The best slice that breaks no law, alone or against the expiry before; or the law it could not keep."""
    levels = np.array([1.0, *(shock.level(points.years) ** 2 for shock in shocks)])
    scales = np.unique([levels.min(), levels.max()])
    least = (0.0, 0.0)
    if before is not None:
        _, slopes, _ = before.smile.shape_at(np.array([-FAR, FAR]), before.years)
        least = (-float(slopes[0]) * _ABOVE, float(slopes[1]) * _ABOVE)
    box = _box(points, steepest=LEE_SLOPE / levels.max() * _INSIDE, least=least)
    theta = np.clip(to_theta(free), box.lowest, box.highest)
    if before is not None:
        # Start from above, so that the first step is not a fall into the other slice.
        theta[0] = max(theta[0], _lifted(theta, before, points))
    theta[0] += max(0.0, float(points.w.min()) * 1e-2 - to_svi(theta).lowest)
    targets = _targets(points, SOFT_VOL)
    broken = "no slice fits"
    for weight, margin in HEAVIER:
        laws = _laws(points, theta, before=before, scales=scales, weight=weight, margin=margin)
        if not np.isfinite(_ENGINE.descend(theta, box, targets, laws, _STOP)):
            return "total variance is not positive"
        slice_ = slice_of(points, to_svi(theta))
        found = check((before, slice_) if before else (slice_,), shocks)
        mine = [one for one in found if one.expiry_s == points.expiry_s]
        if not mine:
            return slice_
        broken = str(mine[0])
    return broken


#: Wings and levels stay above the expiry before by this factor, so that rounding cannot make them cross.
_ABOVE: Final = 1.0 + 1e-3


def tempered(points: Points, *, before: Slice | None, shocks: Sequence[Shock]) -> Svi:
    """A slice well within Gatheral and Jacquier's Theorem 4.2 after every shock: where a repair can start from."""
    theta = float(np.interp(0.0, points.k, points.w))
    if before is not None:
        theta = max(theta, float(before.total_variance(0.0)) * _ABOVE)
    rho = -0.1
    room = 4.0 / (1.0 + abs(rho)) / max(1.0, *(shock.level(points.years) ** 2 for shock in shocks), 1.0)
    return slice_svi(theta=theta, rho=rho, phi=0.8 * min(room / theta, (room / theta) ** 0.5))


def slice_of(points: Points, svi: Svi) -> Slice:
    """A slice of raw SVI at the points' expiry."""
    return Slice(expiry_s=points.expiry_s, years=points.years, forward=points.forward, smile=SviSmile(svi=svi))


def to_svi(theta: Floats) -> Svi:
    """The slice of a vector (a, p, c, m, ln σ)."""
    a, p, c, m, log_sigma = (float(value) for value in theta)
    b = 0.5 * (p + c)
    rho = 0.0 if b == 0.0 else max(-1.0, min(1.0, (c - p) / (c + p)))
    return Svi(a=a, b=b, rho=rho, m=m, sigma=float(np.exp(log_sigma)))


def to_theta(svi: Svi) -> Floats:
    """The vector of a slice."""
    sigma = max(svi.sigma, 1e-12)
    return np.array([svi.a, svi.b * (1.0 - svi.rho), svi.b * (1.0 + svi.rho), svi.m, np.log(sigma)])


def _targets(points: Points, soft_vol: float) -> compiled.Points:
    return compiled.Points(points.k, points.w, points.w_weight, soft_vol)


def _box(points: Points, *, steepest: float, least: tuple[float, float] = (0.0, 0.0)) -> compiled.Box:
    left, right = float(points.k[0]), float(points.k[-1])
    width = max(right - left, 1e-3)
    level = float(points.w.max()) * 10.0
    lowest = np.array([-level, least[0], least[1], left - width, np.log(3e-3 * width)])
    highest = np.array([level, steepest, steepest, right + width, np.log(10.0 * width)])
    return compiled.Box(lowest, np.maximum(highest, lowest))


def _laws(
    points: Points, theta: Floats, *, before: Slice | None, scales: Floats, weight: float, margin: float
) -> compiled.Laws:
    deviation = float(np.sqrt(np.interp(0.0, points.k, points.w)))
    bends = np.concatenate([_GRID * deviation, _OUTER, theta[3] + np.exp(theta[4]) * _BEND])
    grid = np.unique(np.clip(bends, -FAR, FAR))
    low = np.full(len(grid), np.finfo(np.float64).tiny)
    if before is not None:
        low = before.total_variance(grid) * _ABOVE
    high = np.full(len(grid), np.inf)
    return compiled.Laws(grid, low, high, scales, margin, weight, weight / points.years**0.5)


def _lifted(theta: Floats, before: Slice, points: Points) -> float:
    """Level a at which the slice lies above the expiry before wherever that one is quoted."""
    k = points.k
    lack = before.total_variance(k) * _ABOVE - to_svi(theta * [0, 1, 1, 1, 1]).unchecked(k)
    return float(lack.max())
