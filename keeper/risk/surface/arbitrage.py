"""Arbitrage in smiles: butterfly, Lee's wings, calendar; each violation says where and how much.

Butterfly   the density of the underlying is not negative: Durrleman's condition g(k) ≥ 0,
                g = (1 − k·w'/(2w))² − w'²/4·(1/w + 1/4) + w''/2
Lee         total variance grows at most like 2|k| far out; for raw SVI b(1 + |ρ|) ≤ 2
Calendar    total variance at constant k never falls with time to expiry

A condition for all k is checked on a dense grid, fine where the smile bends and reaching e^±50 forwards, and by the
slopes at its ends, where every smile here is straight.

Source: Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces"; Lee (2004); Durrleman (2003).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.surface.grid import FAR, grid_of
from keeper.risk.surface.shock import LiftedSmile, Shock, shocked_slice
from keeper.risk.surface.smile import Slice
from keeper.risk.surface.svi import Svi

Floats = npt.NDArray[np.float64]

#: Lee's bound on the slope of total variance.  Source: Lee (2004), the moment formula.
LEE_SLOPE: Final = 2.0
#: What float64 may lose; g is of order 1.
_G_SLACK: Final = 1e-9
#: Relative to the total variance at the same k, and what a hyperbola loses at ±`FAR` by cancellation.
_W_SLACK: Final = 1e-9
_W_NOISE: Final = 1e-13
#: A hyperbola levels out by half of its bend times its distance; half as much again, since it may lie off the middle.
_LEVELS_OUT: Final = 0.75 * FAR
#: Minima of g and of the rise of variance below these are looked at more closely, at so many points each.
_G_CLOSE: Final = 0.05
_RISE_CLOSE: Final = 1e-2
_BETWEEN: Final = 15
_MINIMA: Final = 40
#: Total variances below this count as this much when two are compared.
_TINY: Final = 1e-14


class Kind(StrEnum):
    """Which law is broken."""

    BUTTERFLY = "butterfly"
    LEE = "Lee wing"
    CALENDAR = "calendar"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One law broken at one expiry, where it is broken most."""

    kind: Kind
    expiry_s: int
    """Of a calendar violation the later of the two."""
    earlier_s: int | None = None
    """Of a calendar violation, the expiry whose total variance is higher."""
    k: float
    """Log-moneyness of the worst point; of a wing ±`FAR`."""
    amount: float
    """How far below its bound: of g; of the slope; of total variance, relative to the earlier expiry's."""
    nearest_k: float | None = None
    """Of a calendar violation, log-moneyness of the broken point nearest to the forward."""
    shock: str = ""
    """After which shock; empty for the surface as it is."""

    def __str__(self) -> str:
        """A sentence without the expiry."""
        after = f" after {self.shock}" if self.shock else ""
        if self.kind is Kind.BUTTERFLY:
            return f"butterfly{after}: g = {-self.amount:.3g} {self._where()}"
        if self.kind is Kind.LEE:
            side = "right" if self.k > 0 else "left"
            return f"Lee wing{after}: {side} slope {LEE_SLOPE + self.amount:.3g} > {LEE_SLOPE:g}"
        if self.nearest_k is None and abs(self.k) >= FAR:
            side = "right" if self.k > 0 else "left"
            return f"calendar{after}: {side} wing less steep by {self.amount:.3g} than that before: they cross far out"
        return f"calendar{after}: total variance {100 * self.amount:.3g} % below the expiry before {self._where()}"

    def _where(self) -> str:
        if abs(self.k) < FAR:
            return f"at k = {self.k:+.3f}"
        if self.nearest_k is not None and abs(self.nearest_k) < FAR:
            return f"from k = {self.nearest_k:+.3f} on"
        return f"far out in the {'right' if self.k > 0 else 'left'} wing"


def density_factor(k: Floats, w: Floats, slope: Floats, bend: Floats) -> Floats:
    """Durrleman's g from a smile's shape; where w is not positive it is −∞, or 1 if it is 0 and flat."""
    with np.errstate(divide="ignore", invalid="ignore"):
        tilt = 1.0 - k * slope / (2.0 * w)
        g = tilt * tilt - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend
    gone = (w == 0.0) & (slope == 0.0) & (bend == 0.0)
    return np.asarray(np.where(gone, 1.0, np.where(np.isnan(g) | (w <= 0.0), -np.inf, g)))


def g_of(svi: Svi, k: npt.ArrayLike) -> Floats:
    """Durrleman's g of a raw SVI slice, shape as given."""
    at = np.asarray(k, dtype=np.float64)
    return density_factor(at, svi.total_variance(at), svi.slope(at), svi.curvature(at))


