"""Logs of some contracts, in order, exactly once, up to one block.

    deployment ──ranges──► base ──block by block, by hash──► target

Up to `base`, at least `depth` blocks below the head, logs come in wide ranges.  Above it every block is fetched by its
hash and its logs are kept, so that a reorg is undone without asking again: back to the base's state, which the consumer
kept in its own immutable form, then the blocks that stayed, then the new ones.  A cursor moves only after its logs were
applied; a failed fetch changes nothing, and what a long catching-up had read before it failed need not be read again.

What is stored, block by block as each becomes too deep to be reorganised, is `keeper.chain.following.log_store`'s: a
restart continues from there; should a deeper reorg have removed that block, from the deployment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import structlog

from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import StaleBlock
from keeper.chain.following.lineage import path_to
from keeper.chain.following.log_batch import NO_LOGS, LogBatch
from keeper.chain.following.log_leap import Leap, Ranges
from keeper.chain.following.log_ranges import RangeWidth
from keeper.chain.following.log_reader import LogReader
from keeper.chain.following.log_store import LogConsumer, LogStore
from keeper.chain.following.log_window import Base, Lived, final_since
from keeper.chain.following.sync_plan import SyncPlan
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, Refused, Retry
from keeper.garbage import uncollected
from keeper.ports import Store

log = structlog.get_logger(__name__)


class LogSync:
    """Brings a consumer to exactly one block.

    Args:
        rpc: where to ask.
        store: where the base is kept.
        consumer: what takes the logs.
        plan: what to follow.
    """

    def __init__(self, rpc: Rpc, store: Store, consumer: LogConsumer, plan: SyncPlan) -> None:
        self._rpc, self._consumer, self._plan = rpc, consumer, plan
        self._stored = LogStore(store, consumer, plan.fingerprint)
        self._reader = LogReader(rpc, plan.addresses, plan.topics)
        self._base: Base | None = None
        #: Blocks above the base that are applied, oldest first.
        self._window: list[Lived] = []
        #: A state inside the window, waiting to become the base.
        self._candidate: tuple[BlockRef, Any] | None = None
        self._ranges = Ranges(self._reader, consumer, RangeWidth(plan.widest_range))
        #: Whether the base had better be stored whole.
        self._rewrite_due = False

    def sync_to(self, target: BlockRef) -> None:
        """Make the consumer's state that after `target`.

        Cheap where `target` follows the last one; a reorg or an older target (not below the base) is replayed from
        memory.

        Raises:
            Retry: logs could not be had, or `target` is no longer canonical; the next call continues.
            Refused: `target` lies below the base.
            BadInput: `target` lies below the deployment block.
        """
        with uncollected():  # a million logs hold no cycles
            self._sync_to(target)

    def _sync_to(self, target: BlockRef) -> None:
        base = self._base or self._start(target)
        if target.number < base.block.number:
            raise Refused(f"block {target.number} lies below the kept {base.block.number}", block=target.number)
        below = target.number - self._plan.depth
        top = self._window[-1].block if self._window else base.block
        far = target.number - top.number > 2 * self._plan.depth + self._plan.checkpoint_blocks
        if below > top.number and (far or base.fresh):
            base = self._leap(base, below)
        elif base.leap is not None:
            self._rebase(replace(base, leap=None))
        self._walk(target)
        self._persist(target)
        self._move_base(target)

    def amend(self, word: bytes) -> None:
        """Correct the consumer where it stands; a rollback that keeps the newest block keeps the correction.

        Raises: `Refused` before anything was synced.
        """
        if self._base is None:
            raise Refused("nothing was read yet that could be corrected")
        self._consumer.amend(word)
        if self._window:
            last = self._window[-1]
            self._window[-1] = replace(last, amended=(*last.amended, word))
        else:
            self._keep(self._base.block)

    def tidy(self) -> None:
        """Write the stored state anew where that is due: with a large house some tenths of a second.

        Call it when nothing waits.  Where nobody does, the next base is written as soon as it is one.
        """
        if self._rewrite_due and self._base is not None:
            self._rewrite(self._base)

    # Start

    def _start(self, target: BlockRef) -> Base:
        if target.number < self._plan.deployed_at:
            hint = "check the deployment block and the network in the settings"
            raise BadInput(f"block {target.number} lies before the deployment {self._plan.deployed_at}", hint=hint)
        self._rewrite_due = False
        stored = self._stored.restore(lambda block: self._rpc.block(block.number).hash == block.hash)
        if stored is not None:
            return self._rebase(Base(block=stored, mark=self._consumer.mark(), fresh=False))
        before = self._rpc.block(max(0, self._plan.deployed_at - 1))
        self._consumer.clear()
        return self._rebase(Base(block=before, mark=self._consumer.mark(), fresh=True))

    def _rebase(self, base: Base) -> Base:
        self._consumer.reset(base.mark)
        self._base, self._window, self._candidate = base, [], None
        return base

    def _keep(self, block: BlockRef) -> Base:
        """Persist the consumer's present state, whole, as that after `block`."""
        mark = self._consumer.mark()
        self._base, self._window, self._candidate = Base(block=block, mark=mark, fresh=False), [], None
        return self._rewrite(self._base)

    def _rewrite(self, base: Base) -> Base:
        self._stored.write(base.block, base.mark)
        self._rewrite_due = False
        return base

    # Wide ranges

    def _leap(self, base: Base, height: int) -> Base:
        """Catch up in ranges to `height`.  A failure leaves the base; the next call goes on where this one stopped."""
        if self._window:
            top = self._window[-1].block
            if self._rpc.block(top.number).hash == top.hash:  # deep enough now to go on from
                fresh = base.fresh and all(lived.packed == NO_LOGS for lived in self._window)
                base = self._base = replace(base, block=top, mark=self._consumer.mark(), fresh=fresh)
        leap = base.leap
        if leap is None or height < leap.next - 1 or self._rpc.block(leap.goal.number).hash != leap.goal.hash:
            self._rebase(base)
            leap = Leap(goal=self._rpc.block(height), next=base.block.number + 1)
        else:
            leap.goal = self._rpc.block(height)
        base.leap, self._window, self._candidate = leap, [], None
        self._ranges.read(leap)
        if self._rpc.block(leap.goal.number).hash != leap.goal.hash:
            self._rebase(replace(base, leap=None))
            raise StaleBlock(f"block {leap.goal.number} changed while its past was read", block=leap.goal.number)
        first = base.block.number + 1
        # A node without a log index answers 200 and nothing, and "no accounts" is the most dangerous reading of it.
        # Nothing at all from the deployment on is believed only of a young house, whose every block bears it out: its
        # first contracts may be libraries, and those log nothing.
        if base.fresh and leap.seen == 0 and not self._reader.proves_empty(first, leap.goal):
            self._rebase(replace(base, leap=None))
            raise Retry(f"no log at all in blocks {first} to {leap.goal.number}", first=first, last=leap.goal.number)
        return self._keep(leap.goal)

    # Block by block

    def _walk(self, target: BlockRef) -> None:
        base = self._base
        assert base is not None
        known = {base.block.hash, *(lived.block.hash for lived in self._window)}
        if target.hash in known:
            self._roll_back(target.hash)
            return
        top = self._window[-1].block if self._window else base.block
        path = path_to(target, self._rpc, known=known, top=top, base=base.block)
        if path is None:
            log.error("log_sync.reorg_below_base", base=base.block.number, target=target.number)
            self._base = None  # the next call checks the stored base and starts over if it is orphaned
            raise StaleBlock(f"block {target.number} does not descend from the kept block", block=target.number)
        kept = self._stored.cursor
        if kept is not None and any(b.number == kept.number and b.hash != kept.hash for b in path):
            self._stored.cursor = None  # stored past the fork: written anew when the base moves
        # Everything is fetched before anything is applied: a failure leaves the state as it was.
        fetched = self._reader.of(path)
        self._roll_back(path[0].parent_hash)
        for block, logs in zip(path, fetched, strict=True):
            self._append(Lived(block, logs.dump()), logs)

    def _append(self, lived: Lived, logs: LogBatch) -> None:
        if logs:
            self._consumer.apply(logs)
        for word in lived.amended:
            self._consumer.amend(word)
        self._window.append(lived)
        base, number = self._base, lived.block.number
        assert base is not None
        if self._candidate is None and number - base.block.number >= self._plan.checkpoint_blocks:
            self._candidate = (lived.block, self._consumer.mark())

    def _roll_back(self, block_hash: str) -> None:
        """Undo the applied blocks above the one with this hash."""
        base = self._base
        assert base is not None
        hashes = [base.block.hash, *(lived.block.hash for lived in self._window)]
        if hashes[-1] == block_hash:
            return
        kept = self._window[: hashes.index(block_hash)]
        log.info("log_sync.roll_back", blocks=len(self._window) - len(kept))
        self._rebase(base)
        if kept and not any(lived.amended for lived in kept):
            # Nothing in between but logs: one pass over all of them costs less than a pass a block.
            self._consumer.apply(LogBatch.joined([LogBatch.load(lived.packed) for lived in kept]))
            self._window = kept
        else:
            for lived in kept:
                self._append(lived, LogBatch.load(lived.packed))

    def _persist(self, target: BlockRef) -> None:
        """Put the logs of blocks that are deep enough now behind what is stored: a block's worth a block."""
        kept = self._stored.cursor
        if kept is None:
            return
        due = final_since(
            self._window, kept, up_to=target.number - self._plan.depth, silent_blocks=self._plan.checkpoint_blocks
        )
        if due:
            self._stored.add(due[-1].block, [(lived.packed, lived.amended) for lived in due])

    def _move_base(self, target: BlockRef) -> None:
        """Let a state that is deep enough become the base; that costs nothing, being a mark."""
        if self._candidate is None or target.number - self._candidate[0].number < self._plan.depth:
            return
        block, mark = self._candidate
        self._base, self._candidate = Base(block=block, mark=mark, fresh=False), None
        self._window = [lived for lived in self._window if lived.block.number > block.number]
        if self._rewrite_due:
            self._rewrite(self._base)  # nobody tidied since the last base
        else:
            self._rewrite_due = self._stored.rewrite_due
