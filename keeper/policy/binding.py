"""Which fence keeps a number from its target: its bounds, its step, its day's budget, or its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import ExpiryFence, PublicationState, VolFences
from keeper.policy.reach import carry_ppb, df_reach, phi_reach, reach, sigma_reach, strike_reach
from keeper.policy.ring import ratio_ppm
from keeper.policy.speeds import RANGES, value
from keeper.risk.calibration.targets import day
from keeper.risk.exact.riskfile import PPB, PPM

Span = tuple[int, int]

#: Our names of numbers, for people.
NAMES: Final = {
    "psr": "scan range",
    "vsr_up": "volatility range up",
    "vsr_down": "volatility range down",
    "sigma": "volatility",
    "phi": "forward",
    "df": "discount",
    "smile": "smile",
    "strike": "new strikes",
}
#: What may keep a number from its target, for people.
FENCES: Final = {
    "bounds": "absolute bounds",
    "step": "step",
    "budget": "day's budget",
    "joint": "joint post-condition",
    "calendar": "calendar order",
    "order": "order of call marks",
    "veto": "guardian's veto",
    "speed": "loosening speed",
}


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A number that falls short of its target.  Unit: the number's own, ppm or (φ, df) ppb."""

    name: str
    """`psr`, `vsr_up`, `vsr_down`, `sigma`, `phi`, `df`, `smile`: the strike of an expiry that is furthest off, or
    `strike`: the first that is left out, its ratio to the level at the money against 0."""
    expiry: int
    """0 for a scan range."""
    wanted: int
    legal: int
    by: str
    """Which of `FENCES`."""


def left_out(legal: UnderlyingTarget) -> Iterator[str]:
    """What of the listings a publication leaves out, and what it waits for, in words."""
    for one in legal.expiries:
        out = sum(not sigma for sigma in one.sigmas_ppm)
        if not out:
            continue
        when, level = day(one.params.expiry), f"{one.params.sigma_atm_ppm / 10_000:.2f} %"
        if out == len(one.sigmas_ppm):
            yield f"the expiry of {when} is left out until it is in calendar order; its volatility goes to {level}"
        else:
            strikes = "a new strike" if out == 1 else f"{out} new strikes"
            yield f"{strikes} of {when} left out until call marks are in order with the others'"


def bounds(
    wanted: UnderlyingTarget, legal: UnderlyingTarget, state: PublicationState, now: int, *, aim: Ranges | None = None
) -> tuple[Bound, ...]:
    """Every number that is not where it should be.

    Args:
        wanted: given to the fences.
        legal: what they made of it.
        state: the fences.
        now: unix seconds.
        aim: the scan ranges wanted before speeds held them back; None: as `wanted`.
    """
    return (
        *_ranges(aim or wanted.ranges, wanted.ranges, legal.ranges, state, now),
        *_levels(wanted, legal, state, now),
    )


def _ranges(aim: Ranges, wanted: Ranges, legal: Ranges, state: PublicationState, now: int) -> Iterator[Bound]:
    fences = {f.name: f for f in state.fences}
    for name in RANGES:
        far, want, may, fence = value(aim, name), value(wanted, name), value(legal, name), fences[name]
        if may == far:
            continue
        if want != far and may == want:
            by = "speed"
        elif far < may == fence.current and now < state.no_loosening_until_s:
            by = "veto"
        else:
            free = reach(replace(fence, anchor=fence.current))
            by = _by(far, may, full=reach(fence), free=free, limits=(fence.min, fence.max), other="joint")
        yield Bound(name=name, expiry=0, wanted=far, legal=may, by=by)


def _levels(wanted: UnderlyingTarget, legal: UnderlyingTarget, state: PublicationState, now: int) -> Iterator[Bound]:
    fences, vol = {f.expiry: f for f in state.expiries}, state.vol
    for aim, got in zip(wanted.expiries, legal.expiries, strict=True):
        fence = fences[aim.params.expiry]
        seconds = fence.expiry - now
        carry = carry_ppb(vol, seconds)
        numbers = (
            (
                "sigma",
                aim.params.sigma_atm_ppm,
                got.params.sigma_atm_ppm,
                sigma_reach(fence, vol, seconds),
                sigma_reach(replace(fence, sigma_anchor_ppm=fence.sigma_ppm), vol, seconds),
                (vol.sigma_min_ppm, vol.sigma_max_ppm),
                "calendar",
            ),
            (
                "phi",
                aim.params.phi_ppb,
                got.params.phi_ppb,
                phi_reach(fence, state, now),
                phi_reach(replace(fence, phi_anchor_ppb=fence.phi_ppb), state, now),
                (max(vol.phi_min_ppb, PPB - carry), min(vol.phi_max_ppb, PPB + carry)),
                "bounds",
            ),
            (
                "df",
                aim.params.df_ppb,
                got.params.df_ppb,
                df_reach(fence, state, now),
                df_reach(replace(fence, df_anchor_ppb=fence.df_ppb), state, now),
                (vol.df_min_ppb, PPB),
                "bounds",
            ),
        )
        for name, want, may, full, free, limits, other in numbers:
            if may != want:
                by = _by(want, may, full=full, free=free, limits=limits, other=other)
                yield Bound(name=name, expiry=fence.expiry, wanted=want, legal=may, by=by)
        worst = _smile(aim, got, fence, vol)
        if worst is not None:
            yield worst
        out = next((want for want, sigma in zip(aim.sigmas_ppm, got.sigmas_ppm, strict=True) if want and not sigma), 0)
        if out:
            ratio = ratio_ppm(out, aim.params.sigma_atm_ppm)
            by = "order" if any(got.sigmas_ppm) else "calendar"
            yield Bound(name="strike", expiry=fence.expiry, wanted=ratio, legal=0, by=by)


def _smile(aim: ExpiryTarget, got: ExpiryTarget, fence: ExpiryFence, vol: VolFences) -> Bound | None:
    """The strike whose ratio to the level at the money is furthest from its target's."""
    atm, far = got.params.sigma_atm_ppm, aim.params.sigma_atm_ppm
    rows = list(zip(aim.sigmas_ppm, got.sigmas_ppm, fence.smile or (None,) * len(got.sigmas_ppm), strict=True))
    found: Bound | None = None
    for want_sigma, sigma, strike in rows:
        want = want_sigma * atm // far  # the smile moves with its level
        if not sigma:  # left out
            continue
        if want == sigma or (found is not None and abs(want - sigma) * PPM <= abs(found.wanted - found.legal) * atm):
            continue
        full = strike_reach(strike, vol, atm)
        free = strike_reach(None if strike is None else replace(strike, anchor_ppm=strike.ratio_ppm), vol, atm)
        by = _by(want, sigma, full=full, free=free, limits=strike_reach(None, vol, atm), other="order")
        found = Bound(
            name="smile", expiry=fence.expiry, wanted=ratio_ppm(want, atm), legal=ratio_ppm(sigma, atm), by=by
        )
    return found


def _by(wanted: int, legal: int, *, full: Span, free: Span, limits: Span, other: str) -> str:
    """The fence at whose edge a number stands.

    Args:
        wanted: where it should be.
        legal: where it is.
        full: lowest and highest value inside all of its fences.
        free: the same without the day's budget.
        limits: its absolute bounds.
        other: what binds if none of its own fences does.
    """
    side = 1 if wanted > legal else 0
    if legal == limits[side]:
        return "bounds"
    if legal != full[side]:
        return other
    return "step" if full[side] == free[side] else "budget"
