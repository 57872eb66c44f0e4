"""What to publish per expiry: volatilities, forwards and discount factors, on their lattices and in calendar order.

Where quotes say something (`implied`), level, smile and forward are theirs.  Where they do not, volatility
is realised, blended from today's and the mean of the history:

    σ(T) = mean · (realised / mean) ^ (m(T) / m(1 day)),   m(T) = (30 / days) ^ p,  p short or long at 30 days

The shortest tenor shows today's volatility, long tenors shrink towards the mean of the history, and a shock moves each
tenor by its m: the very term structure by which the contract shocks and fences volatilities.  The smile is flat.

At the money quoted and realised variance are mixed by a weight; a smile keeps its ratios to that level.
Total variance σ²T at the money never decreases with T: an expiry that would is lifted to its predecessor's.  The
discount factor is e^(−rT) with the operator's rate, which is 0 unless margin earns interest.

All integers: the inputs are ppm, the rest is Q64 as in the contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isqrt
from typing import Final

from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import ExpiryTarget
from keeper.domain.riskfile import ExpiryParams
from keeper.domain.snapshot import Listing
from keeper.risk import lattice
from keeper.risk.calibration.implied import ImpliedExpiry
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import DAY, PPB, PPM
from keeper.units import ceil_div

_MONTH_S: Final = 30 * DAY
#: Seconds per year of the vol clock.  Source: contracts/src/libraries/Black76.sol, YEAR.
YEAR_S: Final = 31_536_000


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
    return _publishable(mean_ppm * q64.exp(departure * share >> 64) >> 64, knobs)


def expiry_targets(
    listings: Sequence[Listing],
    *,
    realised_ppm: int,
    mean_ppm: int,
    now: int,
    knobs: RiskKnobs,
    implied: Mapping[int, ImpliedExpiry],
) -> Iterator[ExpiryTarget]:
    """What to publish for each unexpired expiry, ascending.

    Args:
        listings: of the underlying; what has expired is left out.
        realised_ppm: EWMA volatility now, positive.
        mean_ppm: volatility it returns to, positive.
        now: block time.
        knobs: the operator's choices.
        implied: what quotes say, or said when they were published last, by expiry; an expiry without gets a flat smile
            and no carry.
    """
    variance_before = 0
    for listing in sorted(listings, key=lambda one: one.expiry):
        seconds = listing.expiry - now
        if seconds <= 0:
            continue
        sigma = vol_at(realised_ppm, mean_ppm, seconds, knobs)
        quoted = implied.get(listing.expiry)
        if quoted is not None:
            weight = quoted.weight_ppm
            mixed = isqrt((weight * quoted.atm_ppm**2 + (PPM - weight) * sigma**2) // PPM)
            sigma = _publishable(mixed, knobs)
        if sigma * sigma * seconds < variance_before:
            lowest = isqrt(ceil_div(variance_before, seconds) - 1) + 1
            sigma = lattice.up(lowest, lattice.VOL_LATTICE_PPM)
        variance_before = sigma * sigma * seconds
        smile = (sigma,) * len(listing.strikes)
        if quoted is not None:
            smile = tuple(
                lattice.nearest(vol * sigma // quoted.atm_ppm, lattice.SMILE_LATTICE_PPM) for vol in quoted.vols_ppm
            )
        yield ExpiryTarget(
            params=ExpiryParams(
                expiry=listing.expiry,
                phi_ppb=PPB if quoted is None else lattice.nearest(quoted.phi_ppb, lattice.FORWARD_LATTICE_PPB),
                df_ppb=discount(seconds, knobs),
                sigma_atm_ppm=sigma,
            ),
            sigmas_ppm=tuple(min(max(vol, knobs.vol_floor_ppm), knobs.vol_ceiling_ppm) for vol in smile),
        )


def discount(seconds: int, knobs: RiskKnobs) -> int:
    """e^(−rT), parts per billion."""
    return q64.exp(-((knobs.discount_rate_ppm * seconds << 64) // (YEAR_S * PPM))) * PPB >> 64


def _publishable(vol_ppm: int, knobs: RiskKnobs) -> int:
    """The nearest point of the lattice within the knobs' bounds."""
    low = lattice.up(knobs.vol_floor_ppm, lattice.VOL_LATTICE_PPM)
    high = max(low, knobs.vol_ceiling_ppm // lattice.VOL_LATTICE_PPM * lattice.VOL_LATTICE_PPM)
    return min(max(lattice.nearest(vol_ppm, lattice.VOL_LATTICE_PPM), low), high)
