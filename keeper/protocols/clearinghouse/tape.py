"""What events say about accounts, as columns: a million logs become a few arrays.

Each event that moves an account carries a new absolute value, so that the newest one of a field is all that counts:

    CashChanged        account → cash, interest entry
    LossPulled         account → keep entry
    AuctionSet         account → in auction
    CollateralChanged  account, collateral → units
    PositionChanged    account, instrument → size
    PerpTouched        account, underlying → open notional, funding entry

The slow twin takes decoded events one by one: `keeper.protocols.clearinghouse.accounts.applied`.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from keeper.domain.columns import Ints
from keeper.errors import Retry

Limbs = npt.NDArray[np.uint64]
"""256-bit words, most significant limb first, shape (rows, 4)."""

_WORD_HEX: Final = 64
_WORD_BYTES: Final = 32
_PREFIX: Final = np.frombuffer(b"0x", dtype=np.uint8)


class Texts(Protocol):
    """A text for each log."""

    @property
    def codes(self) -> Ints:
        """Which of `known` each log has."""

    @property
    def known(self) -> Sequence[str]:
        """Different ones; not each need occur."""


class Columns(Protocol):
    """Logs of one event, in order."""

    @property
    def topics(self) -> tuple[Texts, ...]:
        """0x-hex of each indexed argument."""

    @property
    def data(self) -> Sequence[str]:
        """0x-hex of the rest."""


@dataclass(frozen=True)
class Shape:
    """Where an event keeps what we want."""

    keyed: bool
    """Whether a second indexed argument says which of the account's things it is."""
    words: int
    """Words of its data."""
    wanted: tuple[int, ...]
    """Which of them are the new values."""


SHAPES: Final[Mapping[str, Shape]] = {
    "CashChanged": Shape(keyed=False, words=2, wanted=(0, 1)),
    "LossPulled": Shape(keyed=False, words=2, wanted=(1,)),
    "AuctionSet": Shape(keyed=False, words=1, wanted=(0,)),
    "CollateralChanged": Shape(keyed=True, words=1, wanted=(0,)),
    "PositionChanged": Shape(keyed=True, words=3, wanted=(0,)),
    "PerpTouched": Shape(keyed=True, words=2, wanted=(0, 1)),
}


@dataclass(frozen=True)
class Writes:
    """Writes of one kind, oldest first."""

    account: Ints
    """Index into the tape's accounts."""
    key: Ints
    """Index into the tape's keys of this kind; 0 where there is none."""
    values: tuple[Limbs, ...]
    """The new values, one array for each."""

    def __len__(self) -> int:
        return len(self.account)

    @classmethod
    def joined(cls, parts: Sequence[Writes]) -> Writes:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.account for part in parts]),
            np.concatenate([part.key for part in parts]),
            tuple(np.concatenate(columns) for columns in zip(*(part.values for part in parts), strict=True)),
        )


@dataclass
class Tape:
    """Writes that are not folded into a roster yet."""

    accounts: Numbers = field(default_factory=lambda: Numbers())  # noqa: PLW0108 - it is defined below
    """Index of an account by its topic, as the node spells it; one spelled in two ways has two."""
    keys: dict[str, Numbers] = field(default_factory=lambda: {name: Numbers() for name in SHAPES})
    """Index of an instrument, collateral or underlying by its topic, by kind of event."""
    parts: dict[str, list[Writes]] = field(default_factory=lambda: {name: [] for name in SHAPES})
    rows: int = 0

    def take(self, found: Mapping[str, Columns]) -> None:
        """Put writes behind those that are here.

        Args:
            found: columns by event.

        Raises: `Retry` if a log is not what its event says; nothing was taken then.
        """
        before = len(self.accounts), {name: len(known) for name, known in self.keys.items()}
        try:
            read = [(name, self._written(name, columns)) for name, columns in found.items()]
        except (ValueError, TypeError) as error:
            self.accounts.forget(before[0])
            for name, known in self.keys.items():
                known.forget(before[1][name])
            raise Retry(f"a log cannot be read: {error}", hint="compare the node with another one") from error
        for name, writes in read:
            self.parts[name].append(writes)
            self.rows += len(writes)

    def _written(self, name: str, columns: Columns) -> Writes:
        """Raises: `ValueError`, `TypeError`."""
        shape, count = SHAPES[name], len(columns.data)
        if len(columns.topics) != 1 + shape.keyed:
            raise ValueError(f"{name} has {len(columns.topics)} indexed arguments")
        account = self.accounts.of(columns.topics[0])
        key = self.keys[name].of(columns.topics[1]) if shape.keyed else np.zeros(count, np.int64)
        return Writes(account, key, _values(name, columns.data))

    def writes(self, name: str) -> Writes:
        """All writes of one kind, oldest first."""
        shape = SHAPES[name]
        nothing = Writes(
            np.zeros(0, np.int64), np.zeros(0, np.int64), tuple(np.zeros((0, 4), np.uint64) for _ in shape.wanted)
        )
        parts = self.parts[name] or [nothing]
        self.parts[name] = [Writes.joined(parts)]
        return self.parts[name][0]

    def ids(self) -> list[int]:
        """Account id by index."""
        return [int(topic, 16) for topic in self.accounts]

    def names(self, name: str) -> list[int]:
        """Id of an instrument, collateral or underlying by index."""
        return [int(topic, 16) for topic in self.keys[name]]


class Numbers(dict[str, int]):
    """Topics by the order in which they first came."""

    def __missing__(self, topic: str) -> int:
        """Raises: `ValueError` for what is no word."""
        if len(topic) != 2 + _WORD_HEX or len(bytes.fromhex(topic[2:])) != _WORD_BYTES:
            raise ValueError(f"{topic!r} is no topic")
        self[topic] = number = len(self)
        return number

    def of(self, column: Texts) -> Ints:
        """The number of each log's text.  Raises: `ValueError`, `TypeError`."""
        table = np.zeros(len(column.known), np.int64)
        occurring = np.flatnonzero(np.bincount(column.codes, minlength=len(table)))
        table[occurring] = [self[column.known[at]] for at in occurring.tolist()]
        return table[column.codes]

    def forget(self, kept: int) -> None:
        """Forget all but the first."""
        for topic in list(self)[kept:]:
            del self[topic]


def _values(name: str, data: Sequence[str]) -> tuple[Limbs, ...]:
    """Raises: `ValueError` if the data of one is not what its event says."""
    shape = SHAPES[name]
    length = 2 + shape.words * _WORD_HEX
    if {*map(len, data)} - {length}:
        raise ValueError(f"{name} does not have {shape.words} words of data")
    text = np.frombuffer("".join(data).encode("ascii"), dtype=np.uint8).reshape(-1, length)
    if (text[:, :2] != _PREFIX).any():
        raise ValueError(f"the data of {name} is not all hexadecimal")
    limbs = np.frombuffer(unhexlify(text[:, 2:].tobytes()), dtype=">u8").reshape(-1, shape.words, 4)
    return tuple(limbs[:, at].astype(np.uint64) for at in shape.wanted)
