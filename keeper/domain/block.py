"""The address of a state: every reader takes one of these and nothing defaults to `latest`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class BlockRef:
    """One block, named so that a reorg cannot swap it under us."""

    number: int
    """Height."""

    hash: str
    """0x-prefixed lower-case hash, 66 characters."""

    parent_hash: str
    """Hash of the block before; a reorg shows as a mismatch here."""

    timestamp: int
    """Block time, unix seconds.  The only clock that the pure middle sees."""
