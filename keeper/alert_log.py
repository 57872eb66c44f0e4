"""The log of what a person should know: said when it begins, when it ends, and once an hour while it lasts.

Every block's alerts are stored with its `CycleRecord`, all of them, each time.  The log tells of changes only, since a
price that is stale for a night would otherwise say so a few thousand times.

The same condition reads a little differently at each block ("price is 912 s old", "924 s old"): two alerts are one
condition if they differ in their numbers alone.  Where a condition is met several times it has so many more begun, or
ended, as there are more or fewer of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from keeper.domain.block import BlockRef

log = structlog.get_logger(__name__)

#: Seconds of the chain's time after which what lasts is said again.
REMIND_S = 3_600

#: A number by itself; the digits of an address or a name are part of what is meant.
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d(?:[\d,._]*\d)?(?![\w])")


@dataclass(kw_only=True)
class _Condition:
    """Alerts that differ in their numbers alone."""

    since: int
    """Block of the first."""
    said_s: int
    """Block time at which they were last logged."""
    texts: Sequence[str] = field(default_factory=tuple)
    """As they read at the newest block."""


class AlertLog:
    """Knows which conditions stand.  A new process knows of none and says them all once."""

    def __init__(self) -> None:
        self._standing: dict[str, _Condition] = {}

    def tell(self, block: BlockRef, alerts: Iterable[str]) -> None:
        """Log what changed between the block told last and this one."""
        now: dict[str, list[str]] = {}
        for alert in alerts:
            now.setdefault(_NUMBER.sub("#", alert), []).append(alert)
        for shape in [one for one in self._standing if one not in now]:
            self._over(block, self._standing[shape], self._standing.pop(shape).texts)
        for shape, texts in now.items():
            one = self._standing.get(shape)
            if one is None:
                one = self._standing[shape] = _Condition(since=block.number, said_s=block.timestamp)
            more = len(texts) - len(one.texts)
            if more > 0:
                self._begun(block, _without(texts, one.texts)[-more:])
            elif more < 0:
                self._over(block, one, _without(one.texts, texts)[:-more])
            elif block.timestamp - one.said_s >= REMIND_S:
                one.said_s = block.timestamp
                self._begun(block, texts, since=one.since)
            one.texts = texts

    def _begun(self, block: BlockRef, texts: Iterable[str], **more: int) -> None:
        for text in texts:
            log.warning("cycle.alert", block=block.number, alert=text, **more)

    def _over(self, block: BlockRef, one: _Condition, texts: Iterable[str]) -> None:
        for text in texts:
            log.info("cycle.alert_over", block=block.number, alert=text, since=one.since)


def _without(texts: Sequence[str], others: Sequence[str]) -> list[str]:
    """At least so many of `texts` as there are more of them than of `others`: those that are not among these."""
    return list((Counter(texts) - Counter(others)).elements())
