"""Glide paths of one underlying under other fences: which numbers are late, and which fences hold them.

What a path says is what `keeper glide` says of the same fences.  What its walks find to raise is the least of each with
which the path is there in time, the others being as they are proposed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import PublicationState, UnderlyingState
from keeper.governance.fenced import LATTICE_PPB, LATTICE_PPM, Key, under, value_of
from keeper.policy.binding import NAMES, Bound, bounds
from keeper.policy.glide import glide, within_bounds
from keeper.policy.guard import allow, current, opens_at
from keeper.policy.speeds import RANGES, value

_PPM, _PPB = 1_000_000, 1_000_000_000
#: What a step or budget is set to while it is not to hold anything: the most that the contract's type takes.
_FREE: Final = 16 * _PPM

#: How keys of volatility fences begin and end, by our name of the number.
_LEVELS: Final = {"sigma": ("atm", "ppm"), "phi": ("phi", "ppb"), "df": ("df", "ppb"), "smile": ("smile", "ppm")}

#: What forwards and discounts may move in an hour, together and relative to their least values: half of what the scan
#: ranges do, which is a fifth of the slew rate.  Source: `Slew.requireForwards` of contracts/src/libraries/Slew.sol.
_SHARE_PPB_OF_PPM: Final = 500
#: Of each step of theirs: its own least value, the other step, and that one's least value.
_FORWARDS: Final = {
    "phi_step_ppb": ("phi_min_ppb", "df_step_ppb", "df_min_ppb"),
    "df_step_ppb": ("df_min_ppb", "phi_step_ppb", "phi_min_ppb"),
}

#: A number: our name of it, and its expiry; 0 for a scan range.
Number = tuple[str, int]


class Walks:
    """Glide paths of one underlying under other fences."""

    def __init__(
        self,
        u: UnderlyingState,
        target: UnderlyingTarget,
        knobs: PolicyKnobs,
        *,
        now: int,
        by_s: int,
        opens_s: int | None,
    ) -> None:
        self._u, self._target, self._knobs = u, target, knobs
        self._now, self._by_s, self._opens_s = now, by_s, opens_s
        self._keep({e.params.expiry for e in target.expiries})
        self.why: dict[Key, str] = {}
        """What each fence that was looked at holds."""

    @property
    def _state(self) -> PublicationState:
        assert self._u.publication is not None, "it can be published to"
        return self._u.publication

    def _keep(self, expiries: set[int]) -> None:
        """Walk with these alone: the others cost time."""
        fenced = tuple(e for e in self._state.expiries if e.expiry in expiries)
        self._u = replace(
            self._u,
            publication=replace(self._state, expiries=fenced),
            listings=tuple(x for x in self._u.listings if x.expiry in expiries),
        )
        there = {e.expiry for e in fenced}
        self._target = replace(
            self._target, expiries=tuple(e for e in self._target.expiries if e.params.expiry in there)
        )

    def search(self, late: Mapping[Number, str], *, by_s: int) -> tuple[dict[Key, int], dict[Number, str]]:
        """Fences to raise so that numbers that are late come by `by_s`, and those that none of them helps."""
        raised: dict[Key, int] = {}
        if not late:
            return raised, {}
        self._by_s = by_s
        self._keep({expiry for _, expiry in late})
        while hopeless := self.late(raised):
            before = len(raised)
            for number, by in hopeless.items():
                key = next((one for one in _holding(number[0], by) if one not in raised), None)
                if key is not None:
                    raised[key] = _free(key, under(self._state, raised))
                    self.why[key] = f"{NAMES[number[0]]} to {self.aim(number)}"
            if len(raised) == before:
                break
        for key in tuple(raised):
            least = self._least(key, raised, set(hopeless))
            if least == value_of(self._state, key):
                del raised[key]
            else:
                raised[key] = least
        return raised, hopeless

    def _least(self, key: Key, raised: Mapping[Key, int], hopeless: set[Number]) -> int:
        """The smallest value of one fence, the others being as they are: today's, or a multiple of the lattice."""

        def in_time(new: int) -> bool:
            return set(self.late({**raised, key: new})) <= hopeless

        now, lattice = value_of(self._state, key), _lattice(key)
        if in_time(now):
            return now
        low, high = now // lattice, raised[key] // lattice  # late at the lower, in time at the higher
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if in_time(middle * lattice) else (middle, high)
        return high * lattice

    def late(self, raised: Mapping[Key, int]) -> dict[Number, str]:
        """Numbers that are not set by the deadline, and what holds each then."""
        state = under(self._state, raised)
        opens = opens_at(state)
        if opens is None or opens > self._by_s:
            return {(name, 0): "a freeze" if opens is None else "a pause" for name in self._rising()}
        u = replace(self._u, publication=state)
        path = glide(u, self._target, self._knobs, now=self._now, loosens_from_s=self._opens_s)
        before = [step for step in path.steps if step.at_s <= self._by_s]
        if before:
            return self._off(before[-1].short)
        if path.set_at_s is not None and path.set_at_s <= self._by_s:
            return {}
        return self._off(self._short_now(state))

    def _off(self, short: tuple[Bound, ...]) -> dict[Number, str]:
        """Of numbers that fall short, those that are waited for."""
        rising = self._rising()
        return {
            (b.name, b.expiry): b.by
            for b in short
            # A strike that is left out waits for its neighbours, which are waited for themselves.
            if b.name != "strike" and (b.expiry > self._by_s or b.name in rising) and not self._near(b)
        }

    def _near(self, one: Bound) -> bool:
        """Whether a number is so near to its target that nothing would be published for what is left."""
        if one.name in ("phi", "df"):
            return abs(one.wanted - one.legal) <= self._knobs.forward_hysteresis_ppm * 1_000
        return abs(one.wanted - one.legal) * _PPM <= self._knobs.hysteresis_ppm * one.wanted

    def _short_now(self, state: PublicationState) -> tuple[Bound, ...]:
        """What holds numbers at this moment: nothing at all was published in time."""
        aim, _ = within_bounds(self._target, state, self._now)
        return bounds(aim, allow(aim, state, self._now, self._u.rules), state, self._now)

    def _rising(self) -> tuple[str, ...]:
        """Scan ranges that are to be raised."""
        return tuple(n for n in RANGES if value(self._target.ranges, n) > value(current(self._state), n))

    def set_after_h(self, raised: Mapping[Key, int]) -> float | None:
        """Hours after which everything that is waited for is there; None if it never is."""
        u = replace(self._u, publication=under(self._state, raised))
        path = glide(u, self._target, self._knobs, now=self._now, loosens_from_s=self._opens_s)
        at = next((step.at_s for step in path.steps if not self._off(step.short)), path.set_at_s)
        return None if at is None else (at - self._now) / 3_600

    def aim(self, number: Number) -> str:
        """A number's target, in words."""
        name, expiry = number
        if not expiry:
            return f"{value(self._target.ranges, name) / 10_000:g} %"
        p = next(e.params for e in self._target.expiries if e.params.expiry == expiry)
        aims = {
            "sigma": f"{p.sigma_atm_ppm / 10_000:g} %",
            "phi": f"{p.phi_ppb / _PPB:g}",
            "df": f"{p.df_ppb / _PPB:g}",
        }
        return f"{aims.get(name, 'its target')} at expiry {expiry}"


