"""The outbox: every intent acts at most once, and kill -9 between any two lines neither loses nor repeats.

Why, in order of the lines that may be the last ones executed:

1. The intent is in the store before anything is signed.  Found PLANNED after a crash, it is simulated again and goes
   on.
2. Signed bytes are in the store, as SIGNED, before they are broadcast.  Killed after signing and before that, nothing
   was sent and the nonce is free.  Killed after it, the same bytes are broadcast again: a node that has them says so.
3. A nonce is the larger of what the chain wants and one above everything open in the store, so that no second intent
   gets the nonce of a stored first one.
4. What happened is read from the chain by nonce: any attempt of ours may be the one that mined.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from keeper.chain.errors import NonceUsed, Reverted, Underpriced
from keeper.chain.fees import FeeOffer, FeePolicy
from keeper.chain.records import checksum
from keeper.chain.rpc import Rpc
from keeper.chain.settlement import Settlement
from keeper.chain.signers import Signer
from keeper.chain.spending import DailyCap
from keeper.domain.block import BlockRef
from keeper.domain.cycle import REHEARSED
from keeper.domain.tx import SignerRole, TxAttempt, TxIntent, TxRecord, TxState
from keeper.errors import BadInput, Halt, KeeperError, Refused, Retry
from keeper.ports import Store

log = structlog.get_logger(__name__)

#: Records read at start to know what was spent in the last day.
SPENDING_HISTORY = 10_000


@dataclass(frozen=True, kw_only=True)
class OutboxPolicy:
    """How the outbox behaves."""

    confirmations: int = 12
    """Blocks on top of a transaction's block after which it counts as final."""

    replace_after_blocks: int = 3
    """Blocks without inclusion after which an attempt is replaced by a dearer one."""

    daily_cap_wei: int
    """The most that may be spent on gas in 24 hours; the one that would exceed it halts the keeper."""


def selector_only(data: bytes) -> str:
    """Name a revert by its selector: what there is without an ABI."""
    return f"0x{data[:4].hex()}" if data else "no reason given"


class Outbox:
    """`keeper.ports.TxSender` over RPC.

    Args:
        rpc: where to read and broadcast.
        store: where records live.
        signers: the key of each role; all different.
        fees: what may be paid.
        policy: how to behave.
        decode_revert: a person's words for the bytes a contract reverted with.
    """

    def __init__(
        self,
        rpc: Rpc,
        store: Store,
        signers: Mapping[SignerRole, Signer],
        *,
        fees: FeePolicy,
        policy: OutboxPolicy,
        decode_revert: Callable[[bytes], str] = selector_only,
    ) -> None:
        if len({signer.address for signer in signers.values()}) != len(signers):
            raise BadInput("two roles share one key", hint="the publisher and the liquidator need keys of their own")
        self._rpc, self._store, self._signers = rpc, store, dict(signers)
        self._fees, self._policy, self._decode = fees, policy, decode_revert
        self._settlement = Settlement(rpc, confirmations=policy.confirmations, decode_revert=decode_revert)
        self._cap = DailyCap(policy.daily_cap_wei, store.txs(limit=SPENDING_HISTORY))
        self._lock = threading.RLock()

    def submit(self, intent: TxIntent) -> TxRecord:
        """See `TxSender.submit`.  Also raises `Refused` while another intent for the same thing is open."""
        with self._lock:
            record = self._store.put_intent(TxRecord(intent=intent, state=TxState.PLANNED))
            return self._launch(record, self._rpc.block()) if record.state is TxState.PLANNED else record

    def settle(self, head: BlockRef) -> Sequence[TxRecord]:
        """See `TxSender.settle`.

        One record's trouble does not stop the next.  Raises: `Halt`, after all records were looked at; a `Retry` is
        logged and its record stays as it is, for the next block.
        """
        with self._lock:
            return self._settle(head)

    def recover(self, head: BlockRef) -> Sequence[TxRecord]:
        """See `TxSender.recover`.  The same as settling: what a crash left behind looks like what a block left open."""
        with self._lock:
            open_before = self._store.open_txs()
            log.info("outbox.recover", open=len(open_before), head=head.number)
            return self._settle(head)

    def _settle(self, head: BlockRef) -> Sequence[TxRecord]:
        changed: list[TxRecord] = []
        halt: Halt | None = None
        for record in self._store.open_txs():
            try:
                after = self._advance(record, head)
            except Halt as error:
                halt = halt or error
                continue
            except (Retry, Refused) as error:
                log.warning("outbox.later", key=record.intent.key, state=record.state, error=error.message)
                continue
            if after.state is not record.state:
                changed.append(after)
        if halt is not None:
            raise halt
        return tuple(changed)

    def _advance(self, record: TxRecord, head: BlockRef) -> TxRecord:
        if record.state is TxState.PLANNED:
            return self._launch(record, head)
        settled = self._settlement.look(record, head)
        if settled != record:
            self._save(settled)
        if settled.state in (TxState.SIGNED, TxState.SENT):
            # Just back from a reorg: the same bytes may well mine again, so they are not replaced yet.
            return self._push(settled, head, may_replace=record.state is not TxState.MINED)
        return settled

    # PLANNED → SIGNED → SENT, or DROPPED, or EXPIRED

    def _launch(self, record: TxRecord, head: BlockRef) -> TxRecord:
        intent = record.intent
        if head.timestamp > intent.deadline_s:
            late = head.timestamp - intent.deadline_s
            return self._save(replace(record, state=TxState.EXPIRED, reason=f"{late} s past its deadline"))
        signer = self._signer(intent.role)
        try:
            self._rpc.simulate(intent.to, intent.data, sender=signer.address, gas=intent.gas_limit)
        except Reverted as error:
            return self._save(replace(record, state=TxState.DROPPED, reason=self._reason(error)))
        offer = self._fees.offer(self._rpc.fee_history())
        open_nonce = self._store.highest_nonce(signer.address)
        # The larger: the chain may be ahead of us (a foreign transaction), or we of the chain (many in flight).
        nonce = max(self._rpc.next_nonce(signer.address), -1 if open_nonce is None else open_nonce + 1)
        planned = replace(record, sender=signer.address, nonce=nonce)
        return self._push(self._attempt(planned, signer, offer, head), head)

    def _attempt(self, record: TxRecord, signer: Signer, offer: FeeOffer, head: BlockRef) -> TxRecord:
        """Sign one more attempt and store it, before anybody else sees it."""
        costs = replace(record, attempts=(*record.attempts, _unsigned(offer, head)))
        self._cap.check(costs, now_s=head.timestamp)
        signed = signer.sign(_transaction(record, offer, self._rpc.chain_id))
        attempt = TxAttempt(
            tx_hash=signed.tx_hash,
            raw=signed.raw,
            max_fee_wei=offer.max_fee_wei,
            priority_fee_wei=offer.priority_fee_wei,
            block_number=head.number,
        )
        state = TxState.SIGNED if record.state is TxState.PLANNED else record.state
        return self._save(replace(record, state=state, attempts=(*record.attempts, attempt)))

    def _push(self, record: TxRecord, head: BlockRef, *, may_replace: bool = False) -> TxRecord:
        """Broadcast the newest attempt, after replacing it if it is stuck."""
        waited = head.number - record.attempts[-1].block_number
        if may_replace and waited >= self._policy.replace_after_blocks:
            record = self._replacement(record, head)
        try:
            self._rpc.send_raw(record.attempts[-1].raw)
        except NonceUsed:
            return record  # something with this nonce is mined: settlement finds out what
        except Underpriced as error:
            log.warning("outbox.underpriced", key=record.intent.key, error=error.message)
            return record
        except Retry as error:
            # Stored and signed: the next block broadcasts the same bytes again.
            log.warning("outbox.not_broadcast", key=record.intent.key, error=error.message)
            return record
        return record if record.state is TxState.SENT else self._save(replace(record, state=TxState.SENT))

    def _replacement(self, record: TxRecord, head: BlockRef) -> TxRecord:
        offer = self._fees.bump(record.attempts[-1], self._rpc.fee_history())
        if offer is None:
            log.warning("outbox.stuck_at_cap", key=record.intent.key, nonce=record.nonce, attempts=len(record.attempts))
            return record
        return self._attempt(record, self._signer(record.intent.role), offer, head)

    def _signer(self, role: SignerRole) -> Signer:
        if role not in self._signers:
            raise BadInput(f"no key for the role {role}", hint=f"configure a signer for {role}")
        return self._signers[role]

    def _reason(self, error: Reverted) -> str:
        return f"simulation: {self._decode(error.data) if error.data else error.message}"

    def _save(self, record: TxRecord) -> TxRecord:
        self._store.update_tx(record)
        self._cap.note(record)
        log.info("outbox.step", key=record.intent.key, state=record.state, nonce=record.nonce, reason=record.reason)
        return record


