"""Add-ons on size: what closing the net delta costs, how long it takes, and how crowded the venue is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from keeper.domain.text import percent
from keeper.errors import LawBroken
from keeper.risk.charges import concentration, liquidity
from keeper.risk.kernel import charges
from keeper.risk.kernel.account import Account, Charged, rated
from keeper.risk.kernel.market import Liquidity, Market, Underlying
from keeper.risk.kernel.preset import Block
from keeper.risk.kernel.rows import Scanned
from keeper.risk.kernel.tables import scan_of

Floats = npt.NDArray[np.float64]


def scan_edges(blocks: Sequence[Block], market: Market) -> Floats:
    """Price scan range of each underlying that a preset's first grid uses, NaN where there is none."""
    for block in blocks:
        if isinstance(block.rows, Scanned):
            ranges = [scan_of(one, block.rows) for one in market.underlyings]
            return np.array([np.nan if one is None else one.price for one in ranges])
    return np.full(len(market.underlyings), np.nan)


def _net(account: Account) -> Iterator[tuple[int, Underlying, Liquidity, float]]:
    """Each underlying with its depth and the account's net delta, where there are both."""
    for i, underlying in enumerate(account.market.underlyings):
        net = float(account.deltas[account.legs.underlying == i].sum())
        if net and underlying.liquidity is not None:
            if np.isnan(account.edges[i]):
                raise LawBroken(f"a size add-on needs a scan range of {underlying.symbol}")
            yield i, underlying, underlying.liquidity, net


def ramp(one: charges.OpenInterestRamp, account: Account) -> Iterator[Charged]:
    """What the initial fraction rises by, over the scan range; nothing where no safe open interest is known."""
    for i, underlying, depth, net in _net(account):
        interest, safe = depth.open_interest_usd, depth.safe_open_interest_usd
        if interest is None or safe is None:
            continue
        base = min(float(account.edges[i]), 1.0)
        fraction = concentration.open_interest_fraction(
            base, notional=interest, lower=one.lower * safe, upper=one.upper * safe
        )
        amount = (float(fraction) - base) * abs(net) * float(account.units[i])
        detail = f"{interest:,.0f} USD open, {safe:,.0f} safe"
        yield Charged(what=f"open interest {underlying.symbol}", maintenance=0.0, initial=amount, detail=detail)


def close_cost(one: charges.CloseCost, account: Account) -> Iterator[Charged]:
    """Cost of closing each net delta; nothing where neither a book nor volume and volatility are known."""
    for i, underlying, depth, net in _net(account):
        levels = depth.bids if net > 0.0 else depth.asks
        edge = float(account.edges[i])
        if levels:
            mid = _mid(depth, underlying.spot)
            side = liquidity.Depth(
                prices=np.array([price for price, _ in levels]), sizes=np.array([size for _, size in levels]), mid=mid
            )
            # What the book does not hold pays the edge of spot, however far below it a lone offer lies.
            rest = edge * max(1.0, underlying.spot / mid)
            usd, how = float(liquidity.book_cost(side, abs(net), edge=rest)), "book"
        elif depth.bids or depth.asks:
            # An empty side fills nothing, and what a book does not fill pays the edge.
            usd, how = edge * abs(net) * underlying.spot, "nobody on that side of the book"
        elif depth.daily_volume_usd is not None and depth.daily_volatility is not None:
            cost = liquidity.impact_cost(
                abs(net),
                price=underlying.spot,
                volume=depth.daily_volume_usd / underlying.spot,
                vol=depth.daily_volatility,
                edge=edge,
                coefficient=one.coefficient,
            )
            usd, how = float(cost), "square-root law"
        else:
            continue
        amount = usd * float(account.units[i]) / underlying.spot
        yield rated(f"close-out {underlying.symbol}", one, amount, f"net delta {net:+.6g}, {how}")


def _mid(depth: Liquidity, spot: float) -> float:
    """Of a book; where one side is missing spot, or the side's best level if that is better: no gain is charged."""
    if depth.bids and depth.asks:
        return depth.bids[0][0] / 2 + depth.asks[0][0] / 2
    return max(spot, depth.bids[0][0]) if depth.bids else min(spot, depth.asks[0][0])


def crowded(one: charges.Crowding, account: Account) -> Iterator[Charged]:
    """The crowd's signal on the side that this account would have to trade."""
    for i, underlying, depth, net in _net(account):
        signal = depth.sell_crowding if net > 0.0 else depth.buy_crowding
        amount = one.rate * signal * float(account.edges[i]) * abs(net) * float(account.units[i])
        side = "sell" if net > 0.0 else "buy"
        detail = f"{percent(signal, '.0')} of the crowd's side: it would have to {side}"
        yield Charged(what=f"crowding {underlying.symbol}", maintenance=0.0, initial=amount, detail=detail)


def concentrated(one: charges.Concentration, account: Account) -> Iterator[Charged]:
    """What a net delta takes longer to close than one horizon; nothing where no volume is known."""
    for i, underlying, depth, net in _net(account):
        if depth.daily_volume_usd is None:
            continue
        volume = depth.daily_volume_usd / underlying.spot
        # By volume alone MM sees no limit from open interest, however large that is.
        interests = {"maintenance": None, "initial": depth.open_interest_usd}
        rates = {
            level: concentration.concentration_rate(
                abs(net),
                volume=volume,
                open_interest=volume if usd is None else usd / underlying.spot,
                edge=float(account.edges[i]),
                volume_share=one.volume_share,
                open_interest_share=one.volume_share if usd is None else one.open_interest_share,
            )
            for level, usd in interests.items()
        }
        notional = abs(net) * float(account.units[i])
        yield Charged(
            what=f"concentration {underlying.symbol}",
            maintenance=one.maintenance * float(rates["maintenance"]) * notional,
            initial=one.initial * float(rates["initial"]) * notional,
            detail=f"net delta {net:+.6g}",
        )
