"""The glide path: the legal publications that lead to a target, one after the other, and when each may come.

The path is walked as if price and target stood still and each publication came as soon as it may.  What fences allow at
each moment is asked of the very mirror that a push is judged by; between publications the day's budgets free themselves
hour by hour.  A target is *set* when the last number is published, and *arrives* when the scan ranges in force, which
follow at the slew rate, are there too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import PublicationState, UnderlyingState, Usable
from keeper.policy.binding import FENCES, NAMES, Bound, bounds
from keeper.policy.guard import allow, current, opens_at
from keeper.policy.part import published
from keeper.policy.ramp import arrival_s, later
from keeper.policy.reach import carry_ppb, strike_reach
from keeper.policy.ring import HOUR_S, HOURS, advanced, seen_at
from keeper.policy.smile import straighten
from keeper.policy.speeds import paced
from keeper.risk.exact.riskfile import DAY, PPB, PPM
from keeper.risk.exact.slew import elapsed, moved

#: Days after which a path is not followed any further.
HORIZON_S: Final = 60 * DAY
#: Publications after which it is not.
MOST_STEPS: Final = 200
#: A publication waits for the next hour unless some number goes this part of what is left of its way, or this part of
#: itself: budgets free themselves by crumbs, which are not worth a transaction each.
LEAST_PART: Final = 10
LEAST_MOVE_PPM: Final = 20_000
#: What the mirror stays inside the carry fence, which shrinks while a transaction is on its way.
CARRY_ROOM_PPB: Final = 1_000
#: The same as `LEAST_MOVE_PPM` for forwards and discounts, which are near 1: a tenth of a percent of spot.
LEAST_MOVE_PPB: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Step:
    """One publication of the path."""

    at_s: int
    """Unix seconds at which it may come."""
    params: UnderlyingTarget
    """What is published."""
    in_force: Ranges
    """Scan ranges in force right after it."""
    short: tuple[Bound, ...]
    """Numbers that are not at their target after it, and which fence holds each."""
    waited: tuple[Bound, ...] = ()
    """What held back all that would have been worth a publication until the hour in which it comes; empty if it comes
    as soon as one may follow the other."""


@dataclass(frozen=True, kw_only=True)
class Glide:
    """The way of one underlying's parameters."""

    underlying: int
    begins_s: int
    target: UnderlyingTarget
    """Where it is to go."""
    steps: tuple[Step, ...]
    set_at_s: int | None
    """Unix seconds at which the target, as far as it can be reached, is published; `begins_s` if it is; None if that
    is beyond the horizon."""
    arrives_at_s: int | None
    """Unix seconds at which the scan ranges in force are there too; None if they do not get there."""
    unreachable: tuple[Bound, ...]
    """Numbers whose target lies beyond their bounds: only governance can move those."""
    stops: str
    """Why the path ends before the target is set; empty if it does not."""


def glide(
    u: UnderlyingState,
    target: UnderlyingTarget,
    knobs: PolicyKnobs,
    *,
    now: int,
    loosens_from_s: int | None = None,
) -> Glide:
    """Walk from what is published to a target.

    Args:
        u: with fences, a usable price and a file in force.
        target: covers every listed, unexpired expiry.
        knobs: speeds, and for how long a publication is valid.
        now: block time.
        loosens_from_s: unix seconds from which scan ranges may be lowered; None: from now on.
    """
    state = u.publication
    assert state is not None, "it can be published to"
    assert isinstance(u.spot, Usable), "its price is usable"
    _, unreachable = within_bounds(target, state, now)
    walk = _Walk(u=u, state=state, at=now, knobs=knobs, spot=u.spot.wad, loosens_from_s=loosens_from_s or now)
    opens = opens_at(state)
    if opens is None:
        return _end(walk, target, unreachable, begins=now, stops="frozen: governance must thaw it first")
    walk.wait_until(max(now, opens))
    stops = ""
    while not walk.there(target):
        if walk.idle > HOURS + 1:
            held = sorted({f"{NAMES[b.name]} is held by {FENCES[b.by]}" for b in walk.short})
            stops = f"it gets no nearer: {', '.join(held)}"
            break
        if walk.at > now + HORIZON_S or len(walk.steps) >= MOST_STEPS:
            stops = f"not there after {len(walk.steps)} publications and {(walk.at - now) // DAY} days"
            break
        walk.step(target)
    return _end(walk, target, unreachable, begins=now, stops=stops)


