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

from collections.abc import Iterable, Mapping, Sequence
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


class Columns(Protocol):
    """Logs of one event, in order."""

    @property
    def topics(self) -> tuple[list[str], ...]:
        """0x-hex of each indexed argument."""

    @property
    def data(self) -> list[str]:
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

    accounts: dict[str, int] = field(default_factory=dict)
    """Index of an account by its topic, as the node spells it; one spelled in two ways has two."""
    keys: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in SHAPES})
    """Index of an instrument, collateral or underlying by its topic, by kind of event."""
    parts: dict[str, list[Writes]] = field(default_factory=lambda: {name: [] for name in SHAPES})
    rows: int = 0

    def take(self, found: Mapping[str, Columns]) -> None:
        """Put writes behind those that are here.

        Args:
            found: columns by event.

        Raises: `Retry` if a log is not what its event says; nothing was taken then.
        """
        read = [(name, columns, _values(name, columns)) for name, columns in found.items()]
        for name, columns, values in read:
            account = _numbered(columns.topics[0], self.accounts)
            key = _numbered(columns.topics[1], self.keys[name]) if SHAPES[name].keyed else np.zeros_like(account)
            self.parts[name].append(Writes(account, key, values))
            self.rows += len(account)

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


def _numbered(topics: Iterable[str], known: dict[str, int]) -> Ints:
    """The number of each topic; new ones get the next."""
    return np.array([known.setdefault(topic, len(known)) for topic in topics], dtype=np.int64)


def _values(name: str, columns: Columns) -> tuple[Limbs, ...]:
    shape = SHAPES[name]
    length = 2 + shape.words * _WORD_HEX
    if len(columns.topics) != 1 + shape.keyed or any(len(text) != length for text in columns.data):
        raise Retry(f"a log of {name} does not have {shape.words} words of data", event=name)
    topics = {topic for column in columns.topics for topic in column}
    try:
        octets = bytes.fromhex("".join([text[2:] for text in columns.data]))
        bytes.fromhex("".join([topic[2:] for topic in topics]))
    except ValueError:
        raise Retry(f"a log of {name} is not hexadecimal", event=name) from None
    if len(octets) != len(columns.data) * shape.words * _WORD_BYTES or any(
        len(topic) != 2 + _WORD_HEX for topic in topics
    ):
        raise Retry(f"a log of {name} has topics or data of another length", event=name)
    limbs = np.frombuffer(octets, dtype=">u8").reshape(-1, shape.words, 4)
    return tuple(limbs[:, at].astype(np.uint64) for at in shape.wanted)
