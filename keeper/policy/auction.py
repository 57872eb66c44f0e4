"""The Dutch auction in the contract's integers: discount, largest fraction, cost of a bid.

Mirrors contracts/src/libraries/AuctionMath.sol and `LiquidationAuction._price`.  With E = equity, H = what haircuts
leave out, G = E + H the mark to market, M = MM, b = the buffer, R = cash that earlier bidders of this auction paid in:

    solvent     cost of a fraction f = d(t)·(G − R)·f,  f at most −BM / (−BM + d·G + (1 − d)·R),  BM = E − (1 + b)·M
    insolvent   cost of f = (G − (H + M)·min(1, t / insolvent_s))·f,  f at most 1; negative: the bidder is paid

Source: the closed form of Derive's Dutch auction, restated in contracts/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keeper.domain.margin import AccountMargin
from keeper.domain.snapshot import AuctionRules, AuctionState

WAD: Final = 10**18
PPM: Final = 10**6
#: Added to the largest fraction.  Source: AuctionMath.SLACK_WAD.
SLACK_WAD: Final = 10**9


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What the auction asks for the whole of an account at one moment.  wad USD."""

    most: int
    """Largest fraction that may be taken, wad; 0 if the account needs no help any more."""
    worth: int
    """Mark to market of what is on offer, before haircuts; negative if it is a liability."""
    cost: int
    """What a bidder pays for all of it; negative: is paid.  Rounded up."""
    reserved: int
    """Cash of the account that is not part of the offer."""
    indivisible: bool
    """Dust: only the whole can be had."""


def discount_ppm(rules: AuctionRules, elapsed_s: int) -> int:
    """Share d of the mark that a bidder pays, ppm, rounded up; falls from start over cutoff to zero."""
    if elapsed_s <= rules.fast_s:
        return rules.start_ppm - (rules.start_ppm - rules.cutoff_ppm) * elapsed_s // rules.fast_s
    slow = elapsed_s - rules.fast_s
    return 0 if slow >= rules.slow_s else rules.cutoff_ppm - rules.cutoff_ppm * slow // rules.slow_s


def max_fraction_wad(*, equity: int, mm: int, buffer_ppm: int, mtm: int, d_ppm: int, reserved: int) -> int:
    """Largest fraction a solvent account may lose, wad, rounded up: what is left has health 1 + b."""
    missing = mm * (PPM + buffer_ppm) - equity * PPM
    if missing <= 0:
        return 0
    whole = missing + d_ppm * mtm + (PPM - d_ppm) * reserved
    return min(WAD, -(-missing * WAD // whole) + SLACK_WAD)


def offer(auction: AuctionState, account: AccountMargin, rules: AuctionRules, now: int) -> Offer:
    """What all of an account costs at block time `now`."""
    equity, mm, mtm = account.equity, account.mm, account.equity + account.haircut
    if equity < 0:
        since = auction.insolvent_since
        seconds = min(max(0, now - since), rules.insolvent_s) if since else 0
        cost = mtm - (account.haircut + mm) * seconds // rules.insolvent_s
        return Offer(most=WAD, worth=mtm, cost=cost, reserved=0, indivisible=False)
    d = discount_ppm(rules, max(0, now - auction.start_time))
    # Earlier bidders' cash stays out of the slice only while the rest is worth something.
    reserved = auction.reserved if mtm > auction.reserved else 0
    dust = mtm < rules.dust_usd
    most = (
        WAD
        if dust
        else max_fraction_wad(equity=equity, mm=mm, buffer_ppm=rules.buffer_ppm, mtm=mtm, d_ppm=d, reserved=reserved)
    )
    worth = mtm - reserved
    return Offer(most=most, worth=worth, cost=-(-worth * d // PPM), reserved=reserved, indivisible=dust)


def restored(account: AccountMargin, rules: AuctionRules) -> bool:
    """Whether health is back at 1 + b, where an auction ends."""
    return account.equity >= 0 and account.equity * PPM >= account.mm * (PPM + rules.buffer_ppm)
