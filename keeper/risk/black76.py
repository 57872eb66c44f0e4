"""Black-76 in float64: options on a forward, vectorised, with their greeks.

Prices are in the unit of the forward; volatility is annual; time is in years of 365 days; `df` discounts to today.
Everything broadcasts.  The contract's integers are in `keeper.risk.exact.black76`; a test holds the two within 1e-11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]

_INV_SQRT_2PI = 0.3989422804014327


@dataclass(frozen=True, kw_only=True)
class Greeks:
    """Derivatives of one option's discounted price, for calls and puts alike."""

    delta: Floats
    """By the forward."""
    gamma: Floats
    """Twice by the forward."""
    vega: Floats
    """By volatility (per 1.00, not per point)."""
    theta: Floats
    """By calendar time at a constant forward and rate, per year: what a day costs is about theta / 365."""


def call(
    forward: npt.ArrayLike, strike: npt.ArrayLike, vol: npt.ArrayLike, years: npt.ArrayLike, df: npt.ArrayLike = 1.0
) -> Floats:
    """Price of calls.  Zero volatility or zero time gives discounted intrinsic.

    Args:
        forward: positive.
        strike: positive.
        vol: annual, not negative.
        years: to expiry, not negative.
        df: discount factor, positive.

    Raises:
        LawBroken: an input is out of its range, NaN or infinite.
    """
    f, k, dev, _, d = _checked(forward, strike, vol, years, df)
    d1, d2 = _d(f, k, dev)
    return np.asarray(d * (f * ndtr(d1) - k * ndtr(d2)))


def put(
    forward: npt.ArrayLike, strike: npt.ArrayLike, vol: npt.ArrayLike, years: npt.ArrayLike, df: npt.ArrayLike = 1.0
) -> Floats:
    """Price of puts; arguments as for `call`.  Computed directly, since parity would lose a far put's digits."""
    f, k, dev, _, d = _checked(forward, strike, vol, years, df)
    d1, d2 = _d(f, k, dev)
    return np.asarray(d * (k * ndtr(-d2) - f * ndtr(-d1)))


def call_greeks(
    forward: npt.ArrayLike, strike: npt.ArrayLike, vol: npt.ArrayLike, years: npt.ArrayLike, df: npt.ArrayLike = 1.0
) -> Greeks:
    """Greeks of calls; arguments as for `call`, but volatility and time must be positive."""
    f, k, dev, t, d = _checked(forward, strike, vol, years, df)
    if not (dev > 0.0).all():
        raise LawBroken("greeks need a positive volatility and time")
    d1, d2 = _d(f, k, dev)
    density = _INV_SQRT_2PI * np.exp(-0.5 * d1 * d1)
    price = d * (f * ndtr(d1) - k * ndtr(d2))
    return Greeks(
        delta=np.asarray(d * ndtr(d1)),
        gamma=np.asarray(d * density / (f * dev)),
        vega=np.asarray(d * f * density * np.sqrt(t)),
        theta=_theta(price, decay=d * f * density * dev / (2.0 * t), rate=-np.log(d) / t),
    )


def put_greeks(
    forward: npt.ArrayLike, strike: npt.ArrayLike, vol: npt.ArrayLike, years: npt.ArrayLike, df: npt.ArrayLike = 1.0
) -> Greeks:
    """Greeks of puts; arguments as for `call_greeks`."""
    of_call = call_greeks(forward, strike, vol, years, df)
    f, k, dev, t, d = _checked(forward, strike, vol, years, df)
    d1, d2 = _d(f, k, dev)
    density = _INV_SQRT_2PI * np.exp(-0.5 * d1 * d1)
    price = d * (k * ndtr(-d2) - f * ndtr(-d1))
    return Greeks(
        delta=np.asarray(-d * ndtr(-d1)),
        gamma=of_call.gamma,
        vega=of_call.vega,
        theta=_theta(price, decay=d * f * density * dev / (2.0 * t), rate=-np.log(d) / t),
    )


def _theta(price: Floats, *, decay: Floats, rate: Floats) -> Floats:
    # Time value melts, and the discount unwinds.
    return np.asarray(rate * price - decay)


def _checked(
    forward: npt.ArrayLike, strike: npt.ArrayLike, vol: npt.ArrayLike, years: npt.ArrayLike, df: npt.ArrayLike
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """(forward, strike, σ√T, years, df) as arrays."""
    f, k, s, t, d = (np.asarray(x, dtype=np.float64) for x in (forward, strike, vol, years, df))
    for name, values, low_is_legal in (
        ("forward", f, 0),
        ("strike", k, 0),
        ("vol", s, 1),
        ("years", t, 1),
        ("df", d, 0),
    ):
        fine = np.isfinite(values) & ((values >= 0.0) if low_is_legal else (values > 0.0))
        if not fine.all():
            raise LawBroken(
                f"Black-76: {name} has a value that is not a {'non-negative' if low_is_legal else 'positive'} number"
            )
    return f, k, np.asarray(s * np.sqrt(t)), t, d


def _d(f: Floats, k: Floats, dev: Floats) -> tuple[Floats, Floats]:
    """d1 and d2; at zero deviation plus or minus infinity, so that the price is intrinsic (zero at the money)."""
    log_moneyness = np.log(f / k)
    flat = dev == 0.0
    safe = np.where(flat, 1.0, dev)
    limit = np.where(log_moneyness > 0.0, np.inf, -np.inf)
    d1 = np.where(flat, limit, log_moneyness / safe + 0.5 * dev)
    return np.asarray(d1), np.asarray(np.where(flat, limit, d1 - dev))
