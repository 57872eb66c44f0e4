"""Looking after what is in flight: push again what vanished, raise what is stuck, cancel what nobody wants, give up.

For one record, the first that fits:

    its nonce is used            nothing: settlement says by what, once that is final
    the chain is too many        ABANDONED: filling hundreds of nonces to free one costs more than it brings
      nonces behind it
    not mined for n blocks       ABANDONED, with an alert: its subject and its nonce are free
    nobody wants it any more     a transfer of nothing to ourselves at its nonce, dearer than what it cancels
    stuck for n blocks, or       the same call, dearer: within the operator's caps and what it is worth
      its pool wants more
    vanished from the pool       the same bytes again, if the protocol still wants them; else as if nobody does

Stuck is only whose turn it is: what waits behind a lower nonce is not raised for it, unless its fee is below today's
base fee.  A replacement is simulated at the head and not in the pending state, which holds what it replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import structlog

from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import Reverted
from keeper.chain.records import FeeHistory
from keeper.chain.sending.dispatch import Decode, Dispatch, Refusal
from keeper.chain.sending.fees import FeeOffer, FeePolicy
from keeper.chain.sending.launch import Standing
from keeper.chain.sending.nonces import Lane
from keeper.chain.sending.signer_pool import SignerPool
from keeper.domain.block import BlockRef
from keeper.domain.tx import CANCEL_GAS, FILL, TxRecord, TxState

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long things may take, in blocks; and how far a key may run ahead."""

    replace_after: int
    abandon_after: int
    gap_at_most: int
    """Missing nonces that are filled to free what waits above them."""


