"""What a restart must remember of the world, besides transactions and cycles."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.domain.action import MarginCall
from keeper.domain.block import BlockRef


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A margin call that was made."""

    block: BlockRef
    """State that shows it.  (block.hash, call.account) is the identity."""
    call: MarginCall
    ended: bool = False
    """The account has left the warning zone since; the next warning is a new call."""
