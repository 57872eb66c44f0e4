"""Raw logs as columns of numbers, texts coded by the order in which they first came.

An answer of ten thousand logs is far larger than a processor's cache, and fetching a text from memory costs more than
what is done with it.  So each is looked at once, some hundreds of logs at a time, while the JSON reader's objects are
still near; from then on there are only numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from operator import itemgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]

#: Bits for the position of a log in its block, and for the block's number.
PLACE_BITS: Final = 32
#: Logs that are looked at together.
_NEAR: Final = 500
_PARTS: Final = itemgetter("blockNumber", "logIndex", "address", "topics", "data")
_ALL: Final = itemgetter("blockNumber", "logIndex", "address", "topics", "data", "removed")
#: Most topics of a log.  Source: the EVM's LOG0 to LOG4.
_MOST_TOPICS: Final = 4
_NONE: Final = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Texts:
    """A text for each log."""

    codes: Codes
    """Which of `known` each log has."""
    known: Sequence[str]
    """Different ones; not each need occur."""

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return map(self.known.__getitem__, self.codes.tolist())


@dataclass(frozen=True)
class LogColumns:
    """Logs of one event of one contract, in order."""

    topics: tuple[Texts, ...]
    """0x-hex of the first indexed argument of each log, of the second, …"""
    data: Sequence[str]
    """0x-hex of the rest, a text each."""


@dataclass(frozen=True)
class Coded:
    """Many logs, in the order of the answer."""

    numbers: Codes
    """Block number of each."""
    places: Codes
    """Position of each in its block."""
    emitters: Texts
    """Addresses, as they are spelled."""
    topics: tuple[Texts, ...]
    """Of each its first topic, its second, …; "" where there is none."""
    topics_each: Codes
    """How many topics each has."""
    data: Sequence[str]

    def columns(self, rows: Codes) -> LogColumns:
        """Some of the logs, all of one event.  Raises: `ValueError` if they differ in their number of topics."""
        each = self.topics_each[rows]
        if (each != each[0]).any():
            raise ValueError("one event with differing numbers of indexed arguments")
        topics = tuple(Texts(topic.codes[rows], topic.known) for topic in self.topics[1 : each[0]])
        return LogColumns(topics, [self.data[at] for at in rows.tolist()])


class Numbering(dict[str, int]):
    """Texts by the order in which they were first asked for."""

    def __missing__(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is no text")
        self[text] = number = len(self)
        return number


class _Whole(dict[str, int]):
    """Values of 0x-hex; few are different."""

    def __missing__(self, text: str) -> int:
        value = int(text, 16)
        if not 0 <= value < 1 << PLACE_BITS:
            raise OverflowError("a block number or log index is beyond 32 bits")
        self[text] = value
        return value


def coded(raw: Sequence[dict[str, Any]]) -> Coded:
    """The columns of some logs as a node tells them.

    Raises: `KeyError`, `ValueError`, `TypeError`, `OverflowError` if they are none, or one was removed by a reorg.
    """
    whole, emitters = _Whole(), Numbering()
    kinds = [Numbering() for _ in range(_MOST_TOPICS)]
    found: list[list[Codes]] = [[] for _ in range(4 + _MOST_TOPICS)]
    data: list[str] = []
    for at in range(0, len(raw), _NEAR):
        heights, places, addresses, topics, rest, removed = _fields(raw[at : at + _NEAR])
        if {*map(type, topics)} != {list} or {*map(type, rest)} != {str} or any(removed):
            raise ValueError("a log was removed, or has no topics or data")
        by_place = list(zip_longest(*topics, fillvalue=""))
        if len(by_place) > _MOST_TOPICS:
            raise ValueError("a log has more topics than the EVM can write")
        by_place += [("",) * len(topics)] * (_MOST_TOPICS - len(by_place))
        tables = (whole, whole, emitters, *kinds)
        for column, table, texts in zip(found, tables, (heights, places, addresses, *by_place), strict=False):
            column.append(np.fromiter(map(table.__getitem__, texts), np.int64, len(texts)))
        found[-1].append(np.fromiter(map(len, topics), np.int64, len(topics)))
        data += rest
    numbers, at_places, senders, *coded_topics, each = (np.concatenate([_NONE, *column]) for column in found)
    return Coded(
        numbers=numbers,
        places=at_places,
        emitters=Texts(senders, tuple(emitters)),
        topics=tuple(Texts(codes, tuple(known)) for codes, known in zip(coded_topics, kinds, strict=True)),
        topics_each=each,
        data=data,
    )


def _fields(raw: Sequence[dict[str, Any]]) -> tuple[tuple[Any, ...], ...]:
    try:
        return tuple(zip(*map(_ALL, raw), strict=True))
    except KeyError:  # some nodes only say "removed" where it is
        return (*zip(*map(_PARTS, raw), strict=True), tuple(entry.get("removed") for entry in raw))
