"""Fit of SVI with hinges within the laws.

With m, σ, κ and s held, w is linear in what is left: a, both wings of the SVI, and the slopes of the hinges.  The fit
is Gauss–Newton on those with the laws as penalties, light ones first, from a slice that is lawful or nearly so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.surface.arbitrage import LEE_SLOPE, check
from keeper.risk.surface.grid import FAR
from keeper.risk.surface.hinged import Hinge, HingedSmile, hinge_shape
from keeper.risk.surface.rules import Points
from keeper.risk.surface.shock import Shock
from keeper.risk.surface.smile import Slice
from keeper.risk.surface.svi import Svi

Floats = npt.NDArray[np.float64]

#: Hinges per side: at most this many over the quotes, one to so many quotes; and as many deviations beyond the last.
INSIDE: Final = 5
QUOTES_PER_HINGE: Final = 3
BEYOND: Final = (0.4, 1.5, 3.5)
#: Weighted misses beyond this volatility count linearly.
SOFT_VOL: Final = 0.002
#: What a hinge of slope one deviation costs, in volatility: less is overfitting, more is no freedom.
RIDGE: Final = 2e-4
#: Penalty weight and least g, tried in turn.
HEAVIER: Final = (
    (0.03, 0.0),
    (0.3, 1e-3),
    (3.0, 1e-3),
    (10.0, 2e-3),
    (30.0, 2e-3),
    (100.0, 3e-3),
    (100.0, 5e-3),
    (300.0, 8e-3),
)
_ROUNDS: Final = 100
#: Least slope of a wing.
_LEVEL: Final = 1e-5
#: Above the expiry before, inside Lee's bound.
_ABOVE: Final = 1.0 + 1e-3
_INSIDE_LEE: Final = 0.98


def hinged_fit(points: Points, start: Svi, *, before: Slice | None, shocks: Sequence[Shock]) -> Slice | str:
    """The best lawful slice near `start`, or the law it could not keep.

    Args:
        points: to be fitted.
        start: a raw SVI slice; its m and σ are kept.
        before: the expiry before, which total variance must not fall below.
        shocks: after which g ≥ 0 and Lee's bound hold too.
    """
    hinges = _places(points, start)
    problem = _Problem.of(points, start, hinges, before=before, shocks=shocks)
    beta = np.concatenate([[start.a, start.b * (1.0 - start.rho), start.b * (1.0 + start.rho)], np.zeros(len(hinges))])
    # From above, so that the first step is not out of a slice that is none.
    beta[0] += max(0.0, float(points.w.min()) * 1e-2 - float((problem.level @ beta).min()))
    broken = "no slice fits"
    for weight, margin in HEAVIER:
        beta = problem.descend(beta, weight=weight, margin=margin)
        outcome = _slice(points, start, hinges, beta)
        mine = [v for v in check((before, outcome) if before else (outcome,), shocks) if v.expiry_s == points.expiry_s]
        if not mine:
            return outcome
        broken = str(mine[0])
        # The grid had a hole there.
        problem = problem.finer(points, start, hinges, before=before, near=[v.k for v in mine])
    return broken


def _places(points: Points, start: Svi) -> tuple[Hinge, ...]:
    """Hinges without slope, outwards from the bottom of the smile, on each side."""
    deviation = float(np.sqrt(np.interp(0.0, points.k, points.w)))
    middle = float(np.clip(start.m, points.k[1], points.k[-2]))
    out: list[Hinge] = []
    count = min(INSIDE, max(1, len(points.k) // QUOTES_PER_HINGE))
    for right, end in ((False, float(points.k[0])), (True, float(points.k[-1]))):
        side = 1.0 if right else -1.0
        inside = middle + (end - middle) * np.arange(1, count + 1) / (count + 1.0)
        step = max(abs(end - middle) / (count + 1.0), 0.1 * deviation)
        out += [Hinge(at=float(at), width=0.7 * step, slope=0.0, right=right) for at in inside]
        out += [
            Hinge(at=end + side * far * deviation, width=(0.3 + 0.3 * far) * deviation, slope=0.0, right=right)
            for far in BEYOND
        ]
    return tuple(out)


def _slice(points: Points, start: Svi, hinges: tuple[Hinge, ...], beta: Floats) -> Slice:
    # The wings of a start may turn downwards and be turned up again by hinges; SVI itself allows none: what is missing
    # becomes a hinge at m.
    a, p, c = (float(value) for value in beta[:3])
    extra = tuple(
        Hinge(at=start.m, width=start.sigma, slope=slope, right=right)
        for slope, right in ((min(p, 0.0), False), (min(c, 0.0), True))
        if slope < 0.0
    )
    p, c = max(p, 0.0), max(c, 0.0)
    b = 0.5 * (p + c)
    svi = Svi(a=a, b=b, rho=(c - p) / (c + p) if b > 0.0 else 0.0, m=start.m, sigma=start.sigma)
    turned = tuple(replace(h, slope=float(slope)) for h, slope in zip(hinges, beta[3:], strict=True))
    return Slice(
        expiry_s=points.expiry_s,
        years=points.years,
        forward=points.forward,
        smile=HingedSmile(svi=svi, hinges=turned + extra),
    )


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """Everything that is linear in β, at the quotes and on the grid."""

    rows: Floats
    """w at the quotes, shape (quotes, β)."""
    target: Floats
    weight: Floats
    grid: Floats
    level: Floats
    """w on the grid, shape (grid, β)."""
    tilt: Floats
    """w', same shape."""
    curve: Floats
    """w'', same shape."""
    low: Floats
    """Least w on the grid."""
    least: tuple[float, float]
    """Least slopes of the wings, as positive numbers."""
    steepest: float
    scales: Floats
    ridge: Floats
    """Cost of each β, shape (β,)."""
    calendar: float
    """Turns a difference of √w into one of volatility."""

    @classmethod
    def of(
        cls, points: Points, start: Svi, hinges: tuple[Hinge, ...], *, before: Slice | None, shocks: Sequence[Shock]
    ) -> _Problem:
        """Evaluate the basis."""
        deviation = float(np.sqrt(np.interp(0.0, points.k, points.w)))
        bends = [h.at + h.width * _BEND for h in hinges]
        near = deviation * _GRID
        own = start.m + start.sigma * np.sinh(np.linspace(-3.0, 3.0, 13))
        grid = np.unique(np.clip(np.concatenate([near, own, *bends, _OUTER]), -FAR, FAR))
        level, tilt, curve = _basis(grid, start, hinges)
        levels = np.array([1.0, *(shock.level(points.years) ** 2 for shock in shocks)])
        least = (0.0, 0.0)
        if before is not None:
            _, ends, _ = before.smile.shape_at(np.array([-FAR, FAR]), before.years)
            least = (-float(ends[0]) * _ABOVE, float(ends[1]) * _ABOVE)
        return cls(
            rows=_basis(points.k, start, hinges)[0],
            target=points.w,
            weight=points.w_weight,
            grid=grid,
            level=level,
            tilt=tilt,
            curve=curve,
            low=_floor(grid, before),
            least=least,
            steepest=LEE_SLOPE / float(levels.max()) * _INSIDE_LEE,
            scales=np.unique([levels.min(), levels.max()]),
            ridge=np.concatenate([[0.0, 0.0, 0.0], np.full(len(hinges), RIDGE / deviation)]),
            calendar=1.0 / points.years**0.5,
        )

    def finer(
        self,
        points: Points,
        start: Svi,
        hinges: tuple[Hinge, ...],
        *,
        before: Slice | None,
        near: Sequence[float],
    ) -> _Problem:
        """The same with more points on the grid, around some."""
        deviation = float(np.sqrt(np.interp(0.0, points.k, points.w)))
        around = np.concatenate([at + deviation * _AROUND for at in near])
        grid = np.unique(np.clip(np.concatenate([self.grid, around]), -FAR, FAR))
        level, tilt, curve = _basis(grid, start, hinges)
        return replace(self, grid=grid, level=level, tilt=tilt, curve=curve, low=_floor(grid, before))

    def descend(self, beta: Floats, *, weight: float, margin: float) -> Floats:
        """Levenberg–Marquardt on β with every law at one weight."""
        cost, matrix, gradient = self.equations(beta, weight=weight, margin=margin)
        damping = 1e-3
        for _ in range(_ROUNDS):
            gain = 0.0
            while damping < 1e8 and gain == 0.0:
                step = _step(matrix, gradient, damping)
                if step is not None:
                    reached, next_matrix, next_gradient = self.equations(beta + step, weight=weight, margin=margin)
                    if reached < cost:
                        gain = cost - reached
                        beta, cost, matrix, gradient = beta + step, reached, next_matrix, next_gradient
                damping = max(damping * 0.1, 1e-9) if gain > 0.0 else damping * 6.0
            if gain <= 1e-6 * cost:
                break
        return beta

    def equations(self, beta: Floats, *, weight: float, margin: float) -> tuple[float, Floats, Floats]:
        """Cost, Gauss–Newton matrix and gradient; infinite where a total variance is not positive."""
        w = self.level @ beta
        if not (w > 0.0).all():
            return np.inf, np.zeros((len(beta), len(beta))), np.zeros(len(beta))
        miss = self.rows @ beta - self.target
        stretch = np.sqrt(1.0 + (self.weight * miss / SOFT_VOL) ** 2)
        cost = float(np.sum(2.0 * SOFT_VOL**2 * (stretch - 1.0))) + float(np.sum((self.ridge * beta) ** 2))
        unit = self.weight**2 / stretch
        matrix = (self.rows * unit[:, None]).T @ self.rows + np.diag(self.ridge**2)
        gradient = self.rows.T @ (unit * miss) + self.ridge**2 * beta
        for lack, by in self._broken(beta, w, weight=weight, margin=margin):
            cost += float(np.sum(lack**2))
            matrix += by.T @ by
            gradient += by.T @ lack
        return cost, matrix, gradient

    def _broken(self, beta: Floats, w: Floats, *, weight: float, margin: float) -> list[tuple[Floats, Floats]]:
        """Weighted residuals and rows of the laws that are broken."""
        out: list[tuple[Floats, Floats]] = []
        below = w < self.low
        if below.any():
            unit = weight * self.calendar / (2.0 * np.sqrt(self.low[below]))
            out.append((unit * (w - self.low)[below], unit[:, None] * self.level[below]))
        slope, bend = self.tilt @ beta, self.curve @ beta
        for end, side, least in ((0, -1.0, self.least[0]), (-1, 1.0, self.least[1])):
            steep = side * slope[end]
            # A little above: what the penalty leaves over must not be a wing that falls.
            bound = min(max(steep, least + _LEVEL), max(self.steepest, least + _LEVEL))
            if bound != steep:
                out.append((np.array([weight * (steep - bound)]), weight * side * self.tilt[end][None, :]))
        tilt = 1.0 - self.grid * slope / (2.0 * w)
        for scale in self.scales:
            g = tilt**2 - scale * slope**2 / (4.0 * w) - scale**2 * slope**2 / 16.0 + 0.5 * scale * bend
            bad = g < margin
            if bad.any():
                by_w = (tilt * self.grid * slope + 0.25 * scale * slope**2)[bad] / w[bad] ** 2
                by_slope = (-tilt * self.grid / w - scale * slope / (2.0 * w) - scale**2 * slope / 8.0)[bad]
                rows = by_w[:, None] * self.level[bad] + by_slope[:, None] * self.tilt[bad]
                out.append((weight * (g[bad] - margin), weight * (rows + 0.5 * scale * self.curve[bad])))
        return out