def check(slices: Sequence[Slice], shocks: Iterable[Shock] = ()) -> tuple[Violation, ...]:
    """The laws that slices in order of expiry break: all of them as they are, butterfly and Lee after each shock.

    `shocked` keeps the calendar after a shock by lifting; what it has to lift is told by `crossings`.
    """
    grids = [grid_of(one) for one in slices]
    found = [v for one, grid in zip(slices, grids, strict=True) for v in _alone(one, grid)]
    found += _pairs(slices, grids)
    for shock in shocks:
        for one, grid in zip(slices, grids, strict=True):
            kinked = np.union1d(grid, shock.kinks(one.years)) if shock.skew else grid
            found += [replace(v, shock=shock.name) for v in _alone(shocked_slice(one, shock), kinked)]
    return tuple(found)


def crossings(slices: Sequence[Slice], shocks: Iterable[Shock]) -> tuple[Violation, ...]:
    """Expiries that cross after a shock of each by itself, which `shocked` then lifts."""
    grids = [grid_of(one) for one in slices]
    found: list[Violation] = []
    for shock in shocks:
        moved = [shocked_slice(one, shock) for one in slices]
        found += [replace(v, shock=shock.name) for v in _pairs(moved, grids)]
    return tuple(found)


def _pairs(slices: Sequence[Slice], grids: Sequence[Floats]) -> Iterator[Violation]:
    for (near, far), (a, b) in zip(pairwise(slices), pairwise(grids), strict=True):
        yield from _pair(near, far, np.union1d(a, b))


def between(grid: Floats, values: Floats, *, below: float) -> Floats:
    """Points between those of the grid, around each local minimum that lies below a bound: where it could be lower."""
    low = np.flatnonzero((values[1:-1] <= values[:-2]) & (values[1:-1] <= values[2:]) & (values[1:-1] < below)) + 1
    parts = [np.linspace(grid[i - 1], grid[i + 1], _BETWEEN + 2)[1:-1] for i in low[:_MINIMA]]
    return np.concatenate(parts) if parts else np.empty(0)


def _alone(one: Slice, grid: Floats) -> Iterator[Violation]:
    w, slope, bend = one.smile.shape_at(grid, one.years)
    g = density_factor(grid, w, slope, bend)
    closer = between(grid, g, below=_G_CLOSE)
    if len(closer):
        grid, g = np.append(grid, closer), np.append(g, density_factor(closer, *one.smile.shape_at(closer, one.years)))
    at = int(np.argmin(g))
    if g[at] < -_G_SLACK:
        yield Violation(kind=Kind.BUTTERFLY, expiry_s=one.expiry_s, k=float(grid[at]), amount=float(-g[at]))
    for end, steep, turn in ((-FAR, -slope[0], bend[0]), (FAR, slope[-1], bend[-1])):
        if steep > LEE_SLOPE + _G_SLACK:
            yield Violation(kind=Kind.LEE, expiry_s=one.expiry_s, k=end, amount=float(steep - LEE_SLOPE))
        elif steep < -_G_SLACK - _LEVELS_OUT * max(turn, 0.0):
            # A straight wing that falls ends below zero; one that is levelling out (ρ = ±1) does not.
            yield Violation(kind=Kind.BUTTERFLY, expiry_s=one.expiry_s, k=end, amount=float(-steep))


def _pair(near: Slice, far: Slice, grid: Floats) -> Iterator[Violation]:
    before, slope_before, bend_before = near.smile.shape_at(grid, near.years)
    after, slope_after, bend_after = far.smile.shape_at(grid, far.years)
    rise = _rise(before, after)
    turn = _LEVELS_OUT * np.maximum(bend_after - bend_before, 0.0)
    gaps = ((-FAR, slope_after[0] - slope_before[0] - turn[0]), (FAR, slope_before[-1] - slope_after[-1] - turn[-1]))
    closer = between(grid, rise, below=_RISE_CLOSE)
    if len(closer):
        w = near.smile.shape_at(closer, near.years)[0], far.smile.shape_at(closer, far.years)[0]
        grid, rise = np.append(grid, closer), np.append(rise, _rise(*w))
    at = int(np.argmin(rise))
    where, amount = float(grid[at]), float(-rise[at])
    broken = grid[rise < -_W_SLACK]
    nearest = float(broken[np.argmin(np.abs(broken))]) if len(broken) else None
    for end, gap in gaps:
        # Straight lines that approach each other cross somewhere beyond.
        if amount <= _W_SLACK and gap > _W_SLACK and not isinstance(far.smile, LiftedSmile):
            where, amount = end, float(gap)
    if amount > _W_SLACK:
        yield Violation(
            kind=Kind.CALENDAR,
            expiry_s=far.expiry_s,
            earlier_s=near.expiry_s,
            k=where,
            amount=amount,
            nearest_k=nearest,
        )


def _rise(before: Floats, after: Floats) -> Floats:
    """Of total variance from one expiry to the next, relative."""
    return np.asarray((after + _W_NOISE) / np.maximum(before, _TINY) - 1.0)
