"""Volatilities and forwards that a venue's quotes imply, where they can be believed.

    QuoteSheet ─fitted→ arbitrage-free surface ─see→ View at a block ─at→ ImpliedExpiry per listed expiry

`see` judges the whole sheet against the block (age, the venue's index against our oracle); `View.at` judges one listed
expiry (fit, forward, level against realised volatility, distance to the quoted expiries).  What does not pass is a
reason: the level of that expiry falls back on realised volatility, its smile and forward stay as published (`held`).

A smile is read at the moneyness our own market gives a strike, ln(K / (φ·spot)): between two sheets it moves with our
spot.  Time counts from the sheet, so its volatilities do not drift between two sheets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from keeper.domain.knobs import ImpliedKnobs
from keeper.domain.quotes import ExpiryQuotes, Quoted, QuoteSheet, Unquoted
from keeper.domain.snapshot import FileState, Listing
from keeper.domain.text import percent
from keeper.errors import LawBroken
from keeper.risk import lattice
from keeper.risk.exact.riskfile import PPB, PPM
from keeper.risk.surface.quotes import FitError, Quote, QuoteRules
from keeper.risk.surface.smile import YEAR_S, Surface

WAD: Final = 10**18
#: Strikes are held in 1e-8 USD.
STRIKE_ONE: Final = 10**8
#: Distance between forward and index that needs no carry: a venue's index is an average, its forward is not.
FREE_CARRY: Final = 0.01
#: An expiry closer than this has no smile worth fitting: a tick of the premium is points of volatility.
LEAST_LIFE_S: Final = 1_800


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Quotes are not used, and why."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class ImpliedExpiry:
    """What quotes say about one listed expiry."""

    phi_ppb: int
    """Forward over spot, parts per billion."""
    atm_ppm: int
    """Volatility at the forward, ppm, positive."""
    vols_ppm: tuple[int, ...]
    """One per listed strike, ascending, ppm, positive."""
    weight_ppm: int
    """Weight of its level against the realised one, ppm."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A sheet's surface.  Nothing in it depends on a block."""

    surface: Surface | None
    """None if no expiry passed."""
    errors: Mapping[int, FitError]
    """By expiry of the surface."""
    repaired: int
    """Expiries whose plain fit held arbitrage and was replaced by one that does not."""
    carry: tuple[tuple[float, float], ...]
    """(years, ln φ) of each expiry of the surface, ascending, from (0, 0) on."""
    refused: tuple[tuple[int, str], ...]
    """(expiry, why not) of the others, ascending."""


@lru_cache(maxsize=32)  # a sheet changes when the venue is asked again, not with every block
def fitted(sheet: QuoteSheet, knobs: ImpliedKnobs) -> Fitted:
    """Fit a sheet, leaving out what cannot be believed whatever the block."""
    from keeper.risk.surface.fit import fit_surface  # noqa: PLC0415 - compiled: a command that looks back waits for none

    refused = {e.expiry: why for e in sheet.expiries if (why := _implausible(e, sheet.taken_s, knobs))}
    quotes = [q for e in sheet.expiries if e.expiry not in refused for q in _plain(e, sheet)]
    rules = QuoteRules(
        max_age_s=1,  # all of a sheet are of one time
        min_life_s=LEAST_LIFE_S,
        vol_floor=knobs.vol_min_ppm / PPM,
        vol_cap=knobs.vol_max_ppm / PPM,
        min_quotes=knobs.min_quotes,
    )
    try:
        found = fit_surface(quotes, now_s=sheet.taken_s, rules=rules)
    except (LawBroken, ArithmeticError, ValueError) as broken:
        # A stranger's numbers are no arithmetic of ours: whatever they break, the keeper goes on without them.
        why = broken.message if isinstance(broken, LawBroken) else type(broken).__name__
        refused |= {e.expiry: f"no surface fits the sheet: {why}" for e in sheet.expiries}
        return Fitted(surface=None, errors={}, repaired=0, carry=((0.0, 0.0),), refused=tuple(sorted(refused.items())))
    refused |= {r.expiry_s: r.reason for r in found.refused}
    # A slice that misses its quotes is left out; the others stay free of arbitrage without it.
    limit = knobs.max_fit_error_ppm / PPM * 100
    wide = {f.expiry_s: f.error for f in found.fits if f.error.rms > limit}
    refused |= {e: f"the smile misses its quotes by {wide[e].rms:.2f} points, limit {limit:g}" for e in wide}
    slices = tuple(s for s in (found.surface.slices if found.surface else ()) if s.expiry_s not in wide)
    index = sheet.index / WAD
    return Fitted(
        surface=Surface(now_s=sheet.taken_s, slices=slices) if slices else None,
        errors={f.expiry_s: f.error for f in found.fits if f.expiry_s not in wide},
        repaired=sum(f.repaired for f in found.fits if f.expiry_s not in wide),
        carry=((0.0, 0.0), *((s.years, math.log(s.forward / index)) for s in slices)),
        refused=tuple(sorted(refused.items())),
    )


