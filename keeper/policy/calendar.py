"""Calendar order: total variance σ²T may not fall from one expiry to the next, of those whose strikes are in force.

What is in force is in order and stays so: both sides of σ₁²·(T₁ − t) ≤ σ₂²·(T₂ − t) are linear in t, it held when the
two were published, and it holds at t = T₁.  So whatever a publication brings, refusing enough of it leaves an order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keeper.domain.snapshot import ExpiryFence


@dataclass(frozen=True, kw_only=True)
class Clash:
    """Two expiries out of order."""

    out: int
    """Which of the two gives way."""
    first: int
    second: int


def clashes(kept: Sequence[int], fresh: Sequence[int]) -> Iterator[Clash]:
    """What must give way until the rest is in order; twin of `CalendarFence.calendar`.

    Args:
        kept: total variance in force of each expiry, ppm²·s, ascending by expiry; 0: no strike is.
        fresh: of what would apply; 0: nothing would, or no strike.
    """
    left = list(fresh)
    while (found := _clash(kept, left)) is not None:
        left[found.out] = 0
        yield found


def _clash(kept: Sequence[int], fresh: Sequence[int]) -> Clash | None:
    """The first two out of order: out goes what does not fit what the other keeps either, else the later of two new."""
    found: Clash | None = None
    for second in range(1, len(kept)):
        later = fresh[second] or kept[second]
        for first in range(second):
            if not later or (fresh[first] or kept[first]) <= later:
                continue
            if kept[second] and fresh[first] > kept[second]:
                return Clash(out=first, first=first, second=second)
            if fresh[second] and fresh[second] < kept[first]:
                return Clash(out=second, first=first, second=second)
            if found is None and fresh[first] and fresh[second]:
                found = Clash(out=second, first=first, second=second)
    return found


def variance(sigma_ppm: int, seconds: int) -> int:
    """σ²T, ppm²·s."""
    return sigma_ppm * sigma_ppm * seconds


def has_strikes(fence: ExpiryFence) -> bool:
    """Whether a strike of an expiry is in force; one whose smile is not fenced counts as published."""
    return not fence.smile or any(one.ratio_ppm for one in fence.smile)
