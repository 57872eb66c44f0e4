"""Three scan ranges together: each in its fence, and yet the combination wrong.

The contract measures them by what seven standard portfolios require (`keeper.risk.exact.probes`) and fences those
numbers as it fences a range: a step from what is in force, a budget from what was in force a day ago.  Both are
recomputed under today's rules, so that what governance changes never counts as the keeper's move.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import JointFence, Rules
from keeper.risk.exact.probes import requirements
from keeper.risk.exact.riskfile import PPM

#: Requirements are compared as if they were this much higher, ppm of spot: next to nothing may double.
DUST_PPM: Final = 1_000
#: Parts of the way in which a move is shortened.
PARTS: Final = 64


class Move(NamedTuple):
    """A requirement that moves too far."""

    probe: int
    """Its place in `keeper.risk.exact.probes.NAMES`."""
    since: int
    """ppm of spot, in force or a day ago."""
    new: int
    """ppm of spot."""
    limit_ppm: int
    budget: bool
    """Whether it is the day's budget that refuses, and not the step."""


def too_far(
    new: Ranges, old: Ranges, anchor: Ranges, fence: JointFence, *, tail_ppm: int, vol_floor_ppm: int
) -> Move | None:
    """The first requirement that moves too far, or None.

    Args:
        new: wanted.
        old: the last set target.
        anchor: the ranges of a day ago.
        fence: how far is too far.
        tail_ppm: c of the tail law.
        vol_floor_ppm: floor of the shocked-up volatility.
    """
    if new == old:
        return None
    wanted, current, before = (
        requirements(r, tail_ppm=tail_ppm, vol_floor_ppm=vol_floor_ppm) for r in (new, old, anchor)
    )
    for i, (w, c, b) in enumerate(zip(wanted, current, before, strict=True)):
        if _far(w, c, fence.step_ppm):
            return Move(i, c, w, fence.step_ppm, budget=False)
        if _far(w, b, fence.budget_ppm) and not (b < w <= c or c <= w < b):
            return Move(i, b, w, fence.budget_ppm, budget=True)
    return None


def nearest(old: Ranges, wanted: Ranges, passes: Callable[[Ranges], bool]) -> Ranges:
    """The furthest of 64 equal parts of the way that passes; nowhere at all always does."""
    for parts in range(PARTS, 0, -1):
        candidate = Ranges(
            psr_ppm=_part(old.psr_ppm, wanted.psr_ppm, parts),
            vsr_up_ppm=_part(old.vsr_up_ppm, wanted.vsr_up_ppm, parts),
            vsr_down_ppm=_part(old.vsr_down_ppm, wanted.vsr_down_ppm, parts),
        )
        if passes(candidate):
            return candidate
    return old


def joint_of(rules: Rules, fence: JointFence | None, old: Ranges, anchor: Ranges) -> Callable[[Ranges], bool]:
    """Whether a triple passes the joint post-condition; where a protocol has none, every triple does."""

    def passes(new: Ranges) -> bool:
        return fence is None or not too_far(
            new, old, anchor, fence, tail_ppm=rules.tail_ppm, vol_floor_ppm=rules.vol_floor_ppm
        )

    return passes


def _far(a: int, b: int, limit_ppm: int) -> bool:
    return (max(a, b) + DUST_PPM) * PPM > (min(a, b) + DUST_PPM) * (PPM + limit_ppm)


def _part(old: int, wanted: int, parts: int) -> int:
    # Toward zero from `old`: a part of a way is never further than the whole.
    move = abs(wanted - old) * parts // PARTS
    return old + move if wanted > old else old - move
