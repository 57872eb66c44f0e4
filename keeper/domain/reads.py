"""One question about a block's state, as a value: so that many of them travel together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """What a contract's view returns."""

    to: str
    """Checksummed address."""
    data: bytes
    """Selector and arguments."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One word of a contract's storage."""

    address: str
    position: int
    """Which word."""


@dataclass(frozen=True, slots=True)
class CodeHash:
    """keccak-256 of the code at an address, 32 bytes; empty where there is no code."""

    address: str


Read = Call | Slot | CodeHash
