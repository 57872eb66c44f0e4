"""The outbox: every intent acts at most once, and kill -9 between any two lines neither loses nor repeats.

    submit    the intent is in the store before anything is signed                       launch, dispatch
    settle    look at all open records together                                          settlement
              tend what is in flight, lowest nonce first                                 upkeep
              launch what is still planned; fill the gaps that nobody filled             launch
    beside    which key (signer_pool), which nonce (nonces), which fee (fees, node_rules), how much a day (spending)

A nonce is the lowest that neither the chain nor an open record of the key has.  What happened is read from the chain by
nonce: any attempt of ours may be the one that mined.  One record's trouble never stops the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import structlog

from keeper.chain.asking.rpc import Rpc
from keeper.chain.records import FeeHistory
from keeper.chain.sending.dispatch import Decode, Dispatch, selector_only
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.finality import Confirmations, Finality
from keeper.chain.sending.kept import Kept
from keeper.chain.sending.launch import Launcher, Standing
from keeper.chain.sending.nonces import Lane, Progress
from keeper.chain.sending.relay import Broadcast, PublicBroadcast
from keeper.chain.sending.settlement import Looked, Settlement
from keeper.chain.sending.signer_pool import SignerPool
from keeper.chain.sending.spending import DAY_S, DailyCap, of_the_last_day
from keeper.chain.sending.upkeep import Patience, Upkeep
from keeper.chain.signers import Signer
from keeper.domain.block import BlockRef
from keeper.domain.tx import CANCEL_GAS, FILL, SignerRole, TxIntent, TxRecord, TxState
from keeper.errors import Halt, Refused, Retry
from keeper.ports import Recheck, Store

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class OutboxPolicy:
    """How the outbox behaves."""

    confirmations: int = 12
    """Blocks on top of a transaction's block after which it counts as final, where no finality is given."""

    replace_after_blocks: int = 3
    """Blocks without inclusion after which an attempt is replaced by a dearer one."""

    stuck_after_blocks: int = 6
    """Blocks without inclusion after which its key gets nothing new."""

    abandon_after_blocks: int = 50
    """Blocks without inclusion after which a transaction is given up."""

    gap_at_most: int = 16
    """Missing nonces that are filled, by transfers of nothing, to free what waits above them."""

    daily_cap_wei: int
    """The most that may be spent on gas in 24 hours; the one that would exceed it halts the keeper."""


