"""Whom to flag, whom to release, what to bid on, worst first.

A flag needs a shortfall that we can prove: an account that cannot be priced is left alone, and inside the notice window
of a publication the account must be short under the file before it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keeper.domain.action import Bid, Flag, Unflag
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin, Band, Unpriced
from keeper.domain.market import MarketModel
from keeper.domain.snapshot import AuctionRules, AuctionState, Snapshot
from keeper.policy import auction as dutch
from keeper.policy.auction import PPM, WAD

SHORT = (Band.LIQUIDATABLE, Band.INSOLVENT)


def flags(
    snapshot: Snapshot, accounts: Mapping[int, AccountMargin], previous: Mapping[int, AccountMargin | Unpriced]
) -> Iterator[Flag]:
    """Accounts to put up for auction, largest shortfall first.

    Args:
        snapshot: the block; the fund's and our own account are never flagged by us.
        accounts: priced accounts under the live file.
        previous: the same under the file before it, for accounts inside a notice window.
    """
    ours = {snapshot.own_account, snapshot.fund.account if snapshot.fund else None}
    short = [a for a in accounts.values() if a.band in SHORT and not a.in_auction and a.account not in ours]
    for a in sorted(short, key=lambda a: (a.equity - a.mm, a.account)):
        before = previous.get(a.account)
        if before is not None and (isinstance(before, Unpriced) or before.band not in SHORT):
            continue
        yield Flag(account=a.account, why=f"equity {_usd(a.equity)} below maintenance {_usd(a.mm)}")


def unflags(snapshot: Snapshot, accounts: Mapping[int, AccountMargin]) -> Iterator[Unflag]:
    """Accounts in auction whose health is back above 1 + b."""
    if snapshot.auction_rules is None:
        return
    for running in snapshot.auctions:
        a = accounts.get(running.account)
        if a is not None and a.equity >= 0 and a.equity * PPM >= a.mm * (PPM + snapshot.auction_rules.buffer_ppm):
            yield Unflag(account=a.account, why=f"equity {_usd(a.equity)} restored above maintenance {_usd(a.mm)}")


def bids(
    snapshot: Snapshot, market: MarketModel, accounts: Mapping[int, AccountMargin], knobs: PolicyKnobs
) -> Iterator[Bid]:
    """Bids that our own account can carry, oldest auction first.

    Room is counted conservatively: margin of a joined account is at most the sum of parts (MAR-4), so a slice that
    fits as a sum fits when joined.  Each bid uses up the room of those before it.
    """
    rules = snapshot.auction_rules
    own = accounts.get(snapshot.own_account) if snapshot.own_account is not None else None
    if rules is None or own is None or own.in_auction:
        return
    spare = max(0, own.equity - own.im)
    inventory = max(0, knobs.max_inventory_usd * WAD - _risk(own))
    for running in sorted(snapshot.auctions, key=lambda r: (r.start_time, r.account)):
        target = accounts.get(running.account)
        if target is None or running.account == own.account:
            continue
        offer = _offer(running, target, rules, snapshot.block.timestamp)
        if offer.most == 0 or offer.value - offer.cost < knobs.min_bid_edge_ppm * offer.worth_it // PPM:
            continue
        # Taking all of it uses this much of our spare margin; a slice uses its share.
        use, risk = target.im - (offer.value - offer.cost), _risk(target)
        fraction = min(
            offer.most,
            knobs.max_bid_fraction_ppm * WAD // PPM,
            spare * WAD // use if use > 0 else WAD,
            inventory * WAD // risk if risk > 0 else WAD,
        )
        if fraction < offer.most and fraction * PPM < knobs.min_bid_fraction_ppm * WAD:
            continue
        cost = -(-offer.cost * fraction // WAD)
        spare -= max(0, use) * fraction // WAD
        inventory -= risk * fraction // WAD
        yield Bid(
            account=target.account,
            bidder=own.account,
            fraction_wad=fraction,
            epochs=tuple(market.of(u.underlying).epoch for u in target.underlyings),
            max_cost=cost + abs(cost) * knobs.bid_slippage_ppm // PPM,
            why=f"{fraction * 100 / WAD:.1f} % of an account worth {_usd(offer.value)} for {_usd(cost)}",
        )


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """What the auction asks for the whole of an account now.  wad USD."""

    most: int
    """Largest fraction that may be taken, wad."""
    value: int
    """Equity on offer; negative if insolvent."""
    cost: int
    """What a bidder pays; negative: is paid."""
    worth_it: int
    """What the edge of a bid is measured against."""


def _offer(running: AuctionState, target: AccountMargin, rules: AuctionRules, now: int) -> _Offer:
    seconds = dutch.elapsed(running, now)
    equity, mm, reserved = target.equity, target.mm, running.reserved
    if equity < 0:
        paid = dutch.payout(equity=equity, mm=mm, elapsed_s=seconds, rules=rules, fraction_wad=WAD)
        return _Offer(most=WAD, value=equity, cost=-paid, worth_it=mm)
    d = dutch.discount_wad(rules, seconds)
    return _Offer(
        most=dutch.max_fraction_wad(equity=equity, mm=mm, reserved=reserved, d_wad=d, rules=rules),
        value=max(0, equity - reserved),
        cost=dutch.cost(equity=equity, reserved=reserved, d_wad=d, fraction_wad=WAD),
        worth_it=max(0, equity - reserved),
    )


def _risk(account: AccountMargin) -> int:
    """Requirement before factors, which the inventory limit counts."""
    return sum(u.grid + u.short_minimum for u in account.underlyings)


def _usd(wad: int) -> str:
    return f"{wad / WAD:,.2f}"
