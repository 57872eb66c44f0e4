"""Whom to flag, whom to release, what to bid on, worst first.

A flag needs a shortfall that we can prove: an account that cannot be priced is left alone, one that a refresh of a
stale file would clear is too, and so is one whose expired options have no settlement price yet, or that depends on a
price whose breaker is open.  Inside the notice window of a publication an account must be short under the file before
it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from keeper.domain.action import Bid, Flag, Remeasure, Unflag
from keeper.domain.knobs import OTHERS, PolicyKnobs
from keeper.domain.margin import AccountMargin, Band, Unpriced
from keeper.domain.market import MarketModel
from keeper.domain.snapshot import Snapshot
from keeper.domain.takeover import TakenOver
from keeper.domain.text import usd
from keeper.policy import auction as dutch
from keeper.policy.auction import PPM, WAD
from keeper.policy.breaker import Deferrals
from keeper.policy.priced import Priced
from keeper.policy.room import NONE_UNDER_WAY, Room, UnderWay
from keeper.risk.takeover import HedgeMarket, taken_over

SHORT = (Band.LIQUIDATABLE, Band.INSOLVENT)


def flags(
    snapshot: Snapshot, accounts: Mapping[int, AccountMargin], again: Iterable[AccountMargin | Unpriced]
) -> Iterator[Flag]:
    """Accounts to put up for auction, largest shortfall first.

    Args:
        snapshot: the block; the fund's and our own account are never flagged by us.
        accounts: priced accounts under the live file.
        again: short accounts as a refresh of a stale file would judge them, and under the file before a publication
            whose notice window runs.  An account must be short in each; those that are may be left out.
    """
    ours = {snapshot.own_account, snapshot.fund.account if snapshot.fund else None}
    cleared = {a.account for a in again if isinstance(a, Unpriced) or a.band not in SHORT}
    waits = Deferrals(snapshot)
    for a in Priced.of(accounts).by_shortfall(*SHORT):
        if a.in_auction or a.account in ours or a.account in cleared or a.unsettled or waits.of(a.account) is not None:
            continue
        yield Flag(account=a.account, why=f"equity {usd(a.equity)} below maintenance {usd(a.mm)}")


def unflags(snapshot: Snapshot, accounts: Mapping[int, AccountMargin]) -> Iterator[Unflag]:
    """Accounts in auction whose health is back above 1 + b."""
    if snapshot.auction_rules is None:
        return
    for running in snapshot.auctions:
        a = accounts.get(running.account)
        if a is not None and dutch.restored(a, snapshot.auction_rules):
            yield Unflag(account=a.account, why=f"equity {usd(a.equity)} restored above maintenance {usd(a.mm)}")


def remeasures(snapshot: Snapshot, accounts: Mapping[int, AccountMargin]) -> Iterator[Remeasure]:
    """Accounts that fell below zero in their auction and whose auction has not noticed.

    Without it the insolvent clock stands at zero, the payout never grows, and nobody ever bids.
    """
    for running in snapshot.auctions:
        a = accounts.get(running.account)
        if a is not None and a.equity < 0 and running.insolvent_since == 0 and not a.unsettled:
            yield Remeasure(account=a.account, why=f"equity {usd(a.equity)} fell below zero in its auction")


def bids(
    snapshot: Snapshot,
    market: MarketModel,
    accounts: Mapping[int, AccountMargin],
    knobs: PolicyKnobs,
    *,
    under_way: UnderWay = NONE_UNDER_WAY,
) -> Iterator[Bid]:
    """Bids that our own account can carry, oldest auction first.

    Room is counted conservatively: margin of a joined account is at most the sum of parts (MAR-4), so a slice that
    fits as a sum fits when joined.  Each bid uses up the room of those before it, first of all of those under way,
    which several keys may have sent: in whatever order they mine, each finds the margin that it needs.
    """
    rules = snapshot.auction_rules
    own = accounts.get(snapshot.own_account) if snapshot.own_account is not None else None
    if rules is None or own is None or own.in_auction or own.unsettled:
        return
    room = Room(max(0, own.equity - own.im), max(0, knobs.max_inventory_usd * WAD - _risk(own)))
    now = snapshot.block.timestamp
    for running in snapshot.auctions:
        target = accounts.get(running.account)
        if target is not None and running.account in under_way.unmined:
            offer = dutch.offer(running, target, rules, now)
            most = WAD if offer.indivisible else min(offer.most, knobs.max_bid_fraction_ppm * WAD // PPM)
            room.take(_use(target, offer), _risk(target), _with_slippage(most, knobs))
    for running in sorted(snapshot.auctions, key=lambda r: (r.start_time, r.account)):
        target = accounts.get(running.account)
        if target is None or target.unsettled or running.account in {own.account, *under_way.bid_on}:
            continue
        if dutch.restored(target, rules):
            continue
        offer = dutch.offer(running, target, rules, now)
        risk, edge = _risk(target), offer.worth - offer.cost
        # A discount is measured against the value; where that is nothing or less, the payout against the risk taken.
        against = offer.worth if offer.worth > 0 else risk
        if offer.most == 0 or edge * PPM < knobs.min_bid_edge_ppm * against:
            continue
        use = _use(target, offer)
        fits = room.most(use, risk)
        fraction = min(offer.most, knobs.max_bid_fraction_ppm * WAD // PPM, fits)
        too_small = fraction * PPM < knobs.min_bid_fraction_ppm * WAD
        if fraction < offer.most and (offer.indivisible or too_small):
            continue
        taken = _taken(snapshot, market, target, share=fraction / WAD, knobs=knobs)
        discount = edge * fraction // WAD
        gain = discount - sum(t.hedge_cost for t in taken)
        if gain * PPM < knobs.min_bid_edge_ppm * (against * fraction // WAD):
            continue
        cost = -(-offer.cost * fraction // WAD)
        # Sized from volatility by what spot may do meanwhile, and from depth by the part of the discount that is left
        # of it after the hedge: where that would be dear, less is paid for what is to be hedged.
        drift = abs(cost) * knobs.bid_slippage_ppm // PPM + sum(t.drift for t in taken)
        leeway = min(gain, drift * gain // discount) if discount > 0 else 0
        # The discount falls until it mines, and what restores the account grows with it: ask for that much more, as
        # far as we can carry it.  The contract takes no more than restores, and `max_cost` leaves the same leeway.
        asked = max(fraction, min(_with_slippage(fraction, knobs), fits)) if fraction == offer.most else fraction
        room.take(use, risk, asked)
        yield Bid(
            account=target.account,
            bidder=own.account,
            fraction_wad=asked,
            epochs=tuple(market.of(u.underlying).epoch for u in target.underlyings),
            max_cost=cost + leeway,
            why=f"{fraction * 100 / WAD:.1f} % of an account worth {usd(offer.worth)} for {usd(cost)}",
            taken=taken,
        )


def _use(target: AccountMargin, offer: dutch.Offer) -> int:
    """What taking all of it uses of our spare margin; a slice uses its share.  Haircuts stay haircuts with us."""
    return target.im - (target.equity - (offer.cost + offer.reserved))


def _with_slippage(fraction: int, knobs: PolicyKnobs) -> int:
    return min(WAD, fraction + fraction * knobs.bid_slippage_ppm // PPM)


def _taken(
    snapshot: Snapshot, market: MarketModel, target: AccountMargin, *, share: float, knobs: PolicyKnobs
) -> tuple[TakenOver, ...]:
    """The risk of a share of an account, by underlying."""
    account = snapshot.accounts.get(target.account)
    if account is None:
        return ()
    found = (
        taken_over(account, seen, share=share, now=snapshot.block.timestamp, where=_hedged_in(seen.symbol, knobs))
        for seen in (market.of(u.underlying) for u in target.underlyings)
    )
    return tuple(t for t in found if t is not None)


def _hedged_in(symbol: str, knobs: PolicyKnobs) -> HedgeMarket:
    """Where the risk of an underlying is hedged."""
    volumes = knobs.hedge_volume_usd_per_day
    if isinstance(volumes, Mapping):
        by_ticker = {named.upper(): volume for named, volume in volumes.items()}
        volumes = by_ticker.get(symbol.upper(), by_ticker[OTHERS.upper()])
    return HedgeMarket(
        volume_usd_per_day=float(volumes),
        impact=knobs.hedge_impact,
        wait_s=float(knobs.hedge_wait_s),
        half_spread_vol=knobs.hedge_half_spread_ppm / PPM,
    )


def _risk(account: AccountMargin) -> int:
    """Requirement before factors, which the inventory limit counts."""
    return sum(u.grid + u.short_minimum for u in account.underlyings)
