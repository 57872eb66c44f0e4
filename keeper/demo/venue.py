"""A venue that quotes options on the demo's own path: made up, seeded, and free of arbitrage before its noise.

It looks at the same rounds as everybody.  At-the-money variance starts at what the market moves by now and returns to
the mean in `RETURN_DAYS`; the smile is an SSVI surface (Gatheral and Jacquier 2014) whose skew steepens and whose
forwards slide to a discount the further the price has fallen.  Every quote carries a little noise of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.domain.quotes import ExpiryQuotes, OptionQuote, Quoted, QuoteSheet, Unquoted
from keeper.domain.snapshot import Snapshot, UnderlyingState, Usable
from keeper.risk.timeseries.volatility import Series, estimate

PPM, PPB = 10**6, 10**9
STRIKE_ONE = 10**8
YEAR_S = 31_536_000
DAY_S = 86_400
#: What option sellers ask for beyond what the market moves by.
PREMIUM = 1.05
#: Days over which volatility returns to its mean, and memory of the market maker's own estimate, per day.
RETURN_DAYS, MEMORY = 3.0, 0.3
#: Lowest and highest volatility at the money anybody quotes.
LEAST_VOL, MOST_VOL = 0.3, 2.8
#: SSVI: correlation in a calm market and after a fall of `DEEP`, and curvature.  η(1 + |ρ|) ≤ 2 keeps it free of
#: butterflies.
SKEW_CALM, SKEW_DEEP, DEEP = -0.15, -0.45, 0.3
CURVATURE = 0.5
#: Carry a year in a calm market and after a fall of `DEEP`.
CARRY_CALM, CARRY_DEEP = 0.10, -0.05
#: Noise of one quote, standard deviation relative to its volatility.
NOISE = 0.002
#: Strikes quoted per expiry, and how far out, in deviations at the money.
STRIKES, REACH = 13, 2.5
#: The venue lists other dates than we do beyond the first two: time to expiry over ours.
OTHER_DATES = (0.8, 1.3)


@dataclass(frozen=True)
class DemoVenue:
    """`QuoteSource` that is always there and always fresh."""

    seed: int

    def refresh(self) -> None:
        """See `QuoteSource.refresh`: it makes up its quotes when it is read."""

    def read(self, snapshot: Snapshot) -> tuple[Quoted, ...]:
        """See `QuoteSource.read`."""
        return tuple(quote(u, snapshot.block.timestamp, seed=self.seed) for u in snapshot.underlyings if u.listings)


def quote(u: UnderlyingState, now: int, *, seed: int) -> Quoted:
    """What the venue quotes on one underlying.  The same arguments give the same quotes."""
    series = estimate([o for o in u.history if o.time <= now], decay_per_day=MEMORY, min_rounds=2)
    if not isinstance(series, Series) or not isinstance(u.spot, Usable):
        return Unquoted(underlying=u.underlying, reason="the demo's venue has no price to quote on")
    short, mean = (min(max(PREMIUM * vol, LEAST_VOL), MOST_VOL) for vol in (series.vol_annual, series.mean_vol_annual))
    prices = np.exp(series.log_price)
    fear = min(1.0, float(1 - prices[-1] / prices.max()) / DEEP)
    chance = np.random.default_rng([seed, u.underlying, now])
    return QuoteSheet(
        underlying=u.underlying,
        source="the demo's venue",
        taken_s=now,
        index=u.spot.wad,
        trouble="",
        expiries=tuple(
            _expiry(e, now, u.spot.wad / 10**18, short=short, mean=mean, fear=fear, chance=chance)
            for e in dates([one.expiry for one in u.listings if one.expiry > now], now)
        ),
    )


def dates(listed: Sequence[int], now: int) -> list[int]:
    """What the venue lists: our next two dates, and others around the later ones."""
    later = (now + int((e - now) * factor) for e in listed[2:] for factor in OTHER_DATES)
    return sorted({*listed[:2], *(e - e % 3_600 for e in later)})


def atm_variance(short: float, mean: float, seconds: int) -> float:
    """Total variance at the money: instantaneous variance decays from `short` to `mean`, so it never falls in time."""
    days = seconds / DAY_S
    share = RETURN_DAYS / days * -math.expm1(-days / RETURN_DAYS)
    return (mean**2 + (short**2 - mean**2) * share) * seconds / YEAR_S


def ssvi(k: float, theta: float, rho: float) -> float:
    """Total variance at log-moneyness k, with φ(θ) = η / √(θ(1 + θ))."""
    x = CURVATURE / math.sqrt(theta * (1 + theta)) * k
    return theta / 2 * (1 + rho * x + math.sqrt((x + rho) ** 2 + 1 - rho**2))


def _expiry(
    expiry: int, now: int, spot: float, *, short: float, mean: float, fear: float, chance: np.random.Generator
) -> ExpiryQuotes:
    seconds = expiry - now
    years = seconds / YEAR_S
    theta = atm_variance(short, mean, seconds)
    rho = SKEW_CALM + (SKEW_DEEP - SKEW_CALM) * fear
    carry = CARRY_CALM + (CARRY_DEEP - CARRY_CALM) * fear
    phi = math.exp(carry * years)
    quotes = []
    for k, noise in zip(
        np.linspace(-REACH, REACH, STRIKES) * math.sqrt(theta), chance.standard_normal(STRIKES), strict=True
    ):
        vol = math.sqrt(ssvi(float(k), theta, rho) / years) * (1 + NOISE * float(noise))
        quotes.append(
            OptionQuote(
                strike=round(spot * phi * math.exp(k) * STRIKE_ONE),
                is_call=bool(k >= 0),
                vol_ppm=round(vol * PPM),
                bid_ppb=0,
                ask_ppb=0,
            )
        )
    return ExpiryQuotes(expiry=expiry, phi_ppb=round(phi * PPB), quotes=tuple(quotes))