def _holding(name: str, by: str) -> Iterator[Key]:
    """The fences that may hold a number, those first that it is said to be held by: a step, a budget or the joint one.

    What looks like a step may be the budget of a day whose first publication it is, so both are looked at.
    """
    if by == "joint":
        yield from (("joint_fence", "step_ppm"), ("joint_fence", "budget_ppm"))
    elif by in ("step", "budget"):
        for which in (by, "budget" if by == "step" else "step"):
            if name in RANGES:
                yield from ((f"fence.{name}", f"{which}_abs"), (f"fence.{name}", f"{which}_rel_ppm"))
            else:
                part, unit = _LEVELS[name]
                yield "vol_fences", f"{part}_{which}_{unit}"


def _lattice(key: Key) -> int:
    return LATTICE_PPB if key[1].endswith("_ppb") else LATTICE_PPM


def _free(key: Key, state: PublicationState) -> int:
    """The most that a fence may be raised to, the others being as they are in `state`."""
    if key[1] not in _FORWARDS or state.slew is None:
        return _PPB if key[1].endswith("_ppb") else _FREE
    least, other, other_least = (int(getattr(state.vol, name)) for name in _FORWARDS[key[1]])
    share_ppb = state.slew.rate_ppm_per_hour * _SHARE_PPB_OF_PPM + other * -_PPB // other_least
    return max(value_of(state, key), share_ppb * least // _PPB // LATTICE_PPB * LATTICE_PPB)
