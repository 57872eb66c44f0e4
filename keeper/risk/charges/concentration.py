"""Margin that grows with size: an account's own against what trades, and everybody's against what is safe.

An account's own size may enter IM and MM.  Open interest is what strangers do, so its ramp enters IM only (KER-8).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import not_negative

Floats = npt.NDArray[np.float64]

_PPM = 10**6


def concentration_rate(
    size: npt.ArrayLike,
    *,
    volume: npt.ArrayLike,
    open_interest: npt.ArrayLike,
    edge: npt.ArrayLike,
    volume_share: float,
    open_interest_share: float,
) -> Floats:
    """Extra margin of an account's own size, a fraction of its notional.

    A position of n times what one horizon can absorb takes n horizons to close, over which prices move √n times as
    far: edge·(√n − 1), nothing for n ≤ 1, and with the edge itself never more than the whole notional.

    Args:
        size: net, in the underlying, not negative.
        volume: average traded per horizon, in the underlying.
        open_interest: of the market, in the underlying.
        edge: the move that margin covers over one horizon (a scan range), fraction.
        volume_share: part of the volume that a close may be without moving the price.
        open_interest_share: part of the open interest that finds a counterparty within one horizon.
    """
    q, v, oi, reach = not_negative(size=size, volume=volume, open_interest=open_interest, edge=edge)
    absorbed = np.minimum(volume_share * v, open_interest_share * oi)
    horizons = np.full(np.broadcast_shapes(q.shape, absorbed.shape), np.inf)
    np.divide(q, absorbed, out=horizons, where=absorbed > 0.0)
    room = np.maximum(1.0 - reach, 0.0)
    moving = (q > absorbed) & (reach > 0.0)
    return np.asarray(np.minimum(np.where(moving, reach, 0.0) * (np.sqrt(np.where(moving, horizons, 1.0)) - 1.0), room))


def skew_scale_fraction(
    size: npt.ArrayLike, *, skew_scale: npt.ArrayLike, ratio: npt.ArrayLike, minimum: npt.ArrayLike
) -> Floats:
    """Margin fraction |size| / skewScale · ratio + minimum.  Source: Synthetix v3 perps, initial margin ratio."""
    scale, r, least = not_negative(skew_scale=skew_scale, ratio=ratio, minimum=minimum)
    if not (scale > 0.0).all():
        raise LawBroken("a skew scale must be positive")
    (q,) = not_negative(size=np.abs(np.asarray(size, dtype=np.float64)))
    return np.asarray(q / scale * r + least)


def open_interest_fraction(
    base: npt.ArrayLike, *, notional: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike
) -> Floats:
    """Initial margin fraction as open interest grows: base + clamp((OI − lower)/(upper − lower), 0, 1)·(1 − base).

    Args:
        base: fraction below `lower`, at most 1.
        notional: open interest, USD.
        lower: USD where the ramp starts.
        upper: USD where the fraction is 1; equal to `lower`, the ramp is a step.

    Source: dYdX v4, open interest margin fraction.
    """
    b, oi, lo, hi = not_negative(base=base, notional=notional, lower=lower, upper=upper)
    if (b > 1.0).any() or (hi < lo).any():
        raise LawBroken("an open-interest ramp needs base ≤ 1 and lower ≤ upper")
    width = hi - lo
    step = (oi > lo).astype(np.float64)
    ramp = np.divide(
        oi - lo, width, out=np.broadcast_to(step, np.broadcast_shapes(oi.shape, width.shape)).copy(), where=width > 0.0
    )
    return np.asarray(b + np.clip(ramp, 0.0, 1.0) * (1.0 - b))


def open_interest_fraction_ppm(base_ppm: int, *, notional: int, lower: int, upper: int) -> int:
    """The same in integers, as the chain reports it: the increase is rounded down.  Money in any one unit."""
    if not (0 <= base_ppm <= _PPM and 0 <= lower <= upper and notional >= 0):
        raise LawBroken("an open-interest ramp needs base ≤ 1 and lower ≤ upper")
    if notional <= lower:
        return base_ppm
    if notional >= upper:
        return _PPM
    return base_ppm + (_PPM - base_ppm) * (notional - lower) // (upper - lower)
