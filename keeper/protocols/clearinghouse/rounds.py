"""Rounds of price feeds: the history that volatility is estimated from, without holes however seldom we look."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from keeper.domain.block import BlockRef
from keeper.domain.snapshot import Observation
from keeper.errors import Refused
from keeper.protocols.clearinghouse.views import FEED, View, Views

DAY: Final = 86_400
#: Rounds fetched for one feed when the keeper starts for the first time, or looks again after a while.
MAX_BACKFILL: Final = 500
#: Rounds asked for together, and how that grows while none of them is known: one new round is the common case.
FIRST_LOOK, GROWTH = 4, 4

#: Chainlink proxies put the phase of the aggregator above 64 bits of its own round number.
_PHASE: Final = 64
_IN_PHASE: Final = (1 << _PHASE) - 1
#: Looked at when the length of a phase is sought: every power of two up to four billion rounds.
_POWERS: Final = 32


class Prices(Protocol):
    """What is remembered of rounds: as of `keeper.ports.Store`."""

    def append_prices(self, block: BlockRef, underlying: int, rounds: Sequence[Observation]) -> None:
        """See `Store.append_prices`."""

    def prices(self, underlying: int, *, since_s: int) -> tuple[Observation, ...]:
        """See `Store.prices`."""


@dataclass
class _Look:
    """What one look at one feed has found so far."""

    feed: str
    known: frozenset[int]
    """Times of the rounds that the store has."""
    last: int
    """Oldest round looked at."""
    found: list[Observation]
    """Newest first."""


class RoundHistory:
    """Keeps the store's history of every underlying joined to its feed.

    Args:
        views: the contracts' views.
        store: keeps rounds over restarts.
        history_s: how much of them a snapshot carries, seconds.
        whole: whether to fetch all of that however long it takes; otherwise `MAX_BACKFILL` rounds at a time.
    """

    def __init__(self, views: Views, store: Prices, *, history_s: int, whole: bool = False) -> None:
        self._views, self._store, self._history_s = views, store, history_s
        self._most = math.inf if whole else MAX_BACKFILL
        #: Feed of each asset when last looked at, so that it can be asked along with the question which feed it is.
        self._feeds: dict[bytes, str] = {}

    def asks(self, asset: bytes) -> list[View]:
        """What `refresh` will want to know of one asset, as far as that is known before."""
        asked = [View("PriceOracle", "feed", (asset,))]
        feed = self._feeds.get(asset)
        return asked if feed is None else [*asked, *_of_feed(feed)]

    def refresh(self, block: BlockRef, assets: Mapping[int, bytes]) -> None:
        """Store what every underlying's feed has newly said, and what was missed before that.

        Args:
            block: where to look.
            assets: asset by underlying.
        """
        feeds = {u: feed for u, asset in assets.items() if (feed := self._feed(block, asset)) is not None}
        self._views.gather(block, [view for feed in feeds.values() for view in _of_feed(feed)])
        since = block.timestamp - self._history_s
        looks = {}
        for u, feed in feeds.items():
            newest = self._views.round(block, feed)
            if newest is not None:
                known = frozenset(o.time for o in self._store.prices(u, since_s=since))
                looks[u] = _Look(feed=feed, known=known, last=newest[0], found=[newest[1]])
        self._join(block, since, [look for look in looks.values() if look.found[0].time not in look.known])
        for u, look in looks.items():
            # What the oracle would refuse is no observation of a price.
            low, high = self._views.bounds(block, assets[u])
            self._store.append_prices(block, u, [r for r in look.found if low <= r.price <= high])

    def of(self, block: BlockRef, underlying: int) -> tuple[Observation, ...]:
        """Stored rounds of an underlying up to this block, oldest first."""
        since = block.timestamp - self._history_s
        return tuple(o for o in self._store.prices(underlying, since_s=since) if o.time <= block.timestamp)

    def _feed(self, block: BlockRef, asset: bytes) -> str | None:
        try:
            feed = self._views.feed(block, asset)
        except Refused:
            return None  # the price says so too, with the reason
        self._feeds[asset] = feed
        return feed

    def _join(self, block: BlockRef, since: int, looks: list[_Look]) -> None:
        """Rounds before the newest, back to `since`, until one is known already or the feed has no more.

        What is stored has no holes, because every new round is joined to it here.  All feeds are asked together.
        """
        count = FIRST_LOOK
        while looks:
            wanted = [(look, self._before(block, look.feed, look.last, count)) for look in looks]
            asked = [View(FEED, "getRoundData", (r,), look.feed) for look, rounds in wanted for r in rounds]
            self._views.gather(block, asked)
            looks = [
                look
                for look, rounds in wanted
                if not self._joined(block, since, look, rounds) and len(look.found) <= self._most
            ]
            count = min(count * GROWTH, MAX_BACKFILL)

    def _joined(self, block: BlockRef, since: int, look: _Look, rounds: Sequence[int]) -> bool:
        """Take the rounds up to the first that is known, too old or not there.  Returns: whether there was one."""
        for round_id in rounds:
            look.last = round_id
            answer = self._views.round(block, look.feed, round_id)
            if answer is None and self._views.has_round(block, look.feed, round_id):
                continue  # a round that is no price; those before it are
            if answer is None or answer[1].time < since or answer[1].time in look.known:
                return True
            look.found.append(answer[1])
        return not rounds

    def _before(self, block: BlockRef, feed: str, round_id: int, count: int) -> list[int]:
        """Ids of the rounds before one, newest first; in the phase before if it was the first of its phase."""
        number = round_id & _IN_PHASE
        if number == 1 and round_id >> _PHASE:
            last = last_of_phase(self._views, block, feed, (round_id >> _PHASE) - 1)
            return [] if last is None else [last]
        return [round_id - back for back in range(1, min(count, number - 1) + 1)]


def last_of_phase(views: Views, block: BlockRef, feed: str, phase: int) -> int | None:
    """The last round of a phase, by widening and bisection; None if it has none."""
    base = phase << _PHASE
    powers = [1 << k for k in range(_POWERS)]
    views.gather(block, [View(FEED, "getRoundData", (base | power,), feed) for power in powers])
    low, high = 0, powers[-1]
    for power in powers:
        if not views.has_round(block, feed, base | power):
            high = power
            break
        low = power
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if views.has_round(block, feed, base | middle) else (low, middle)
    return base | low if low else None


def _of_feed(feed: str) -> list[View]:
    return [View(FEED, name, (), feed) for name in ("latestRoundData", "decimals")]
