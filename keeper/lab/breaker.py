"""The flash-crash breaker on recorded prices: how often it opens, whom it saves, and what waiting costs.

Three questions, each on the very rule that the contract runs (`keeper.risk.exact.breaker`):

    how often     openings a year on a path, and how many of them the next half hour took back
    whom          made-up accounts around the maintenance line at a crash: flagged by a price that half an hour later
                  was gone ("a wick alone"), without the breaker and with it
    what it costs the deficit of those whom the move killed for good, at the price at which they are flagged, without
                  the breaker and with it, as a share of the notional of all accounts; of moves that were real by
                  themselves, or what is saved in wicks hides it

An account has one perp position of notional 1 at the price before the crash, long or short, equity from one to four
times its maintenance, and does nothing.  It is flagged at the first round, or at the release of the breaker, at which
its equity is below maintenance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.domain.bars import Floats
from keeper.lab.paths import WAD, between
from keeper.risk.exact.breaker import PPM, BreakerRule, Round, openings

#: A wick is over, or the move was real, so long after it.
SETTLED_S = 1_800
#: What the reference margin model asks of a perp, as a part of its scan range: kappa + flag fee of the deploy defaults.
MAINTENANCE_PPM = 810_000
#: Accounts have up to so many times their maintenance.
RICHEST = 4.0
#: Moves within ten minutes from which on a crash is an episode; two of them are `SETTLED_S` apart at least.
EPISODE = BreakerRule(move_ppm=30_000, disagree_ppm=0, window_s=600, hold_s=300, confirm_s=0)


@dataclass(frozen=True, kw_only=True)
class Frequency:
    """How often a rule opened on a path."""

    openings: int
    taken_back: int
    """Openings of whose move half or more was gone `SETTLED_S` later."""
    open_s: int
    """Seconds open, together."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """A crash, or a leap."""

    since_s: int
    """Unix seconds of its first round beyond the threshold."""
    base: float
    """Price before it, USD."""
    extreme: float
    """Price farthest from `base` within `SETTLED_S`, USD."""
    after: float
    """Price `SETTLED_S` later, USD."""

    @property
    def real(self) -> bool:
        """Whether more than half of the move was still there `SETTLED_S` later."""
        return abs(self.after - self.base) * 2 > abs(self.extreme - self.base)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an episode's accounts under a rule.  Deficits in ppm of the notional of all accounts."""

    accounts: int
    flagged: int
    """Without a breaker."""
    by_wick: int
    """Of those: healthy again `SETTLED_S` after the episode began."""
    by_wick_guarded: int
    """The same with the breaker."""
    leverage: tuple[float, float]
    """Lowest and highest of those whom the breaker saved; zeros if there are none."""
    late_s: float
    """Mean seconds by which the others' flags came later."""
    deficit_ppm: int
    """Of those whom the move killed for good: at their flags, without a breaker."""
    deficit_guarded_ppm: int
    """With it."""

    @property
    def saved(self) -> int:
        """Accounts whom a wick alone would have killed, and did not."""
        return self.by_wick - self.by_wick_guarded


def frequency(path: Sequence[Round], rule: BreakerRule) -> Frequency:
    """Count the openings of a path."""
    found = list(openings(path, rule))
    times, prices = _arrays(path)
    back = 0
    for one in found:
        base, moved, after = _at(times, prices, [one.since_s - rule.window_s, one.since_s, one.since_s + SETTLED_S])
        back += abs(after - base) * 2 <= abs(moved - base)
    open_s, until = 0, 0
    for one in found:  # those by feeds may overlap with those by jumps
        open_s += max(0, one.until_s - max(one.since_s, until))
        until = max(until, one.until_s)
    return Frequency(openings=len(found), taken_back=int(back), open_s=open_s)


def episodes(path: Sequence[Round], threshold: BreakerRule = EPISODE) -> Iterator[Episode]:
    """The crashes of a path, half an hour apart at least."""
    times, prices = _arrays(path)
    last = -SETTLED_S
    for one in openings(path, threshold):
        if one.since_s - last < SETTLED_S or one.since_s + SETTLED_S > times[-1]:
            continue
        last = one.since_s
        base, after = _at(times, prices, [one.since_s - threshold.window_s, one.since_s + SETTLED_S])
        inside = prices[(times >= one.since_s - threshold.window_s) & (times <= one.since_s + SETTLED_S)]
        extreme = inside[np.argmax(np.abs(inside - base))]
        yield Episode(since_s=one.since_s, base=float(base), extreme=float(extreme), after=float(after))


