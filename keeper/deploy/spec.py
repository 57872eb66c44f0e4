"""What is deployed, as one frozen value that reads from and writes to JSON (`keeper.domain.codec`).

Defaults are starting values for a market in liquid coins; each fence is explained in contracts/README.md.  Units as in
the names; money in wad USD.
"""

from __future__ import annotations

from dataclasses import dataclass

WAD = 10**18


@dataclass(frozen=True, kw_only=True)
class FeedSpec:
    """One Chainlink-shaped price feed."""

    asset: str
    """Ticker; its bytes are the oracle's id."""
    primary: str
    """Checksummed address."""
    secondary: str | None = None
    """A second feed that must agree."""
    max_age_s: int = 3_900
    """Older answers are unusable: the feed's heartbeat and a little more."""
    max_deviation_ppm: int = 20_000
    """Largest disagreement with the second feed."""
    min_price: int = 10**12
    """wad USD; a cheaper answer is a fault."""
    max_price: int = 10**28
    """wad USD, below 2^96."""


@dataclass(frozen=True, kw_only=True)
class CollateralSpec:
    """One token that counts.  The first one of a house is the settlement token."""

    symbol: str
    token: str
    """Checksummed address."""
    decimals: int
    asset: str
    """Ticker of its feed; ignored for the settlement token."""
    haircut_ppm: int = 0
    cap_per_account: int = 10**29
    """Token units."""
    cap_total: int = 10**30
    """Token units."""


@dataclass(frozen=True, kw_only=True)
class FenceSpec:
    """Fence of one published range, in the range's unit (ppm)."""

    min: int
    max: int
    step_rel_ppm: int
    step_abs: int
    budget_rel_ppm: int
    budget_abs: int


@dataclass(frozen=True, kw_only=True)
class VolFenceSpec:
    """Fences on volatilities and forwards."""

    sigma_min_ppm: int = 100_000
    sigma_max_ppm: int = 5_000_000
    atm_step_ppm: int = 200_000
    atm_budget_ppm: int = 450_000
    smile_min_ppm: int = 700_000
    smile_max_ppm: int = 2_000_000
    phi_min_ppb: int = 700_000_000
    phi_max_ppb: int = 1_500_000_000
    phi_step_ppb: int = 20_000_000
    phi_budget_ppb: int = 60_000_000
    carry_max_ppm: int = 500_000
    df_min_ppb: int = 500_000_000
    min_delay_s: int = 600
    """Between two publications of one underlying."""
    smile_step_ppm: int = 150_000
    """Of a strike's volatility over σ_ATM, in one publication."""
    smile_budget_ppm: int = 350_000
    """The same, net in a day."""
    df_step_ppb: int = 5_000_000
    df_budget_ppb: int = 20_000_000


@dataclass(frozen=True, kw_only=True)
class JointFenceSpec:
    """How far the requirement of a standard portfolio may move, whichever range moved it."""

    step_ppm: int = 220_000
    """Of itself, in one publication."""
    budget_ppm: int = 1_000_000
    """Of itself a day ago, net in a day."""


@dataclass(frozen=True, kw_only=True)
class ExpirySpec:
    """One expiry with its strikes and first numbers, which anchor the fences."""

    expiry: int
    """Unix seconds."""
    strikes: tuple[int, ...]
    """1e-8 USD, ascending."""
    sigma_atm_ppm: int
    phi_ppb: int = 1_000_000_000
    df_ppb: int = 1_000_000_000
    sigmas_ppm: tuple[int, ...] = ()
    """First volatility of each strike; empty for a flat smile."""

    @property
    def smile(self) -> tuple[int, ...]:
        """First volatility of each strike."""
        return self.sigmas_ppm or (self.sigma_atm_ppm,) * len(self.strikes)


