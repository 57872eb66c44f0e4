"""When scan ranges in force arrive at a published target, if a refresh comes every hour."""

from __future__ import annotations

from typing import Final

from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import SlewState
from keeper.risk.exact.slew import HOUR as HOUR_S
from keeper.risk.exact.slew import moved

#: Hours after which an arrival is not looked for any more: a hundred days.
MOST_HOURS: Final = 2_400


def later(ranges: Ranges, slew: SlewState | None, target: Ranges, *, since: int, now: int) -> Ranges:
    """The ranges in force at `now`, refreshed every hour since `since`.

    Args:
        ranges: in force at `since`.
        slew: how fast they follow; None: they are at their target at once.
        target: published at `since` or before.
        since: unix seconds.
        now: unix seconds, not before.
    """
    if slew is None:
        return target
    hours, rest = divmod(now - since, HOUR_S)
    for seconds in (*(HOUR_S,) * hours, rest):
        if ranges == target:
            break
        ranges = moved(ranges, target, rate_ppm_per_hour=slew.rate_ppm_per_hour, seconds=seconds)
    return ranges


def arrival_s(ranges: Ranges, slew: SlewState | None, target: Ranges, *, since: int) -> int | None:
    """Unix seconds at which ranges in force at `since` have arrived at their target; None if that takes too long."""
    if slew is None:
        return since
    for hour in range(MOST_HOURS):
        if ranges == target:
            return since + hour * HOUR_S
        before = ranges
        ranges = moved(ranges, target, rate_ppm_per_hour=slew.rate_ppm_per_hour, seconds=HOUR_S)
        if ranges == before:  # so small a range that a part of it rounds to nothing
            return None
    return None
