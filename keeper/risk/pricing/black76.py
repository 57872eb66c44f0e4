"""Black-76 in float64: options on a forward, vectorised, with their greeks.

Prices are in the unit of the forward; volatility is annual; time is in years of 365 days; `df` discounts to today.
Everything broadcasts.  Many prices at once are left to the compiled kernel, `keeper.risk.compiled.black76`, which
tests hold within 2e-15 of forward plus strike of the numpy twin here.  The contract's integers are in
`keeper.risk.exact.black76`; a test holds the two within 1e-11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]

_INV_SQRT_2PI: Final = 0.3989422804014327
#: From this many prices on the compiled kernel is used; fewer are done before a compiler could even be imported.
COMPILED_FROM: Final = 16_384


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


def price(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    vol: npt.ArrayLike,
    years: npt.ArrayLike,
    df: npt.ArrayLike = 1.0,
    *,
    sign: npt.ArrayLike,
) -> Floats:
    """Prices of calls and puts.  Zero volatility or zero time gives discounted intrinsic.

    Args:
        forward: not negative.
        strike: not negative; at zero a call is the discounted forward.
        vol: annual, not negative.
        years: to expiry, not negative.
        df: discount factor, positive.
        sign: 1 for a call, −1 for a put.

    Raises:
        LawBroken: an input is out of its range, NaN or infinite.
    """
    inputs = tuple(np.asarray(x, dtype=np.float64) for x in (sign, forward, strike, vol, years, df))
    shape = np.broadcast_shapes(*(x.shape for x in inputs))
    if math.prod(shape) < COMPILED_FROM:
        return price_by_numpy(*inputs[1:], sign=inputs[0])
    from keeper.risk import compiled  # noqa: PLC0415 - numba takes half a second to import

    return _price_compiled(shape, *inputs) if compiled.COMPILED else price_by_numpy(*inputs[1:], sign=inputs[0])


def price_by_numpy(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    vol: npt.ArrayLike,
    years: npt.ArrayLike,
    df: npt.ArrayLike = 1.0,
    *,
    sign: npt.ArrayLike,
) -> Floats:
    """The same, one array operation after the other: twin of the compiled kernel, and its stand-in without numba."""
    f, k, dev, _, d = _checked(forward, strike, vol, years, df, zero_is_legal=True)
    w = _signs(sign)
    d1, d2 = _d(f, k, dev)
    # A put is computed directly: parity would lose a far put's digits.
    return np.asarray(np.maximum(d * w * (f * ndtr(w * d1) - k * ndtr(w * d2)), 0.0))


def call(
    forward: npt.ArrayLike, strike: npt.ArrayLike, vol: npt.ArrayLike, years: npt.ArrayLike, df: npt.ArrayLike = 1.0
) -> Floats:
    """Prices of calls; arguments as for `price`."""
    return price(forward, strike, vol, years, df, sign=1.0)


def put(
    forward: npt.ArrayLike, strike: npt.ArrayLike, vol: npt.ArrayLike, years: npt.ArrayLike, df: npt.ArrayLike = 1.0
) -> Floats:
    """Prices of puts; arguments as for `price`."""
    return price(forward, strike, vol, years, df, sign=-1.0)


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


def _price_compiled(shape: tuple[int, ...], *inputs: Floats) -> Floats:
    from keeper.risk.compiled import black76 as kernels  # noqa: PLC0415 - as above
    from keeper.risk.compiled.columns import columns  # noqa: PLC0415 - as above

    arrays, steps = columns(shape, *inputs)
    out = np.empty(math.prod(shape))
    if kernels.prices(arrays, steps, out):
        sign, *market = inputs
        _signs(sign)
        _checked(*market, zero_is_legal=True)
    return out.reshape(shape)


def _signs(sign: npt.ArrayLike) -> Floats:
    w = np.asarray(sign, dtype=np.float64)
    if not (np.abs(w) == 1.0).all():
        raise LawBroken("an option's sign is 1 for a call and -1 for a put")
    return w


def _checked(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    vol: npt.ArrayLike,
    years: npt.ArrayLike,
    df: npt.ArrayLike,
    *,
    zero_is_legal: bool = False,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """(forward, strike, σ√T, years, df) as arrays; forward and strike may be zero where there is no derivative."""
    f, k, s, t, d = (np.asarray(x, dtype=np.float64) for x in (forward, strike, vol, years, df))
    for name, values, low_is_legal in (
        ("forward", f, zero_is_legal),
        ("strike", k, zero_is_legal),
        ("vol", s, True),
        ("years", t, True),
        ("df", d, False),
    ):
        fine = np.isfinite(values) & ((values >= 0.0) if low_is_legal else (values > 0.0))
        if not fine.all():
            raise LawBroken(
                f"Black-76: {name} has a value that is not a {'non-negative' if low_is_legal else 'positive'} number"
            )
    with np.errstate(over="ignore"):
        dev = np.asarray(s * np.sqrt(t))
    if not np.isfinite(dev).all():
        raise LawBroken("Black-76: volatility times the root of time overflows")
    return f, k, dev, t, d


def _d(f: Floats, k: Floats, dev: Floats) -> tuple[Floats, Floats]:
    """d1 and d2; at zero deviation plus or minus infinity, so that the price is intrinsic (zero at the money)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # A strike of nothing is infinitely far below, a forward of nothing infinitely far above.
        log_moneyness = np.where((f == 0.0) & (k == 0.0), 0.0, np.log(f / k))
    flat = dev == 0.0
    safe = np.where(flat, 1.0, dev)
    limit = np.where(log_moneyness > 0.0, np.inf, -np.inf)
    d1 = np.where(flat, limit, log_moneyness / safe + 0.5 * dev)
    return np.asarray(d1), np.asarray(np.where(flat, limit, d1 - dev))