def _implausible(quoted: ExpiryQuotes, taken_s: int, knobs: ImpliedKnobs) -> str:
    """Why an expiry is not even fitted; empty if it is."""
    years = max(0, quoted.expiry - taken_s) / YEAR_S
    phi = quoted.phi_ppb / PPB
    gap, limit = phi - 1, FREE_CARRY + knobs.max_carry_ppm / PPM * years
    # A fall counts as much as the rise that undoes it; counted plainly, a year below would leave a forward of nothing.
    if not 1 / (1 + limit) <= phi <= 1 + limit:
        return f"its forward is {percent(gap, '+.2')} from the index, limit {percent(limit)}"
    if len(quoted.quotes) < knobs.min_quotes:
        return f"{len(quoted.quotes)} strikes quoted, {knobs.min_quotes} needed"
    return ""


def _plain(quoted: ExpiryQuotes, sheet: QuoteSheet) -> list[Quote]:
    forward = sheet.index / WAD * quoted.phi_ppb / PPB
    return [
        Quote(
            expiry_s=quoted.expiry,
            strike=q.strike / STRIKE_ONE,
            is_call=q.is_call,
            forward=forward,
            time_s=sheet.taken_s,
            mark_vol=q.vol_ppm / PPM or None,
            bid=q.bid_ppb / PPB or None,
            ask=q.ask_ppb / PPB or None,
        )
        for q in quoted.quotes
    ]


@dataclass(frozen=True, kw_only=True)
class View:
    """A sheet that passed, as seen from a block."""

    fit: Fitted
    surface: Surface
    spot: int
    """Our oracle's, wad USD."""
    index: float
    """The venue's, USD."""
    now: int
    """Block time."""
    knobs: ImpliedKnobs
    said: str
    """Source, age and fit, for the target's reasons."""

    def at(self, listing: Listing, *, realised_ppm: int) -> ImpliedExpiry | Unseen:
        """What the quotes say about a listed expiry.

        Args:
            listing: of our own market, not expired.
            realised_ppm: its volatility from oracle rounds, against which the quoted level is judged.
        """
        surface, left_s = self.surface, listing.expiry - self.surface.now_s
        first, last = (s.expiry_s - surface.now_s for s in (surface.slices[0], surface.slices[-1]))
        stretch = self.knobs.max_stretch
        if left_s <= 0 or left_s * stretch < first or left_s > last * stretch:
            return Unseen(reason="no quoted expiry is near")
        phi = self._phi(left_s / YEAR_S)
        forward = self.spot / WAD * phi
        strikes = [forward, *(strike / STRIKE_ONE for strike in listing.strikes)]
        try:
            smile = surface.slice_at(listing.expiry, forward=forward)
            atm, *vols = (lattice.to_ppm(float(vol)) for vol in smile.vol(strikes))
        except LawBroken as broken:
            return Unseen(reason=f"its smile has no volatility at a listed strike: {broken.message}")
        if min(atm, *vols) <= 0:
            return Unseen(reason="its smile has no volatility at a listed strike")
        ratio = atm / realised_ppm
        if not 1 / self.knobs.max_ratio <= ratio <= self.knobs.max_ratio:
            return Unseen(
                reason=f"quoted at {atm / 1e4:.2f} %, {ratio:.2f} times the realised {realised_ppm / 1e4:.2f} %, "
                f"limit {self.knobs.max_ratio:g}"
            )
        return ImpliedExpiry(
            phi_ppb=round(phi * PPB), atm_ppm=atm, vols_ppm=tuple(vols), weight_ppm=self.knobs.weight_ppm
        )

    def _phi(self, years: float) -> float:
        """Forward over spot: ln φ linear in time between quoted expiries, in proportion to time outside."""
        times, logs = zip(*self.fit.carry, strict=True)
        if years > times[-1]:
            return math.exp(logs[-1] * years / times[-1])
        return math.exp(float(np.interp(years, times, logs)))


