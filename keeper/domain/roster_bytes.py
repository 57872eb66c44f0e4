"""A roster's canonical bytes: the same accounts give the same bytes in every process.

    8 bytes       length of the head
    head          JSON: instruments, accounts kept whole, and how many values each run column has
    columns       one after the other, little-endian, in the order of the fields

Not compressed: whoever stores it chooses when to pay for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.domain import codec, columns
from keeper.domain.account import AccountState, Instrument
from keeper.domain.roster import Roster
from keeper.domain.words import Words
from keeper.errors import BadInput, LawBroken

_HINT: Final = "the data is damaged or was written by another version of the keeper"
_LENGTH: Final = 8
#: Type of each column, and what its length is counted by.
_COLUMNS: Final = {
    "ids": ("S32", "accounts"),
    "cash": ("words", "accounts"),
    "interest_entry": ("words", "accounts"),
    "keep_entry": ("words", "accounts"),
    "in_auction": ("?", "accounts"),
    "collateral_start": ("<i8", "starts"),
    "collateral_id": ("<i4", "collateral"),
    "collateral_units": ("words", "collateral"),
    "position_start": ("<i8", "starts"),
    "position_instrument": ("<i4", "positions"),
    "position_size": ("words", "positions"),
    "perp_start": ("<i8", "starts"),
    "perp_underlying": ("<i4", "perps"),
    "perp_notional": ("words", "perps"),
    "perp_entry": ("words", "perps"),
}


@dataclass(frozen=True, kw_only=True)
class _Head:
    accounts: int
    collateral: int
    positions: int
    perps: int
    instruments: tuple[Instrument, ...]
    whole: tuple[AccountState, ...]

    @property
    def starts(self) -> int:
        return self.accounts + 1


def dump(roster: Roster) -> bytes:
    """Write a roster."""
    roster = roster.trimmed()
    head = codec.dumps(
        _Head(
            accounts=len(roster),
            collateral=len(roster.collateral_id),
            positions=len(roster.position_instrument),
            perps=len(roster.perp_underlying),
            instruments=roster.instruments,
            whole=tuple(roster.whole[account] for account in sorted(roster.whole)),
        )
    )
    arrays = columns.arrays(roster)
    flat = [_flat(arrays[name], kind) for name, (kind, _) in _COLUMNS.items()]
    return b"".join([len(head).to_bytes(_LENGTH, "little"), head, *flat])


def load(data: bytes) -> Roster:
    """Read what `dump` wrote.  Raises: `BadInput` if it is damaged."""
    split = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    head = codec.loads(_Head, data[_LENGTH:split])
    found: dict[str, Any] = {}
    for name, (kind, counted) in _COLUMNS.items():
        count = getattr(head, counted) * (2 if kind == "words" else 1)
        size = count * np.dtype("<u8" if kind == "words" else kind).itemsize
        piece = bytearray(data[split : split + size])  # kernels are compiled for columns that can be written to
        if count < 0 or len(piece) != size:
            raise BadInput(f"a roster is cut off in {name}", hint=_HINT, column=name)
        split += size
        if kind == "words":
            found[name] = Words(np.frombuffer(piece, dtype="<u8").reshape(-1, 2))
        else:
            found[name] = np.frombuffer(piece, dtype=kind)
    if split != len(data):
        raise BadInput("a roster's bytes go on beyond its columns", hint=_HINT, bytes=len(data) - split)
    try:
        return Roster.from_columns(**found, instruments=head.instruments, whole={a.account: a for a in head.whole})
    except LawBroken as broken:
        raise BadInput(f"a roster cannot be read: {broken.message}", hint=_HINT) from None


def _flat(column: npt.NDArray[Any], kind: str) -> bytes:
    return np.ascontiguousarray(column, dtype="<u8" if kind == "words" else kind).tobytes()