def _unsigned(offer: FeeOffer, head: BlockRef) -> TxAttempt:
    return TxAttempt(
        tx_hash="",
        raw=b"",
        max_fee_wei=offer.max_fee_wei,
        priority_fee_wei=offer.priority_fee_wei,
        block_number=head.number,
    )


def _transaction(record: TxRecord, offer: FeeOffer, chain_id: int) -> dict[str, object]:
    assert record.nonce is not None
    return {
        "type": 2,
        "chainId": chain_id,
        "nonce": record.nonce,
        "to": checksum(record.intent.to),
        "data": "0x" + record.intent.data.hex(),
        "value": 0,
        "gas": record.intent.gas_limit,
        "maxFeePerGas": offer.max_fee_wei,
        "maxPriorityFeePerGas": offer.priority_fee_wei,
    }


class DrySender:
    """`keeper.ports.TxSender` that signs and stores nothing: what `keeper run` uses until it is told to send.

    Records live in memory only, so that a later real run finds a store without them and is not held back by a key
    that a rehearsal used.
    """

    def __init__(
        self, rpc: Rpc, senders: Mapping[SignerRole, str], *, decode_revert: Callable[[bytes], str] = selector_only
    ) -> None:
        self._rpc, self._senders, self._decode = rpc, dict(senders), decode_revert
        self.records: dict[str, TxRecord] = {}
        """What would have been sent, by intent key, in order."""

    def submit(self, intent: TxIntent) -> TxRecord:
        """Simulate `intent` and say what would happen; it ends as DROPPED either way."""
        if intent.key not in self.records:
            self.records[intent.key] = TxRecord(intent=intent, state=TxState.DROPPED, reason=self._rehearse(intent))
        return self.records[intent.key]

    def _rehearse(self, intent: TxIntent) -> str:
        sender = self._senders.get(intent.role)
        if sender is None:
            return "dry run: not simulated, no address is configured for this role"
        try:
            self._rpc.simulate(intent.to, intent.data, sender=sender, gas=intent.gas_limit)
        except Reverted as error:
            return f"dry run: would revert: {self._decode(error.data) if error.data else error.message}"
        except KeeperError as error:
            return f"dry run: not simulated: {error.message}"
        return REHEARSED

    def settle(self, head: BlockRef) -> Sequence[TxRecord]:  # noqa: ARG002 - the port's signature
        """Nothing is ever open."""
        return ()

    def recover(self, head: BlockRef) -> Sequence[TxRecord]:  # noqa: ARG002 - the port's signature
        """Nothing is ever open.  What a real run left in the store stays for the next real run."""
        return ()
