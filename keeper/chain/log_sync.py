"""Incremental log sync: which blocks, which logs, what to do when the chain changes its mind; not what a log means.

    deployment ──ranges──► base ──block by block, by hash──► target

Up to `base`, at least `depth` blocks below the head, logs come in wide ranges.  Above it every block is fetched by its
hash and its logs are kept, so that a reorg is undone without asking again: load the base's state, re-apply the blocks
that stayed, then the new ones.  The base is what is persisted: it is too deep to be reorganised, and a restart
continues from there.  A cursor moves only after its logs were applied; a failed fetch changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import structlog

from keeper.chain.errors import RangeTooWide, StaleBlock
from keeper.chain.lineage import connect
from keeper.chain.records import Log
from keeper.chain.rpc import Rpc
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, Refused, Retry
from keeper.ports import Store

log = structlog.get_logger(__name__)


class LogConsumer(Protocol):
    """State built from logs; it lives in `keeper.protocols`."""

    def apply(self, number: int, logs: Sequence[Log]) -> None:
        """Take all logs of block `number`, in order.  Called once a block that has any, heights rising."""

    def dump(self) -> bytes:
        """The whole state, canonical."""

    def load(self, state: bytes) -> None:
        """Replace the state by one that `dump` returned."""

    def clear(self) -> None:
        """Replace the state by that before the deployment."""


@dataclass(frozen=True, kw_only=True)
class SyncPlan:
    """What to follow and how."""

    addresses: tuple[str, ...]
    """Contracts whose logs matter."""

    deployed_at: int
    """Height of the first block that can have such a log."""

    depth: int = 32
    """Blocks below the target that a reorg may still replace."""

    checkpoint_blocks: int = 64
    """A state is kept every so many blocks above the base, to become the next base."""

    widest_range: int = 10_000
    """Most blocks asked for in one query; less where the endpoint refuses."""


class LogSync:
    """Brings a consumer to exactly one block.

    Args:
        rpc: where to ask.
        store: where the base is kept.
        consumer: what takes the logs.
        plan: what to follow.
    """

    def __init__(self, rpc: Rpc, store: Store, consumer: LogConsumer, plan: SyncPlan) -> None:
        self._rpc, self._store, self._consumer, self._plan = rpc, store, consumer, plan
        self._base: BlockRef | None = None
        self._base_state = b""
        #: Blocks above the base that are applied, oldest first, with their logs.
        self._window: list[tuple[BlockRef, tuple[Log, ...]]] = []
        #: A state inside the window, waiting to become the base.
        self._candidate: tuple[BlockRef, bytes] | None = None
        self._range = plan.widest_range

    def sync_to(self, target: BlockRef) -> None:
        """Make the consumer's state that after `target`.

        Cheap where `target` follows the last one; a reorg or an older target (not below the base) is replayed from
        memory.

        Raises:
            Retry: logs could not be had, or `target` is no longer canonical; the next call continues.
            Refused: `target` lies below the base.
            BadInput: `target` lies below the deployment block.
        """
        if self._base is None:
            self._start(target)
        base = self._base
        assert base is not None
        if target.number < base.number:
            raise Refused(f"block {target.number} lies below the kept {base.number}", block=target.number)
        if target.number - base.number > 2 * self._plan.depth + self._plan.checkpoint_blocks:
            self._leap(base, target)
        self._walk(target)
        self._move_base(target)

    # Start

    def _start(self, target: BlockRef) -> None:
        if target.number < self._plan.deployed_at:
            hint = "check the deployment block and the network in the settings"
            raise BadInput(f"block {target.number} lies before the deployment {self._plan.deployed_at}", hint=hint)
        stored = self._store.load_sync()
        if stored is not None and stored[0].number <= target.number:
            cursor, state = stored
            if self._rpc.block(cursor.number).hash == cursor.hash:
                self._rebase(cursor, state)
                return
            log.error("log_sync.base_orphaned", block=cursor.number, hash=cursor.hash)
        self._consumer.clear()
        before = self._rpc.block(max(0, self._plan.deployed_at - 1))
        last = max(before.number, target.number - self._plan.depth)
        if last > before.number:
            seen = self._ranges(before.number + 1, last)
            if seen == 0:
                self._consumer.clear()
                # A node without a log index answers 200 and nothing.  Contracts log in their constructors, so that
                # nothing at all from the deployment on is a lie, and "no accounts" the most dangerous reading of it.
                raise Retry(
                    f"no log at all in blocks {before.number + 1} to {last}", first=before.number + 1, last=last
                )
            self._keep(self._rpc.block(last))
        else:
            self._rebase(before, self._consumer.dump())

    def _rebase(self, block: BlockRef, state: bytes) -> None:
        self._consumer.load(state)
        self._base, self._base_state = block, state
        self._window, self._candidate = [], None

    def _keep(self, block: BlockRef) -> None:
        """Persist the consumer's present state as that after `block`."""
        state = self._consumer.dump()
        self._store.save_sync(block, state)
        self._base, self._base_state = block, state
        self._window, self._candidate = [], None

    # Wide ranges

    def _leap(self, base: BlockRef, target: BlockRef) -> None:
        """Catch up in ranges to `depth` below the target.  Any failure leaves the old base."""
        self._rebase(base, self._base_state)
        goal = self._rpc.block(target.number - self._plan.depth)
        try:
            self._ranges(base.number + 1, goal.number)
            if self._rpc.block(goal.number).hash != goal.hash:
                raise StaleBlock(f"block {goal.number} changed while its past was read", block=goal.number)
        except Retry:
            self._rebase(base, self._base_state)
            raise
        self._keep(goal)

    def _ranges(self, first: int, last: int) -> int:
        """Apply all logs of first..last.  Returns: how many."""
        seen = 0
        while first <= last:
            upper = min(last, first + self._range - 1)
            try:
                found = self._rpc.logs(first, upper, self._plan.addresses)
            except RangeTooWide:
                if self._range == 1:
                    raise Retry(f"the endpoint refuses the logs of the single block {first}", block=first) from None
                self._range = max(1, (upper - first + 1) // 2)
                continue
            for number, logs in groupby(found, key=lambda entry: entry.block_number):
                self._consumer.apply(number, tuple(logs))
            seen += len(found)
            first = upper + 1
            self._range = min(self._plan.widest_range, self._range * 2)
        return seen

    # Block by block

    def _walk(self, target: BlockRef) -> None:
        assert self._base is not None
        known = {self._base.hash, *(block.hash for block, _ in self._window)}
        if target.hash in known:
            self._roll_back(target.hash)
            return
        span = target.number - self._base.number
        path, connected = connect(
            target, known=known, fetch=self._rpc.block_by_hash, limit=max(span, 1), floor=self._base.number + 1
        )
        if not connected:
            log.error("log_sync.reorg_below_base", base=self._base.number, target=target.number)
            self._base = None  # the next call checks the stored base and starts over if it is orphaned
            raise StaleBlock(f"block {target.number} does not descend from the kept block", block=target.number)
        # Everything is fetched before anything is applied: a failure leaves the state as it was.
        fetched = [(block, self._rpc.logs_in(block, self._plan.addresses)) for block in path]
        self._roll_back(path[0].parent_hash)
        for block, logs in fetched:
            self._append(block, logs)

    def _append(self, block: BlockRef, logs: tuple[Log, ...]) -> None:
        if logs:
            self._consumer.apply(block.number, logs)
        self._window.append((block, logs))
        assert self._base is not None
        if self._candidate is None and block.number - self._base.number >= self._plan.checkpoint_blocks:
            self._candidate = (block, self._consumer.dump())

    def _roll_back(self, block_hash: str) -> None:
        """Undo the applied blocks above the one with this hash."""
        hashes = [block.hash for block, _ in self._window]
        if (hashes[-1:] or [self._base.hash if self._base else ""]) == [block_hash]:
            return
        kept = self._window[: hashes.index(block_hash) + 1] if block_hash in hashes else []
        log.info("log_sync.roll_back", blocks=len(self._window) - len(kept))
        base, state = self._base, self._base_state
        assert base is not None
        self._rebase(base, state)
        for block, logs in kept:
            self._append(block, logs)

    def _move_base(self, target: BlockRef) -> None:
        if self._candidate is None or target.number - self._candidate[0].number < self._plan.depth:
            return
        block, state = self._candidate
        self._store.save_sync(block, state)
        self._base, self._base_state, self._candidate = block, state, None
        self._window = [entry for entry in self._window if entry[0].number > block.number]
