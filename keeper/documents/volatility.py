"""Volatilities of the strikes that an account holds, from the smiles of a market document."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from keeper.documents import market as doc
from keeper.errors import LawBroken
from keeper.risk.kernel.market import Expiry
from keeper.risk.surface.arbitrage import check
from keeper.risk.surface.quotes import Quote
from keeper.risk.surface.smile import FlatSmile, Slice, SviSmile
from keeper.risk.surface.svi import Svi

YEAR_S: Final = 365 * 86_400


@dataclass(frozen=True, kw_only=True)
class NoVol:
    """Why an expiry has no volatilities."""

    reason: str


def slices_of(underlying: doc.Underlying, *, now_s: float, expiries: Mapping[int, Expiry]) -> dict[int, Slice | NoVol]:
    """The smile of each expiry that has one of its own, by expiry in unix seconds.

    Args:
        underlying: as written.
        now_s: the time of valuation; expiries at or before it are left out.
        expiries: the same ones as the kernel sees them.
    """
    alive = {one.expiry_s: one.smile for one in underlying.expiries if one.expiry_s > now_s and one.smile is not None}
    found: dict[int, Slice] = {}
    quoted: list[Quote] = []
    for expiry_s, smile in alive.items():
        forward, years = expiries[expiry_s].forward, (expiry_s - now_s) / YEAR_S
        if smile.flat is not None:
            flat = FlatSmile(vol=smile.flat)
            found[expiry_s] = Slice(expiry_s=expiry_s, years=years, forward=forward, smile=flat)
        elif smile.svi is not None:
            found[expiry_s] = _svi(smile.svi, expiry_s=expiry_s, years=years, forward=forward)
        else:
            worth = forward * math.exp(-expiries[expiry_s].rate * years)
            quoted += [_quote(one, expiry_s, forward, now_s, worth=worth) for one in smile.quotes or ()]
    return _without_arbitrage(found) | _fitted(quoted, now_s)


def vol_at(one: Slice | NoVol, strike: float) -> float | NoVol:
    """The volatility of a strike; a slice that has none there is a reason."""
    if isinstance(one, NoVol):
        return one
    try:
        return float(one.vol(strike))
    except LawBroken as error:
        return NoVol(reason=f"no volatility at strike {strike:g}: {error.message}")


def _without_arbitrage(slices: Mapping[int, Slice]) -> dict[int, Slice | NoVol]:
    """What is written is used as it is, or not at all: of two that cross, the later one is refused."""
    found: dict[int, Slice | NoVol] = {}
    for day, one in slices.items():
        try:
            with np.errstate(all="ignore"):  # parameters beyond all measure: what is not a number breaks a law
                broken = check((one,))
        except LawBroken as error:  # parameters that are legal one by one, and have no variance at some strike
            found[day] = NoVol(reason=f"its smile is none: {error.message}")
        else:
            found[day] = NoVol(reason=f"its smile allows arbitrage: {broken[0]}") if broken else one
    sound = [each for day in sorted(found) if isinstance(each := found[day], Slice)]
    crossed = {wrong.expiry_s: NoVol(reason=f"its smile allows arbitrage: {wrong}") for wrong in reversed(check(sound))}
    return {**found, **crossed}


def _svi(written: doc.Svi, *, expiry_s: int, years: float, forward: float) -> Slice:
    svi = Svi(a=written.a, b=written.b, rho=written.rho, m=written.m, sigma=written.sigma)
    return Slice(expiry_s=expiry_s, years=written.tau_years or years, forward=forward, smile=SviSmile(svi=svi))


def _quote(one: doc.Quote, expiry_s: int, forward: float, now_s: float, *, worth: float) -> Quote:
    """`worth` is what the discounted forward costs today: premiums are shares of it."""
    return Quote(
        expiry_s=expiry_s,
        strike=one.strike,
        is_call=one.kind == "C",
        forward=forward,
        time_s=int(now_s),
        mark_vol=one.vol,
        bid=None if one.bid is None else one.bid / worth,
        ask=None if one.ask is None else one.ask / worth,
    )


def _fitted(quotes: list[Quote], now_s: float) -> dict[int, Slice | NoVol]:
    if not quotes:
        return {}
    from keeper.risk.surface.fit import fit_surface  # noqa: PLC0415 - compiles on import

    fitted = fit_surface(quotes, now_s=int(now_s))
    found: dict[int, Slice | NoVol] = {one.expiry_s: NoVol(reason=one.reason) for one in fitted.refused}
    return found | {one.expiry_s: one for one in (fitted.surface.slices if fitted.surface else ())}
