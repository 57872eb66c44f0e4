"""The log index in the store: one whole state, and behind it the logs of each block since that is final.

Keeping a block costs what changed in it.  Once as much was added as the whole is large, the whole is due to be written
anew, which takes as long as the house is large; that can wait until nothing else does (`LogStore.rewrite`).  A process
that dies before, in between or after restores the same index: by a longer way or by a shorter one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from keeper.chain.following import sync_frames
from keeper.chain.following.log_batch import LogBatch
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, Retry
from keeper.ports import Store

log = structlog.get_logger(__name__)

#: What a row costs beside the bytes in it, so that many small ones are gathered too.
ROW_BYTES = 512


class LogConsumer(Protocol):
    """State built from logs; it lives in `keeper.protocols`."""

    def apply(self, logs: LogBatch) -> None:
        """Take all logs of one or more blocks, in order; heights rise from call to call.

        Raises: `Retry` for a log that cannot be read; nothing has changed then.
        """

    def amend(self, word: bytes) -> None:
        """Take a correction that the consumer made out itself, and that no log carries."""

    def mark(self) -> Any:
        """The present state, to come back to: cheap, and never changed by what is applied later."""

    def reset(self, mark: Any) -> None:
        """Go back to a mark."""

    def dump(self, mark: Any) -> bytes:
        """A marked state, canonical."""

    def load(self, state: bytes) -> None:
        """Replace the state by one that `dump` returned.  Raises: `BadInput` if it is none."""

    def clear(self) -> None:
        """Replace the state by that before the deployment."""


class LogStore:
    """What is stored of a consumer's state.

    Args:
        store: where.
        consumer: whose state.
        fingerprint: of what the state follows from; one made from something else is not continued.
    """

    def __init__(self, store: Store, consumer: LogConsumer, fingerprint: bytes) -> None:
        self._store, self._consumer, self._fingerprint = store, consumer, fingerprint
        #: What the store is complete to; None while it holds nothing that could be continued.
        self.cursor: BlockRef | None = None
        #: Bytes stored whole, and those added behind since.
        self._whole, self._added = 0, 0

    @property
    def rewrite_due(self) -> bool:
        """Whether the state had better be written whole: nothing can be continued, or too much was added behind."""
        return self.cursor is None or self._added > self._whole

    def restore(self, is_canonical: Callable[[BlockRef], bool]) -> BlockRef | None:
        """Make the consumer's state what is stored.

        Args:
            is_canonical: whether a block is the chain's.  Raises `Retry`.

        Returns: the block that it is complete to; None if there is nothing, or nothing that can be used.
        """
        self.cursor = None
        stored = self._store.load_sync()
        if stored is None:
            return None
        cursor, state = stored
        if not is_canonical(cursor):
            log.error("log_sync.base_orphaned", block=cursor.number, hash=cursor.hash, then="all logs are read again")
            return None
        try:
            whole = self._load(state)
        except (BadInput, Retry, KeyError, ValueError, TypeError, OverflowError) as problem:
            # Harmless: an upgrade does this, and what follows repairs it.
            log.warning(
                "log_sync.state_refused", block=cursor.number, error=str(problem), then="all logs are read again"
            )
            return None
        self.cursor, self._whole, self._added = cursor, whole, len(state) - whole
        return cursor

    def write(self, block: BlockRef, mark: Any) -> None:
        """Store a marked state, whole, as that after `block`."""
        state = sync_frames.whole(self._fingerprint + self._consumer.dump(mark))
        self._store.save_sync(block, state)
        self.cursor, self._whole, self._added = block, len(state), 0

    def add(self, block: BlockRef, since: Sequence[tuple[bytes, tuple[bytes, ...]]]) -> None:
        """Put what blocks up to `block` brought behind what is stored: of each its packed logs and its corrections."""
        pieces = sync_frames.pieces(since)
        self._store.append_sync(block, pieces)
        self.cursor, self._added = block, self._added + len(pieces) + ROW_BYTES

    def _load(self, state: bytes) -> int:
        """Make the consumer's state what is stored.

        Returns: bytes of its whole part.
        Raises: `BadInput` and whatever the parts raise that cannot be read.
        """
        frames = sync_frames.read(state)
        made_from = self._fingerprint
        if frames.whole[: len(made_from)] != made_from:
            raise BadInput("the stored log index was made from other contracts or events")
        self._consumer.load(frames.whole[len(made_from) :])
        for piece in frames.added:
            if piece.kind is sync_frames.Kind.LOGS:
                self._consumer.apply(LogBatch.load(piece.content))
            else:
                self._consumer.amend(piece.content)
        return len(frames.whole)
