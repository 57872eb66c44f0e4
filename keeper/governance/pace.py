"""Which fences keep targets from being reached in time, and the least that would let them be.

Three rules, in this order:

    bounds   a target beyond an absolute bound moves the bound past it (`bounds.ROOM_PPM`): of the target itself or, of
             forwards and discounts, of its distance from 1; on the lattice of its unit, and never past what the
             contract takes at most
    pace     where the glide path (`keeper.policy.glide`: legal publications, each as soon as it may come) has not set a
             number by the deadline, each fence that holds it is raised: steps and budgets, relative and absolute, of
             the number itself or of the joint post-condition
    least    each of these to the least multiple of its lattice with which the path is there in time, the others being
             as they are proposed, and an hour to spare; those that turn out not to matter stay as they are

A number is there when what is left of its way is within the keeper's hysteresis; an expiry that passes before the
deadline is not waited for.  Left alone are numbers that something else holds (calendar order, a freeze, a guardian's
pause), scan ranges that are to be lowered, which is slow on purpose, and the slew rate, which is what gives people
time.  Every answer is one of the walk's, so it is what `keeper glide` says once the proposal is executed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import UnderlyingState
from keeper.governance.bounds import wider
from keeper.governance.fenced import Moved, under, value_of
from keeper.governance.walks import Number, Walks
from keeper.policy.binding import FENCES, NAMES

#: How much sooner proposed fences bring a number to its target than it must be there: budgets free themselves by the
#: hour, and nobody knows in which minute of one a proposal will be executed.
SLACK_S: Final = 3_600


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What lets one underlying's numbers get to their targets in time."""

    moved: tuple[Moved, ...]
    late: tuple[str, ...]
    """Numbers that are late under today's steps and budgets, with their targets; in words."""
    set_after_h: tuple[float | None, float | None]
    """Hours after which all of them are there, under today's fences and under those that are proposed; None if they
    never are."""
    left: tuple[str, ...]
    """Numbers that stay late whatever is proposed, and what holds each; in words."""


def pace(
    u: UnderlyingState,
    target: UnderlyingTarget,
    knobs: PolicyKnobs,
    *,
    now: int,
    within_s: int,
    loosens_from_s: int | None = None,
) -> Pace:
    """Find what has to be proposed for one underlying.

    Args:
        u: with fences, a usable price and a file in force.
        target: where its numbers are to go; without expiries, scan ranges alone are looked at.
        knobs: the keeper's own speeds.
        now: block time.
        within_s: seconds after which a target is late.
        loosens_from_s: as `glide` takes it.
    """
    assert u.publication is not None, "it can be published to"
    bounded = tuple(wider(u.publication, target, now))
    state = under(u.publication, {(one.table, one.key): one.new for one in bounded})
    walks = Walks(replace(u, publication=state), target, knobs, now=now, by_s=now + within_s, opens_s=loosens_from_s)
    late = walks.late({})
    raised, hopeless = walks.search(late, by_s=now + within_s - SLACK_S)
    after = (walks.set_after_h({}), walks.set_after_h(raised)) if late else (0.0, 0.0)
    moved = tuple(
        Moved(table=key[0], key=key[1], old=value_of(state, key), new=new, why=walks.why[key])
        for key, new in sorted(raised.items())
    )
    aims = tuple(f"{NAMES[number[0]]} to {walks.aim(number)}" for number in late)
    beyond = (f"{one.why} is beyond what the contract takes, {one.new}" for one in bounded if one.beyond)
    return Pace(
        moved=(*(one for one in bounded if one.new != one.old), *moved),
        late=aims,
        set_after_h=after,
        left=(*_said(hopeless), *beyond),
    )


def _said(late: Mapping[Number, str]) -> Iterator[str]:
    """A line for each name of a number, however many expiries it is late at."""
    for name, by in dict.fromkeys((name, by) for (name, _), by in late.items()):
        yield f"{NAMES[name]} is held by {FENCES.get(by, by)}"
