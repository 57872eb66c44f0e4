"""The protocol's state at one block, in the protocol-independent shape that the pure middle reads.

A capability that a protocol lacks (no options, no parameter push, no auction) is an empty tuple or None here, never an
exception.  A price that cannot be used is an `Unusable` here, never a number.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.domain.account import AccountState, Instrument, Kind, PerpState, Position
from keeper.domain.block import BlockRef
from keeper.domain.deployed import Deployed
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.roster import Roster

_PPM = 1_000_000

#: What an account is made of belongs to a snapshot as much as the rest; it has a file of its own.
__all__ = ["AccountState", "Instrument", "Kind", "PerpState", "Position"]


@dataclass(frozen=True, kw_only=True)
class Usable:
    """A price that passed the oracle's checks."""

    wad: int
    """USD per whole unit, wad."""


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """A price that did not, and why.  Whoever depends on it is unknown: never safe, never liquidated."""

    reason: str


Price = Usable | Unusable


@dataclass(frozen=True, kw_only=True)
class BreakerState:
    """The flash-crash breaker of one asset."""

    open: bool
    """Whether new flags wait and trades may only reduce."""
    until_s: int
    """Unix seconds at which it releases by itself, at the latest."""
    why: str
    told: bool = True
    """Whether the contract has recorded the opening, and widened IM for it."""


@dataclass(frozen=True, kw_only=True)
class CollateralState:
    """One collateral asset."""

    collateral: int
    symbol: str
    decimals: int
    price: Price
    haircut_ppm: int
    cap_per_account: int
    """Token units that count."""
    breaker: BreakerState | None = None
    """None where the protocol has no breaker for it."""


@dataclass(frozen=True, kw_only=True)
class StrikeVol:
    """Published volatility of one strike."""

    strike: int
    """1e-8 USD."""
    sigma_ppm: int


@dataclass(frozen=True, kw_only=True)
class FileState:
    """One bank of the risk file, as inputs: its rows are recomputed by the exact twin, bit for bit."""

    epoch: int
    ref_spot: int
    """wad USD."""
    time: int
    """Unix seconds at which the rows were computed."""
    ranges: Ranges
    expiries: tuple[ExpiryParams, ...]
    strikes: tuple[tuple[int, tuple[StrikeVol, ...]], ...]
    """(expiry, volatilities ascending by strike)."""
    im_uplift_pct: int = 0
    """What IM is widened by while the ranges still move up to their targets, percent."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What governance fixed for one underlying.  Units as in the names."""

    tail_ppm: int
    short_min_ppm: int
    kappa_ppm: int
    flag_fee_ppm: int
    stale_add_on_ppm: int
    im_add_on_ppm: int
    vol_floor_ppm: int
    max_age_s: int


@dataclass(frozen=True, kw_only=True)
class Listing:
    """An expiry that can be traded."""

    expiry: int
    strikes: tuple[int, ...]
    """1e-8 USD, ascending."""


@dataclass(frozen=True, kw_only=True)
class FenceState:
    """The fence around one published number, and where the number stands inside it.  Unit: the number's own."""

    name: str
    """`psr`, `vsr_up` or `vsr_down`."""
    current: int
    anchor: int
    """Value in force a day ago, against which the net-displacement budget counts."""
    min: int
    max: int
    step_rel_ppm: int
    """Largest step, relative to `current`; the tighter of the two steps binds."""
    step_abs: int
    budget_rel_ppm: int
    """Largest net displacement in a day, relative to `anchor`; the tighter of the two binds."""
    budget_abs: int
    later: tuple[int, ...] = ()
    """Anchors of the next 25 hours, by hour, if nothing is published; empty: the anchor stays."""


@dataclass(frozen=True, kw_only=True)
class SmileFence:
    """Where one strike's volatility stands, as a ratio to the volatility at the money."""

    strike: int
    """1e-8 USD."""
    ratio_ppm: int
    """σ_K / σ_ATM in force; 0 if the strike was never published, which fences nothing but the band."""
    anchor_ppm: int
    """The ratio a day ago, as the contract remembers it."""
    later: tuple[int, ...] = ()
    """Anchors of the next 25 hours, by hour, if nothing is published."""


@dataclass(frozen=True, kw_only=True)
class ExpiryFence:
    """Where the fenced numbers of one expiry stand."""

    expiry: int
    sigma_ppm: int
    sigma_anchor_ppm: int
    phi_ppb: int
    phi_anchor_ppb: int
    df_ppb: int = 10**9
    df_anchor_ppb: int = 10**9
    sigma_later: tuple[int, ...] = ()
    """Anchors of the next 25 hours, by hour, if nothing is published; empty: the anchor stays."""
    phi_later: tuple[int, ...] = ()
    df_later: tuple[int, ...] = ()
    smile: tuple[SmileFence, ...] = ()
    """Ascending by strike; empty where the protocol fences no smile."""


