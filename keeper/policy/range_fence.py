"""What the contract says to scan ranges: each by itself, then the three together.  Twin of `RangeFence.sol`."""

from __future__ import annotations

from typing import Final

from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import FenceState, PublicationState, Rules
from keeper.policy.guard import anchored, current
from keeper.policy.joint import too_far
from keeper.policy.limits import allowed, first_hour, off
from keeper.policy.ring import HOUR_S, HOURS, anchors
from keeper.policy.verdict import NEVER, Refusal, Verdict
from keeper.risk.exact.riskfile import PPM

#: The contract's names of our ranges.
THEIRS: Final = {"psr": "psr", "vsr_up": "vsrUp", "vsr_down": "vsrDown"}


def judged_ranges(wanted: Ranges, state: PublicationState, rules: Rules, now: int) -> tuple[Ranges, list[Verdict]]:
    """The ranges that would bind at `now`, and the verdict on each of them and on the three together."""
    values = {"psr": wanted.psr_ppm, "vsr_up": wanted.vsr_up_ppm, "vsr_down": wanted.vsr_down_ppm}
    verdicts = []
    for fence in state.fences:
        refusal = _range(fence, values[fence.name], state.no_loosening_until_s, now)
        verdicts.append(Verdict(expiry=0, what=THEIRS[fence.name], refusal=refusal))
        if refusal is not None:
            values[fence.name] = fence.current
    new = Ranges(psr_ppm=values["psr"], vsr_up_ppm=values["vsr_up"], vsr_down_ppm=values["vsr_down"])
    joint = _joint(new, state, rules, now)
    verdicts.append(Verdict(expiry=0, what="joint", refusal=joint))
    return (current(state) if joint is not None else new), verdicts


def _range(fence: FenceState, value: int, no_loosening_until_s: int, now: int) -> Refusal | None:
    what = THEIRS[fence.name]
    old = fence.current
    if off(value, old, fence.min, fence.max):
        return Refusal(error="OutOfRange", what=what, numbers=(value, fence.min, fence.max))
    step = min(old * fence.step_rel_ppm // PPM, fence.step_abs)
    if abs(value - old) > step:
        return Refusal(error="StepTooLarge", what=what, numbers=(old, value, step))

    def budget(anchor: int) -> int:
        return min(anchor * fence.budget_rel_ppm // PPM, fence.budget_abs)

    known = anchors(fence.anchor, fence.later)
    opens = no_loosening_until_s if value < old else 0
    free = first_hour(known, lambda a: allowed(a, old, value, budget(a)), now, opens)
    if now < opens:
        return Refusal(error="Vetoed", what=what, numbers=(opens,), next_allowed_s=free)
    if not allowed(known[0], old, value, budget(known[0])):
        numbers = (known[0], value, budget(known[0]))
        return Refusal(error="BudgetExceeded", what=what, numbers=numbers, next_allowed_s=free)
    return None


def _joint(new: Ranges, state: PublicationState, rules: Rules, now: int) -> Refusal | None:
    if state.joint is None:
        return None
    fence, old = state.joint, current(state)
    tail, floor = rules.tail_ppm, rules.vol_floor_ppm

    def move(since: Ranges) -> object:
        return too_far(new, old, since, fence, tail_ppm=tail, vol_floor_ppm=floor)

    found = too_far(new, old, anchored(state), fence, tail_ppm=tail, vol_floor_ppm=floor)
    if found is None:
        return None
    free = NEVER
    if found.budget:
        paths = [anchors(f.anchor, f.later) for f in state.fences]
        hour = now // HOUR_S
        for k in range(1, HOURS + 1):
            since = Ranges(psr_ppm=paths[0][k], vsr_up_ppm=paths[1][k], vsr_down_ppm=paths[2][k])
            if move(since) is None:
                free = (hour + k) * HOUR_S
                break
    numbers = (found.probe, found.since, found.new, found.limit_ppm)
    return Refusal(error="JointMove", what="joint", numbers=numbers, next_allowed_s=free)
