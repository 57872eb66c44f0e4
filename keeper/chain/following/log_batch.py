"""Many logs in order, left as the node spelled them until somebody looks: a million of them are a few lists.

`split` hands out the logs of some events as columns of text, which numpy turns into numbers at once; the rest, the rare
ones, become `Log`s.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from operator import itemgetter
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt
import orjson

from keeper.chain.records import Log, checksum

#: What is kept of a log; the rest a node may add for itself.
_FIELDS = ("address", "topics", "data", "blockNumber", "blockHash", "transactionHash", "logIndex")
_PARTS: Final = itemgetter("blockNumber", "logIndex", "address", "topics", "data")
_REMOVED: Final = itemgetter("removed")
#: Bits for the position of a log in its block.
_PLACE_BITS: Final = 32
#: What `LogBatch.dump` writes of none.
NO_LOGS: Final = b"[]"


@dataclass(frozen=True)
class LogColumns:
    """Logs of one event of one contract, in order."""

    topics: tuple[Sequence[str], ...]
    """0x-hex of the first indexed argument of each log, of the second, …"""
    data: Sequence[str]
    """0x-hex of the rest, a text each."""


class LogBatch(Sequence[Log]):
    """Logs of one or more blocks, ordered by block and position.

    Args:
        raw: answers of eth_getLogs, ordered; see `parse`.
        numbers: their block numbers.
        parts: their columns, if they are there already.
    """

    def __init__(
        self, raw: list[dict[str, Any]], numbers: npt.NDArray[np.int64], parts: tuple[tuple[Any, ...], ...] = ()
    ) -> None:
        self._raw = raw
        self._parts = parts
        #: Block number of each log, rising.
        self.numbers = numbers

    @classmethod
    def parse(cls, raw: Any) -> LogBatch:
        """From an answer of eth_getLogs.

        Raises: `KeyError`, `ValueError`, `TypeError`, `OverflowError` if it is not one, or tells of a log that a reorg
            removed, or of two different ones at one place.
        """
        if not isinstance(raw, list):
            raise TypeError("logs are no list")
        if not raw:
            return cls([], np.zeros(0, np.int64))
        # Columns by C loops: a log costs a fraction of a microsecond each way.
        heights, places, _, topics, data = parts = tuple(zip(*map(_PARTS, raw), strict=True))
        if {*map(type, topics)} != {list} or {*map(type, data)} != {str} or _any_removed(raw):
            raise ValueError("a log was removed, or has no topics or data")
        numbers = _whole(heights)
        order = numbers << _PLACE_BITS | _whole(places)
        if (order[1:] <= order[:-1]).any():
            kept = _distinct(raw, order.tolist())
            return cls([raw[at] for at in kept], numbers[kept])
        return cls(raw, numbers, parts)

    @classmethod
    def joined(cls, batches: Sequence[LogBatch]) -> LogBatch:
        """One after the other."""
        return cls(
            [entry for batch in batches for entry in batch._raw],  # noqa: SLF001 - of this class
            np.concatenate([np.zeros(0, np.int64), *(batch.numbers for batch in batches)]),
        )

    def dump(self) -> bytes:
        """As JSON, without what no reader needs."""
        return orjson.dumps([{name: entry[name] for name in _FIELDS} for entry in self._raw])

    @classmethod
    def load(cls, data: bytes) -> LogBatch:
        """What `dump` wrote.  Raises: as `parse`."""
        return cls.parse(orjson.loads(data))

    def __len__(self) -> int:
        return len(self._raw)

    @overload
    def __getitem__(self, index: int) -> Log: ...

    @overload
    def __getitem__(self, index: slice) -> LogBatch: ...

    def __getitem__(self, index: int | slice) -> Log | LogBatch:
        if isinstance(index, slice):
            return LogBatch(self._raw[index], self.numbers[index])
        return Log.parse(self._raw[index])

    def __iter__(self) -> Iterator[Log]:
        return map(Log.parse, self._raw)

    def hashes(self) -> set[str]:
        """Hashes of the blocks that the logs name, lower case."""
        return {text.lower() for text in {entry["blockHash"] for entry in self._raw}}

    def emitters(self) -> set[str]:
        """Checksummed addresses of the contracts that emitted something here."""
        addresses = self._parts[2] if self._parts else (entry["address"] for entry in self._raw)
        return {checksum(text) for text in {*addresses}}

    def split(self, wanted: Container[tuple[str, str]]) -> tuple[dict[tuple[str, str], LogColumns], tuple[Log, ...]]:
        """Take out some events.

        Args:
            wanted: (checksummed address, 0x-hash of the event in lower case).

        Returns: the columns of each that occurs, and all other logs in order.
        Raises: `KeyError`, `ValueError`, `TypeError` for a log that cannot be read; `IndexError` for one that lacks an
            indexed argument that others of its kind have.
        """
        if not self._raw:
            return {}, ()
        _, _, addresses, topics, data = self._parts or zip(*map(_PARTS, self._raw), strict=True)
        emitters, kinds = Numbering(), Numbering()
        emitter = np.fromiter(map(emitters.__getitem__, addresses), np.int64, len(topics))
        kind = np.array([kinds[listed[0] if listed else ""] for listed in topics], dtype=np.int64)
        code = emitter * len(kinds) + kind
        taken: dict[tuple[str, str], LogColumns] = {}
        rest = np.ones(len(code), dtype=np.bool_)
        for (address, e), (event, k) in product(emitters.items(), kinds.items()):
            key = checksum(address), event.lower()
            rows = np.flatnonzero(code == e * len(kinds) + k) if key in wanted else np.zeros(0, np.int64)
            if not len(rows):
                continue
            # Two spellings of one address in one answer would lose the order between them.
            if key in taken:
                raise ValueError("one contract is spelled in two ways")
            chosen = rows.tolist()
            by_place = tuple(zip(*[topics[at] for at in chosen], strict=True))[1:]
            taken[key] = LogColumns(by_place, [data[at] for at in chosen])
            rest[rows] = False
        return taken, tuple(Log.parse(self._raw[at]) for at in np.flatnonzero(rest).tolist())


class Numbering(dict[str, int]):
    """Texts by the order in which they were first asked for."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


def _any_removed(raw: list[dict[str, Any]]) -> bool:
    try:
        return any(map(_REMOVED, raw))
    except KeyError:  # some nodes only say so where it is
        return any(entry.get("removed") for entry in raw)


def _whole(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """0x-hex as numbers; few are different.  Raises: `ValueError`, `TypeError`, `OverflowError`."""
    known = {text: int(text, 16) for text in set(texts)}
    if not all(0 <= value < 1 << _PLACE_BITS for value in known.values()):
        raise OverflowError("a block number or log index is beyond 32 bits")
    return np.fromiter(map(known.__getitem__, texts), np.int64, len(texts))


def _distinct(raw: list[dict[str, Any]], order: list[int]) -> list[int]:
    """Where the logs stand in order, one told twice only once.  Raises: `ValueError` if two claim one place."""
    first: dict[int, int] = {}
    for at in sorted(range(len(raw)), key=order.__getitem__):
        known = raw[first.setdefault(order[at], at)]
        if known is not raw[at] and any(known[name] != raw[at][name] for name in _FIELDS):
            raise ValueError("two logs claim one place")
    return list(first.values())
