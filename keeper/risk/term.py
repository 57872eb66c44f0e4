"""Implied volatilities from realised ones, until surfaces bring quoted ones.

    σ(T) = mean · (realised / mean) ^ (m(T) / m(1 day)),   m(T) = (30 / days) ^ p,  p short or long at 30 days

The shortest tenor shows today's volatility, long tenors shrink towards the mean of the history, and a shock moves each
tenor by its m: the very term structure by which the contract shocks and fences volatilities.  The smile is flat.
Total variance σ²T never decreases with T: an expiry that would is lifted to its predecessor's.

All integers: the inputs are ppm, the rest is Q64 as in the contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt
from typing import Final

from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import ExpiryTarget
from keeper.domain.riskfile import ExpiryParams
from keeper.domain.snapshot import Listing
from keeper.risk import lattice
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import DAY, PPB, PPM
from keeper.units import ceil_div

_MONTH_S: Final = 30 * DAY


def factor(seconds: int, knobs: RiskKnobs) -> int:
    """m(T), Q64, time floored at one day: `exact.riskfile.term_factor` with the operator's powers."""
    t = max(seconds, DAY)
    power = lattice.to_ppm(knobs.term_short_power if t <= _MONTH_S else knobs.term_long_power)
    return q64.exp(q64.ln((_MONTH_S << 64) // t) * power // PPM)


def vol_at(realised_ppm: int, mean_ppm: int, seconds: int, knobs: RiskKnobs) -> int:
    """At-the-money volatility of a tenor, ppm, on the lattice and within the knobs' bounds.

    Args:
        realised_ppm: EWMA volatility now, positive.
        mean_ppm: volatility it returns to, positive.
        seconds: to expiry.
        knobs: powers and bounds.
    """
    departure = q64.ln((realised_ppm << 64) // mean_ppm)
    share = (factor(seconds, knobs) << 64) // factor(DAY, knobs)
    vol = mean_ppm * q64.exp(departure * share >> 64) >> 64
    low = lattice.up(knobs.vol_floor_ppm, lattice.VOL_LATTICE_PPM)
    high = max(low, knobs.vol_ceiling_ppm // lattice.VOL_LATTICE_PPM * lattice.VOL_LATTICE_PPM)
    return min(max(lattice.nearest(vol, lattice.VOL_LATTICE_PPM), low), high)


def expiry_targets(
    listings: Sequence[Listing], *, realised_ppm: int, mean_ppm: int, now: int, knobs: RiskKnobs
) -> Iterator[ExpiryTarget]:
    """What to publish for each unexpired expiry, ascending: a flat smile, no carry, no discount."""
    variance_before = 0
    for listing in sorted(listings, key=lambda one: one.expiry):
        seconds = listing.expiry - now
        if seconds <= 0:
            continue
        sigma = vol_at(realised_ppm, mean_ppm, seconds, knobs)
        if sigma * sigma * seconds < variance_before:
            lowest = isqrt(ceil_div(variance_before, seconds) - 1) + 1
            sigma = lattice.up(lowest, lattice.VOL_LATTICE_PPM)
        variance_before = sigma * sigma * seconds
        yield ExpiryTarget(
            params=ExpiryParams(expiry=listing.expiry, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=sigma),
            sigmas_ppm=(sigma,) * len(listing.strikes),
        )
