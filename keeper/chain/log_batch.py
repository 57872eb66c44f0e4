"""Many logs in order, left as the node spelled them until somebody looks: a million of them are a few lists.

`split` hands out the logs of some events as columns of text, which numpy turns into numbers at once; the rest, the rare
ones, become `Log`s.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, overload

import orjson

from keeper.chain.records import Log, checksum

#: What is kept of a log; the rest a node may add for itself.
_FIELDS = ("address", "topics", "data", "blockNumber", "blockHash", "transactionHash", "logIndex")


@dataclass(frozen=True)
class LogColumns:
    """Logs of one event of one contract, in order."""

    topics: tuple[list[str], ...]
    """0x-hex of the first indexed argument of each log, of the second, …"""
    data: list[str]
    """0x-hex of the rest, a text each."""


class LogBatch(Sequence[Log]):
    """Logs of one or more blocks, ordered by block and position.

    Args:
        raw: answers of eth_getLogs, ordered; see `parse`.
        numbers: their block numbers.
    """

    def __init__(self, raw: list[dict[str, Any]], numbers: list[int]) -> None:
        self._raw = raw
        #: Block number of each log, rising.
        self.numbers = numbers

    @classmethod
    def parse(cls, raw: Any) -> LogBatch:
        """From an answer of eth_getLogs.

        Raises: `KeyError`, `ValueError`, `TypeError` if it is not one, or tells of a log that a reorg removed.
        """
        if not isinstance(raw, list):
            raise TypeError("logs are no list")
        heights = {text: int(text, 16) for text in {entry["blockNumber"] for entry in raw}}
        numbers = [heights[entry["blockNumber"]] for entry in raw]
        places = list(zip(numbers, [int(entry["logIndex"], 16) for entry in raw], strict=True))
        for entry in raw:
            if entry.get("removed") or not isinstance(entry["topics"], list) or not isinstance(entry["data"], str):
                raise ValueError("a log was removed or has no topics")
        if any(a >= b for a, b in pairwise(places)):
            order = _distinct(raw, places)
            raw, numbers = [raw[i] for i in order], [numbers[i] for i in order]
        return cls(raw, numbers)

    @classmethod
    def joined(cls, batches: Sequence[LogBatch]) -> LogBatch:
        """One after the other."""
        return cls(
            [entry for batch in batches for entry in batch._raw],  # noqa: SLF001 - of this class
            [number for batch in batches for number in batch.numbers],
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
        return {checksum(text) for text in {entry["address"] for entry in self._raw}}

    def split(self, wanted: Container[tuple[str, str]]) -> tuple[dict[tuple[str, str], LogColumns], tuple[Log, ...]]:
        """Take out some events.

        Args:
            wanted: (checksummed address, 0x-hash of the event in lower case).

        Returns: the columns of each that occurs, and all other logs in order.
        Raises: `KeyError`, `ValueError`, `TypeError` for a log that cannot be read; `IndexError` for one that lacks an
            indexed argument that others of its kind have.
        """
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for entry in self._raw:
            topics = entry["topics"]
            key = entry["address"], topics[0] if topics else ""
            group = groups.get(key)
            if group is None:
                groups[key] = group = []
            group.append(entry)
        taken: dict[tuple[str, str], list[dict[str, Any]]] = {}
        others: set[tuple[str, str]] = set()
        for spelled, group in groups.items():
            key = checksum(spelled[0]), spelled[1].lower()
            if key in wanted:
                # Two spellings of one address in one answer would lose the order between them.
                if key in taken:
                    raise ValueError("one contract is spelled in two ways")
                taken[key] = group
            else:
                others.add(spelled)
        rest: tuple[Log, ...] = ()
        if others:
            rest = tuple(
                Log.parse(entry)
                for entry in self._raw
                if (entry["address"], entry["topics"][0] if entry["topics"] else "") in others
            )
        return {key: _columns(group) for key, group in taken.items()}, rest


def _distinct(raw: list[dict[str, Any]], places: list[tuple[int, int]]) -> list[int]:
    """Where the logs stand in order, one told twice only once.  Raises: `ValueError` if two claim one place."""
    first: dict[tuple[int, int], int] = {}
    for at in sorted(range(len(raw)), key=places.__getitem__):
        known = raw[first.setdefault(places[at], at)]
        if known is not raw[at] and any(known[name] != raw[at][name] for name in _FIELDS):
            raise ValueError("two logs claim one place")
    return list(first.values())


def _columns(group: list[dict[str, Any]]) -> LogColumns:
    indexed = len(group[0]["topics"])
    topics = tuple([entry["topics"][at] for entry in group] for at in range(1, indexed))
    return LogColumns(topics, [entry["data"] for entry in group])
