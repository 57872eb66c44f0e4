"""One market of a deployment: its first numbers, the fences around them, and what margin makes of them.

Each fence is explained in contracts/README.md.  Units as in the names.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    phi_step_ppb: int = 2_500_000
    """In an hour; a publication has of it what passed since the last one.  With `df_step_ppb`, each relative to its
    least value, it takes at most a fifth of the slew rate."""
    phi_budget_ppb: int = 10_000_000
    """Net in a day: eight points of annual basis on 45 days.  A forward that moves further is followed a day later."""
    carry_max_ppm: int = 500_000
    df_min_ppb: int = 500_000_000
    min_delay_s: int = 600
    """Between two publications of one underlying."""
    smile_step_ppm: int = 150_000
    """Of a strike's volatility over σ_ATM, in one publication."""
    smile_budget_ppm: int = 350_000
    """The same, net in a day."""
    df_step_ppb: int = 500_000
    """In an hour, as of φ."""
    df_budget_ppb: int = 5_000_000


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
    slew_ppm_per_hour: int = 25_000
    """Largest relative move of the maintenance of a perp, or of a straddle at the forward, whatever is published: the
    scan ranges in force move at two fifths of it towards the published ones."""
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
