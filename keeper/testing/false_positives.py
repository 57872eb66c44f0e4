"""A book in which most of what looks liquidatable is not, and one that looks mildest is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from keeper.cycle import Ports, cycle
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.tx import TxIntent
from keeper.errors import Retry
from keeper.marketdata.board import NoSource
from keeper.policy import backoff
from keeper.ports import Encoder, TxSender
from keeper.testing.builders import a_block, a_snapshot, an_account
from keeper.testing.lived import BuiltReader, PlainEncoder, StoringSender
from keeper.testing.memory_store import MemoryStore

#: Lowest account id of the book.
FIRST = 10


@dataclass
class Doubts:
    """`Recheck` that wants nothing of some accounts, and remembers what it was asked."""

    of: set[int] = field(default_factory=set)
    """Accounts that are healthy by the contract's own view."""
    asked: list[int] = field(default_factory=list)
    """Accounts asked about, in order."""
    expected: int = 0
    """Intents named beforehand."""
    down: bool = False
    """Whether the node cannot be asked."""

    def expect(self, intents: Sequence[TxIntent]) -> None:
        """See `Recheck.expect`."""
        self.expected = len(intents)

    def standing(self, intent: TxIntent, head: BlockRef) -> str:  # noqa: ARG002 - the port's signature
        """See `Recheck.standing`."""
        if self.down:
            raise Retry("no endpoint answers")
        account = backoff.account_of(intent.subject) or 0
        self.asked.append(account)
        return "healthy now" if account in self.of else ""


class FalsePositives:
    """The worst accounts of the book are all false positives, and the mildest is real.

    Args:
        false: how many are false.
        policy: the operator's choices.
        recheck: the last look; one that knows the false ones unless given.
        sender: the outbox; one that stores and never mines unless given.
        encoder: turns actions into transactions.
    """

    def __init__(
        self,
        *,
        false: int,
        policy: PolicyKnobs,
        recheck: Doubts | None = None,
        sender: TxSender | None = None,
        encoder: Encoder | None = None,
        store: MemoryStore | None = None,
    ) -> None:
        self.false = set(range(FIRST, FIRST + false))
        self.accounts = [an_account(account, cash=-5_000, perp=1) for account in sorted(self.false)]
        self.real = FIRST + false
        self.accounts.append(an_account(self.real, cash=10, perp=1))
        self.store, self.policy = store or MemoryStore(), policy
        self.recheck = Doubts(of=self.false) if recheck is None else recheck
        self._sender, self._encoder = sender or StoringSender(self.store), encoder or PlainEncoder()

    def live(self, block: BlockRef | int) -> CycleRecord:
        """One cycle at a block, or at a made-up block of this height."""
        at = a_block(block) if isinstance(block, int) else block
        ports = Ports(
            reader=BuiltReader(replace(a_snapshot(*self.accounts), block=at)),
            quotes=NoSource(),
            encoder=self._encoder,
            sender=self._sender,
            store=self.store,
            recheck=self.recheck,
        )
        self.recheck.asked.clear()
        return cycle(at, ports, RiskKnobs(), self.policy)

    def flagged(self) -> list[int]:
        """Accounts for whose flag something was signed, newest first."""
        records = self.store.txs(limit=10_000)
        return [
            backoff.account_of(tx.intent.subject) or 0 for tx in records if tx.intent.kind == "flag" and tx.attempts
        ]
