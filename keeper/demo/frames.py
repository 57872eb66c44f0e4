"""One block of the demo, as it is shown and reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.demo.breakers import Opening
from keeper.domain.margin import Band
from keeper.policy.standing import Standing


@dataclass(frozen=True, kw_only=True)
class UnderlyingFrame:
    """One underlying at one block."""

    symbol: str
    price: float | None
    """USD; None while the oracle is unusable."""
    psr: float | None
    """Price scan range in force, fraction of spot; None before the first publication."""
    psr_target: float | None
    """What the keeper would publish if nothing held it back."""
    ref_price: float | None
    """Spot at which the live file was computed, USD."""
    parameters: tuple[Standing, ...] = ()
    """Where scan ranges and the level of the front expiry stand; times in chain time."""
    chain_time: int = 0
    """Unix seconds of the block, to which `parameters` refer."""
    im_uplift_pct: int = 0
    """What IM is widened by while ranges in force move up to the published ones."""
    breaker: str = ""
    """Why the flash-crash breaker is open; empty while it is closed."""
    held: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """What keeps a parameter from its target, by name and expiry, as of the last frame of a run; empty in others."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One block.  Money in USD; counts since the market opened unless said."""

    index: int
    """Block of the run, from 0."""
    blocks: int
    """Length of the run."""
    block: int
    """Height on the chain."""
    time: int
    """Market time, unix seconds, as the price path has it."""
    underlyings: tuple[UnderlyingFrame, ...]
    requirement: float
    """Sum of MM over all priced accounts."""
    mean_margin: float
    """Mean IM over customers with positions: what it costs to hold them."""
    bands: Mapping[Band, int]
    """Accounts by health."""
    auctions: int
    """Running now."""
    fund: float
    bad_debt: float
    """Paid by the fund or by the other accounts so far, and what accounts below zero owe now."""
    pushes: int
    refreshes: int
    margin_calls: int
    liquidations: int
    """Accounts that were put in auction."""
    settled: int
    """Expiries."""
    decisions: tuple[str, ...]
    """What was done in this block, one line each."""
    alerts: tuple[str, ...]
    cycle_ms: float
    """What the keeper's cycle took, without mining."""
    openings: tuple[Opening, ...] = ()
    """Breakers that opened with this block's prices."""
