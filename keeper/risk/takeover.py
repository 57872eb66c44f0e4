"""The risk of what a liquidation bid takes over: its greeks, the trades that end it, and what they cost.

    straddles    at the money, one size per expiry: its vega is gone
    perp         −(Δ + what the straddles add), so that everything the plan says leaves neither delta nor vega
    hedge cost   |perp|·S·min(Y·σ_d·√(|perp|·S / V), scan range) + |vega|·half the spread of volatilities
    drift        |Δ|·S·σ_d·√(wait / 1 d)

with Δ the net delta of what is taken, V what is traded a day in USD and σ_d the volatility of a day.  Volatilities are
those of the risk file: what the protocol marks by.  Source of the square-root law: see
`keeper.risk.charges.liquidity`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.account import AccountState, Kind
from keeper.domain.market import UnderlyingMarket
from keeper.domain.riskfile import File
from keeper.domain.takeover import StraddleHedge, TakenOver
from keeper.risk.charges.liquidity import impact_cost
from keeper.risk.pricing import black76

WAD: Final = 10**18
_DAYS: Final = 365.0
_DAY_S: Final = 86_400.0
#: Scan ranges cover about this many standard deviations of a day: stands in where no volatility was estimated.
_RANGE_DEVIATIONS: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class HedgeMarket:
    """Where the risk is hedged."""

    volume_usd_per_day: float
    """Traded in an underlying, USD a day."""
    impact: float
    """Y of the square-root law."""
    wait_s: float
    """From the decision to bid until the hedge is on."""
    half_spread_vol: float
    """Half the bid-ask spread of volatilities at the money, 0.01 is a point."""


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Unexpired options of one underlying, one entry each, unit size; USD."""

    expiry: npt.NDArray[np.int64]
    size: npt.NDArray[np.float64]
    delta: npt.NDArray[np.float64]
    gamma: npt.NDArray[np.float64]
    vega: npt.NDArray[np.float64]
    theta: npt.NDArray[np.float64]


def taken_over(
    account: AccountState, u: UnderlyingMarket, *, share: float, now: int, where: HedgeMarket
) -> TakenOver | None:
    """The greeks of a share of what an account holds in one underlying, and the trades that end them.

    Args:
        account: whose positions.
        u: the underlying, priced and with a file.
        share: of the account, 0 to 1.
        now: unix seconds; expired options are cash and have no greeks.
        where: the hedge is traded.

    Returns:
        None if it holds nothing of it, or the underlying cannot be priced.
    """
    if u.spot is None or u.file is None:
        return None
    spot = u.spot / WAD
    held = [p for p in account.positions if p.instrument.underlying == u.underlying]
    perp = sum(p.size for p in held if p.instrument.kind is Kind.PERP) / WAD * share
    options = _options(account, u, u.file, share=share, now=now)
    if not held:
        return None
    delta = perp + float((options.size * options.delta).sum())
    gamma = float((options.size * options.gamma).sum()) * 0.01 * spot
    vega = float((options.size * options.vega).sum()) * 0.01
    theta = float((options.size * options.theta).sum()) / _DAYS
    daily = u.target.realised_vol / math.sqrt(_DAYS) if u.target else u.file.ranges.psr_ppm / 1e6 / _RANGE_DEVIATIONS
    straddles, added = _straddles(options, u.file, spot, now)
    perp_hedge = -(delta + added)
    cost = float(
        impact_cost(
            abs(perp_hedge) * spot,
            price=1.0,
            volume=where.volume_usd_per_day,
            vol=daily,
            edge=u.file.ranges.psr_ppm / 1e6,
            coefficient=where.impact,
        )
    )
    cost += sum(abs(s.vega) for s in straddles) / WAD * where.half_spread_vol / 0.01
    return TakenOver(
        underlying=u.underlying,
        delta=_wad(delta),
        gamma=_wad(gamma),
        vega=_wad(vega),
        theta=_wad(theta),
        hedge_perp=_wad(perp_hedge),
        straddles=straddles,
        hedge_cost=_wad(cost),
        drift=_wad(abs(delta) * spot * daily * math.sqrt(where.wait_s / _DAY_S)),
    )


def _options(account: AccountState, u: UnderlyingMarket, file: File, *, share: float, now: int) -> _Options:
    held = [
        p
        for p in account.positions
        if p.instrument.underlying == u.underlying
        and p.instrument.kind is not Kind.PERP
        and p.instrument.expiry > now
        and (p.instrument.expiry, p.instrument.strike) in file.arrays
    ]
    params = [file.expiries[p.instrument.expiry] for p in held]
    spot = (u.spot or 0) / WAD
    phi = np.array([e.phi_ppb for e in params], dtype=np.float64) / 1e9
    df = np.array([e.df_ppb for e in params], dtype=np.float64) / 1e9
    strike = np.array([p.instrument.strike for p in held], dtype=np.float64) / 1e8
    expiry = np.array([p.instrument.expiry for p in held], dtype=np.int64)
    sigma = np.array([file.arrays[p.instrument.expiry, p.instrument.strike].sigma_ppm for p in held], dtype=np.float64)
    years = (expiry - now) / (_DAYS * _DAY_S)
    put = np.array([p.instrument.kind is Kind.PUT for p in held], dtype=bool)
    size = np.array([p.size for p in held], dtype=np.float64) / WAD * share
    calls = black76.call_greeks(phi * spot, strike, sigma / 1e6, years, df)
    puts = black76.put_greeks(phi * spot, strike, sigma / 1e6, years, df)
    return _Options(
        expiry=expiry,
        size=size,
        delta=np.where(put, puts.delta, calls.delta) * phi,
        gamma=calls.gamma * phi * phi,
        vega=calls.vega,
        theta=np.where(put, puts.theta, calls.theta),
    )


def _straddles(options: _Options, file: File, spot: float, now: int) -> tuple[tuple[StraddleHedge, ...], float]:
    """The straddle of each expiry that ends its vega, and the delta that all of them bring along."""
    found, added = [], 0.0
    for expiry in sorted({int(e) for e in options.expiry}):
        here = options.expiry == expiry
        vega = float((options.size[here] * options.vega[here]).sum()) * 0.01
        e = file.expiries[expiry]
        phi, sigma = e.phi_ppb / 1e9, e.sigma_atm_ppm / 1e6
        years = (expiry - now) / (_DAYS * _DAY_S)
        call = black76.call_greeks(phi * spot, phi * spot, sigma, years, e.df_ppb / 1e9)
        put = black76.put_greeks(phi * spot, phi * spot, sigma, years, e.df_ppb / 1e9)
        size = -vega / (2.0 * float(call.vega) * 0.01)
        added += size * (float(call.delta) + float(put.delta)) * phi
        found.append(StraddleHedge(expiry=expiry, vega=_wad(vega), size=_wad(size)))
    return tuple(found), added


def _wad(value: float) -> int:
    """To nearest; floats have 53 bits, so the last digits carry nothing."""
    return round(value * 1e9) * 10**9
