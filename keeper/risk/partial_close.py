"""How much of a perp-only account must be closed, and how much of a loan may be.

Health factors are collateral · liquidation threshold over debt: below 1 a position may be liquidated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite, not_negative

Floats = npt.NDArray[np.float64]


def notional_to_close(
    equity: npt.ArrayLike, notional: npt.ArrayLike, *, margin: npt.ArrayLike, fee: npt.ArrayLike
) -> Floats:
    """Least notional to close so that what is left meets its margin after the fee: x = (m·N − E)/(m − fee).

    Nothing where equity meets the margin already; everything where closing cannot help (m ≤ fee) or nothing is left
    to save (E ≤ 0); never more than there is.

    Args:
        equity: USD.
        notional: of all perpetuals, USD, not negative.
        margin: m = (1 + buffer) · maintenance margin fraction.
        fee: of the closed notional, fraction.

    Source: closed form of equity − fee·x = m·(notional − x).
    """
    (e,) = finite(equity=equity)
    n, m, f = not_negative(notional=notional, margin=margin, fee=fee)
    # E ≤ fee·N holds in each hopeless case that misses its margin, and only beyond it is x less than N.
    part = (m * n > e) & (e > f * n)
    close = np.where(np.broadcast_to(m * n > e, part.shape), n, 0.0)
    return np.asarray(np.minimum(np.divide(m * n - e, m - f, out=close, where=part), n))


def health_factor(weighted_collateral: npt.ArrayLike, debt: npt.ArrayLike) -> Floats:
    """Collateral, already times its liquidation threshold, over debt; infinite without debt.  Source: Aave v3."""
    c, d = not_negative(weighted_collateral=weighted_collateral, debt=debt)
    return np.asarray(np.divide(c, d, out=np.full(_shape(c, d), np.inf), where=d > 0.0))


def close_factor(
    health: npt.ArrayLike,
    *,
    collateral: npt.ArrayLike,
    debt: npt.ArrayLike,
    partial: float,
    full_below: float,
    small: float,
) -> Floats:
    """Share of a debt that one liquidation may repay.

    Nothing at a health of 1 and above; all of it at or below `full_below`, or if collateral or debt is small, so that
    no dust is left; else `partial`.

    Args:
        health: health factor, may be infinite.
        collateral: USD.
        debt: USD.
        partial: share in the ordinary case.
        full_below: health factor at and below which all may be repaid.
        small: USD under which a position is small.

    Source: Aave v3.3 LiquidationLogic (0.5, 0.95, 2,000 USD).
    """
    hf = np.asarray(health, dtype=np.float64)
    if not (hf >= 0.0).all():
        raise LawBroken("a health factor is NaN or negative")
    c, d = not_negative(collateral=collateral, debt=debt)
    whole = (hf <= full_below) | (c < small) | (d < small)
    return np.asarray(np.where(hf >= 1.0, 0.0, np.where(whole, 1.0, partial)))


def incentive_factor(threshold: npt.ArrayLike, *, cursor: float, most: float) -> Floats:
    """What a liquidator receives per unit repaid: min(most, 1 / (1 − cursor·(1 − threshold))).

    Args:
        threshold: liquidation loan-to-value, 0 to 1.
        cursor: how fast the incentive grows with the room below one, under 1.
        most: cap.

    Source: Morpho Blue (0.3, 1.15).
    """
    (lltv,) = not_negative(threshold=threshold)
    if (lltv > 1.0).any() or not 0.0 <= cursor < 1.0:
        raise LawBroken("an incentive needs a threshold of at most 1 and a cursor under 1")
    return np.asarray(np.minimum(most, 1.0 / (1.0 - cursor * (1.0 - lltv))))


def _shape(*arrays: Floats) -> tuple[int, ...]:
    return np.broadcast_shapes(*(array.shape for array in arrays))
