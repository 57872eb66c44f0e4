"""What happened to an underlying's parameters besides publications."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keeper.domain.block import BlockRef
from keeper.domain.riskfile import Ranges


class Event(StrEnum):
    """Of which kind."""

    FENCE = "fence"
    """Governance moved the fence around a number."""
    RULES = "rules"
    """Governance moved what margins are made with, or the slew."""
    VETO = "veto"
    """The guardian stopped a loosening: the ranges in force are the target again."""
    PAUSE = "pause"
    """The guardian stopped publications for a while."""
    EMERGENCY = "emergency"
    """Keepers together raised margins for a day."""
    ADD_ON = "add-on"
    """A publisher widened IM for a state of the market."""
    FROZEN = "frozen"
    THAWED = "thawed"
    LISTED = "listed"
    """An expiry, with the first numbers of its fences."""


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One of them."""

    event: Event
    underlying: int
    block: BlockRef
    tx_hash: str
    sender: str
    """Checksummed address that sent the transaction."""
    via: str
    """Checksummed address it was sent to: the contract itself, or a timelock, a wallet, keepers that sign together."""
    about: str
    """`psr`, `vsr_up`, `vsr_down`, `joint`, `expiries`; empty for everything."""
    expiry: int
    """Unix seconds; 0 for all of them, or none."""
    said: str
    """What was done, with its numbers."""
    until_s: int
    """Unix seconds at which it ends by itself; 0 if it does not."""
    ranges: Ranges | None
    """What the target is from then on; None where it stays."""
