"""The chain's tip, and what changed since we looked last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import StaleBlock
from keeper.chain.following.announcements import Announcements, HeadSource
from keeper.chain.following.lineage import connect
from keeper.domain.block import BlockRef

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Advance:
    """The way from one head to the next."""

    new: tuple[BlockRef, ...]
    """Blocks that are canonical now and were not seen before, oldest first, each the parent of the next."""
    orphaned: tuple[BlockRef, ...] = ()
    """Blocks seen before that a reorg removed, newest first."""
    skipped: int = 0
    """Heights between the last head seen and `new` that were not fetched: the gap was longer than the depth."""

    @property
    def head(self) -> BlockRef | None:
        """The newest block; None if nothing moved."""
        return self.new[-1] if self.new else None


class ChainHeads:
    """`keeper.ports.Heads` over RPC, with a remembered tail.

    Args:
        rpc: where to ask.
        depth: how many blocks are remembered: how deep a reorg is named block by block, how much of a gap is filled.
        sources: nodes that announce their heads; without any, polling alone finds them.
    """

    def __init__(self, rpc: Rpc, *, depth: int = 64, sources: Sequence[HeadSource] = ()) -> None:
        self._rpc = rpc
        self._depth = depth
        self._announcements = Announcements(sources)
        #: Blocks the caller has acted on, oldest first.
        self._tail: OrderedDict[str, BlockRef] = OrderedDict()
        #: Blocks handed out by the last `follow`; they join the tail once the caller names one of them as its past.
        self._offered: tuple[BlockRef, ...] = ()

    def head(self) -> BlockRef:
        """See `Heads.head`."""
        return self._rpc.block("latest")

    def at(self, number: int) -> BlockRef:
        """See `Heads.at`."""
        return self._rpc.block(number)

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """See `Heads.listen`."""
        return self._announcements.listen(wake)

    def gone(self, lived: Sequence[BlockRef]) -> tuple[BlockRef, ...]:
        """See `Heads.gone`."""
        heights = sorted({block.number for block in lived})
        if not heights:
            return ()
        canonical: dict[int, str] = {}
        for height, found in zip(heights, self._rpc.blocks(heights), strict=True):
            if found is None:
                hint = "the endpoint is behind what was lived before; a new chain needs a new store"
                raise StaleBlock(f"no block {height} at the endpoint", block=height, hint=hint)
            canonical[height] = found.hash
        return tuple(block for block in lived if canonical[block.number] != block.hash)

    def find(self, block_hash: str) -> BlockRef | None:
        """See `Heads.find`."""
        try:
            return self._rpc.block_by_hash(block_hash)
        except StaleBlock:
            return None

    def follow(self, previous: BlockRef | None) -> Advance:
        """What happened between `previous` and the present head.

        Args:
            previous: the head acted on last; None at the start, and then only the present head is new.

        Returns: nothing new if the endpoint is at `previous` or below it.  An endpoint that is behind and a chain that
            shrank look alike, and a chain that shrank for good does not exist: the next block as high as `previous`
            says which it was.
            Asked again with the same `previous`, it says the same again.
        Raises: `Retry`; nothing is lost by asking again.
        """
        head = self._rpc.block("latest")
        if previous is None:
            self._offered = (head,)
            return Advance(self._offered)
        self._accept(previous)
        if head.hash == previous.hash or head.number < previous.number:
            return Advance(())
        path, connected = connect(head, known=self._tail, fetch=self._rpc.block_by_hash, limit=self._depth)
        orphaned, skipped = self._fork(path, previous, connected=connected)
        self._offered = path
        if orphaned:
            log.warning("heads.reorg", depth=len(orphaned), head=head.number, first_new=path[0].number)
        return Advance(path, orphaned, skipped)

    def _accept(self, previous: BlockRef) -> None:
        """Make the tail end at `previous`.  What was offered and not acted on is offered again."""
        if any(block.hash == previous.hash for block in self._offered):
            first = self._offered[0].number
            reached = [block for block in self._offered if block.number <= previous.number]
            kept = [block for block in self._tail.values() if block.number < first] + reached
        else:
            kept = [block for block in self._tail.values() if block.number < previous.number] + [previous]
        self._offered = ()
        self._tail = OrderedDict((block.hash, block) for block in kept[-self._depth :])

    def _fork(
        self, path: tuple[BlockRef, ...], previous: BlockRef, *, connected: bool
    ) -> tuple[tuple[BlockRef, ...], int]:
        if connected:
            fork_height = path[0].number - 1
            gone = [block for block in self._tail.values() if block.number > fork_height]
            return tuple(sorted(gone, key=lambda block: -block.number)), 0
        skipped = max(0, path[0].number - previous.number - 1)
        if skipped and self._rpc.block(previous.number).hash == previous.hash:
            return (), skipped  # a long gap, same chain
        # Deeper than we remember, or a reorg hidden in a long gap: everything remembered is in doubt.
        return tuple(sorted(self._tail.values(), key=lambda block: -block.number)), skipped
