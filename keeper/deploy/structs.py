"""Specs as the contracts' structs: tuples in the order of the Solidity declarations."""

from __future__ import annotations

from keeper.deploy.market_spec import FenceSpec, UnderlyingSpec
from keeper.deploy.spec import BreakerSpec, CollateralSpec, FeedSpec, HouseSpec

ZERO = "0x" + "0" * 40


def asset_id(ticker: str) -> bytes:
    """The oracle's id of an asset: its ticker's bytes, left-aligned."""
    return ticker.encode().ljust(32, b"\0")


def feed(f: FeedSpec) -> tuple[object, ...]:
    """IPriceOracle.Feed."""
    return f.primary, f.secondary or ZERO, f.max_age_s, f.max_deviation_ppm, f.min_price, f.max_price


def collateral(c: CollateralSpec) -> tuple[object, ...]:
    """IClearingHouse.CollateralConfig."""
    return c.token, c.decimals, asset_id(c.asset), c.haircut_ppm, c.cap_per_account, c.cap_total


def config(u: UnderlyingSpec) -> tuple[object, ...]:
    """IRiskParameters.UnderlyingConfig."""
    return (
        u.tail_ppm,
        u.short_min_ppm,
        u.kappa_ppm,
        u.flag_fee_ppm,
        u.stale_add_on_ppm,
        u.im_add_on_ppm,
        u.vol_floor_ppm,
        u.max_age_s,
        u.notice_blocks,
        True,
        u.slew_ppm_per_hour,
        u.breaker_add_on_ppm,
    )


def fence(f: FenceSpec) -> tuple[int, ...]:
    """IRiskParameters.Fence."""
    return f.min, f.max, f.step_rel_ppm, f.step_abs, f.budget_rel_ppm, f.budget_abs


def fences(u: UnderlyingSpec) -> tuple[object, ...]:
    """IRiskParameters.RangeFences."""
    return fence(u.psr_fence), fence(u.vsr_up_fence), fence(u.vsr_down_fence), joint(u)


def joint(u: UnderlyingSpec) -> tuple[int, int]:
    """IRiskParameters.JointFence."""
    return u.joint_fence.step_ppm, u.joint_fence.budget_ppm


def vols(u: UnderlyingSpec) -> tuple[int, ...]:
    """IRiskParameters.VolFences."""
    v = u.vol_fences
    return (
        v.sigma_min_ppm,
        v.sigma_max_ppm,
        v.atm_step_ppm,
        v.atm_budget_ppm,
        v.smile_min_ppm,
        v.smile_max_ppm,
        v.phi_min_ppb,
        v.phi_max_ppb,
        v.phi_step_ppb,
        v.phi_budget_ppb,
        v.carry_max_ppm,
        v.df_min_ppb,
        v.min_delay_s,
        v.smile_step_ppm,
        v.smile_budget_ppm,
        v.df_step_ppb,
        v.df_budget_ppb,
    )


def ranges(u: UnderlyingSpec) -> tuple[int, int, int]:
    """The three first ranges, as they are passed."""
    return u.psr_ppm, u.vsr_up_ppm, u.vsr_down_ppm


def market(u: UnderlyingSpec) -> tuple[object, ...]:
    """IClearingHouse.UnderlyingMarket."""
    return (
        asset_id(u.asset),
        u.price_band_ppm,
        u.max_open_interest_perp,
        u.max_open_interest_instrument,
        u.max_open_interest_expiry,
        u.max_position_per_account,
        u.max_funding_ppm_per_day,
        u.max_funding_step_ppm,
        u.min_funding_delay_s,
        True,
    )


def breaker(b: BreakerSpec, f: FeedSpec, underlying: int | None) -> tuple[object, ...]:
    """ICircuitBreaker.Config of one asset; an underlying of None for one that is collateral only."""
    return (
        underlying or 0,
        underlying is not None,
        b.k_ppm,
        b.min_move_ppm,
        b.disagree_ppm if f.secondary else 0,
        b.window_s,
        b.hold_s,
        b.confirm_s,
        b.max_rounds,
    )


def auction(spec: HouseSpec) -> tuple[int, ...]:
    """ILiquidationAuction.Params."""
    a = spec.auction
    return (
        a.fast_s,
        a.slow_s,
        a.start_ppm,
        a.cutoff_ppm,
        a.insolvent_s,
        a.buffer_ppm,
        a.cool_off_s,
        a.dust_usd,
        a.min_gate_usd,
    )
