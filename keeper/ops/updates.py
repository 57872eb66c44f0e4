"""Which publication a person means, and its inputs file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keeper.domain.tx import TxState
from keeper.domain.updates import KeptInputs
from keeper.errors import BadInput
from keeper.ports import Store

_NAME: Final = re.compile(r"(?P<symbol>[A-Za-z0-9._-]{1,40}):(?P<id>[0-9]{1,18})")
_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}")
#: Newest transactions that are looked through for the one that carried a file's hash.
_WINDOW: Final = 5_000


@dataclass(frozen=True, kw_only=True)
class UpdateName:
    """`ETH:17`, or the hash of an inputs file."""

    symbol: str = ""
    publication: int = 0
    hash: str = ""
    """Empty if it is named by symbol and id."""

    def __str__(self) -> str:
        """As it was written."""
        return self.hash or f"{self.symbol}:{self.publication}"


def parse_update(text: str) -> UpdateName:
    """Read an update's name.  Raises: `BadInput` if it is none."""
    said = text.strip()
    if _HASH.fullmatch(said):
        return UpdateName(hash=said.lower())
    found = _NAME.fullmatch(said)
    if found is None:
        hint = "write TICKER:ID as in ETH:17, or an inputs hash: 0x and 64 hex digits"
        raise BadInput(f"{text!r} names no update", hint=hint, update=text)
    return UpdateName(symbol=found["symbol"].upper(), publication=int(found["id"]))


def kept(store: Store, name: UpdateName) -> tuple[tuple[KeptInputs | None, bytes], ...]:
    """Inputs files that the name may mean, newest first: one id may have been decided at several blocks.

    Raises: `BadInput` if there is none.
    """
    if name.hash:
        data = store.inputs_file(name.hash)
        index = next((one for one in store.kept_inputs(limit=_WINDOW) if one.hash == name.hash), None)
        found: list[tuple[KeptInputs | None, bytes]] = [] if data is None else [(index, data)]
    else:
        listed = store.kept_inputs(symbol=name.symbol, publication=name.publication)
        pairs = ((one, store.inputs_file(one.hash)) for one in listed)
        found = [(one, data) for one, data in pairs if data is not None]
    if not found:
        newest = store.kept_inputs(limit=1)
        there = f"the newest here is {newest[0].name}" if newest else "this store has none"
        raise BadInput(
            f"the inputs of {name} are not in the store",
            hint=f"{there}; ask whoever published it for theirs (keeper inputs export) and give it with --inputs",
            update=str(name),
        )
    return tuple(found)


class Fate(StrEnum):
    """What became of a decided publication, as far as this store knows."""

    LANDED = "landed"
    """Its transaction is in a block and did what it was to do."""
    SENT = "sent"
    """Signed, and nothing is known of it yet."""
    FAILED = "failed"
    """Signed, and it came to nothing."""
    DRY = "dry"
    """Nothing was signed here: a dry run decided it, it was dropped before, or others carried it."""


def fates(store: Store, files: Iterable[KeptInputs]) -> dict[str, Fate]:
    """The fate of each file, by its hash."""
    sent = [tx for tx in store.txs(limit=_WINDOW) if tx.attempts]
    found = {}
    for one in files:
        states = [tx.state for tx in sent if bytes.fromhex(one.hash[2:]) in tx.intent.data]
        fate = Fate.FAILED if states else Fate.DRY
        if any(state in (TxState.MINED, TxState.FINAL) for state in states):
            fate = Fate.LANDED
        elif any(state.is_open for state in states):
            fate = Fate.SENT
        found[one.hash] = fate
    return found


def landed_one(store: Store, files: tuple[tuple[KeptInputs | None, bytes], ...]) -> tuple[KeptInputs | None, bytes]:
    """Of files with one id the one whose transaction was mined, as far as the store knows; else the newest."""
    if len(files) == 1:
        return files[0]
    mined = (TxState.MINED, TxState.FINAL)
    sent = [tx.intent.data for tx in store.txs(limit=_WINDOW) if tx.intent.kind == "publish" and tx.state in mined]
    for index, data in files:
        if index is not None and any(bytes.fromhex(index.hash[2:]) in calldata for calldata in sent):
            return index, data
    return files[0]