def _end(walk: _Walk, target: UnderlyingTarget, unreachable: tuple[Bound, ...], *, begins: int, stops: str) -> Glide:
    set_at = None if stops else walk.steps[-1].at_s if walk.steps else begins
    since = walk.steps[-1].at_s if walk.steps else begins
    arrives = arrival_s(walk.in_force, walk.state.slew, current(walk.state), since=since)
    return Glide(
        underlying=target.underlying,
        begins_s=begins,
        target=target,
        steps=tuple(walk.steps),
        set_at_s=set_at,
        arrives_at_s=None if set_at is None else arrives,
        unreachable=unreachable,
        stops=stops,
    )


class _Walk:
    """Where the path stands: time, fences, what was published and what is in force."""

    def __init__(
        self,
        *,
        u: UnderlyingState,
        state: PublicationState,
        at: int,
        knobs: PolicyKnobs,
        spot: int,
        loosens_from_s: int,
    ) -> None:
        self.u, self.state, self.at, self.knobs, self.spot = u, state, at, knobs, spot
        self.loosens_from_s = loosens_from_s
        self.steps: list[Step] = []
        self.in_force = u.live.ranges if u.live else current(state)
        self.idle = 0
        """Hours in a row in which time alone opened nothing; after a day and an hour every budget is free."""
        self.short: tuple[Bound, ...] = ()
        """What was not at its target when it was looked at last."""
        self._waits: tuple[Bound, ...] = ()
        """The same in the hour before, if nothing was worth a publication then."""
        self._done = False
        self._since = at
        self._last: UnderlyingTarget | None = None

    def wait_until(self, at: int) -> None:
        """Let time pass; budgets free themselves and expiries pass."""
        state = seen_at(self.state, then=self.at, now=at)
        self.state = replace(state, expiries=tuple(e for e in state.expiries if e.expiry > at))
        self.at = at

    def there(self, target: UnderlyingTarget) -> bool:
        """Whether every number that is still listed is published, or was when its bounds were wider."""
        aim = self._aim(target)
        at = self._published(aim)
        return self._done or (at.ranges == aim.ranges and at.expiries == aim.expiries)

    def step(self, target: UnderlyingTarget) -> None:
        """Publish as much as may be, or wait for the hour in which more may."""
        aim = self._aim(target)
        wanted = replace(aim, ranges=self._paced(aim.ranges))
        legal = straighten(
            allow(wanted, self.state, self.at, self.u.rules),
            self.u.listings,
            spot=self.spot,
            now=self.at,
            latest_s=self.at + self.knobs.intent_ttl_s,
            state=self.state,
        )
        self.short = bounds(wanted, legal, self.state, self.at, aim=aim.ranges)
        if not _worth(self._published(aim), legal, aim):
            self._waits = self.short
            self.idle += self.at >= max(self.loosens_from_s, self.state.no_loosening_until_s)
            self.wait_until((self.at // HOUR_S + 1) * HOUR_S)
            return
        self.idle = 0
        self._begin(legal.ranges)
        self.state = advanced(self.state, legal, self.at)
        self._since, self._last = self.at, legal
        self._done = legal.ranges == aim.ranges and legal.expiries == aim.expiries
        self.steps.append(
            Step(at_s=self.at, params=legal, in_force=self.in_force, short=self.short, waited=self._waits)
        )
        self._waits = ()
        self.wait_until(max(self.at, self.state.next_allowed_s))

    def _begin(self, target: Ranges) -> None:
        """What is in force follows what was published, refreshed every hour; then the new publication moves it."""
        slew = self.state.slew
        if slew is None:
            self.in_force = target
            return
        whole = self.at - (self.at - self._since) % HOUR_S
        self.in_force = later(self.in_force, slew, current(self.state), since=self._since, now=whole)
        seconds = elapsed(replace(slew, time_s=whole), self.at)
        self.in_force = moved(self.in_force, target, rate_ppm_per_hour=slew.rate_ppm_per_hour, seconds=seconds)

    def _paced(self, aim: Ranges) -> Ranges:
        held = "" if self.at >= self.loosens_from_s else "loosening waits"
        return paced(
            aim,
            current(self.state),
            lately=aim,
            stormy=held,
            loosen_after_s=self.knobs.loosen_after_s,
            loosen_step_ppm=self.knobs.loosen_step_ppm,
        ).ranges

    def _aim(self, target: UnderlyingTarget) -> UnderlyingTarget:
        """The target as far as bounds let it be reached; some of them close in as expiries come nearer."""
        return within_bounds(self._listed(target), self.state, self.at)[0]

    def _listed(self, target: UnderlyingTarget) -> UnderlyingTarget:
        fenced = {f.expiry for f in self.state.expiries}
        return replace(target, expiries=tuple(e for e in target.expiries if e.params.expiry in fenced))

    def _published(self, aim: UnderlyingTarget) -> UnderlyingTarget:
        if self._last is None:
            return published(replace(self.u, publication=self.state), aim)
        return self._listed(self._last)


def _worth(at: UnderlyingTarget, legal: UnderlyingTarget, aim: UnderlyingTarget) -> bool:
    """Whether some number gets to its target, or goes a good part of what is left of its way."""
    before = {e.params.expiry: e for e in at.expiries}

    def goes(old: int, new: int, far: int, least: int | None = None) -> bool:
        nearer = abs(far - old) - abs(far - new)
        enough = old * LEAST_MOVE_PPM // PPM if least is None else least
        return nearer > 0 and (new == far or nearer * LEAST_PART >= abs(far - old) or nearer >= enough)

    a, b, c = at.ranges, legal.ranges, aim.ranges
    if goes(a.psr_ppm, b.psr_ppm, c.psr_ppm) or goes(a.vsr_up_ppm, b.vsr_up_ppm, c.vsr_up_ppm):
        return True
    if goes(a.vsr_down_ppm, b.vsr_down_ppm, c.vsr_down_ppm):
        return True
    for new, far in zip(legal.expiries, aim.expiries, strict=True):
        old = before.get(new.params.expiry)
        if old is None or len(old.sigmas_ppm) != len(new.sigmas_ppm):
            return True
        p, q, r = old.params, new.params, far.params
        if goes(p.sigma_atm_ppm, q.sigma_atm_ppm, r.sigma_atm_ppm):
            return True
        if goes(p.phi_ppb, q.phi_ppb, r.phi_ppb, LEAST_MOVE_PPB) or goes(p.df_ppb, q.df_ppb, r.df_ppb, LEAST_MOVE_PPB):
            return True
        if any(goes(*row) for row in zip(old.sigmas_ppm, new.sigmas_ppm, far.sigmas_ppm, strict=True)):
            return True
    return False


def within_bounds(
    target: UnderlyingTarget, state: PublicationState, now: int
) -> tuple[UnderlyingTarget, tuple[Bound, ...]]:
    """The target as far as absolute bounds let it be reached, and the numbers that they cut off."""
    cut: list[Bound] = []

    def into(name: str, expiry: int, wanted: int, low: int, high: int) -> int:
        legal = max(low, min(high, wanted))
        if legal != wanted:
            cut.append(Bound(name=name, expiry=expiry, wanted=wanted, legal=legal, by="bounds"))
        return legal

    fences = {f.name: f for f in state.fences}

    def one(name: str, wanted: int) -> int:
        return into(name, 0, wanted, fences[name].min, fences[name].max)

    ranges = Ranges(
        psr_ppm=one("psr", target.ranges.psr_ppm),
        vsr_up_ppm=one("vsr_up", target.ranges.vsr_up_ppm),
        vsr_down_ppm=one("vsr_down", target.ranges.vsr_down_ppm),
    )
    expiries = tuple(_expiry_within(e, state, now, into) for e in target.expiries)
    return replace(target, ranges=ranges, expiries=expiries), tuple(cut)


def _expiry_within(
    one: ExpiryTarget, state: PublicationState, now: int, into: Callable[[str, int, int, int, int], int]
) -> ExpiryTarget:
    vol, p = state.vol, one.params
    carry = carry_ppb(vol, p.expiry - now) - CARRY_ROOM_PPB
    sigma = into("sigma", p.expiry, p.sigma_atm_ppm, vol.sigma_min_ppm, vol.sigma_max_ppm)
    phi = into("phi", p.expiry, p.phi_ppb, max(vol.phi_min_ppb, PPB - carry), min(vol.phi_max_ppb, PPB + carry))
    df = into("df", p.expiry, p.df_ppb, vol.df_min_ppb, PPB)
    low, high = strike_reach(None, vol, sigma)
    scaled = [s * sigma // p.sigma_atm_ppm for s in one.sigmas_ppm]
    sigmas = tuple(max(low, min(high, s)) for s in scaled)
    beyond = [(s, kept) for s, kept in zip(scaled, sigmas, strict=True) if s != kept]
    if beyond:
        wanted, kept = max(beyond, key=lambda pair: abs(pair[0] - pair[1]))
        into("smile", p.expiry, wanted * PPM // sigma, *((kept * PPM // sigma,) * 2))
    return ExpiryTarget(params=replace(p, phi_ppb=phi, df_ppb=df, sigma_atm_ppm=sigma), sigmas_ppm=sigmas)
