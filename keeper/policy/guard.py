"""What the fences let a publication be: the mirror of `RiskParameters`, in the contract's integers.

`allow` moves a target into the reach of the fences; the contract would refuse anything else.  The mirror stays one unit
inside every bound, because the contract sees a block later than we do.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import ExpiryFence, FenceState, PublicationState, VolFences
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import PPB, PPM, term_factor

#: Seconds per year of the carry fence.  Source: contracts/src/RiskParameters.sol.
YEAR = 31_536_000
#: Part of the carry fence that does not grow with time, parts per billion.  Source: contracts/src/RiskParameters.sol.
CARRY_BASE_PPB = 10_000_000


def shut(state: PublicationState, now: int) -> str:
    """Why no publication passes at all at this block, whatever its numbers; empty if one may.

    Args:
        state: the fences.
        now: block time, unix seconds.
    """
    if state.frozen:
        return "frozen: nothing is published until governance thaws it"
    if now < state.next_allowed_s:
        return f"the next publication may come in {state.next_allowed_s - now} s"
    return ""


def reach(fence: FenceState) -> tuple[int, int]:
    """Lowest and highest value a number may take now.

    The step counts from the current value, the budget from the value a day ago.  Where the current value already lies
    beyond the budget (the anchor moved away), staying and going back towards the anchor are legal.
    """
    step = min(fence.current * fence.step_rel_ppm // PPM, fence.step_abs)
    budget = min(fence.anchor * fence.budget_rel_ppm // PPM, fence.budget_abs)
    low = max(fence.min, fence.current - step, min(fence.anchor - budget, fence.current))
    high = min(fence.max, fence.current + step, max(fence.anchor + budget, fence.current))
    return low, high


def sigma_reach(fence: ExpiryFence, vol: VolFences, seconds: int) -> tuple[int, int]:
    """Lowest and highest σ_ATM an expiry may take now, ppm."""
    m = term_factor(seconds)
    step = q64.exp(vol.atm_step_ppm * m // PPM)
    budget = q64.exp(vol.atm_budget_ppm * m // PPM)
    now, anchor = fence.sigma_ppm, fence.sigma_anchor_ppm
    low = max(vol.sigma_min_ppm, (now << 64) // step + 2, min((anchor << 64) // budget + 2, now))
    high = min(vol.sigma_max_ppm, (now * step >> 64) - 2, max((anchor * budget >> 64) - 2, now))
    return min(low, now), max(high, now)


def phi_reach(fence: ExpiryFence, vol: VolFences, seconds: int) -> tuple[int, int]:
    """Lowest and highest φ an expiry may take now, parts per billion."""
    carry = vol.carry_max_ppm * 1_000 * seconds // YEAR + CARRY_BASE_PPB - 1_000
    now, anchor, budget = fence.phi_ppb, fence.phi_anchor_ppb, vol.phi_budget_ppb
    low = max(vol.phi_min_ppb, PPB - carry, now - vol.phi_step_ppb, min(anchor - budget, now))
    high = min(vol.phi_max_ppb, PPB + carry, now + vol.phi_step_ppb, max(anchor + budget, now))
    return low, high


def allow(target: UnderlyingTarget, state: PublicationState, now: int) -> UnderlyingTarget:
    """The legal publication nearest to the target, expiry by expiry in the fences' order.

    A smile moves with its level and stays in its band.  Call marks across strikes are fenced too, and depend on spot:
    see `keeper.policy.smile`.

    Args:
        target: what we would publish if nothing held us back; must cover exactly the fenced expiries.
        state: the fences.
        now: block time, unix seconds.
    """
    by_name = {f.name: f for f in state.fences}
    ranges = Ranges(
        psr_ppm=_clamp(target.ranges.psr_ppm, *reach(by_name["psr"])),
        vsr_up_ppm=_clamp(target.ranges.vsr_up_ppm, *reach(by_name["vsr_up"])),
        vsr_down_ppm=_clamp(target.ranges.vsr_down_ppm, *reach(by_name["vsr_down"])),
    )
    fences = {f.expiry: f for f in state.expiries}
    reaches = {e: sigma_reach(f, state.vol, e - now) for e, f in fences.items()}
    highest = _calendar_ceilings([(e.params.expiry - now, reaches[e.params.expiry][1]) for e in target.expiries])
    expiries: list[ExpiryTarget] = []
    variance = 0
    for wanted, top in zip(target.expiries, highest, strict=True):
        p = wanted.params
        fence, seconds = fences[p.expiry], p.expiry - now
        low, high = reaches[p.expiry]
        # Total variance may not fall from one expiry to the next; the later one gives way upwards.  What is in force
        # is in order, so neither bound below is ever beyond the other.
        low = max(low, isqrt(max(0, -(-variance // seconds) - 1)) + 1)
        sigma = _clamp(p.sigma_atm_ppm, low, min(high, top))
        variance = sigma * sigma * seconds
        params = ExpiryParams(
            expiry=p.expiry,
            phi_ppb=_clamp(p.phi_ppb, *phi_reach(fence, state.vol, seconds)),
            df_ppb=_clamp(p.df_ppb, state.vol.df_min_ppb, PPB),
            sigma_atm_ppm=sigma,
        )
        low, high = -(-sigma * state.vol.smile_min_ppm // PPM), sigma * state.vol.smile_max_ppm // PPM
        sigmas = tuple(_clamp(s * sigma // p.sigma_atm_ppm, low, high) for s in wanted.sigmas_ppm)
        expiries.append(ExpiryTarget(params=params, sigmas_ppm=sigmas))
    return UnderlyingTarget(
        underlying=target.underlying,
        ranges=ranges,
        expiries=tuple(expiries),
        realised_vol=target.realised_vol,
        reasons=target.reasons,
    )


def _calendar_ceilings(reaches: Sequence[tuple[int, int]]) -> list[int]:
    """Highest σ_ATM of each expiry that leaves every later one, at its highest, in calendar order.

    Args:
        reaches: (seconds to expiry, highest σ within its own fences), ascending.
    """
    ceilings: list[int] = []
    limit: int | None = None
    for seconds, high in reversed(reaches):
        variance = high * high * seconds
        limit = variance if limit is None else min(limit, variance)
        ceilings.append(isqrt(limit // seconds))
    return ceilings[::-1]


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))