@dataclass(frozen=True, kw_only=True)
class VolFences:
    """Fences on volatilities and forwards of one underlying.  Units as in the names."""

    sigma_min_ppm: int
    sigma_max_ppm: int
    atm_step_ppm: int
    """|Δ ln σ_ATM| of one step, times m(dte)."""
    atm_budget_ppm: int
    """|Δ ln σ_ATM| net in a day, times m(dte)."""
    smile_min_ppm: int
    smile_max_ppm: int
    phi_min_ppb: int
    phi_max_ppb: int
    phi_step_ppb: int
    """Largest move of φ in `forward_step_s`."""
    phi_budget_ppb: int
    carry_max_ppm: int
    df_min_ppb: int
    smile_step_ppm: int = _PPM
    """Largest step of σ_K / σ_ATM, ppm of σ_ATM."""
    smile_budget_ppm: int = _PPM
    """Largest net displacement of σ_K / σ_ATM in a day, ppm of σ_ATM."""
    df_step_ppb: int = 10**9
    """Largest move of a discount factor in `forward_step_s`."""
    df_budget_ppb: int = 10**9
    min_delay_s: int = 0
    """Between two publications, seconds."""
    forward_step_s: int = 0
    """Seconds in which a step of φ and df is earned: a publication has of it what passed since the one before, a whole
    one at most.  0 if every publication has a whole one."""


@dataclass(frozen=True, kw_only=True)
class JointFence:
    """How far the requirements of the probe portfolios may move, whichever ranges moved them."""

    step_ppm: int
    """Of one publication, relative to what is in force."""
    budget_ppm: int
    """Net in a day, relative to the requirement under the ranges of a day ago."""


@dataclass(frozen=True, kw_only=True)
class SlewState:
    """How the ranges in force follow their targets."""

    target: Ranges
    """The last set target."""
    rate_ppm_per_hour: int
    """Part of itself by which a range may move in an hour."""
    time_s: int
    """Unix seconds from which the next move counts."""
    held_until_s: int = 0
    """Unix seconds until which a refresh leaves the ranges: a staged publication began from them."""


@dataclass(frozen=True, kw_only=True)
class PublicationState:
    """The last publication, and the fences around the next one."""

    last_id: int
    last_time: int
    next_allowed_s: int
    """Unix seconds before which no publication passes."""
    in_notice: bool
    """Whether a flag must hold under the previous file too."""
    fences: tuple[FenceState, ...]
    expiries: tuple[ExpiryFence, ...]
    """Ascending; every listed, unexpired expiry."""
    vol: VolFences
    frozen: bool = False
    """Whether publishing is stopped.  Nothing but governance's thaw ends it: no time, no restart, no publication."""
    digest: str = "0x" + "00" * 32
    """Of the last set target; a publication must name it, so that it never acts on a state it has not seen."""
    paused_until_s: int = 0
    """Unix seconds until which the guardian's pause refuses publications."""
    no_loosening_until_s: int = 0
    """Unix seconds until which a range may not be lowered: the guardian vetoed a loosening."""
    state_add_on_ppm: int = 0
    """What the state of the market adds to IM, ppm, until `state_until_s`."""
    state_until_s: int = 0
    joint: JointFence | None = None
    """None where the protocol has no joint post-condition."""
    slew: SlewState | None = None
    """None where ranges bind at once."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One oracle round."""

    time: int
    """Unix seconds at which the feed was updated."""
    price: int
    """wad USD."""


@dataclass(frozen=True, kw_only=True)
class UnderlyingState:
    """One underlying."""

    underlying: int
    symbol: str
    spot: Price
    history: tuple[Observation, ...]
    """Oracle rounds, ascending, bounded by the reader: what the volatility was estimated from."""
    rules: Rules
    listings: tuple[Listing, ...]
    """Unexpired and expired-but-unsettled expiries, ascending."""
    settled: tuple[tuple[int, int], ...]
    """(expiry, settlement price wad) of settled expiries that somebody still holds."""
    live: FileState | None
    previous: FileState | None
    """The bank before the live one; read while `publication.in_notice`."""
    publication: PublicationState | None
    """None where parameters cannot be pushed."""
    funding_index: int
    """Accrued to this block, wad USD per contract."""
    funding_rate_ppm_per_day: int
    breaker: BreakerState | None = None
    """None where the protocol has no breaker."""


@dataclass(frozen=True, kw_only=True)
class AuctionState:
    """One running liquidation."""

    account: int
    start_time: int
    flag_block: int
    insolvent_since: int
    """Unix seconds of the first insolvency in this auction; 0 if there was none."""
    reserved: int
    """Cash paid in by bidders of this auction, wad USD."""
    paid_by_fund: int
    """wad USD."""


@dataclass(frozen=True, kw_only=True)
class AuctionRules:
    """Shape of the Dutch auction.  Units as in the names."""

    fast_s: int
    slow_s: int
    start_ppm: int
    cutoff_ppm: int
    insolvent_s: int
    buffer_ppm: int
    dust_usd: int
    """wad USD; an account smaller than this is closed whole."""


@dataclass(frozen=True, kw_only=True)
class FundState:
    """The insurance fund."""

    account: int
    balance: int
    """wad USD."""
    cap_per_auction: int
    """wad USD."""
    social_receivable: int
    """Socialised loss not yet pulled from accounts, wad USD."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything the middle needs, all of it at one block."""

    protocol: str
    block: BlockRef
    underlyings: tuple[UnderlyingState, ...]
    collaterals: tuple[CollateralState, ...]
    accounts: Roster
    """In columns; ascending by account."""
    interest_index: int
    """Borrow index accrued to this block, ray."""
    keep_ray: int
    """Socialised-loss survival index."""
    auctions: tuple[AuctionState, ...]
    auction_rules: AuctionRules | None
    fund: FundState | None
    own_account: int | None
    """The liquidator's account, if the keeper has one."""
    problems: tuple[str, ...]
    """What could not be read, one line each; the cycle alerts on them."""
    deployed: Deployed | None = None
    """Where all this was read; None in snapshots from before it was kept."""
