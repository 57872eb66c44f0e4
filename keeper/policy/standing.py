"""Where published parameters stand: target, last published, in force, what a day's budget leaves, and when it moves.

A number has up to three values at a time.  The *target* is what the kernel wants; the *published* one is what fences
let the keeper set last, and IM follows it at once where it is tighter; the one *in force* is what rows are made of, and
moves to the published one by a rate.  Levels of volatility have no ramp: published, they are in force.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import ExpiryFence, FenceState, PublicationState, UnderlyingState
from keeper.policy.binding import NAMES
from keeper.policy.guard import current, opens_at
from keeper.policy.ramp import arrival_s
from keeper.policy.reach import sigma_reach
from keeper.policy.ring import HOUR_S, HOURS, anchors
from keeper.policy.speeds import RANGES, value
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import PPM, term_factor

#: Any budget that leaves less than this of itself counts as used up: the last crumbs are not worth a publication.
CRUMB_PPM: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One published number of one underlying at one block."""

    name: str
    """`psr`, `vsr_up`, `vsr_down` or `sigma` (at the money)."""
    expiry: int
    """0 for a scan range."""
    target_ppm: int | None
    """What the kernel wants; None without a target."""
    published_ppm: int
    """Set last."""
    in_force_ppm: int | None
    """What rows are made of; None before the first publication."""
    left_up_ppm: int
    """How far up the day's budget lets it go from where it is published, ppm of the number's unit."""
    left_down_ppm: int
    left_up_share_ppm: int
    """The same as a part of one day's budget: 1e6 from where it was a day ago, up to 2e6 from the other end."""
    left_down_share_ppm: int
    next_allowed_s: int | None
    """Unix seconds from which it may move towards its target (at its target: from which it may be published); None if
    waiting does not help."""
    arrives_s: int | None
    """Unix seconds at which the value in force is the published one, refreshed every hour; None if it never is."""

    @property
    def said(self) -> str:
        """Its name for people."""
        return "front volatility" if self.name == "sigma" else NAMES[self.name]

    @property
    def ramps(self) -> bool:
        """Whether the value in force is still on its way to the published one."""
        return self.in_force_ppm is not None and self.in_force_ppm != self.published_ppm


def standings(u: UnderlyingState, target: UnderlyingTarget | None, now: int) -> tuple[Standing, ...]:
    """The three scan ranges, and the level of the front expiry; empty where nothing can be published.

    Args:
        u: one underlying.
        target: what the kernel wants of it.
        now: block time, unix seconds.
    """
    state = u.publication
    if state is None:
        return ()
    by_name = {f.name: f for f in state.fences}
    ranges = tuple(_range(u, state, by_name[name], target, now) for name in RANGES if name in by_name)
    front = next((e for e in state.expiries if e.expiry > now), None)
    return ranges if front is None else (*ranges, _level(u, state, front, target, now))


def _range(
    u: UnderlyingState, state: PublicationState, fence: FenceState, target: UnderlyingTarget | None, now: int
) -> Standing:
    published = fence.current
    wanted = None if target is None else value(target.ranges, fence.name)
    in_force = None if u.live is None else value(u.live.ranges, fence.name)
    up, down, budget = _room(fence, fence.anchor)
    known = anchors(fence.anchor, fence.later)

    def opens(sign: int, hour: int) -> bool:
        higher, lower, whole = _room(fence, known[hour])
        at_bound = published >= fence.max if sign > 0 else published <= fence.min
        return not at_bound and _share(higher if sign > 0 else lower, whole) > CRUMB_PPM

    lowered = wanted is not None and wanted < published
    return Standing(
        name=fence.name,
        expiry=0,
        target_ppm=wanted,
        published_ppm=published,
        in_force_ppm=in_force,
        left_up_ppm=up,
        left_down_ppm=down,
        left_up_share_ppm=_share(up, budget),
        left_down_share_ppm=_share(down, budget),
        next_allowed_s=_next(
            state, _sign(wanted, published), opens, now, not_before=state.no_loosening_until_s if lowered else 0
        ),
        arrives_s=_arrives(state, fence.name, in_force, now),
    )


def _room(fence: FenceState, anchor: int) -> tuple[int, int, int]:
    """What the day's budget leaves upwards and downwards, and the whole of it; from an anchor."""
    budget = min(anchor * fence.budget_rel_ppm // PPM, fence.budget_abs)
    return max(0, anchor + budget - fence.current), max(0, fence.current - (anchor - budget)), budget


def _level(
    u: UnderlyingState, state: PublicationState, fence: ExpiryFence, target: UnderlyingTarget | None, now: int
) -> Standing:
    vol, published = state.vol, fence.sigma_ppm
    aims = [] if target is None else [e.params for e in target.expiries if e.params.expiry == fence.expiry]
    wanted = aims[0].sigma_atm_ppm if aims else None
    live = [] if u.live is None else [e for e in u.live.expiries if e.expiry == fence.expiry]
    known = anchors(fence.sigma_anchor_ppm, fence.sigma_later)
    seconds = fence.expiry - now
    budget = vol.atm_budget_ppm * term_factor(seconds) // PPM
    used = q64.ln(published << 64) - q64.ln(fence.sigma_anchor_ppm << 64)
    # Only the budget: a step is a matter of one publication.
    low, high = sigma_reach(fence, replace(vol, atm_step_ppm=10 * PPM), seconds)

    def opens(sign: int, hour: int) -> bool:
        least, most = sigma_reach(replace(fence, sigma_anchor_ppm=known[hour]), vol, seconds)
        return most > published if sign > 0 else least < published

    free = _next(state, _sign(wanted, published), opens, now)
    return Standing(
        name="sigma",
        expiry=fence.expiry,
        target_ppm=wanted,
        published_ppm=published,
        in_force_ppm=live[0].sigma_atm_ppm if live else None,
        left_up_ppm=high - published,
        left_down_ppm=published - low,
        left_up_share_ppm=_share(max(0, budget - used), budget),
        left_down_share_ppm=_share(max(0, budget + used), budget),
        next_allowed_s=None if free is None or free >= fence.expiry else free,
        arrives_s=now,
    )


def _next(
    state: PublicationState, sign: int, opens: Callable[[int, int], bool], now: int, *, not_before: int = 0
) -> int | None:
    """Earliest second at which a number may move by `sign`; `opens(sign, hour)`: whether that hour's budget does."""
    whole = opens_at(state)
    if whole is None:
        return None
    start = max(now, whole, not_before)
    first = start // HOUR_S - now // HOUR_S
    for hour in range(first, max(first, HOURS) + 1):
        if sign == 0 or opens(sign, min(hour, HOURS)):
            return max(start, (now // HOUR_S + hour) * HOUR_S)
    return None


def _arrives(state: PublicationState, name: str, in_force: int | None, now: int) -> int | None:
    """When one range is there; the others do not matter to it."""
    slew, aim = state.slew, current(state)
    if in_force is None or slew is None or in_force == value(aim, name):
        return now
    # An hour at most that nobody used still counts.
    since = max(slew.time_s, now - HOUR_S)
    return arrival_s(replace(aim, **{f"{name}_ppm": in_force}), slew, aim, since=since)


def _sign(wanted: int | None, published: int) -> int:
    return 0 if wanted is None else (wanted > published) - (wanted < published)


def _share(part: int, whole: int) -> int:
    return part * PPM // whole if whole else 0
