"""Smiles, slices and surfaces: where a volatility is read from, whatever model it came from.

A *smile* is volatility by log-moneyness k = ln(strike / forward) of one expiry; a *slice* is a smile with its forward
and its time; a *surface* is slices in order of expiry.

Between two expiries total variance is linear in time at constant k, and the forward is linear in logarithms: if the
slices do not cross (calendar arbitrage), nothing between them does.  Before the first slice and after the last the
volatility at constant k stays what it is there, so total variance is proportional to time and still never falls.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.surface.svi import Clamps, Svi

Floats = npt.NDArray[np.float64]

#: Seconds of a year of the vol clock: 365 days.  Source: METHODOLOGY, derive_pmrm2.
YEAR_S: Final = 31_536_000
#: Step in k of numeric derivatives: far below the distance of two strikes, far above float64's noise.
DIFFERENCE: Final = 1e-4


class Smile(Protocol):
    """Total variance of one expiry."""

    def variance_at(self, k: Floats, years: float) -> Floats:
        """w at log-moneyness k, `years` before expiry, shape as given.  Raises: `LawBroken` if it has none there."""

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """w, dw/dk and d²w/dk², shapes as given; what the density of the underlying is made of.

        It never raises: a negative w is what a check looks for.
        """


def numeric_shape(smile: Smile, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
    """`shape_at` by central differences, for smiles without derivatives; a kink shows as a large second one."""
    w, up, down = (smile.variance_at(k + step, years) for step in (0.0, DIFFERENCE, -DIFFERENCE))
    return w, np.asarray((up - down) / (2.0 * DIFFERENCE)), np.asarray((up - 2.0 * w + down) / DIFFERENCE**2)


@dataclass(frozen=True, kw_only=True)
class FlatSmile:
    """One volatility for every strike."""

    vol: float
    """Annual, positive."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if it is not a positive number."""
        if not (np.isfinite(self.vol) and self.vol > 0.0):
            raise LawBroken(f"a flat smile has volatility {self.vol}", vol=self.vol)

    def variance_at(self, k: Floats, years: float) -> Floats:
        """As `Smile`."""
        return np.full(np.shape(k), self.vol * self.vol * years)

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """As `Smile`."""
        return self.variance_at(k, years), np.zeros(np.shape(k)), np.zeros(np.shape(k))


@dataclass(frozen=True, kw_only=True)
class SviSmile:
    """Raw SVI, with the clamps of the feed it came from."""

    svi: Svi
    clamps: Clamps | None = None

    def variance_at(self, k: Floats, years: float) -> Floats:
        """As `Smile`; a and b hold the time already."""
        del years
        return self.svi.total_variance(k, clamps=self.clamps)

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """As `Smile`."""
        if self.clamps is not None:
            return numeric_shape(self, k, years)
        return self.svi.unchecked(k), self.svi.slope(k), self.svi.curvature(k)


