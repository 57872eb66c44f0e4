"""What each position gains per unit of its underlying's price, and per unit of volatility."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from keeper.risk.finite import finite
from keeper.risk.kernel.legs import NONE, Kind, Legs
from keeper.risk.kernel.revalue import MAX_DEVIATION

Floats = npt.NDArray[np.float64]


def deltas(legs: Legs, spots: Floats) -> Floats:
    """Signed delta of each position in units of its underlying, shape (L,); 0 for collateral that follows none.

    A forward's is its part that still moves, over spot; an option's is df·N(d1) of that, at expiry a step.

    Args:
        legs: the account.
        spots: of the market's underlyings, USD, shape (U,).
    """
    each = np.zeros(len(legs))
    each[legs.kind == Kind.PERP] = 1.0
    follows = (legs.kind == Kind.COLLATERAL) & (legs.underlying != NONE)
    each[follows] = legs.price[follows] / spots[legs.underlying[follows]]
    terms = legs.terms
    carried = terms.variable / spots[terms.underlying]
    future = legs.kind == Kind.FUTURE
    each[future] = carried[legs.term[future]]
    option = legs.is_option
    term = legs.term[option]
    each[option] = (terms.df * carried)[term] * _step(legs, option)
    return finite(deltas=each * legs.size)[0]


def vegas(legs: Legs) -> Floats:
    """Signed vega of each position, USD per 1.00 of volatility, shape (L,); 0 of all but options."""
    each = np.zeros(len(legs))
    option = legs.is_option
    term = legs.term[option]
    forward = (legs.terms.variable + legs.terms.fixed)[term]
    d1 = _d1(legs, option)
    with np.errstate(over="ignore"):  # a far d1 has no density
        density = np.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    each[option] = legs.terms.df[term] * forward * density * np.sqrt(legs.terms.years[term])
    return finite(vegas=each * legs.size)[0]


def _step(legs: Legs, option: npt.NDArray[np.bool_]) -> Floats:
    """N(d1) of calls, N(d1) − 1 of puts; a half at the money where no deviation is left."""
    return np.asarray(ndtr(_d1(legs, option)) - (legs.kind[option] == Kind.PUT))


def _d1(legs: Legs, option: npt.NDArray[np.bool_]) -> Floats:
    term, strike = legs.term[option], legs.strike[option]
    forward = (legs.terms.variable + legs.terms.fixed)[term]
    deviation = np.minimum(legs.vol[option] * np.sqrt(legs.terms.years[term]), MAX_DEVIATION)
    with np.errstate(divide="ignore", invalid="ignore"):  # limits are put in below
        k = np.where(strike > 0.0, np.log(forward / strike), np.inf)
        d1 = np.where(deviation > 0.0, k / deviation + 0.5 * deviation, np.sign(k) * np.inf)
    return np.where(np.isnan(d1), 0.0, d1)
