"""Recorded bars as the rounds of an oracle.

A bar says where the price was and not when.  Its four prices are spread evenly over it, open first, close last, and of
the extremes the one nearer to the open first.  The feed speaks as those of the big venues do: when the price left its
last answer by the deviation threshold, and when the heartbeat is due.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.domain.bars import Bars, Floats
from keeper.risk.exact.breaker import PPM, Round

WAD = 10**18


@dataclass(frozen=True, kw_only=True)
class Feed:
    """When an oracle speaks."""

    deviation_ppm: int = 5_000
    heartbeat_s: int = 3_600


def ticks(bars: Bars) -> tuple[npt.NDArray[np.int64], Floats]:
    """Times and prices of four points a bar, shapes (4·bars,)."""
    low_first = bars.open - bars.low < bars.high - bars.open
    first, second = np.where(low_first, bars.low, bars.high), np.where(low_first, bars.high, bars.low)
    prices = np.stack([bars.open, first, second, bars.close], axis=1).ravel()
    steps = np.array([0, bars.bar_s // 3, 2 * bars.bar_s // 3, bars.bar_s - 1])
    return (bars.start_s[:, None] + steps).ravel(), prices


def rounds(bars: Bars, feed: Feed) -> tuple[Round, ...]:
    """What a feed of these prices would have said, oldest first."""
    times, prices = ticks(bars)
    found: list[Round] = []
    said, at = 0.0, 0
    for time, price in zip(times.tolist(), prices.tolist(), strict=True):
        if said and abs(price - said) * PPM < said * feed.deviation_ppm and time - at < feed.heartbeat_s:
            continue
        said, at = price, time
        found.append(Round(time=time, wad=round(price * WAD)))
    return tuple(found)


def between(path: Sequence[Round], since_s: int, until_s: int) -> tuple[Round, ...]:
    """Rounds of a stretch, with the one in force at its beginning."""
    first = bisect_right(path, since_s, key=_time) - 1
    return tuple(path[max(0, first) : bisect_right(path, until_s, key=_time)])


def _time(one: Round) -> int:
    return one.time
