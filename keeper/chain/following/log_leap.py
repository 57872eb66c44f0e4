"""A long past in wide ranges: one is applied while the next is already asked for, as wide as the endpoint answers."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from keeper.chain.errors import RangeTooWide, RateLimited, Unreachable
from keeper.chain.following.log_batch import LogBatch
from keeper.chain.following.log_ranges import RangeWidth
from keeper.chain.following.log_reader import LogReader
from keeper.chain.following.log_store import LogConsumer
from keeper.domain.block import BlockRef
from keeper.errors import Retry


@dataclass
class Leap:
    """A catching-up in ranges, under way."""

    goal: BlockRef
    next: int
    """First height that is not applied yet."""
    seen: int = 0
    """Logs applied."""


class Ranges:
    """Reads what a leap leaps over.

    Args:
        reader: where to ask.
        consumer: what takes the logs.
        width: how wide a range may be; learns from every answer.
    """

    def __init__(self, reader: LogReader, consumer: LogConsumer, width: RangeWidth) -> None:
        self._reader, self._consumer, self._width = reader, consumer, width

    def read(self, leap: Leap) -> None:
        """Apply all logs up to the goal; while some are applied, the next are already asked for.

        Raises: `Retry`; what was applied until then stays, and the next call goes on behind it.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="logs ahead") as ahead:
            waiting: tuple[int, int, Future[LogBatch]] | None = None
            while leap.next <= leap.goal.number:
                if waiting is None:
                    waiting = self._ask(ahead, leap.next, leap.goal.number)
                first, last, answer = waiting
                waiting = None
                try:
                    found = answer.result()
                except RangeTooWide as refusal:
                    if not self._width.refused(last - first + 1, refusal.message, first=first):
                        raise Retry(f"the endpoint refuses the logs of one block, {last}", block=last) from None
                    continue
                except RateLimited:
                    raise
                except Unreachable:
                    # No answer, or one cut off in the middle, is what too much of an answer looks like too.
                    self._width.failed(last - first + 1)
                    raise
                self._width.answered()
                if last < leap.goal.number:
                    waiting = self._ask(ahead, last + 1, leap.goal.number)
                self._consumer.apply(found)
                leap.next, leap.seen = last + 1, leap.seen + len(found)

    def _ask(self, ahead: ThreadPoolExecutor, first: int, goal: int) -> tuple[int, int, Future[LogBatch]]:
        last = min(goal, first + self._width.blocks - 1)
        return first, last, ahead.submit(self._reader.range, first, last)
