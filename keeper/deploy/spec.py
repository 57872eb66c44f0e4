"""What is deployed, as one frozen value that reads from and writes to JSON (`keeper.domain.codec`).

Defaults are starting values for a market in liquid coins; each fence is explained in contracts/README.md.  Units as in
the names; money in wad USD.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.deploy.market_spec import UnderlyingSpec

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
    """Whether they publish, and then they alone: no single key gets the publisher's role.  An emergency they may call
    always."""


@dataclass(frozen=True, kw_only=True)
class HouseSpec:
    """A whole house."""

    feeds: tuple[FeedSpec, ...]
    collaterals: tuple[CollateralSpec, ...]
    """The settlement token first."""
    underlyings: tuple[UnderlyingSpec, ...]
    publisher: str
    """Address that will publish; where a quorum publishes, that carries what it signed and pays."""
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

    @property
    def by_quorum(self) -> bool:
        """Whether several keepers publish together, and no key alone."""
        return self.quorum is not None and self.quorum.publishes
