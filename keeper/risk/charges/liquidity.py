"""What it costs to close: the order book where there is one, the square-root law where there is none, quoted spreads.

    book    Σ over levels of size · |price − mid|; what the book cannot fill pays the edge shock, never nothing
    √-law   share of the price = Y·σ·√(Q/V), at most the edge shock

Both are charged on the net risk to close: a liquidator hedges deltas, not lots.  The edge shock is the move that the
margin covers anyway (a scan range): no unit is closed at worse terms than the grid already assumes.
Costs are USD and never negative.  Sources: the margin methodology; for the √-law, Tóth et al. (2011), with Y near 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite, not_negative

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Depth:
    """One side of an order book: bids for what must be sold, asks for what must be bought."""

    prices: Floats
    """USD, best first, shape (n,)."""
    sizes: Floats
    """In the underlying, shape (n,)."""
    mid: float
    """USD; cost is measured from here."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a price or size is not positive, or levels do not move away from the mid."""
        not_negative(prices=self.prices, sizes=self.sizes, mid=self.mid)
        away = np.abs(self.prices - self.mid)
        one_side = (self.prices >= self.mid).all() or (self.prices <= self.mid).all()
        if self.prices.shape != self.sizes.shape or not one_side or (np.diff(away) < 0.0).any():
            raise LawBroken("levels of a book's side must lie on one side of its mid, best first", levels=away.size)

    @property
    def total(self) -> float:
        """All that can be filled, in the underlying."""
        return float(self.sizes.sum())


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What a book's side fills of each quantity, and at which cost."""

    cost: Floats
    """USD lost against the mid on what is filled."""
    unfilled: Floats
    """In the underlying: what the side does not hold."""


def walk(side: Depth, quantity: npt.ArrayLike) -> Walk:
    """Fill quantities from the best level on, each as if it came alone.

    Args:
        side: the side they trade against.
        quantity: in the underlying, not negative, any shape.
    """
    (wanted,) = not_negative(quantity=quantity)
    size = np.concatenate(([0.0], np.cumsum(side.sizes)))
    cost = np.concatenate(([0.0], np.cumsum(side.sizes * np.abs(side.prices - side.mid))))
    # Cost is a line between levels, and stays at its last value beyond them.
    return Walk(cost=np.asarray(np.interp(wanted, size, cost)), unfilled=np.asarray(np.maximum(wanted - size[-1], 0.0)))


def book_cost(side: Depth, quantity: npt.ArrayLike, *, edge: float) -> Floats:
    """Cost of closing `quantity` against a book, the unfilled rest at the edge shock.

    Args:
        side: the side to trade against.
        quantity: in the underlying, not negative.
        edge: fraction of the mid that the rest pays; where the last level is further away already, that distance.
    """
    (shock,) = not_negative(edge=edge)
    walked = walk(side, quantity)
    # The rest is never cheaper than the last unit that was filled, or a deeper book could cost more.
    last = float(np.abs(side.prices[-1] - side.mid)) if side.prices.size else 0.0
    return np.asarray(walked.cost + walked.unfilled * max(float(shock) * side.mid, last))


def impact(
    quantity: npt.ArrayLike, *, volume: npt.ArrayLike, vol: npt.ArrayLike, coefficient: npt.ArrayLike = 1.0
) -> Floats:
    """Mean price impact by the square-root law, a fraction of the price: Y·σ·√(Q/V).

    Args:
        quantity: to trade, not negative.
        volume: traded per period, same unit; 0 makes the impact infinite, which `impact_cost` bounds.
        vol: of the same period, fraction.
        coefficient: Y.
    """
    q, v, sigma, y = not_negative(quantity=quantity, volume=volume, vol=vol, coefficient=coefficient)
    share = np.full(np.broadcast_shapes(q.shape, v.shape), np.inf)
    np.divide(q, v, out=share, where=v > 0.0)
    # Nothing to trade, or a price that does not move, costs nothing even where nobody trades.
    still = (q == 0.0) | (y * sigma == 0.0)
    return np.asarray(np.where(still, 0.0, y * sigma * np.sqrt(np.where(still, 0.0, share))))


def impact_cost(
    quantity: npt.ArrayLike,
    *,
    price: npt.ArrayLike,
    volume: npt.ArrayLike,
    vol: npt.ArrayLike,
    edge: npt.ArrayLike,
    coefficient: npt.ArrayLike = 1.0,
) -> Floats:
    """Cost of closing by the square-root law, at most the edge shock; arguments as for `impact`, `price` in USD."""
    q, p, most = not_negative(quantity=quantity, price=price, edge=edge)
    return np.asarray(q * p * np.minimum(impact(q, volume=volume, vol=vol, coefficient=coefficient), most))


def net_close_cost(delta: npt.ArrayLike, *, bids: Depth, asks: Depth, edge: float) -> Floats:
    """Liquidity add-on of accounts by their net delta: longs are sold to the bids, shorts are bought from the asks."""
    (net,) = finite(delta=delta)
    sold = book_cost(bids, np.maximum(net, 0.0), edge=edge)
    bought = book_cost(asks, np.maximum(-net, 0.0), edge=edge)
    return np.asarray(sold + bought)


def spread_cost(size: npt.ArrayLike, *, mark: npt.ArrayLike, bid: npt.ArrayLike, ask: npt.ArrayLike) -> Floats:
    """What closing each position at the quotes loses against its mark; a quote better than the mark gains nothing.

    Args:
        size: signed; a long is closed at the bid, a short at the ask.
        mark: USD.
        bid: USD; 0 where nobody bids, and the long loses its whole mark.
        ask: USD; where nobody offers the caller must bring a price, for instance the mark with `vol_spread_cost`.
    """
    (q,) = finite(size=size)
    m, b, a = not_negative(mark=mark, bid=bid, ask=ask)
    return np.asarray(np.maximum(q, 0.0) * np.maximum(m - b, 0.0) + np.maximum(-q, 0.0) * np.maximum(a - m, 0.0))


def vol_spread_cost(vega: npt.ArrayLike, *, half_spread: npt.ArrayLike) -> Floats:
    """The same where quotes are in volatility: net vega (USD per 1.00) times half the bid-ask spread in volatility."""
    (net,) = finite(vega=vega)
    (half,) = not_negative(half_spread=half_spread)
    return np.asarray(np.abs(net) * half)
