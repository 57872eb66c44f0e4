"""Packed ids as the contracts hold them.  Mirrors contracts/src/interfaces/Types.sol and InstrumentIds.sol.

InstrumentId   underlying (16 bits) | expiry (32) | strike (64, 1e-8 USD) | kind (8)
Position       instrument (120 bits) | unused (8) | size (int128, wad)
AccountId      owner (160 bits) | sub-account (96)
"""

from __future__ import annotations

from typing import Final

from keeper.domain.snapshot import Instrument, Kind, Position

#: Kind codes in the order in which an account's positions are kept: perp, call, put.
KINDS: Final = (Kind.PERP, Kind.CALL, Kind.PUT)


def pack_instrument(i: Instrument) -> int:
    """InstrumentId of an instrument."""
    return i.underlying << 104 | i.expiry << 72 | i.strike << 8 | KINDS.index(i.kind)


def unpack_instrument(packed: int) -> Instrument:
    """Instrument of an InstrumentId.  Raises: `IndexError` for a kind the contract does not know."""
    return Instrument(
        underlying=packed >> 104 & 0xFFFF,
        expiry=packed >> 72 & 0xFFFFFFFF,
        strike=packed >> 8 & (1 << 64) - 1,
        kind=KINDS[packed & 0xFF],
    )


def unpack_position(word: int) -> Position:
    """Position of a storage word."""
    size = word & (1 << 128) - 1
    return Position(instrument=unpack_instrument(word >> 136), size=size - (1 << 128) if size >> 127 else size)


def account_id(owner: str, sub: int = 0) -> int:
    """AccountId of an owner's sub-account."""
    return int(owner, 16) << 96 | sub


def owner_of(account: int) -> str:
    """Lower-case 0x address of the account's owner."""
    return f"{account >> 96:#042x}"
