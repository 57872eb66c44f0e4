"""The impact gate: a push that would liquidate too many is shortened, or waits.

It is weighed on everybody (`keeper.policy.weigh`), and both shares must hold: for the push by itself, and for all
pushes of the last day together.  A push that adds nobody to those whom the targets already set will bring down passes
in any case.  An account that cannot be priced may be among those brought down: a push that changes anything waits while
there are more of these than may fall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.inputs import Brought
from keeper.domain.market import UnderlyingTarget
from keeper.policy.day import Day
from keeper.policy.effect import Effect
from keeper.policy.weigh import Scale, Weighed

Ints = npt.NDArray[np.int64]

PPM: Final = 1_000_000
#: Halvings of the step that are tried: to one part in 32.
HALVINGS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Gated:
    """What the gate made of a push."""

    params: UnderlyingTarget | None
    """What may go; None if nothing may."""
    kept_ppm: int
    """Part of the step that is kept."""
    whole: Weighed
    """The push as it was wanted."""
    said: str
    """What the gate did and because of whom; empty if it did nothing."""
    brings: Brought | None = None
    """Whom what may go adds; None if nothing may."""


def gate(
    scale: Scale,
    whole: UnderlyingTarget,
    part: Callable[[int], UnderlyingTarget],
    *,
    slow: bool,
    name: Callable[[int], str] = lambda account: f"{account:#066x}",
) -> Gated:
    """Let a push through, shorten it, or hold it.

    Args:
        scale: of its underlying.
        whole: as it is wanted.
        part: the push when so many ppm of the step are kept.
        slow: whether it may be shortened.
        name: of an account, for people.
    """
    weighed = scale.weigh(whole)
    if weighed.passes:
        return Gated(params=whole, kept_ppm=PPM, whole=weighed, said="", brings=weighed.brings)
    if weighed.blind:
        unknown = max(weighed.at_once.unknown, weighed.arrived.unknown)
        said = f"{unknown} of {len(scale.before)} accounts cannot be priced, so nobody knows whom it would bring down"
        return Gated(params=None, kept_ppm=0, whole=weighed, said=f"held by the impact gate: {said}")
    low, best = _shortened(scale, part, weighed.suspects) if slow else (0, None)
    said = _told(weighed, name)
    if best is None:
        return Gated(params=None, kept_ppm=0, whole=weighed, said=f"held by the impact gate: {said}")
    return Gated(
        params=best,
        kept_ppm=low,
        whole=weighed,
        said=f"{low / 10_000:g} % of the step: {said} (policy.impact_gate)",
        brings=scale.weigh(best).brings,
    )


def _told(weighed: Weighed, name: Callable[[int], str]) -> str:
    """Whom the whole step would bring down, by itself or with the pushes before it."""
    one: Effect | Day = weighed.worst
    who = "the whole step would bring"
    if weighed.alone and not weighed.day_passes:
        one = weighed.day
        who = who if weighed.first else "with the pushes of the last day the whole step would have brought"
    then = ""
    if weighed.alone and weighed.day_passes:
        then = (
            f", after {weighed.brought.accounts_ppm / 10_000:.2f} % of the accounts with "
            f"{weighed.brought.requirement_ppm / 10_000:.2f} % of the maintenance by the pushes of the last day"
        )
    named = one.named if isinstance(one, Day) else one.named_mm
    whom = ", ".join(name(moved.account) for moved in named[:3])
    more = one.below_mm - min(3, len(named))
    return (
        f"{who} {one.below_mm} of {one.accounts} accounts with {one.requirement_ppm / 10_000:.2f} % of the "
        f"maintenance below it ({whom}{f' and {more} more' if more > 0 else ''}){then}"
    )


def _shortened(
    scale: Scale, part: Callable[[int], UnderlyingTarget], suspects: Ints
) -> tuple[int, UnderlyingTarget | None]:
    """The largest part of the step that is found to pass, in ppm; 0 and None if none is.

    Looked for among those whom the whole step adds, a small part of a book, then weighed on everybody.  A part of the
    step that brings down others than the whole would (a spread between its ends) makes that fail, and everybody is
    replayed at each halving instead.
    """
    low, best = _halved(part, lambda one: not scale.surely_fails(one, suspects))
    if best is None or scale.weigh(best).passes:
        return low, best
    return _halved(part, lambda one: scale.weigh(one).passes)


def _halved(
    part: Callable[[int], UnderlyingTarget], passes: Callable[[UnderlyingTarget], bool]
) -> tuple[int, UnderlyingTarget | None]:
    low, high, best = 0, PPM, None
    for _ in range(HALVINGS):
        middle = (low + high) // 2
        candidate = part(middle)
        if passes(candidate):
            low, best = middle, candidate
        else:
            high = middle
    return low, best
