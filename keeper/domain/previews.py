"""What a contract says to a publication before it is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ItemSaid:
    """What it says to one item."""

    expiry: int
    """0 for scan ranges."""
    what: str
    """The contract's word for the number."""
    refusal: str
    """Empty if it passes."""
    next_allowed_s: int | None
    """Unix seconds from which it passes; None if waiting does not help; 0 if it does now."""


@dataclass(frozen=True, kw_only=True)
class Previewed:
    """What it says to a whole publication, at one block."""

    ok: bool
    """Whether all of it passes."""
    refusal: str
    """Why nothing of it passes; empty if something does."""
    next_allowed_s: int | None
    """As for items, of the latest of what is refused."""
    items: tuple[ItemSaid, ...]
