"""One revaluation: what one unit of each leg is worth in each row, and in the row where nothing moves.

    spot s, forward F(s·b) = F_var·s·b + F_fix, volatility σ·max(0, 1 + shock·m(T))·(1 + skew), price by Black-76

Instruments are priced, not positions; sizes come after.  In coin every USD value is divided by what one coin is worth
in the row: the leg's own mark for perpetuals and expiries, spot for collateral; a position fixed in USD then gains
q·s/(1 + s) coins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from keeper.risk.finite import finite
from keeper.risk.kernel.legs import NONE, Kind, Legs, Terms
from keeper.risk.kernel.numeraire import Numeraire
from keeper.risk.kernel.preset import SkewShape, VolTerm
from keeper.risk.kernel.scenarios import Scenarios
from keeper.risk.pricing import black76

Floats = npt.NDArray[np.float64]

#: σ√T beyond which a price has reached its limit.  Source: derive_pmrm2 in the margin methodology.
MAX_DEVIATION = 24.0
_DAY_S = 86_400.0
_MONTH_S = 30.0 * _DAY_S


@dataclass(frozen=True, kw_only=True)
class Values:
    """Of one unit of each leg."""

    base: Floats
    """Where nothing moves, shape (L,)."""
    moved: Floats
    """In each row, shape (L, S)."""


def revalue(
    legs: Legs,
    rows: Scenarios,
    *,
    vol_term: VolTerm,
    skew: SkewShape | None,
    money: Numeraire,
) -> Values:
    """Value one unit of each leg under each row.

    Args:
        legs: of one account, or of many laid side by side.
        rows: the scenario table; its columns are the market's underlyings and collaterals.
        vol_term: how a volatility shock depends on tenor.
        skew: what a full skew shock is; needed where a row has one.
        money: USD, or the coin of the legs' one underlying.

    Raises:
        LawBroken: a value is not finite.
    """
    # The unmoved row goes through the very same arithmetic, so that a row in which nothing moves has P&L exactly 0.
    table = _with_unmoved(rows)
    values = np.zeros((len(legs), len(table)))
    with np.errstate(all="ignore"):  # what is not finite is refused below
        spot = table.spot.T  # (U, S)
        forward = forwards(legs.terms, spot * table.basis.T)
        perp = legs.kind == Kind.PERP
        values[perp] = legs.price[perp, None] * spot[legs.underlying[perp]]
        future = legs.kind == Kind.FUTURE
        values[future] = forward[legs.term[future]]
        token = legs.kind == Kind.COLLATERAL
        values[token] = legs.price[token, None] * _token_factor(legs, table, token)
        option = legs.is_option
        values[option] = _options(legs, forward, table, vol_term=vol_term, skew=skew)
        if money.coin is not None:
            values = _in_coin(legs, values, forward, spot, coin=spot[money.coin] * money.price)
    (checked,) = finite(values=values)
    return Values(base=checked[:, 0], moved=checked[:, 1:])


def forwards(terms: Terms, factor: Floats) -> Floats:
    """Forward of each expiry under each row, shape (E, S); `factor` on spot and basis together, shape (U, S)."""
    return np.asarray(terms.variable[:, None] * factor[terms.underlying] + terms.fixed[:, None])


def vol_factor(terms: Terms, vol_term: VolTerm) -> Floats:
    """m of each expiry, shape (E,): how much a volatility of its tenor moves against one of 30 days."""
    if vol_term.flat is not None:
        return np.full(terms.seconds.shape, vol_term.flat)
    # A second at least: an expired option has no volatility to shock, and 30 d / 0 is no number.
    seconds = np.maximum(terms.seconds, max(vol_term.floor_days * _DAY_S, 1.0))
    power = np.where(terms.seconds <= _MONTH_S, vol_term.short_power, vol_term.long_power)
    return np.asarray((_MONTH_S / seconds) ** power)


def skew_multiplier(log_moneyness: Floats, years: Floats, linear: Floats, smile: Floats, shape: SkewShape) -> Floats:
    """Factor on a strike's volatility; arguments broadcast, `linear` and `smile` are shares of the full shocks."""
    root = np.sqrt(years)
    k_star = np.maximum(shape.min_k_star, root * shape.width_scale * (shape.vol_static + root * shape.vol_scale))
    tilt = _clamped(log_moneyness, shape.linear_c_base * root + shape.linear_base_cap, k_star)
    lift = _clamped(np.abs(log_moneyness), shape.smile_c_base * root + shape.smile_base_cap, k_star)
    return np.asarray(np.maximum(1.0 + linear * tilt + smile * lift, 0.0))