class Outbox:
    """`keeper.ports.TxSender` over RPC.

    Args:
        rpc: where to read and broadcast.
        store: where records live.
        signers: the keys of each role; all different.
        fees: what may be paid.
        policy: how to behave.
        decode_revert: a person's words for the bytes a contract reverted with.
        finality: from when on a block is final; `policy.confirmations` blocks on top unless given.
        recheck: the protocol's last word before something is sent; everything is wanted unless given.
        broadcast: who is handed signed bytes; the public pool unless given.
    """

    def __init__(
        self,
        rpc: Rpc,
        store: Store,
        signers: Mapping[SignerRole, Sequence[Signer]],
        *,
        fees: FeePolicy,
        policy: OutboxPolicy,
        decode_revert: Decode = selector_only,
        finality: Finality | None = None,
        recheck: Recheck | None = None,
        broadcast: Broadcast | None = None,
    ) -> None:
        self._rpc, self._policy, self._recheck = rpc, policy, recheck
        self._kept = Kept(store)
        self.pool = SignerPool(signers, stuck_after_blocks=policy.stuck_after_blocks, gap_at_most=policy.gap_at_most)
        standing: Standing = _wanted if recheck is None else recheck.standing
        cap = DailyCap(policy.daily_cap_wei, of_the_last_day(lambda limit: store.txs(limit=limit)))
        for record in (*self._kept.open(), *self._kept.abandoned()):
            cap.note(record)
        self._progress = Progress()
        self._dispatch = Dispatch(rpc, self._kept, self.pool, cap=cap, broadcast=broadcast or PublicBroadcast(rpc))
        self._settlement = Settlement(
            rpc, finality=finality or Confirmations(policy.confirmations), decode_revert=decode_revert
        )
        self._launcher = Launcher(
            rpc,
            self._kept,
            self.pool,
            self._progress,
            self._dispatch,
            fees=fees,
            standing=standing,
            decode_revert=decode_revert,
        )
        self._upkeep = Upkeep(
            rpc,
            self.pool,
            self._dispatch,
            fees=fees,
            patience=Patience(
                replace_after=policy.replace_after_blocks,
                abandon_after=policy.abandon_after_blocks,
                gap_at_most=policy.gap_at_most,
            ),
            standing=standing,
            decode_revert=decode_revert,
        )
        self._head: BlockRef | None = None
        self._lock = threading.RLock()

    def submit(self, intent: TxIntent) -> TxRecord:
        """See `TxSender.submit`.  Also raises `Refused` while another intent for the same thing is open."""
        with self._lock:
            self._dispatch.begin()
            return self._start(TxRecord(intent=intent, state=TxState.PLANNED), self._head)

    def settle(self, head: BlockRef) -> Sequence[TxRecord]:
        """See `TxSender.settle`.

        One record's trouble does not stop the next.  Raises: `Halt`, after all records were looked at; `Retry` if the
        node could not be asked about any of them.
        """
        with self._lock:
            return self._settle(head)

    def recover(self, head: BlockRef) -> Sequence[TxRecord]:
        """See `TxSender.recover`.  The same as settling: what a crash left behind looks like what a block left open."""
        with self._lock:
            self._kept.forget()
            open_before = self._kept.open()
            log.info("outbox.recover", open=len(open_before), head=head.number)
            return self._settle(head)

    # For a person: see keeper.chain.sending.drift

    @property
    def stuck_after_blocks(self) -> int:
        """Blocks without inclusion after which a key gets nothing new."""
        return self._policy.stuck_after_blocks

    @property
    def gap_at_most(self) -> int:
        """Missing nonces that are filled."""
        return self._policy.gap_at_most

    def lanes(self, head: BlockRef) -> Mapping[str, Lane]:
        """Each key's nonces at `head`.  Nothing is written.  Raises: `Retry`."""
        with self._lock:
            nonces = dict(zip(self.pool.addresses, self._rpc.nonces(self.pool.addresses, head), strict=True))
            records = self._kept.open()
            return {sender: Progress().lane(sender, nonces[sender], records, head) for sender in self.pool.addresses}

    def used(self, lanes: Mapping[str, Lane], head: BlockRef) -> Sequence[TxRecord]:
        """Open records whose nonce the chain has used, as the chain has them: in a block where it was by one of ours.

        Nothing is written.  One that cannot be asked about is as the store has it.  Raises: `Retry`.
        """
        with self._lock:
            reached = {sender: lane.next_nonce for sender, lane in lanes.items()}
            ours = [record for record in self._kept.open() if record.nonce is not None]
            behind = [record for record in ours if (record.nonce or 0) < reached.get(record.sender or "", 0)]
            looked = self._settlement.look(behind, head).records if behind else {}
            return [looked.get(record.intent.key, record) for record in behind]

    def abandoned(self) -> Sequence[TxRecord]:
        """What was given up and is not final yet."""
        return self._kept.abandoned()

    def at(self, sender: str, nonce: int, head: BlockRef) -> TxRecord | None:
        """The open record at a nonce, overtaken ones too; None if nobody holds it."""
        lane = self.lanes(head)[sender]
        overtaken = {record.nonce: record for record in lane.overtaken}
        return lane.held.get(nonce) or overtaken.get(nonce)

    def cancel(self, sender: str, nonce: int, head: BlockRef, *, why: str) -> TxRecord | None:
        """Try to use up a nonce that an open record holds; see `Upkeep.cancel`.

        Returns: the record, or None if nobody holds the nonce or outbidding it does not fit under the caps.
        Raises: `Retry`; `Refused` or `Halt` if the day's gas does not suffice.
        """
        with self._lock:
            record = self.lanes(head)[sender].held.get(nonce)
            if record is None or record.state is TxState.MINED or record.cancelled:
                return record
            self._dispatch.begin()
            return self._upkeep.cancel(record, head, why, self._rpc.fee_history())

    def _settle(self, head: BlockRef) -> Sequence[TxRecord]:
        self._head = head
        self._dispatch.begin()
        before = {record.intent.key: record for record in (*self._kept.open(), *self._followed(head))}
        if not before:
            return ()
        round_ = _Round()
        looked = self._look(before, head)
        if self._recheck is not None:
            self._recheck.expect([record.intent for record in before.values() if _asks(record)])
        lanes = self._lanes(before, looked, head)
        self._tend(before, looked, lanes, head, round_)
        for record in self._kept.open():
            if record.state is TxState.PLANNED:
                round_.take(record, lambda record=record: self._launcher.launch(record, head))  # type: ignore[misc]  # mypy does not infer a lambda's default
        for lane in self._lanes(before, looked, head).values():
            self._fill(lane, head, round_)
        if round_.halt is not None:
            raise round_.halt
        changed = self._dispatch.changed
        return tuple(changed[key] for key in before if key in changed and changed[key].state is not before[key].state)

    def _followed(self, head: BlockRef) -> Sequence[TxRecord]:
        """Abandoned records that may have mined: their nonce is used, or it is not known to be unused."""
        return [
            record
            for record in self._kept.abandoned()
            if (seen := self._progress.next_nonce(record.sender or "")) is None
            or (record.nonce or 0) < seen
            or head.timestamp < record.intent.decided_at.timestamp + DAY_S
        ]

    def _look(self, before: Mapping[str, TxRecord], head: BlockRef) -> Looked:
        signed = [record for record in before.values() if record.attempts]
        looked = self._settlement.look(signed, head, keys=self.pool.addresses)
        moved = [record for key, record in looked.records.items() if record != before[key]]
        if moved:
            # Nothing leaves the process here: what is undone by its end is found on the chain again.
            with self._kept.together():
                for record in moved:
                    self._dispatch.save(record)
        for key, error in looked.failed.items():
            log.warning("outbox.later", key=key, state=before[key].state, error=error.message)
        return looked

    def _lanes(self, before: Mapping[str, TxRecord], looked: Looked, head: BlockRef) -> dict[str, Lane]:
        open_records = self._kept.open()
        senders = {*self.pool.addresses, *(record.sender for record in before.values() if record.sender)}
        return {
            sender: self._progress.lane(sender, looked.nonces[sender], open_records, head)
            for sender in sorted(senders)
            if sender in looked.nonces
        }

    def _tend(
        self,
        before: Mapping[str, TxRecord],
        looked: Looked,
        lanes: Mapping[str, Lane],
        head: BlockRef,
        round_: _Round,
    ) -> None:
        """Lowest nonce first, so that a gap is filled before what waits above it is touched."""
        history: Callable[[], FeeHistory] = cache(self._rpc.fee_history)
        for sender, lane in lanes.items():
            for record in lane.overtaken:
                log.warning("outbox.nonce_used", key=record.intent.key, nonce=record.nonce, sender=sender)
            for record in lane.held.values():
                if record.state is TxState.MINED or record.intent.key in looked.failed:
                    continue
                known = before.get(record.intent.key)
                round_.take(
                    record,
                    lambda record=record, lane=lane, known=known: self._upkeep.tend(  # type: ignore[misc]  # mypy does not infer a lambda's default
                        record,
                        lane,
                        head,
                        gone=looked.gone,
                        history=history,
                        may_replace=known is None or known.state is not TxState.MINED,
                    ),
                )

    def _fill(self, lane: Lane, head: BlockRef, round_: _Round) -> None:
        """Use up nonces that nobody holds below what waits: nothing above them can mine before."""
        role = self.pool.role_of(lane.sender)
        if role is None or not 0 < lane.width <= self._policy.gap_at_most:
            return
        log.error("outbox.gap", sender=lane.sender, nonces=list(lane.gaps()), held=list(lane.held))
        for nonce in lane.gaps():
            planned = TxRecord(intent=self._filling(lane.sender, nonce, role, head), state=TxState.PLANNED)
            round_.take(planned, lambda planned=planned: self._start(planned, head))  # type: ignore[misc]  # mypy does not infer a lambda's default

    def _start(self, planned: TxRecord, head: BlockRef | None) -> TxRecord:
        """Write a new record down, and send it unless it is known and on its way."""
        record = self._kept.put(planned)
        return self._launcher.launch(record, head) if record.state is TxState.PLANNED else record

    def _filling(self, sender: str, nonce: int, role: SignerRole, head: BlockRef) -> TxIntent:
        return TxIntent(
            key=f"{FILL}:{self._rpc.chain_id}:{sender}:{nonce}:{head.hash}",
            kind=FILL,
            subject=f"{sender}:{nonce}",
            role=role,
            to=sender,
            data=b"",
            gas_limit=CANCEL_GAS,
            decided_at=head,
            deadline_s=head.timestamp + DAY_S,
            why=f"nonce {nonce} blocks what waits above it",
            sender=sender,
        )


class _Round:
    """One pass over the open records: trouble with one is noted, and the next is taken."""

    def __init__(self) -> None:
        self.halt: Halt | None = None

    def take(self, record: TxRecord, step: Callable[[], TxRecord]) -> None:
        try:
            step()
        except Halt as error:
            self.halt = self.halt or error
        except (Retry, Refused) as error:
            log.warning("outbox.later", key=record.intent.key, state=record.state, error=error.message)


def _wanted(_intent: TxIntent, _head: BlockRef) -> str:
    return ""


def _asks(record: TxRecord) -> bool:
    """Whether the protocol may be asked about a record in this round."""
    waiting = record.state in (TxState.PLANNED, TxState.SIGNED, TxState.SENT)
    return waiting and record.intent.kind != FILL and not record.cancelled
