"""Whom to flag, whom to release, what to bid on, worst first.

A flag needs a shortfall that we can prove: an account that cannot be priced is left alone, and inside the notice window
of a publication the account must be short under the file before it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    spare = own.equity - own.im
    inventory = knobs.max_inventory_usd * WAD - sum(u.grid + u.short_minimum for u in own.underlyings)
    for running in sorted(snapshot.auctions, key=lambda r: (r.start_time, r.account)):
        target = accounts.get(running.account)
        if target is None or running.account == own.account:
            continue
        bid = _bid(running, target, own.account, spare, inventory, rules, market, snapshot, knobs)
        if bid is None:
            continue
        bid, used, risk = bid
        spare -= used
        inventory -= risk
        yield bid


def _bid(
    running: AuctionState,
    target: AccountMargin,
    bidder: int,
    spare: int,
    inventory: int,
    rules: AuctionRules,
    market: MarketModel,
    snapshot: Snapshot,
    knobs: PolicyKnobs,
) -> tuple[Bid, int, int] | None:
    """One bid with the margin and the inventory it uses, or None if it does not pay or does not fit."""
    seconds = dutch.elapsed(running, snapshot.block.timestamp)
    risk = sum(u.grid + u.short_minimum for u in target.underlyings)
    if target.equity < 0:
        whole_cost = -dutch.payout(
            equity=target.equity, mm=target.mm, elapsed_s=seconds, rules=rules, fraction_wad=WAD
        )
        most, value = WAD, target.equity
        edge = value - whole_cost
        if edge < 0 or (target.mm and edge * PPM < target.mm * knobs.min_bid_edge_ppm):
            return None
    else:
        d = dutch.discount_wad(rules, seconds)
        if (WAD - d) * PPM < knobs.min_bid_edge_ppm * WAD:
            return None
        most = dutch.max_fraction_wad(
            equity=target.equity, mm=target.mm, reserved=running.reserved, d_wad=d, rules=rules
        )
        value = target.equity - running.reserved
        whole_cost = dutch.cost(equity=target.equity, reserved=running.reserved, d_wad=d, fraction_wad=WAD)
    if most == 0:
        return None
    # Taking all of it uses im − (value − cost) of our spare margin; a slice uses its share.
    use = target.im - (value - whole_cost)
    fraction = min(
        most,
        knobs.max_bid_fraction_ppm * WAD // PPM,
        WAD if use <= 0 else max(0, spare) * WAD // use,
        WAD if risk == 0 else max(0, inventory) * WAD // risk,
    )
    if fraction * PPM < knobs.min_bid_fraction_ppm * WAD and fraction < most:
        return None
    cost = -(-whole_cost * fraction // WAD)
    return (
        Bid(
            account=target.account,
            bidder=bidder,
            fraction_wad=fraction,
            epochs=tuple(market.of(u.underlying).epoch for u in target.underlyings),
            max_cost=cost + abs(cost) * knobs.bid_slippage_ppm // PPM,
            why=f"{fraction * 100 / WAD:.1f} % of an account worth {_usd(value)} for {_usd(cost)}",
        ),
        max(0, use * fraction // WAD),
        risk * fraction // WAD,
    )


def _usd(wad: int) -> str:
    return f"{wad / WAD:,.2f}"
