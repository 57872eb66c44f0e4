"""The Dutch auction in the contract's integers: discount, largest fraction, cost of a bid.

Mirrors contracts/src/LiquidationAuction.sol.  All amounts wad USD; fractions wad.

Solvent account (MtM = equity >= 0, of which R was paid in by earlier bidders of this auction):

    BM  = MtM - (1 + b)·MM                         buffer margin, negative while the account needs help
    f   = BM / (BM - MtM·d - R·(1 - d))            largest fraction: what is left then has health 1 + b
    cost = d·(MtM - R)·f

Insolvent account: everything may be taken; the payout grows from -MtM to -MtM + MM.

Source: the closed form of Derive's Dutch auction, restated in contracts/README.md.
"""

from __future__ import annotations

from typing import Final

from keeper.domain.snapshot import AuctionRules, AuctionState

WAD: Final = 10**18
PPM: Final = 10**6


def discount_wad(rules: AuctionRules, elapsed_s: int) -> int:
    """Share d of the account's value that a bidder pays, wad; falls from start over cutoff to zero."""
    start, cutoff = rules.start_ppm * WAD // PPM, rules.cutoff_ppm * WAD // PPM
    if elapsed_s < rules.fast_s:
        return start - (start - cutoff) * elapsed_s // rules.fast_s
    slow = elapsed_s - rules.fast_s
    if slow >= rules.slow_s:
        return 0
    return cutoff - cutoff * slow // rules.slow_s


def max_fraction_wad(*, equity: int, mm: int, reserved: int, d_wad: int, rules: AuctionRules) -> int:
    """Largest fraction a solvent account may lose, wad, rounded up; the whole if that leaves only dust.

    Returns 0 when the account no longer needs help.
    """
    bm = equity - -(-mm * (PPM + rules.buffer_ppm) // PPM)
    if bm >= 0:
        return 0
    denominator = bm - equity * d_wad // WAD - reserved * (WAD - d_wad) // WAD
    fraction = min(WAD, -(bm * WAD // -denominator))
    left = equity - equity * fraction // WAD
    return WAD if left < rules.dust_usd else fraction


def cost(*, equity: int, reserved: int, d_wad: int, fraction_wad: int) -> int:
    """What a bidder pays for `fraction_wad` of a solvent account, rounded up."""
    value = max(0, equity - reserved)
    return -(-value * d_wad * fraction_wad // (WAD * WAD))


def payout(*, equity: int, mm: int, elapsed_s: int, rules: AuctionRules, fraction_wad: int) -> int:
    """What a bidder is paid for `fraction_wad` of an insolvent account, rounded down."""
    grown = mm * min(elapsed_s, rules.insolvent_s) // rules.insolvent_s
    return (-equity + grown) * fraction_wad // WAD


def elapsed(auction: AuctionState, now: int) -> int:
    """Seconds since the auction's clock started."""
    return max(0, now - auction.start_time)