def held(live: FileState | None, listing: Listing) -> ImpliedExpiry | None:
    """Smile and forward as they are published, with no say in the level; None if the file does not have them all.

    For an expiry whose quotes fail now: realised volatility says nothing about either, and going back and forth with
    every silence of a venue would move marks for no reason.
    """
    params = next((e for e in live.expiries if e.expiry == listing.expiry), None) if live else None
    if live is None or params is None:
        return None
    published = {vol.strike: vol.sigma_ppm for vol in dict(live.strikes).get(listing.expiry, ())}
    vols = tuple(published.get(strike, 0) for strike in listing.strikes)
    if not all(vols):
        return None
    return ImpliedExpiry(phi_ppb=params.phi_ppb, atm_ppm=params.sigma_atm_ppm, vols_ppm=vols, weight_ppm=0)


def see(quoted: Quoted | None, *, spot: int | None, now: int, knobs: ImpliedKnobs) -> View | Unseen:
    """Judge a sheet against a block.

    Args:
        quoted: what a source had; None if no source is configured, which is a reason without words.
        spot: our oracle's, wad USD; None if unusable.
        now: block time.
        knobs: limits.
    """
    if quoted is None:
        return Unseen(reason="")
    if isinstance(quoted, Unquoted):
        return Unseen(reason=quoted.reason)
    if spot is None:
        return Unseen(reason="our own price is unusable")
    age = now - quoted.taken_s
    if abs(age) > knobs.max_age_s:
        when = f"{age} s old" if age > 0 else f"{-age} s ahead of the block"
        trouble = f"; newest attempt: {quoted.trouble}" if quoted.trouble else ""
        return Unseen(reason=f"quotes of {quoted.source} are {when}, limit {knobs.max_age_s}{trouble}")
    gap = quoted.index / spot - 1
    if abs(gap) * PPM > knobs.max_index_gap_ppm:
        limit = knobs.max_index_gap_ppm / PPM
        return Unseen(
            reason=f"the index of {quoted.source} is {percent(gap, '+.2')} from our oracle, limit {percent(limit)}"
        )
    fit = fitted(replace(quoted, trouble=""), knobs)  # what happened since changes no fit
    if fit.surface is None:
        first = f": {fit.refused[0][1]}" if fit.refused else ""
        return Unseen(reason=f"no expiry of {quoted.source} can be used{first}")
    worst = max(error.rms for error in fit.errors.values())
    said = (
        f"quotes of {quoted.source}, {age} s old, index {percent(gap, '+.2')} from our oracle; expiries fitted "
        f"{len(fit.surface.slices)}, repaired {fit.repaired}, left out {len(fit.refused)}; worst fit {worst:.2f} "
        "points rms"
    )
    return View(fit=fit, surface=fit.surface, spot=spot, index=quoted.index / WAD, now=now, knobs=knobs, said=said)
