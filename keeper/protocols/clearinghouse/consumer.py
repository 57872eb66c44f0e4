"""Logs into the index: which contract emitted it, what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from keeper.domain import codec
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.index import HouseIndex, IndexState


class RawLog(Protocol):
    """A log as the chain edge hands it out."""

    @property
    def address(self) -> str:
        """Checksummed address of the contract that emitted it."""

    @property
    def topics(self) -> tuple[bytes, ...]:
        """Indexed words, the event's hash first."""

    @property
    def data(self) -> bytes:
        """The rest."""


class HouseConsumer:
    """Feeds a `HouseIndex` from raw logs; its state is the index's, as canonical bytes.

    Args:
        index: what is fed.
        abis: ABI by checksummed address.
    """

    def __init__(self, index: HouseIndex, abis: Mapping[str, Abi]) -> None:
        self._index = index
        self._abis = abis

    def apply(self, _number: int, logs: Sequence[RawLog]) -> None:
        """Take all logs of one block, in order."""
        decoded = (self._abis[log.address].event(log.topics, log.data) for log in logs if log.address in self._abis)
        self._index.apply(event for event in decoded if event is not None)

    def dump(self) -> bytes:
        """The whole state, canonical."""
        return codec.dumps(self._index.state())

    def load(self, state: bytes) -> None:
        """Take back what `dump` returned."""
        self._index.load(codec.loads(IndexState, state))

    def clear(self) -> None:
        """The state before the deployment."""
        self._index.load(IndexState())