@dataclass(frozen=True, kw_only=True)
class UnderlyingSpec:
    """One market: perp and options.  Its id is its place in the house."""

    asset: str
    """Ticker of its feed."""
    psr_ppm: int
    """First price scan range."""
    vsr_up_ppm: int = 450_000
    vsr_down_ppm: int = 300_000
    tail_ppm: int = 750_000
    short_min_ppm: int = 10_000
    kappa_ppm: int = 800_000
    flag_fee_ppm: int = 10_000
    stale_add_on_ppm: int = 150_000
    im_add_on_ppm: int = 50_000
    vol_floor_ppm: int = 250_000
    max_age_s: int = 7_200
    notice_blocks: int = 1
    slew_ppm_per_hour: int = 10_000
    """Largest relative move of a scan range in force; the published ranges are its target."""
    breaker_add_on_ppm: int = 250_000
    """Added to IM while the flash-crash breaker is open."""
    psr_fence: FenceSpec = FenceSpec(
        min=20_000, max=325_000, step_rel_ppm=200_000, step_abs=30_000, budget_rel_ppm=2_000_000, budget_abs=120_000
    )
    vsr_up_fence: FenceSpec = FenceSpec(
        min=50_000, max=1_500_000, step_rel_ppm=200_000, step_abs=200_000, budget_rel_ppm=500_000, budget_abs=500_000
    )
    vsr_down_fence: FenceSpec = FenceSpec(
        min=50_000, max=900_000, step_rel_ppm=200_000, step_abs=200_000, budget_rel_ppm=500_000, budget_abs=500_000
    )
    joint_fence: JointFenceSpec = JointFenceSpec()
    vol_fences: VolFenceSpec = VolFenceSpec()
    price_band_ppm: int = 10_000
    """Trades lie inside the vol-down … vol-up marks and this part of spot around them."""
    max_open_interest_perp: int = 10**25
    """wad contracts, long side."""
    max_open_interest_instrument: int = 10**25
    max_open_interest_expiry: int = 10**26
    max_position_per_account: int = 10**24
    max_funding_ppm_per_day: int = 7_500
    max_funding_step_ppm: int = 2_500
    min_funding_delay_s: int = 3_600
    expiries: tuple[ExpirySpec, ...] = ()
    """Ascending."""


@dataclass(frozen=True, kw_only=True)
class AuctionSpec:
    """Shape of the liquidation auction."""

    fast_s: int = 900
    slow_s: int = 7_200
    start_ppm: int = 980_000
    cutoff_ppm: int = 800_000
    insolvent_s: int = 3_600
    buffer_ppm: int = 50_000
    cool_off_s: int = 3_600
    dust_usd: int = 500 * WAD
    min_gate_usd: int = 50_000 * WAD


@dataclass(frozen=True, kw_only=True)
class TimelockSpec:
    """Who owns the house in the end: a new TimelockController, or one that is there."""

    address: str = ""
    """An existing one; it must accept ownership by a proposal of its own.  Empty: a new one is deployed."""
    min_delay_s: int = 172_800
    """Of a new one: between schedule and execute."""
    proposers: tuple[str, ...] = ()
    """Of a new one: a Governor, a Safe.  They may cancel too."""
    executors: tuple[str, ...] = ()
    """Of a new one; empty: anyone."""


@dataclass(frozen=True, kw_only=True)
class BreakerSpec:
    """The flash-crash breaker of every asset.  Why these numbers: contracts/README.md."""

    k_ppm: int = 500_000
    """A jump is a move beyond this part of the scan range in force …"""
    min_move_ppm: int = 50_000
    """… and beyond this part of the price; of an asset that is collateral only, this alone."""
    disagree_ppm: int = 15_000
    """Two feeds further apart than this are doubtful; below each feed's `max_deviation_ppm`."""
    window_s: int = 600
    hold_s: int = 300
    """Longest time that flags wait."""
    confirm_s: int = 60
    """A round so long after the jump, or later, settles it."""
    max_rounds: int = 64
    """Of each feed; a path with more rounds is not judged."""


@dataclass(frozen=True, kw_only=True)
class QuorumSpec:
    """Keepers that speak as one, k of n (`KeeperQuorum`)."""

    keepers: tuple[str, ...]
    """Addresses, none twice."""
    to_tighten: int
    """How many of them call an emergency."""
    to_publish: int
    """How many of them publish."""
    publishes: bool = False
    """Whether they may publish; an emergency they may call always."""


@dataclass(frozen=True, kw_only=True)
class HouseSpec:
    """A whole house."""

    feeds: tuple[FeedSpec, ...]
    collaterals: tuple[CollateralSpec, ...]
    """The settlement token first."""
    underlyings: tuple[UnderlyingSpec, ...]
    publisher: str
    """Address that will publish."""
    liquidator: str
    """Address that will flag and bid; its first account is the keeper's."""
    guardian: str
    """Address that may pause."""
    auction: AuctionSpec = AuctionSpec()
    breaker: BreakerSpec | None = BreakerSpec()
    """None for a house without one."""
    quorum: QuorumSpec | None = None
    """None for a house without an emergency lane; governance may grant the role later."""
    fund_cap_per_auction: int = 100_000 * WAD
    fund_seed: int = 0
    """Settlement token units that the deployer pays into the fund."""
    fee_ppm: int = 0
    """Trading fee of each side, ppm of notional."""
    interest_ppm_per_year: int = 80_000
    """On negative cash."""
    min_equity_to_open: int = 100 * WAD
    valid_for_s: int = 3_600
    """How long the first publication may wait to be mined."""
    timelock: TimelockSpec | None = None
    """None: the deployer stays the owner, until `scripts/handover.py`."""
