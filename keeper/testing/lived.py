"""Blocks that were lived without a chain: the real cycle over built snapshots, into any store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from keeper.cycle import Ports, cycle
from keeper.domain.action import Action, Publish, Refresh, kind, subject
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Snapshot
from keeper.domain.tx import SignerRole, TxAttempt, TxIntent, TxRecord, TxState
from keeper.marketdata.board import NoSource
from keeper.ports import QuoteSource, Store

ADDRESS = "0x" + "11" * 20


@dataclass
class BuiltReader:
    """`SnapshotReader` of one snapshot that was built by hand."""

    snapshot: Snapshot

    def read(self, block: BlockRef) -> Snapshot:
        """See `SnapshotReader.read`."""
        return replace(self.snapshot, block=block)

    def reconcile(self, snapshot: Snapshot, *, sample: int) -> tuple[str, ...]:  # noqa: ARG002 - the port's signature
        """See `SnapshotReader.reconcile`: a built world has no other opinion."""
        return ()

    def tidy(self) -> None:
        """See `SnapshotReader.tidy`: nothing is kept."""


class PlainEncoder:
    """`Encoder` that names the action in the calldata."""

    def encode(self, action: Action, *, block: BlockRef) -> TxIntent:
        """See `Encoder.encode`."""
        publishes = isinstance(action, Publish | Refresh)
        return TxIntent(
            key=f"{block.hash}:{kind(action)}:{subject(action)}",
            kind=kind(action),
            subject=subject(action),
            role=SignerRole.PUBLISHER if publishes else SignerRole.LIQUIDATOR,
            to=ADDRESS,
            data=kind(action).encode(),
            gas_limit=1_000_000,
            decided_at=block,
            deadline_s=block.timestamp + 300,
            why=action.why,
        )


@dataclass
class StoringSender:
    """`TxSender` whose transactions are stored as sent and stay in flight."""

    store: Store
    nonce: int = 0
    sent: list[str] = field(default_factory=list)

    def submit(self, intent: TxIntent) -> TxRecord:
        """See `TxSender.submit`."""
        record = self.store.put_intent(TxRecord(intent=intent, state=TxState.PLANNED))
        attempt = TxAttempt(
            tx_hash=f"0x{len(self.sent) + 1:064x}",
            raw=b"\x02",
            max_fee_wei=2 * 10**9,
            priority_fee_wei=10**9,
            block_number=intent.decided_at.number,
        )
        for state in (TxState.SIGNED, TxState.SENT):
            record = replace(record, state=state, sender=ADDRESS, nonce=self.nonce, attempts=(attempt,))
            self.store.update_tx(record)
        self.nonce += 1
        self.sent.append(attempt.tx_hash)
        return record

    def settle(self, head: BlockRef) -> Sequence[TxRecord]:  # noqa: ARG002 - the port's signature
        """See `TxSender.settle`: nothing ever mines."""
        return ()

    def recover(self, head: BlockRef) -> Sequence[TxRecord]:  # noqa: ARG002 - the port's signature
        """See `TxSender.recover`."""
        return ()


def live(
    store: Store, *snapshots: Snapshot, policy: PolicyKnobs | None = None, quotes: QuoteSource | None = None
) -> CycleRecord:
    """Live blocks one after the other; every transaction is sent and stays in flight.

    Returns: the record of the last.
    """
    sender, record = StoringSender(store), None
    for snapshot in snapshots:
        ports = Ports(
            reader=BuiltReader(snapshot),
            quotes=quotes or NoSource(),
            encoder=PlainEncoder(),
            sender=sender,
            store=store,
        )
        record = cycle(snapshot.block, ports, RiskKnobs(), policy or PolicyKnobs())
    assert record is not None, "give at least one snapshot"
    return record
