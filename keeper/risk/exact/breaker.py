"""The flash-crash breaker's verdict on a price path: the twin of contracts/src/libraries/BreakerMath.sol.

Two events make a path doubtful: a jump of the primary feed beyond `move_ppm` of the extremes of the window before it,
which the price it replaces was not, and a round after which the two feeds differ by more than `disagree_ppm`.  An event
depends on nothing that comes after it.  A jump opens the breaker if no other jump lies in the window before it, feeds
that part if nothing does.  A path that does not cover the reach is judged by a smaller rule (`fitted`).  A jump is
settled by the first primary round `confirm_s` later, a disagreement when the feeds agree again, both when `hold_s` are
over.  The laws (BRK-1 … BRK-4) are held in forge; this file must only say the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

PPM: Final = 10**6


class Event(StrEnum):
    """What a round can start."""

    JUMP = "jump"
    FEEDS = "feeds"


@dataclass(frozen=True, kw_only=True)
class Round:
    """One answer of one of the two feeds."""

    time: int
    """Unix seconds at which the feed was updated."""
    wad: int
    """wad USD."""
    second: bool = False
    """Of the secondary feed."""


@dataclass(frozen=True, kw_only=True)
class BreakerRule:
    """What trips the breaker of one asset, and for how long."""

    move_ppm: int
    """A move beyond this part of the window's lowest or highest price is a jump."""
    disagree_ppm: int
    """Feeds further apart than this are doubtful; 0: they are not compared."""
    window_s: int
    """At least twice `hold_s`."""
    hold_s: int
    """The breaker stays open no longer."""
    confirm_s: int
    """A primary round this long after a jump, or later, settles it."""

    @property
    def reach_s(self) -> int:
        """Seconds of history that a verdict depends on."""
        return 2 * self.window_s + self.hold_s


@dataclass(frozen=True, kw_only=True)
class Opening:
    """An open breaker."""

    since_s: int
    """Unix seconds of the round that opened it."""
    why: Event


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A stretch during which the breaker was open."""

    since_s: int
    """Unix seconds of the round that opened it."""
    until_s: int
    """Unix seconds at which it was closed again."""
    why: Event


def move_ppm(*, psr_ppm: int | None, k_ppm: int, min_move_ppm: int) -> int:
    """The move that is a jump: k scan ranges, at least `min_move_ppm`; without a scan range that alone."""
    return max(min_move_ppm, 0 if psr_ppm is None else psr_ppm * k_ppm // PPM)


def verdict(rounds: Sequence[Round], rule: BreakerRule, now_s: int) -> Opening | None:
    """Judge a path.

    Args:
        rounds: of both feeds, oldest first, covering at least `rule.reach_s`; those after `now_s` are not known yet.
        rule: what trips the breaker.
        now_s: unix seconds.

    Returns:
        Why it is open, or None.
    """
    known = rounds[: bisect_right(rounds, now_s, key=lambda r: r.time)]
    for i in reversed(range(len(known))):
        if known[i].time + rule.hold_s <= now_s:
            break
        what = event_at(known, i, rule)
        if what is None or not _first(known, i, rule, what):
            continue
        settled = _confirmed(known, i, rule) if what is Event.JUMP else _agreed(known, i, rule)
        if not settled:
            return Opening(since_s=known[i].time, why=what)
    return None


def fitted(rounds: Sequence[Round], rule: BreakerRule) -> BreakerRule:
    """The rule for a path that is cut off: window and hold shrunk alike until their reach is covered.

    Args:
        rounds: those known, oldest first.
        rule: for a whole path.
    """
    first: dict[bool, int] = {}
    for r in rounds:
        first.setdefault(r.second, r.time)
    covered = rounds[-1].time - max(first.values()) if rounds else 0
    if covered >= rule.reach_s:
        return rule
    window, hold = (seconds * covered // rule.reach_s for seconds in (rule.window_s, rule.hold_s))
    return replace(rule, window_s=window, hold_s=hold)


def openings(rounds: Sequence[Round], rule: BreakerRule) -> Iterator[Opened]:
    """Every opening of a path, in order; one by a jump may begin while one by feeds lasts, others never overlap."""
    for i, one in enumerate(rounds):
        what = event_at(rounds, i, rule)
        if what is None or not _first(rounds, i, rule, what):
            continue
        until = one.time + rule.hold_s
        for j in range(i + 1, len(rounds)):
            if rounds[j].time >= until:
                break
            late = not rounds[j].second and rounds[j].time >= one.time + rule.confirm_s
            if late if what is Event.JUMP else not _apart(rounds, j + 1, rule):
                until = rounds[j].time
                break
        if until > one.time:
            yield Opened(since_s=one.time, until_s=until, why=what)


def event_at(rounds: Sequence[Round], i: int, rule: BreakerRule) -> Event | None:
    """What round `i` started."""
    if not rounds[i].second and _jumped(rounds, i, rule):
        return Event.JUMP
    if rule.disagree_ppm and _apart(rounds, i + 1, rule) and not _apart(rounds, i, rule):
        return Event.FEEDS
    return None


def _jumped(rounds: Sequence[Round], i: int, rule: BreakerRule) -> bool:
    prices: list[int] = []
    for j in range(i - 1, -1, -1):
        if rounds[j].second:
            continue
        prices.append(rounds[j].wad)
        if rounds[j].time + rule.window_s <= rounds[i].time:
            break  # in force when the window began
    if not prices:
        return False
    low, high = min(prices), max(prices)
    return _far(rounds[i].wad, low, high, rule.move_ppm) and not _far(prices[0], low, high, rule.move_ppm)


def _first(rounds: Sequence[Round], i: int, rule: BreakerRule, what: Event) -> bool:
    for j in reversed(range(i)):
        if rounds[j].time + rule.window_s < rounds[i].time:
            break
        other = event_at(rounds, j, rule)
        if other is Event.JUMP or (other is not None and what is Event.FEEDS):
            return False
    return True


def _confirmed(rounds: Sequence[Round], i: int, rule: BreakerRule) -> bool:
    return any(not r.second and r.time >= rounds[i].time + rule.confirm_s for r in rounds[i + 1 :])


def _agreed(rounds: Sequence[Round], i: int, rule: BreakerRule) -> bool:
    return any(not _apart(rounds, n, rule) for n in range(i + 2, len(rounds) + 1))


def _apart(rounds: Sequence[Round], n: int, rule: BreakerRule) -> bool:
    """Whether the feeds differ after the first `n` rounds."""
    found: dict[bool, int] = {}
    for j in range(n - 1, -1, -1):
        found.setdefault(rounds[j].second, rounds[j].wad)
        if len(found) == 2:
            low, high = sorted(found.values())
            return (high - low) * PPM > low * rule.disagree_ppm
    return False


def _far(wad: int, low: int, high: int, move: int) -> bool:
    return (wad - low) * PPM > low * move or (high - wad) * PPM > high * move