@dataclass(frozen=True, kw_only=True)
class QuotedSmile:
    """Volatilities as quoted: total variance linear between quotes, flat outside.

    Warning: it repeats whatever arbitrage the quotes hold.
    """

    k: tuple[float, ...]
    """Log-moneyness of each quote, strictly ascending."""
    vol: tuple[float, ...]
    """Annual, positive; one per quote."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if quotes are missing, out of order or not positive numbers."""
        k, vol = np.array(self.k), np.array(self.vol)
        fine = len(k) == len(vol) > 0 and np.isfinite(k).all() and np.isfinite(vol).all()
        if not fine or not (np.diff(k) > 0.0).all() or not (vol > 0.0).all():
            raise LawBroken("a quoted smile needs ascending strikes and a positive volatility for each", k=self.k)

    def variance_at(self, k: Floats, years: float) -> Floats:
        """As `Smile`."""
        squares = np.square(self.vol)
        return np.asarray(np.interp(k, self.k, squares) * years)

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """As `Smile`; each quote is a kink."""
        return numeric_shape(self, k, years)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One expiry."""

    expiry_s: int
    """Unix seconds."""
    years: float
    """From the surface's time to expiry, positive; 365 days each."""
    forward: float
    """Of this expiry, positive, in the unit of the strikes."""
    smile: Smile

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if time or forward is not a positive number."""
        for name, value in (("years", self.years), ("forward", self.forward)):
            if not (np.isfinite(value) and value > 0.0):
                raise LawBroken(f"a slice of the surface has {name} {value}", expiry_s=self.expiry_s)

    def total_variance(self, k: npt.ArrayLike) -> Floats:
        """w at log-moneyness k, shape as given.  Raises: `LawBroken` if it is negative or not a number."""
        w = self.smile.variance_at(np.asarray(k, dtype=np.float64), self.years)
        if not (np.isfinite(w).all() and (w >= 0.0).all()):
            raise LawBroken("a smile has a negative variance or none", expiry_s=self.expiry_s)
        return w

    def vol(self, strike: npt.ArrayLike) -> Floats:
        """Annual volatility at strikes, shape as given.  Raises: `LawBroken` if a strike is not a positive number."""
        strikes = np.asarray(strike, dtype=np.float64)
        if not (np.isfinite(strikes).all() and (strikes > 0.0).all()):
            raise LawBroken("a volatility was asked for at a strike that is not a positive number")
        return np.asarray(np.sqrt(self.total_variance(np.log(strikes / self.forward)) / self.years))


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Slices of one underlying at one time."""

    now_s: int
    """The time from which `years` count, unix seconds."""
    slices: tuple[Slice, ...]
    """Expiries strictly ascending; at least one."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if there is no slice, or they are out of order."""
        expiries = [one.expiry_s for one in self.slices]
        if not expiries or expiries != sorted(set(expiries)):
            raise LawBroken("a surface needs slices in order of expiry", expiries=expiries)

    def vol(self, strike: float, expiry_s: int, *, forward: float | None = None) -> float:
        """Annual volatility of one option; arguments as for `slice_at`."""
        return float(self.slice_at(expiry_s, forward=forward).vol(strike))

    def slice_at(self, expiry_s: int, *, forward: float | None = None) -> Slice:
        """The slice of an expiry: as fitted if there is one, else between its neighbours or beyond the last.

        Args:
            expiry_s: unix seconds, after `now_s`.
            forward: of that expiry if it is known; else between the neighbours', linear in logarithms.

        Raises:
            LawBroken: it expires before `now_s`.
        """
        years = (expiry_s - self.now_s) / YEAR_S
        if years <= 0.0:
            raise LawBroken("a volatility was asked for at an expiry that has passed", expiry_s=expiry_s)
        at = bisect_left([one.expiry_s for one in self.slices], expiry_s)
        if at < len(self.slices) and self.slices[at].expiry_s == expiry_s:
            same = self.slices[at]
            return Slice(
                expiry_s=expiry_s,
                years=same.years,
                forward=same.forward if forward is None else forward,
                smile=same.smile,
            )
        near = self.slices[max(at - 1, 0)]
        far = self.slices[min(at, len(self.slices) - 1)]
        between = Between(near=near, far=far)
        return Slice(expiry_s=expiry_s, years=years, forward=forward or between.forward_at(years), smile=between)


@dataclass(frozen=True, kw_only=True)
class Between:
    """The smile between two slices, or beyond one (both the same)."""

    near: Slice
    far: Slice

    def variance_at(self, k: Floats, years: float) -> Floats:
        """As `Smile`: linear in time at constant k; proportional to time beyond the last slice."""
        near = self.near.total_variance(k)
        if self.near is self.far:
            return np.asarray(near * (years / self.near.years))
        share = self._share(years)
        return np.asarray(near * (1.0 - share) + self.far.total_variance(k) * share)

    def shape_at(self, k: Floats, years: float) -> tuple[Floats, Floats, Floats]:
        """As `Smile`: linear in the slices' shapes."""
        near = self.near.smile.shape_at(k, self.near.years)
        if self.near is self.far:
            w, slope, bend = (part * (years / self.near.years) for part in near)
            return w, slope, bend
        share = self._share(years)
        far = self.far.smile.shape_at(k, self.far.years)
        w, slope, bend = (a * (1.0 - share) + b * share for a, b in zip(near, far, strict=True))
        return w, slope, bend

    def forward_at(self, years: float) -> float:
        """The forward: linear in logarithms between the slices."""
        if self.near is self.far:
            return self.near.forward
        share = self._share(years)
        return float(self.near.forward ** (1.0 - share) * self.far.forward**share)

    def _share(self, years: float) -> float:
        return (years - self.near.years) / (self.far.years - self.near.years)


def surface_of(now_s: int, slices: Sequence[Slice]) -> Surface:
    """A surface from slices in any order.  Raises: `LawBroken` as `Surface`."""
    return Surface(now_s=now_s, slices=tuple(sorted(slices, key=lambda one: one.expiry_s)))
