"""Many logs in order, left as the node spelled them until somebody looks: a million of them are a few lists.

`split` hands out the logs of some events as columns, which numpy turns into numbers at once; the rest, the rare ones,
become `Log`s.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt
import orjson

from keeper.chain.following.log_columns import PLACE_BITS, Coded, LogColumns, coded
from keeper.chain.records import Log, checksum

#: What is kept of a log; the rest a node may add for itself.
_FIELDS = ("address", "topics", "data", "blockNumber", "blockHash", "transactionHash", "logIndex")
#: What `LogBatch.dump` writes of none.
NO_LOGS: Final = b"[]"


class LogBatch(Sequence[Log]):
    """Logs of one or more blocks, ordered by block and position.

    Args:
        raw: answers of eth_getLogs, ordered; see `parse`.
        numbers: their block numbers.
        columns: their columns, if they are there already.
    """

    def __init__(self, raw: list[dict[str, Any]], numbers: npt.NDArray[np.int64], columns: Coded | None = None) -> None:
        self._raw = raw
        self._columns = columns
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
        columns = coded(raw)
        order = columns.numbers << PLACE_BITS | columns.places
        if (order[1:] <= order[:-1]).any():
            kept = _distinct(raw, order.tolist())
            return cls([raw[at] for at in kept], columns.numbers[kept])
        return cls(raw, columns.numbers, columns)

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
        known = self._columns.emitters.known if self._columns else (entry["address"] for entry in self._raw)
        return {checksum(text) for text in {*known}}

    def split(self, wanted: Container[tuple[str, str]]) -> tuple[dict[tuple[str, str], LogColumns], tuple[Log, ...]]:
        """Take out some events.

        Args:
            wanted: (checksummed address, 0x-hash of the event in lower case).

        Returns: the columns of each that occurs, and all other logs in order.
        Raises: `KeyError`, `ValueError`, `TypeError` for a log that cannot be read, or that lacks an indexed argument
            that others of its kind have.
        """
        if not self._raw:
            return {}, ()
        columns = self._columns or coded(self._raw)
        emitters, kinds = columns.emitters, columns.topics[0]
        code = emitters.codes * len(kinds.known) + kinds.codes
        taken: dict[tuple[str, str], LogColumns] = {}
        rest = np.ones(len(code), dtype=np.bool_)
        for which in np.unique(code).tolist():
            e, k = divmod(which, len(kinds.known))
            key = checksum(emitters.known[e]), kinds.known[k].lower()
            if key not in wanted:
                continue
            # Two spellings of one address in one answer would lose the order between them.
            if key in taken:
                raise ValueError("one contract is spelled in two ways")
            rows = np.flatnonzero(code == which)
            taken[key] = columns.columns(rows)
            rest[rows] = False
        return taken, tuple(Log.parse(self._raw[at]) for at in np.flatnonzero(rest).tolist())


def _distinct(raw: list[dict[str, Any]], order: list[int]) -> list[int]:
    """Where the logs stand in order, one told twice only once.  Raises: `ValueError` if two claim one place."""
    first: dict[int, int] = {}
    for at in sorted(range(len(raw)), key=order.__getitem__):
        known = raw[first.setdefault(order[at], at)]
        if known is not raw[at] and any(known[name] != raw[at][name] for name in _FIELDS):
            raise ValueError("two logs claim one place")
    return list(first.values())
