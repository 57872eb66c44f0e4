"""One key's nonces as the chain and the store have them at one block.

    chain's next nonce      ▼
    … mined mined mined     5    6    7    8
    held by open records              ●    ●       the lane
    free                    ○    ○         9, 10, …

What is free is used lowest first, so that a gap is filled before anything queues behind it: our own counter can never
run ahead of the chain by more than what is open.  A pool's idea of the pending nonce is never asked: nodes disagree on
it, and a foreign transaction in one of them would shift ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from keeper.domain.block import BlockRef
from keeper.domain.tx import TxRecord, TxState


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A key's nonces."""

    sender: str
    next_nonce: int
    """The first nonce that no mined transaction of the key has."""
    held: Mapping[int, TxRecord]
    """Open records from `next_nonce` on, by nonce, ascending."""
    overtaken: tuple[TxRecord, ...]
    """Open records without a block whose nonce something mined already has: ours in another block, or foreign."""
    since: int
    """The block height at which `next_nonce` was first seen; 0 if that was before this process."""

    @property
    def free(self) -> int:
        """The lowest nonce that neither the chain nor an open record has."""
        nonce = self.next_nonce
        while nonce in self.held:
            nonce += 1
        return nonce

    @property
    def width(self) -> int:
        """How many nonces below the highest held one nobody holds."""
        return max(self.held) - self.next_nonce + 1 - len(self.held) if self.held else 0

    def gaps(self) -> Iterator[int]:
        """Nonces below the highest held one that nobody holds, ascending.  As many as `width`, which may be huge."""
        expected = self.next_nonce
        for nonce in self.held:
            yield from range(expected, nonce)
            expected = nonce + 1

    def missing_below(self, nonce: int) -> int:
        """How many nonces that nobody holds must be used before `nonce` can mine."""
        return nonce - self.next_nonce - sum(1 for held in self.held if held < nonce)

    def waited(self, record: TxRecord, head: BlockRef, *, since_attempt: int) -> int:
        """Blocks for which a record could have mined and did not.

        Args:
            record: an open record of the lane.
            head: the newest block.
            since_attempt: position of the attempt to count from: 0 the first, -1 the newest.
        """
        return head.number - max(record.attempts[since_attempt].block_number, self.since)

    def stuck_for(self, head: BlockRef) -> int:
        """Blocks for which the record whose turn it is has not mined; 0 if it is nobody's turn."""
        if not self.held:
            return 0
        first = self.held[min(self.held)]
        return max(0, self.waited(first, head, since_attempt=0))


class Progress:
    """Remembers when each key's nonce last moved, so that nobody counts as stuck for having stood behind another."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def next_nonce(self, sender: str) -> int | None:
        """The chain's next nonce of a key when last seen; None if never."""
        seen = self._seen.get(sender)
        return None if seen is None else seen[0]

    def lane(self, sender: str, next_nonce: int, open_records: Iterable[TxRecord], head: BlockRef) -> Lane:
        """The lane of a key.

        Args:
            sender: the key's address.
            next_nonce: from the chain, at `head`.
            open_records: of any key.
            head: the newest block.
        """
        before = self._seen.get(sender)
        if before is None:
            self._seen[sender] = (next_nonce, 0)
        elif before[0] != next_nonce:
            self._seen[sender] = (next_nonce, head.number)
        ours = [record for record in open_records if record.sender == sender and record.nonce is not None]
        ours.sort(key=lambda record: record.nonce or 0)
        waiting = [record for record in ours if record.state in (TxState.SIGNED, TxState.SENT)]
        return Lane(
            sender=sender,
            next_nonce=next_nonce,
            held={record.nonce: record for record in ours if record.nonce is not None and record.nonce >= next_nonce},
            overtaken=tuple(record for record in waiting if record.nonce is not None and record.nonce < next_nonce),
            since=self._seen[sender][1],
        )
