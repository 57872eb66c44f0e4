"""What a venue's rule is made of.  A preset is a value of these types: data, never code.

    requirement = factor · max over blocks of reduce(P&L of its rows)  +  charges

once for IM and once for MM.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keeper.risk.kernel.charges import Charge, DeltaMinimum
from keeper.risk.kernel.rows import Rows


class Applies(StrEnum):
    """Which requirement a block of rows enters."""

    BOTH = "both"
    INITIAL = "IM"
    MAINTENANCE = "MM"


class Netting(StrEnum):
    """What may pay for what before a worst row is chosen."""

    ACCOUNT = "account"
    """One row for the whole account."""
    UNDERLYING = "underlying"
    """Each underlying's traded positions in their own worst row, then summed; collateral does not count."""
    EXPIRY = "expiry"
    """Each expiry's futures and options in their own worst row, then summed; nothing else counts."""


class Reading(StrEnum):
    """How a row's P&L is read."""

    SIGNED = "signed"
    """As it falls."""
    ADVERSE = "adverse"
    """Each expiry's P&L is a loss whichever way it falls, −|P&L|: the shock stands for its mirror too."""


class Currency(StrEnum):
    """In what an account is counted."""

    USD = "USD"
    COIN = "coin"
    """In the coin of the account's one underlying: values are divided by the row's spot."""


@dataclass(frozen=True, kw_only=True)
class TermScale:
    """Factor on an expiry's loss: add + mult · T, T in years."""

    add: float
    mult: float


@dataclass(frozen=True, kw_only=True)
class StaticDiscount:
    """Factor on the shocked value of an expiry's options, by the sign of that value.

    Positive: long_base · e^(−T(r·long_mult + long_add)).
    Negative: min(1/df, short_base · e^(+T(r·short_mult + short_add))).
    """

    long_base: float
    long_mult: float
    long_add: float
    short_base: float
    short_mult: float
    short_add: float


@dataclass(frozen=True, kw_only=True)
class VolTerm:
    """Term structure of a volatility shock: m = (30 d / max(t, floor))^p; up by shock · m, never below a floor."""

    short_power: float = 0.3
    """p within 30 days."""
    long_power: float = 0.13
    """p beyond."""
    floor_days: float = 1.0
    """Shorter tenors move like this one."""
    up_floor: float = 0.0
    """A volatility shocked up is at least this."""
    flat: float | None = None
    """m of every tenor where the venue has no term structure; None takes the powers."""


@dataclass(frozen=True, kw_only=True)
class SkewShape:
    """The full skew shock: a strike's volatility × 1 + clamp(k·cap/k*, ±cap), k = ln(K/F), or |k| for a smile.

    cap = c_base·√T + base_cap and k* = max(min_k_star, √T·width_scale·(vol_static + √T·vol_scale)).
    """

    linear_base_cap: float
    linear_c_base: float
    smile_base_cap: float
    smile_c_base: float
    min_k_star: float
    width_scale: float
    vol_static: float
    vol_scale: float


@dataclass(frozen=True, kw_only=True)
class Block:
    """Rows of one generator, how their P&L is read and what reduces it to one loss."""

    name: str
    """Shown to people."""
    rows: Rows
    """Where its rows come from."""
    expected_shortfall: float | None = None
    """Level α of the expected shortfall that reduces it; None takes the worst row."""
    netting: Netting = Netting.ACCOUNT
    """What may pay for what."""
    offset: float = 1.0
    """Share of a row's gain in one underlying that may pay for losses in others; 1 nets fully."""
    reading: Reading = Reading.SIGNED
    """How a row's P&L is read."""
    discount: StaticDiscount | None = None
    """On the shocked value of each expiry's options; None leaves it."""
    term: TermScale | None = None
    """On each expiry's loss; None leaves it."""
    applies: Applies = Applies.BOTH
    """Which requirement it enters."""


@dataclass(frozen=True, kw_only=True)
class Liquidation:
    """How much of an account in trouble is closed, and what the liquidator earns."""

    close_share: float = 1.0
    """Most of the debt that one liquidation repays."""
    full_below: float = 0.0
    """Health factor at or below which all of it may be."""
    small_usd: float = 0.0
    """Positions below this are closed whole."""
    incentive_cap: float = 1.0
    """Highest liquidation incentive factor."""
    incentive_cursor: float = 0.0
    """c of min(cap, 1 / (1 − c·(1 − LLTV)))."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A venue's rule."""

    name: str
    source: str
    """Where its numbers were published."""
    blocks: tuple[Block, ...]
    """The requirement's scenario part is the largest of theirs."""
    initial_factor: float = 1.0
    """On the scenario part of IM."""
    maintenance_factor: float = 1.0
    """On the scenario part of MM."""
    charges: tuple[Charge, ...] = ()
    """Add-ons, each a line."""
    floor: DeltaMinimum | None = None
    """Least scenario part, before factors."""
    vol_term: VolTerm = VolTerm()
    """How a volatility shock depends on tenor."""
    skew: SkewShape | None = None
    """What a full skew or smile shock is; None where no row has one."""
    currency: Currency = Currency.USD
    """In what accounts are counted."""
    liquidation: Liquidation | None = None
    """Where the venue publishes one."""
