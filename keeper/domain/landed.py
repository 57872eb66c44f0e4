"""A publication as the chain remembers it."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.domain.block import BlockRef
from keeper.domain.market import ExpiryTarget
from keeper.domain.riskfile import Ranges


@dataclass(frozen=True, kw_only=True)
class RefusedItem:
    """A part of a publication that the fences refused; what was in force stayed."""

    expiry: int
    """Unix seconds; 0 for a scan range, which has none."""
    what: str
    """`psr`, `vsr_up`, `vsr_down`, `joint`, or what of an expiry failed."""
    reason: str
    """The contract's error in words."""


@dataclass(frozen=True, kw_only=True)
class Landed:
    """One publication that went live."""

    underlying: int
    id: int
    block: BlockRef
    """Where it went live."""
    tx_hash: str
    sender: str
    """Checksummed address that sent the transaction."""
    via: str
    """Checksummed address it was sent to: the parameters' own contract, or one that keys must sign for together."""
    inputs_hash: str
    """0x sha-256 of its inputs file."""
    ranges: Ranges
    expiries: tuple[ExpiryTarget, ...]
    """What was applied, ascending."""
    refused: tuple[RefusedItem, ...]
