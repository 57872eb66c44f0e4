"""Blocks that are applied and may still be reorganised, and the block that they stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from keeper.chain.following.log_batch import NO_LOGS
from keeper.chain.following.log_leap import Leap
from keeper.domain.block import BlockRef


@dataclass(frozen=True)
class Lived:
    """One applied block above the base."""

    block: BlockRef
    packed: bytes
    """Its logs, as `LogBatch.dump` writes them: as objects, those of a window are a million."""
    amended: tuple[bytes, ...] = ()
    """Corrections made after it."""

    @property
    def silent(self) -> bool:
        """Whether it changed nothing."""
        return self.packed == NO_LOGS and not self.amended


@dataclass
class Base:
    """Where the window begins."""

    block: BlockRef
    mark: Any
    fresh: bool
    """Whether this is the state before the first log, which nobody stored."""
    leap: Leap | None = field(default=None)


def final_since(window: Sequence[Lived], kept: BlockRef, *, up_to: int, silent_blocks: int) -> list[Lived]:
    """Blocks behind what is stored that are deep enough to be stored too, oldest first.

    Args:
        window: applied blocks, oldest first.
        kept: the block that the store is complete to.
        up_to: height above which a reorg may still replace.
        silent_blocks: so many blocks that changed nothing are not worth a row.
    """
    due = [lived for lived in window if kept.number < lived.block.number <= up_to]
    if due and all(lived.silent for lived in due) and due[-1].block.number - kept.number < silent_blocks:
        return []
    return due