def _step(matrix: Floats, gradient: Floats, damping: float) -> Floats | None:
    """The damped Gauss–Newton step; None where there is none."""
    diagonal = np.diag(matrix)
    try:
        step = np.linalg.solve(matrix + np.diag(damping * diagonal + 1e-12 * diagonal.max()), -gradient)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(step, dtype=np.float64) if np.isfinite(step).all() else None


def _floor(grid: Floats, before: Slice | None) -> Floats:
    """Least total variance on a grid."""
    if before is None:
        return np.full(len(grid), np.finfo(np.float64).tiny)
    return before.total_variance(grid) * _ABOVE


def _basis(k: Floats, start: Svi, hinges: tuple[Hinge, ...]) -> tuple[Floats, Floats, Floats]:
    """w, w' and w'' by each β, shape (k, β) each."""
    one = (np.ones_like(k), np.zeros_like(k), np.zeros_like(k))
    wings = [hinge_shape(k, start.m, start.sigma, right) for right in (False, True)]
    parts = [one, *wings, *(hinge_shape(k, h.at, h.width, h.right) for h in hinges)]
    level, tilt, curve = (np.stack([part[i] for part in parts], axis=1) for i in range(3))
    return level, tilt, curve


_GRID: Final = np.concatenate(
    [np.linspace(-40.0, -13.0, 28), np.linspace(-12.0, 12.0, 121), np.linspace(13.0, 40.0, 28)]
)
_OUTER: Final = np.concatenate([-np.geomspace(0.02, FAR, 24), np.geomspace(0.02, FAR, 24)])
_BEND: Final = np.linspace(-1.5, 1.5, 7)
_AROUND: Final = np.concatenate([-np.geomspace(0.005, 0.3, 7), [0.0], np.geomspace(0.005, 0.3, 7)])