def _clamped(k: Floats, cap: Floats, k_star: Floats) -> Floats:
    # Two one-sided clamps and not one of ±|cap|: a cap that falls below zero at long tenors keeps its sign.
    ramp = k * cap / k_star
    return np.asarray(np.where(k >= 0.0, np.minimum(cap, ramp), np.maximum(-cap, ramp)))


def _options(legs: Legs, forward: Floats, table: Scenarios, *, vol_term: VolTerm, skew: SkewShape | None) -> Floats:
    """Value of one of each option under each row, shape (O, S)."""
    option = legs.is_option
    term, under = legs.term[option], legs.underlying[option]
    f, strike = forward[term], legs.strike[option, None]
    shock = table.vol.T[under]
    vol = legs.vol[option, None] * np.maximum(0.0, 1.0 + shock * vol_factor(legs.terms, vol_term)[term, None])
    vol = np.where(shock > 0.0, np.maximum(vol, vol_term.up_floor), vol)
    if skew is not None:
        k = np.log(np.where((strike > 0.0) & (f > 0.0), strike / f, 1.0))
        years = legs.terms.years[term, None]
        vol = vol * skew_multiplier(k, years, table.skew.T[under], table.smile.T[under], skew)
    deviation = np.minimum(vol * np.sqrt(legs.terms.years[term, None]), MAX_DEVIATION)
    sign = np.where(legs.kind[option] == Kind.CALL, 1.0, -1.0)[:, None]
    # A year of the deviation: σ√T is what is capped, and years are in it already.
    return black76.price(finite(forward=f)[0], strike, deviation, 1.0, legs.terms.df[term, None], sign=sign)


def _token_factor(legs: Legs, table: Scenarios, token: npt.NDArray[np.bool_]) -> Floats:
    """Factor on each collateral's price.  A debt does not shrink because its token loses its peg."""
    follows = legs.underlying[token]
    spot = np.where((follows == NONE)[:, None], 1.0, table.spot.T[follows] if table.spot.size else 1.0)
    factor = table.collateral.T[legs.token[token]]
    own = np.where((legs.size[token] > 0.0)[:, None], factor, np.maximum(factor, 1.0))
    return np.asarray(spot * own)


def _in_coin(legs: Legs, values: Floats, forward: Floats, spot: Floats, *, coin: Floats) -> Floats:
    out = values / coin
    perp, future, option = legs.kind == Kind.PERP, legs.kind == Kind.FUTURE, legs.is_option
    # Sized in coin at today's mark: a fixed USD amount, whose worth in coin is −1/s against −1 today.
    out[perp] = -1.0 / spot[legs.underlying[perp]]
    out[future] = -forward[legs.term[future]][:, :1] / forward[legs.term[future]]
    out[option] = values[option] / forward[legs.term[option]]
    return np.asarray(out)


def _with_unmoved(rows: Scenarios) -> Scenarios:
    def first(values: Floats, nothing: float) -> Floats:
        return np.concatenate((np.full((1, *values.shape[1:]), nothing), values))

    return replace(
        rows,
        tags=("unmoved", *rows.tags),
        spot=first(rows.spot, 1.0),
        vol=first(rows.vol, 0.0),
        skew=first(rows.skew, 0.0),
        smile=first(rows.smile, 0.0),
        basis=first(rows.basis, 1.0),
        collateral=first(rows.collateral, 1.0),
        weight=first(rows.weight, 1.0),
        own_weight=None,
        probability=None,
    )
