"""Limits of one number, in the contract's integers: its bounds, and its day's budget now and in the hours to come."""

from __future__ import annotations

from collections.abc import Callable

from keeper.policy.ring import HOUR_S, HOURS, Anchors
from keeper.policy.verdict import NEVER


def off(value: int, old: int, least: int, most: int) -> bool:
    """Whether a number is outside its bounds and not on its way to them; twin of `FenceLimits.level`."""
    return (value < least and (not old or value < old)) or (value > most and value > old)


def allowed(anchor: int, old: int, new: int, budget: int) -> bool:
    """Twin of `HourlyRing.allowed`."""
    if abs(new - anchor) <= budget:
        return True
    return old > anchor and new <= old if new > anchor else old < anchor and new >= old


def first_hour(known: Anchors, passes: Callable[[int], bool], now: int, opens: int) -> int:
    """Earliest second, not before `opens`, at which the anchor of that hour admits a number."""
    start = max(now, opens)
    hour = start // HOUR_S - now // HOUR_S
    if passes(known[min(hour, HOURS)]):
        return start if start > now else 0
    for k in range(hour + 1, HOURS + 1):
        if passes(known[k]):
            return (now // HOUR_S + k) * HOUR_S
    return NEVER
