"""What a worsening state adds to initial margin: an unsure oracle, a stablecoin off its peg, a crowded side.

IM only: nobody is liquidated because an oracle widened or strangers took the same side (KER-8).
Sources: derive_pmrm2 in the margin methodology for confidence and peg; the crowding signal is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite, not_negative

Floats = npt.NDArray[np.float64]


def confidence_charge(
    confidence: npt.ArrayLike, *, threshold: npt.ArrayLike, rate: npt.ArrayLike, notional: npt.ArrayLike
) -> Floats:
    """USD for an oracle that is unsure: (1 − confidence)·rate·notional below the threshold, else nothing.

    Args:
        confidence: the least of all feeds that price the position, 1 is certain.
        threshold: at and above it nothing is charged.
        rate: of margin, fraction of notional.
        notional: USD, not negative.
    """
    sure, limit, r, n = not_negative(confidence=confidence, threshold=threshold, rate=rate, notional=notional)
    if (sure > 1.0).any():
        raise LawBroken("an oracle's confidence is at most 1")
    return np.asarray(np.where(sure < limit, (1.0 - sure) * r * n, 0.0))


def peg_factor(stable: npt.ArrayLike, *, threshold: npt.ArrayLike, slope: npt.ArrayLike) -> Floats:
    """What a settlement token under its peg adds to the IM factor: slope·max(0, threshold − price)."""
    price, limit, steep = not_negative(stable=stable, threshold=threshold, slope=slope)
    return np.asarray(steep * np.maximum(limit - price, 0.0))


@dataclass(frozen=True, kw_only=True)
class Crowding:
    """Account deltas against the book depth on the side they would have to trade, one entry per underlying."""

    sell_pressure: Floats
    """Deltas of all net-long accounts over bid depth; infinite where nobody bids."""
    buy_pressure: Floats
    """Deltas of all net-short accounts over ask depth; infinite where nobody offers."""
    skew: Floats
    """Delta-weighted liquidity skew, −1 to 1: positive where closing everybody would sell more of the book than buy."""

    def signal(self, delta: npt.ArrayLike) -> Floats:
        """How crowded the side is that each account would have to trade, 0 to 1; `delta` shape (…, underlyings).

        The product of how far the book leans to that side and how much of it would be used up.  An account that would
        trade against the crowd gets 0: closing it helps.
        """
        (held,) = finite(delta=delta)
        longs = np.maximum(self.skew, 0.0) * np.minimum(self.sell_pressure, 1.0)
        shorts = np.maximum(-self.skew, 0.0) * np.minimum(self.buy_pressure, 1.0)
        return np.asarray(np.where(held > 0.0, longs, np.where(held < 0.0, shorts, 0.0)))


def crowding(deltas: npt.ArrayLike, *, bid_depth: npt.ArrayLike, ask_depth: npt.ArrayLike) -> Crowding:
    """Measure crowding over all accounts.

    Args:
        deltas: net, in the underlying, shape (accounts, underlyings).
        bid_depth: that can be sold within the scan range, in the underlying, shape (underlyings,).
        ask_depth: that can be bought, likewise.
    """
    (held,) = finite(deltas=deltas)
    bids, asks = not_negative(bid_depth=bid_depth, ask_depth=ask_depth)
    longs, shorts = np.maximum(held, 0.0).sum(axis=0), np.maximum(-held, 0.0).sum(axis=0)
    # Cross-multiplied, so that one empty side is a skew of one and not a division by zero.
    empty = (bids == 0.0) & (asks == 0.0)
    sell, buy = longs * np.where(empty, 1.0, asks), shorts * np.where(empty, 1.0, bids)
    total = sell + buy
    return Crowding(
        sell_pressure=_pressure(longs, bids),
        buy_pressure=_pressure(shorts, asks),
        skew=np.divide(sell - buy, total, out=np.zeros_like(total), where=total > 0.0),
    )


def _pressure(deltas: Floats, depth: Floats) -> Floats:
    return np.divide(deltas, depth, out=np.where(deltas > 0.0, np.inf, 0.0), where=depth > 0.0)
