"""What the fences let a publication be: the mirror of `RiskParameters`, in the contract's integers.

`allow` moves a target into the reach of the fences; `keeper.policy.judge` tells what the contract would say to any
publication.  The mirror stays one unit inside every bound that moves with time, because the contract sees a block later
than we do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import ExpiryFence, PublicationState, Rules, VolFences
from keeper.policy.joint import joint_of, nearest
from keeper.policy.reach import df_reach, phi_reach, reach, sigma_reach, strike_reach


def shut(state: PublicationState, now: int) -> str:
    """Why no publication passes at all at this block, whatever its numbers; empty if one may.

    Args:
        state: the fences.
        now: block time, unix seconds.
    """
    if state.frozen:
        return "frozen: nothing is published until governance thaws it"
    if now < state.paused_until_s:
        return f"paused by the guardian for another {state.paused_until_s - now} s"
    if now < state.next_allowed_s:
        return f"the next publication may come in {state.next_allowed_s - now} s"
    if state.in_notice:
        return "the notice window of the last publication is not over"
    return ""


def opens_at(state: PublicationState) -> int | None:
    """Unix seconds from which a publication may pass; None while only governance can open it."""
    return None if state.frozen else max(state.next_allowed_s, state.paused_until_s)


def current(state: PublicationState) -> Ranges:
    """The last set target of the scan ranges."""
    by_name = {f.name: f.current for f in state.fences}
    return Ranges(psr_ppm=by_name["psr"], vsr_up_ppm=by_name["vsr_up"], vsr_down_ppm=by_name["vsr_down"])


def anchored(state: PublicationState) -> Ranges:
    """The scan ranges of a day ago, from which budgets count."""
    by_name = {f.name: f.anchor for f in state.fences}
    return Ranges(psr_ppm=by_name["psr"], vsr_up_ppm=by_name["vsr_up"], vsr_down_ppm=by_name["vsr_down"])


def allow(target: UnderlyingTarget, state: PublicationState, now: int, rules: Rules | None = None) -> UnderlyingTarget:
    """The legal publication nearest to the target, expiry by expiry in the fences' order.

    A smile moves with its level and stays in its band and its budgets.  Ranges that pass one by one and not together go
    as much of the way as does.  Call marks across strikes are fenced too: see `keeper.policy.smile`.

    Args:
        target: what we would publish if nothing held us back; must cover exactly the fenced expiries.
        state: the fences.
        now: block time, unix seconds.
        rules: what governance fixed, for the joint post-condition; without them it is not looked at.
    """
    expiries: list[ExpiryTarget] = []
    fences = {f.expiry: f for f in state.expiries}
    reaches = {e: sigma_reach(f, state.vol, e - now) for e, f in fences.items()}
    highest = _calendar_ceilings([(e.params.expiry - now, reaches[e.params.expiry][1]) for e in target.expiries])
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
            df_ppb=_clamp(p.df_ppb, *df_reach(fence, state.vol)),
            sigma_atm_ppm=sigma,
        )
        sigmas = tuple(s * sigma // p.sigma_atm_ppm for s in wanted.sigmas_ppm)
        expiries.append(within_smile(ExpiryTarget(params=params, sigmas_ppm=sigmas), fence, state.vol))
    return replace(target, ranges=_ranges(target.ranges, state, now, rules), expiries=tuple(expiries))


def within_smile(one: ExpiryTarget, fence: ExpiryFence, vol: VolFences) -> ExpiryTarget:
    """The expiry with every strike's volatility where band, step and budget allow it."""
    smile = fence.smile or (None,) * len(one.sigmas_ppm)
    atm = one.params.sigma_atm_ppm
    sigmas = (_clamp(s, *strike_reach(f, vol, atm)) for s, f in zip(one.sigmas_ppm, smile, strict=True))
    return replace(one, sigmas_ppm=tuple(sigmas))


def _ranges(wanted: Ranges, state: PublicationState, now: int, rules: Rules | None) -> Ranges:
    by_name = {f.name: f for f in state.fences}
    no_less = now < state.no_loosening_until_s

    def one(name: str, value: int) -> int:
        low, high = reach(by_name[name])
        return _clamp(value, max(low, by_name[name].current) if no_less else low, high)

    inside = Ranges(
        psr_ppm=one("psr", wanted.psr_ppm),
        vsr_up_ppm=one("vsr_up", wanted.vsr_up_ppm),
        vsr_down_ppm=one("vsr_down", wanted.vsr_down_ppm),
    )
    if rules is None:
        return inside
    old = current(state)
    return nearest(old, inside, joint_of(rules, state.joint, old, anchored(state)))


def _calendar_ceilings(reaches: Sequence[tuple[int, int]]) -> list[int]:
    """Highest σ_ATM of each expiry that leaves every later one, at its highest, in calendar order.

    Args:
        reaches: (seconds to expiry, highest σ within its own fences), ascending.
    """
    ceilings: list[int] = []
    limit: int | None = None
    for seconds, high in reversed(reaches):
        variance = high * high * seconds
        top = isqrt((variance if limit is None else min(limit, variance)) // seconds)
        ceilings.append(top)
        limit = top * top * seconds  # of the rounded one: an earlier expiry at its ceiling leaves room for this one's
    return ceilings[::-1]


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))
