"""Which stored block a person means."""

from __future__ import annotations

from keeper.domain.cycle import CycleRecord
from keeper.errors import BadInput
from keeper.ports import Store

_HASH_DIGITS = 64
#: Heights with more digits do not fit the store's integers, and no chain is that high.
_HEIGHT_DIGITS = 18


def stored_cycle(store: Store, which: str | None) -> CycleRecord:
    """The cycle of a height, a hash, or the newest.

    Raises: `BadInput` if nothing like it was lived, with the heights that were.
    """
    if which is None:
        newest = store.cycles(limit=1)
        if not newest:
            raise BadInput("no block has been lived yet", hint="live one: keeper once")
        return newest[0]
    found = _by_name(store, which.strip().lower())
    if found is None:
        newest = store.cycles(limit=1)
        hint = f"the newest is {newest[0].block.number}; see keeper status" if newest else "live one: keeper once"
        raise BadInput(f"block {which} was not lived by this keeper", hint=hint, block=which)
    return found


def _by_name(store: Store, name: str) -> CycleRecord | None:
    if name.isascii() and name.isdecimal():
        return store.cycle_at(int(name)) if len(name) <= _HEIGHT_DIGITS else None
    if name.startswith("0x") and len(name) == 2 + _HASH_DIGITS and set(name[2:]) <= set("0123456789abcdef"):
        return store.cycle(name)
    raise BadInput(f"{name!r} is not a block", hint="give a height in decimal, or a hash: 0x and 64 hex digits")