class Upkeep:
    """Advances SIGNED and SENT records.

    Args:
        rpc: for fees and simulations.
        pool: the keys.
        dispatch: signs and broadcasts.
        fees: what may be paid.
        patience: how long to wait.
        standing: the protocol's last word.
        decode_revert: a person's words for revert data.
    """

    def __init__(
        self,
        rpc: Rpc,
        pool: SignerPool,
        dispatch: Dispatch,
        *,
        fees: FeePolicy,
        patience: Patience,
        standing: Standing,
        decode_revert: Decode,
    ) -> None:
        self._rpc, self._pool, self._dispatch = rpc, pool, dispatch
        self._fees, self._patience = fees, patience
        self._standing, self._decode = standing, decode_revert

    def tend(
        self,
        record: TxRecord,
        lane: Lane,
        head: BlockRef,
        *,
        gone: Collection[str],
        history: Callable[[], FeeHistory],
        may_replace: bool,
    ) -> TxRecord:
        """Do what there is to do for one record.

        Args:
            record: SIGNED or SENT.
            lane: its key's nonces.
            head: the newest block.
            gone: hashes that the node does not have.
            history: what recent blocks cost; asked for only if it is needed.
            may_replace: False right after a reorg, since the same bytes may well mine again.

        Raises: `Retry` or `Refused`, and the next block tries again; `Halt` if the day's gas or no key suffices.
        """
        assert record.nonce is not None
        if record.nonce < lane.next_nonce:
            return record
        missing = lane.missing_below(record.nonce)
        if missing > self._patience.gap_at_most:
            return self._abandon(record, f"nonce {record.nonce} is {missing} beyond what the chain has seen of the key")
        waited = lane.waited(record, head, since_attempt=0)
        if waited >= self._patience.abandon_after:
            return self._abandon(record, f"not mined within {waited} blocks, {len(record.attempts)} attempts")
        if may_replace:
            raised = self._raised(record, lane, head, history)
            if raised is not None:
                return raised
        if record.state is TxState.SIGNED or record.attempts[-1].tx_hash in gone:
            return self._pushed(record, lane, head, history)
        return record

    def _pushed(self, record: TxRecord, lane: Lane, head: BlockRef, history: Callable[[], FeeHistory]) -> TxRecord:
        """The same bytes once more, if they are wanted still: what vanished a while ago was decided a while ago."""
        if not record.cancelled:
            if self._past_deadline(record, head):
                return record  # only its cancellation leaves, once that fits under the caps
            if why := self._unwanted(record, head, simulate=record.nonce == lane.next_nonce):
                return self.cancel(record, head, why, history()) or record
        return self._dispatch.send(record, head)

    def _raised(
        self, record: TxRecord, lane: Lane, head: BlockRef, history: Callable[[], FeeHistory]
    ) -> TxRecord | None:
        """The record with one more attempt; None if it needs none, or none fits under the caps."""
        if not record.cancelled and (why := self._past_deadline(record, head)):
            return self.cancel(record, head, why, history())
        refusal = self._dispatch.refusal(record)
        waited = lane.waited(record, head, since_attempt=-1)
        if refusal is None and waited < self._patience.replace_after:
            return None
        turn = record.nonce == lane.next_nonce
        if refusal is None and not turn and record.attempts[-1].max_fee_wei >= history().next_base_fee_wei:
            return None
        if record.cancelled:
            return self._again(record, head, history(), refusal)
        if why := self._unwanted(record, head, simulate=turn):
            return self.cancel(record, head, why, history())
        return self._again(record, head, history(), refusal)

    def cancel(self, record: TxRecord, head: BlockRef, why: str, history: FeeHistory) -> TxRecord | None:
        """Try to use up the record's nonce with a transfer of nothing; it then ends REPLACED with `why`.

        Returns: None if outbidding what it cancels does not fit under the caps; then it waits, and is not pushed.
        """
        log.warning("outbox.cancel", key=record.intent.key, nonce=record.nonce, why=why)
        unwanted = replace(record, reason=why)
        return self._again(unwanted, head, history, self._dispatch.refusal(record), cancels=True)

    def _again(
        self, record: TxRecord, head: BlockRef, history: FeeHistory, refusal: Refusal | None, *, cancels: bool = False
    ) -> TxRecord | None:
        """One more attempt at the same nonce; a second one at once if the node says what it wants."""
        cancels = cancels or record.cancelled
        gas = CANCEL_GAS if cancels else record.intent.gas_to_pay
        ceiling = self._fees.ceiling_wei(gas=gas, worth_wei=record.intent.worth_wei)
        signer = self._pool.signer(record.sender or "")
        sent: TxRecord | None = None
        for _ in range(2):
            offer = self._offer(record, refusal, history, ceiling)
            if offer is None:
                log.warning(
                    "outbox.stuck_at_cap", key=record.intent.key, nonce=record.nonce, attempts=len(record.attempts)
                )
                break
            record = sent = self._dispatch.send(self._dispatch.sign(record, signer, offer, head, cancels=cancels), head)
            refusal = self._dispatch.refusal(record)
            if refusal is None or not refusal.rule.says_something:
                break
        return sent

    def _offer(self, record: TxRecord, refusal: Refusal | None, history: FeeHistory, ceiling: int) -> FeeOffer | None:
        last, known = record.attempts[-1], self._dispatch.rule
        if refusal is None:
            return self._fees.bump(last, history, ceiling_wei=ceiling, rule=known)
        if refusal.occupied and record.state is TxState.SIGNED and not refusal.rule.says_something:
            # Nothing of ours was ever taken at this nonce: somebody else's transaction of unknown fees sits there.
            return self._fees.outbid(last, history, ceiling_wei=ceiling)
        rule = replace(refusal.rule, bump_ppm=refusal.rule.bump_ppm or known.bump_ppm)
        return self._fees.bump(last, history, ceiling_wei=ceiling, rule=rule)

    def _past_deadline(self, record: TxRecord, head: BlockRef) -> str:
        late = head.timestamp - record.intent.deadline_s
        return f"cancelled {late} s past its deadline" if late > 0 and record.intent.kind != FILL else ""

    def _unwanted(self, record: TxRecord, head: BlockRef, *, simulate: bool) -> str:
        intent = record.intent
        if intent.kind == FILL:
            return ""
        if reason := self._standing(intent, head):
            return f"cancelled: {reason}"
        veto = self._rpc.vetoed(head, intent.to, intent.data, sender=record.sender, gas=intent.gas_limit)
        if veto is not None:
            return f"cancelled: another endpoint says: {self._decode(veto.data) if veto.data else veto.message}"
        if not simulate:
            return ""
        try:
            self._rpc.call_at(head, intent.to, intent.data, sender=record.sender, gas=intent.gas_limit)
        except Reverted as error:
            return f"cancelled: simulation: {self._decode(error.data) if error.data else error.message}"
        return ""

    def _abandon(self, record: TxRecord, why: str) -> TxRecord:
        log.error(
            "outbox.abandoned",
            key=record.intent.key,
            nonce=record.nonce,
            sender=record.sender,
            why=why,
            hint="its subject is free to be decided again; keeper nonce show tells what the key holds",
        )
        return self._dispatch.save(replace(record, state=TxState.ABANDONED, reason=f"abandoned: {why}"))
