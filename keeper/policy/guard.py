"""What the fences let a publication be: the mirror of `RiskParameters`, in the contract's integers.

`allow` moves a target into the reach of the fences; `keeper.policy.judge` tells what the contract would say to any
publication.  The mirror stays one unit inside every bound that moves with time, because the contract sees a block later
than we do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isqrt

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import ExpiryFence, PublicationState, Rules, SmileFence, VolFences
from keeper.policy.calendar import has_strikes, variance
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
    as much of the way as does.  An expiry without a strike in force that does not fit its neighbours yet is left out,
    every strike at 0, and its level walks to where it will.  Call marks across strikes are fenced too: see
    `keeper.policy.smile`.

    Args:
        target: what we would publish if nothing held us back; must cover exactly the fenced expiries.
        state: the fences.
        now: block time, unix seconds.
        rules: what governance fixed, for the joint post-condition; without them it is not looked at.
    """
    expiries: list[ExpiryTarget] = []
    fences = {f.expiry: f for f in state.expiries}
    rows = [_Row.of(e, fences[e.params.expiry], state.vol, e.params.expiry - now) for e in target.expiries]
    for wanted, (sigma, comes_in) in zip(target.expiries, _levels(rows), strict=True):
        p = wanted.params
        fence = fences[p.expiry]
        params = ExpiryParams(
            expiry=p.expiry,
            phi_ppb=_clamp(p.phi_ppb, *phi_reach(fence, state, now)),
            df_ppb=_clamp(p.df_ppb, *df_reach(fence, state, now)),
            sigma_atm_ppm=sigma,
        )
        sigmas = tuple(s * sigma // p.sigma_atm_ppm * comes_in for s in wanted.sigmas_ppm)
        expiries.append(within_smile(ExpiryTarget(params=params, sigmas_ppm=sigmas), fence, state.vol))
    return replace(target, ranges=_ranges(target.ranges, state, now, rules), expiries=tuple(expiries))


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One expiry's level at the money, for the calendar."""

    seconds: int
    """Until it expires."""
    wanted: int
    low: int
    """The least and the most that its own fences let it be."""
    high: int
    in_force: bool
    """Whether a strike of it is; else it comes in only where it disturbs nobody."""

    @classmethod
    def of(cls, one: ExpiryTarget, fence: ExpiryFence, vol: VolFences, seconds: int) -> _Row:
        low, high = sigma_reach(fence, vol, seconds)
        return cls(
            seconds=seconds,
            wanted=one.params.sigma_atm_ppm,
            low=low,
            high=high,
            in_force=has_strikes(fence),
        )


def _levels(rows: Sequence[_Row]) -> list[tuple[int, bool]]:
    """σ_ATM of each expiry, and whether its strikes may be in force with it.

    One that has none in force comes in if that moves no level of those that have; else its level walks towards where
    it would.
    """
    members = [i for i, row in enumerate(rows) if row.in_force]
    settled = dict(zip(members, _chain([rows[i] for i in members])[0], strict=True))
    found, aims = dict(settled), list(rows)
    for i in range(len(rows)):
        if i in settled:
            continue
        aims[i] = replace(rows[i], wanted=_amid(rows, found, i))
        tried = sorted((*members, i))
        chain, in_order = _chain([aims[k] for k in tried])
        if in_order and all(settled.get(k, one) == one for k, one in zip(tried, chain, strict=True)):
            members, found = tried, dict(zip(tried, chain, strict=True))
    return [
        (found[i], True) if i in found else (_clamp(_amid(rows, found, i), row.low, row.high), False)
        for i, row in enumerate(rows)
    ]


def _amid(rows: Sequence[_Row], found: Mapping[int, int], i: int) -> int:
    """Where an expiry's level is to go: its target, as far as its neighbours' levels leave room for it."""
    row = rows[i]
    before = [variance(found[k], rows[k].seconds) for k in found if k < i]
    after = [variance(found[k], rows[k].seconds) for k in found if k > i]
    most = isqrt(min(after) // row.seconds) if after else row.wanted
    return max(_least(max(before, default=0), row.seconds), min(row.wanted, most))


def _chain(rows: Sequence[_Row]) -> tuple[list[int], bool]:
    """Levels whose total variance does not fall, each as near to its target as its fences let it be.

    The later one gives way upwards, but an earlier one leaves room for it.

    Returns:
        The levels, and whether they are in order: they are if every expiry has strikes in force.
    """
    levels: list[int] = []
    least, in_order = 0, True
    for row, top in zip(rows, _calendar_ceilings([(row.seconds, row.high) for row in rows]), strict=True):
        low, high = max(row.low, _least(least, row.seconds)), min(row.high, top)
        in_order = in_order and low <= high
        levels.append(_clamp(row.wanted, low, high))
        least = variance(levels[-1], row.seconds)
    return levels, in_order


def _least(variance_: int, seconds: int) -> int:
    """Lowest σ whose total variance is no less."""
    return isqrt(max(0, -(-variance_ // seconds) - 1)) + 1


def within_smile(one: ExpiryTarget, fence: ExpiryFence, vol: VolFences) -> ExpiryTarget:
    """The expiry with every strike's volatility where band, step and budget allow it; 0 leaves one out as before."""
    smile = fence.smile or (None,) * len(one.sigmas_ppm)
    atm = one.params.sigma_atm_ppm

    def within(sigma: int, strike: SmileFence | None) -> int:
        left_out = not sigma and strike is not None and not strike.ratio_ppm
        return 0 if left_out else _clamp(sigma, *strike_reach(strike, vol, atm))

    return replace(one, sigmas_ppm=tuple(within(s, f) for s, f in zip(one.sigmas_ppm, smile, strict=True)))


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
