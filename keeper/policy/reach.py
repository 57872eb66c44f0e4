"""How far each fenced number may go now: the mirror of `Fences`, number by number, in the contract's integers.

The step counts from the value in force, the budget from the anchor of a day ago.  Where the value in force already lies
beyond the budget (the anchor moved away), staying and going back towards the anchor are legal.
"""

from __future__ import annotations

from typing import Final

from keeper.domain.snapshot import ExpiryFence, FenceState, PublicationState, SmileFence, VolFences
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import PPB, PPM, term_factor

#: Seconds per year of the carry fence.  Source: contracts/src/libraries/ExpiryFence.sol.
YEAR: Final = 31_536_000
#: Part of the carry fence that does not grow with time, parts per billion.  Source: the same.
CARRY_BASE_PPB: Final = 10_000_000


def within(anchor: int, now: int, budget: int) -> tuple[int, int]:
    """Lowest and highest value that the budget admits."""
    return min(anchor - budget, now), max(anchor + budget, now)


def inside(low: int, high: int, least: int, most: int) -> tuple[int, int]:
    """The part of low … high inside least … most; where there is none, the end that is nearest to it.

    A number in force that governance's new bounds, or time, left outside goes as far towards them as it may.
    """
    return min(max(low, least), high), max(min(high, most), low)


def reach(fence: FenceState) -> tuple[int, int]:
    """Lowest and highest value a range may take now: each limit the tighter of relative and absolute."""
    step = min(fence.current * fence.step_rel_ppm // PPM, fence.step_abs)
    budget = min(fence.anchor * fence.budget_rel_ppm // PPM, fence.budget_abs)
    low, high = within(fence.anchor, fence.current, budget)
    return inside(max(fence.current - step, low), min(fence.current + step, high), fence.min, fence.max)


def sigma_reach(fence: ExpiryFence, vol: VolFences, seconds: int) -> tuple[int, int]:
    """Lowest and highest σ_ATM an expiry may take now, ppm; a little inside, since the chain sees a block later."""
    m = term_factor(seconds)
    step = q64.exp(vol.atm_step_ppm * m // PPM)
    budget = q64.exp(vol.atm_budget_ppm * m // PPM)
    now, anchor = fence.sigma_ppm, fence.sigma_anchor_ppm
    low = max((now << 64) // step + 2, min((anchor << 64) // budget + 2, now))
    high = min((now * step >> 64) - 2, max((anchor * budget >> 64) - 2, now))
    return inside(min(low, now), max(high, now), vol.sigma_min_ppm, vol.sigma_max_ppm)


def carry_ppb(vol: VolFences, seconds: int) -> int:
    """Furthest a forward may be from spot, ppb of it."""
    return vol.carry_max_ppm * 1_000 * seconds // YEAR + CARRY_BASE_PPB


def earned(step: int, state: PublicationState, now: int) -> int:
    """What a publication at `now` has of a forward's or a discount factor's step; a whole one before the first."""
    whole = state.vol.forward_step_s
    if not whole or not state.last_id:
        return step
    return step * min(now - state.last_time, whole) // whole


def phi_reach(fence: ExpiryFence, state: PublicationState, now: int) -> tuple[int, int]:
    """Lowest and highest φ an expiry may take at `now`, ppb."""
    vol, seconds = state.vol, fence.expiry - now
    carry = carry_ppb(vol, seconds) - 1_000  # the allowance shrinks while the transaction is on its way
    low, high = within(fence.phi_anchor_ppb, fence.phi_ppb, vol.phi_budget_ppb)
    step = earned(vol.phi_step_ppb, state, now)
    low, high = max(fence.phi_ppb - step, low), min(fence.phi_ppb + step, high)
    return inside(low, high, max(vol.phi_min_ppb, PPB - carry), min(vol.phi_max_ppb, PPB + carry))


def df_reach(fence: ExpiryFence, state: PublicationState, now: int) -> tuple[int, int]:
    """Lowest and highest discount factor an expiry may take at `now`, ppb."""
    vol = state.vol
    low, high = within(fence.df_anchor_ppb, fence.df_ppb, vol.df_budget_ppb)
    step = earned(vol.df_step_ppb, state, now)
    low, high = max(fence.df_ppb - step, low), min(fence.df_ppb + step, high)
    return inside(low, high, vol.df_min_ppb, PPB)


def strike_reach(fence: SmileFence | None, vol: VolFences, sigma_atm_ppm: int) -> tuple[int, int]:
    """Lowest and highest volatility a strike may take now under a level at the money, ppm.

    Args:
        fence: None, or never published: nothing but the band binds.
        vol: the underlying's fences.
        sigma_atm_ppm: the level it is published with.
    """
    low = -(-sigma_atm_ppm * vol.smile_min_ppm // PPM)
    high = sigma_atm_ppm * vol.smile_max_ppm // PPM
    if fence is None or not fence.ratio_ppm:
        return low, high
    now, step = fence.ratio_ppm, vol.smile_step_ppm
    least, most = within(fence.anchor_ppm, now, vol.smile_budget_ppm)
    least, most = max(now - step, least), min(now + step, most)
    # A ratio is rounded down: σ_K gives `least` from least·σ/1e6 rounded up, and still `most` just below the next.
    nearest, furthest = -(-max(least, 0) * sigma_atm_ppm // PPM), -(-(most + 1) * sigma_atm_ppm // PPM) - 1
    return inside(nearest, furthest, low, high)