def outcome(
    path: Sequence[Round],
    episode: Episode,
    rule: BreakerRule,
    *,
    psr_ppm: int,
    accounts: int,
    rng: np.random.Generator,
) -> Outcome:
    """Live an episode with made-up accounts.

    Args:
        path: rounds around the episode, a reach of the rule before it at least.
        episode: when, and from which price.
        rule: of the breaker.
        psr_ppm: scan range that maintenance is made from.
        accounts: how many; half of them long.
        rng: draws their equity.
    """
    mm = psr_ppm / PPM * MAINTENANCE_PPM / PPM
    side = np.where(np.arange(accounts) % 2 == 0, 1.0, -1.0)
    equity = mm * rng.uniform(1.0, RICHEST, accounts)
    # Who waits at the end of the half hour is flagged at the release.
    end = episode.since_s + SETTLED_S
    last = end + rule.hold_s
    stretch = between(path, episode.since_s - EPISODE.window_s, last)
    reach = between(path, episode.since_s - EPISODE.window_s - rule.reach_s, last)
    times, prices = _arrays(stretch)
    closed_at = [one for one in openings(reach, rule) if one.until_s > times[0]]
    looks = np.union1d(times, [one.until_s for one in closed_at if one.until_s <= last]).astype(np.int64)
    shut = np.zeros(len(looks), dtype=np.bool_)
    for one in closed_at:
        shut |= (looks >= one.since_s) & (looks < one.until_s)
    relative = _at(times, prices, looks.tolist()) / episode.base
    worth = equity[None, :] + side[None, :] * (relative[:, None] - 1.0)
    short = worth < mm * relative[:, None]
    settled = _at(times, prices, [end])[0] / episode.base
    healthy = equity + side * (settled - 1.0) >= mm * settled
    inside = (looks <= end)[:, None]
    plain = _first(short & inside)
    guarded = _first(short & ~shut[:, None] & (inside | ((plain >= 0) & ~healthy)))
    flagged, flagged_guarded = plain >= 0, guarded >= 0
    saved = flagged & healthy & ~flagged_guarded
    both = flagged & flagged_guarded & ~healthy
    leverage = 1.0 / equity[saved]
    return Outcome(
        accounts=accounts,
        flagged=int(flagged.sum()),
        by_wick=int((flagged & healthy).sum()),
        by_wick_guarded=int((flagged_guarded & healthy).sum()),
        leverage=(float(leverage.min()), float(leverage.max())) if len(leverage) else (0.0, 0.0),
        late_s=float((looks[guarded[both]] - looks[plain[both]]).mean()) if both.any() else 0.0,
        deficit_ppm=_deficit(worth, plain, ~healthy),
        deficit_guarded_ppm=_deficit(worth, guarded, ~healthy),
    )


def _first(short: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Index of the first look at which each account is short, −1 if there is none."""
    return np.where(short.any(axis=0), short.argmax(axis=0), -1)


def _deficit(worth: Floats, look: npt.NDArray[np.int64], doomed: npt.NDArray[np.bool_]) -> int:
    """What those of the flagged accounts that never recovered lack at their flags, ppm of all notional."""
    taken = np.flatnonzero((look >= 0) & doomed)
    lacks = float(np.maximum(0.0, -worth[look[taken], taken]).sum())
    return round(lacks * PPM / int(worth.shape[1]))


def _arrays(path: Sequence[Round]) -> tuple[npt.NDArray[np.int64], Floats]:
    return np.array([r.time for r in path], dtype=np.int64), np.array([r.wad / WAD for r in path])


def _at(times: npt.NDArray[np.int64], prices: Floats, when: Sequence[int]) -> Floats:
    """Prices in force; before the first round that one's."""
    found: Floats = prices[np.maximum(0, np.searchsorted(times, np.array(when), side="right") - 1)]
    return found
