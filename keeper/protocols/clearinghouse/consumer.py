"""Logs into the index: which contract emitted it, what it says."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, Protocol

from eth_abi.exceptions import DecodingError

from keeper.domain import codec, roster_bytes
from keeper.domain.roster import Roster
from keeper.domain.snapshot import AccountState
from keeper.errors import BadInput, Retry
from keeper.protocols.abi import Abi, Event
from keeper.protocols.clearinghouse.index import EVENTS, HouseIndex, IndexMark, SharedState
from keeper.protocols.clearinghouse.tape import SHAPES, Columns

_LENGTH: Final = 8
#: Whose events move accounts.
_HOUSE: Final = "ClearingHouse"


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


class RawLogs(Protocol):
    """Many of them, in order."""

    def split(self, wanted: Container[tuple[str, str]]) -> tuple[Mapping[tuple[str, str], Columns], Sequence[RawLog]]:
        """Take out some events by (address, 0x-hash of the event), as columns; the rest one by one, in order."""


class HouseConsumer:
    """Feeds a `HouseIndex` from raw logs; its state is the index's.

    Args:
        index: what is fed.
        abis: ABI by checksummed address.
    """

    def __init__(self, index: HouseIndex, abis: Mapping[str, Abi]) -> None:
        self._index = index
        self._abis = abis
        self._moving = {
            (address, "0x" + topic.hex()): name
            for address, abi in abis.items()
            if abi.name == _HOUSE
            for name in SHAPES
            if (topic := abi.topic(name)) is not None
        }

    @cached_property
    def topics(self) -> tuple[bytes, ...]:
        """Hashes of all events that change the index."""
        found = {abi.topic(name) for abi in self._abis.values() for name in EVENTS}
        return tuple(sorted(topic for topic in found if topic is not None))

    def apply(self, logs: RawLogs) -> None:
        """Take all logs of one or more blocks, in order.

        Raises: `Retry` for a log that cannot be read; nothing has changed then.
        """
        before = self._index.shared()
        try:
            columns, others = logs.split(self._moving)
            # Whoever moves accounts and whoever sets parameters never touch the same field: the order between the two
            # does not matter.
            self._index.apply(self._decoded(others))
            self._index.take({self._moving[key]: found for key, found in columns.items()})
        except Retry:
            self._index.restore(before)
            raise
        except (DecodingError, KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
            self._index.restore(before)
            raise Retry(f"a log cannot be read: {error!r}", hint="compare the node with another one") from error

    def amend(self, word: bytes) -> None:
        """Take an account as `amendment` wrote it."""
        self._index.replace_account(codec.loads(AccountState, word))

    def mark(self) -> IndexMark:
        """See `HouseIndex.mark`."""
        return self._index.mark()

    def reset(self, mark: IndexMark) -> None:
        """See `HouseIndex.reset`."""
        self._index.reset(mark)

    def dump(self, mark: IndexMark) -> bytes:
        """A whole state, canonical."""
        shared = codec.dumps(mark.shared)
        return len(shared).to_bytes(_LENGTH, "little") + shared + roster_bytes.dump(mark.roster)

    def load(self, state: bytes) -> None:
        """Take back what `dump` returned.  Raises: `BadInput` if it is damaged; nothing has changed then."""
        split = _LENGTH + int.from_bytes(state[:_LENGTH], "little")
        if split > len(state):
            raise BadInput("the stored index is cut off", bytes=len(state))
        shared = codec.loads(SharedState, state[_LENGTH:split])
        self._index.reset(IndexMark(shared, roster_bytes.load(state[split:])))

    def clear(self) -> None:
        """The state before the deployment."""
        self._index.reset(IndexMark(SharedState(), Roster.of(())))

    def _decoded(self, logs: Iterable[RawLog]) -> Iterator[Event]:
        for log in logs:
            abi = self._abis.get(log.address)
            event = None if abi is None else abi.event(log.topics, log.data)
            if event is not None:
                yield event


def amendment(account: AccountState) -> bytes:
    """An account that the contract describes otherwise than its events did, for `HouseConsumer.amend`."""
    return codec.dumps(account)
