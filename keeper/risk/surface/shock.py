"""Shocked surfaces: the smiles that margin is computed from, so the ones that must be free of arbitrage too.

A level shock scales every volatility of an expiry by 1 + vol·m(T), m(T) = (30 days / T)^p with p short up to 30 days
and long beyond, T floored at one day; a rising shock has a floor.  A skew shock scales the volatility of a strike by
1 + clamp(k·cap/k*, ±cap) (the smile turns) or the same of |k| (its wings rise or fall together), with

    cap = cap_time·√T + cap_base,   k* = max(min_k, √T·width·(vol_base + √T·vol_time))

Smiles move with the forward: they are functions of k = ln(strike / forward), which a price shock leaves alone.

Source: METHODOLOGY, "Grid" and derive_pmrm2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.surface.grid import grid_of
from keeper.risk.surface.smile import Slice, Smile, Surface, numeric_shape

Floats = npt.NDArray[np.float64]

_DAY_YEARS: Final = 1.0 / 365.0


@dataclass(frozen=True, kw_only=True)
class Skew:
    """A turn of the smile; see the head of this module."""

    share: float
    """Of the full shock, with its sign."""
    absolute: bool
    """Whether both wings move together."""
    cap_base: float
    cap_time: float
    min_k: float
    width: float
    vol_base: float
    vol_time: float

    def k_star(self, years: float) -> float:
        """Log-moneyness from which the shock is at its cap."""
        root = years**0.5
        return float(max(self.min_k, root * self.width * (self.vol_base + root * self.vol_time)))

    def factor(self, k: Floats, years: float) -> Floats:
        """On the volatility at log-moneyness k, shape as given."""
        cap, k_star = self.cap_time * years**0.5 + self.cap_base, self.k_star(years)
        at = np.abs(k) if self.absolute else k
        return np.asarray(1.0 + self.share * np.clip(at * (cap / k_star), -cap, cap))


@dataclass(frozen=True, kw_only=True)
class Shock:
    """What happens to every smile of a surface at once."""

    name: str
    """Shown to people: `vol up`."""
    vol: float = 0.0
    """Relative shock of a 30-day volatility: +0.45 is up by 45 %, −0.3 down by 30 %."""
    vol_floor: float = 0.0
    """Least volatility after a rising shock, annual."""
    short_power: float = 0.30
    long_power: float = 0.13
    skew: Skew | None = None

    def kinks(self, years: float) -> tuple[float, ...]:
        """Log-moneyness at which it bends a smile abruptly."""
        if self.skew is None:
            return ()
        k_star = self.skew.k_star(years)
        return (-k_star, 0.0, k_star) if self.skew.absolute else (-k_star, k_star)

    def level(self, years: float) -> float:
        """Factor on every volatility that far from expiry, at least 0."""
        months = 30.0 * _DAY_YEARS / max(years, _DAY_YEARS)
        power = self.short_power if months >= 1.0 else self.long_power
        return float(max(0.0, 1.0 + self.vol * months**power))


#: Where our own grid may take the smiles: the starts of `Ranges`' vol scan ranges.
USUAL: Final = (Shock(name="vol up", vol=0.45, vol_floor=0.25), Shock(name="vol down", vol=-0.30))


@dataclass(frozen=True, kw_only=True)
class ShockedSmile:
    """A smile after a shock."""

    base: Smile
    shock: Shock

    def variance_at(self, k: Floats, years: float) -> Floats:
        """As `Smile`."""
        factor = self._factor(k, years)
        return np.asarray(np.maximum(self.base.variance_at(k, years) * factor * factor, self._floor(years)))

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """As `Smile`."""
        if self.shock.skew is not None:
            return numeric_shape(self, k, years)
        square = self.shock.level(years) ** 2
        w, slope, bend = (part * square for part in self.base.shape_at(k, years))
        floor = self._floor(years)
        held = w < floor
        return np.maximum(w, floor), np.where(held, 0.0, slope), np.where(held, 0.0, bend)

    def _factor(self, k: Floats, years: float) -> Floats:
        level = self.shock.level(years)
        skew = self.shock.skew
        return np.asarray(level if skew is None else level * skew.factor(k, years))

    def _floor(self, years: float) -> float:
        return self.shock.vol_floor**2 * years if self.shock.vol > 0.0 else 0.0


@dataclass(frozen=True, kw_only=True)
class LiftedSmile:
    """The higher of two smiles.  Where they cross it bends upwards, so if neither holds a butterfly, nor does this."""

    own: Smile
    before: Slice

    def variance_at(self, k: Floats, years: float) -> Floats:
        """As `Smile`."""
        return np.maximum(self.own.variance_at(k, years), self.before.total_variance(k))

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """As `Smile`."""
        own, before = self.own.shape_at(k, years), self.before.smile.shape_at(k, self.before.years)
        higher = own[0] >= before[0]
        w, slope, bend = (np.where(higher, a, b) for a, b in zip(own, before, strict=True))
        return w, slope, bend


def shocked_slice(one: Slice, shock: Shock) -> Slice:
    """The slice after a shock, by itself."""
    return replace(one, smile=ShockedSmile(base=one.smile, shock=shock))


def shocked(slices: Sequence[Slice], shock: Shock) -> tuple[Slice, ...]:
    """Slices in order of expiry after a shock, each at least as high as the one before.

    A rising shock lifts near expiries more than far ones, and so can make them cross where little variance lies between
    (a weekend): the far one is then lifted to the near one, which keeps the calendar and opens no butterfly.
    """
    out: list[Slice] = []
    for one in slices:
        moved = shocked_slice(one, shock)
        if out and _crosses(out[-1], moved, np.union1d(grid_of(out[-1]), grid_of(one))):
            moved = replace(moved, smile=LiftedSmile(own=moved.smile, before=out[-1]))
        out.append(moved)
    return tuple(out)


def _crosses(near: Slice, far: Slice, grid: Floats) -> bool:
    """Whether the later slice is lower somewhere, beyond the ends of the grid included, where wings are straight."""
    before, slope_before, _ = near.smile.shape_at(grid, near.years)
    after, slope_after, _ = far.smile.shape_at(grid, far.years)
    closing = slope_after[0] > slope_before[0] or slope_after[-1] < slope_before[-1]
    return bool((after < before).any() or closing)


def shocked_surface(surface: Surface, shock: Shock) -> Surface:
    """The surface after a shock."""
    return replace(surface, slices=shocked(surface.slices, shock))
