"""From a record to bytes on the wire, in the one order that survives a kill -9 between any two lines.

1. Signed bytes are in the store, as SIGNED, before anybody sees them.  Killed after signing and before that, nothing
   was sent and the nonce is free.  Killed after it, the same bytes are broadcast again: a node that has them says so.
2. Nothing new is signed or broadcast while the endpoints disagree about the head.
3. Nothing is signed that could bring the day's gas above its cap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import NonceUsed, Underpriced, Unfunded
from keeper.chain.records import checksum
from keeper.chain.sending.fees import FeeOffer
from keeper.chain.sending.kept import Kept
from keeper.chain.sending.node_rules import NodeRule, is_about_replacing
from keeper.chain.sending.relay import Broadcast
from keeper.chain.sending.signer_pool import SignerPool
from keeper.chain.sending.spending import DailyCap
from keeper.chain.signers import KeyUnusable, Signer
from keeper.domain.block import BlockRef
from keeper.domain.tx import CANCEL_GAS, TxAttempt, TxRecord, TxState
from keeper.errors import Retry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a pool did not take the newest attempt of a record."""

    attempts: int
    """How many attempts there were."""
    rule: NodeRule
    """What the node said it wants."""
    occupied: bool
    """Whether something else holds the nonce in that pool."""


class Dispatch:
    """Signs, stores and broadcasts attempts.

    Args:
        rpc: asked whether the endpoints agree.
        kept: where attempts are written first.
        pool: the keys.
        cap: the day's gas.
        broadcast: who is handed the bytes.
    """

    def __init__(self, rpc: Rpc, kept: Kept, pool: SignerPool, *, cap: DailyCap, broadcast: Broadcast) -> None:
        self._rpc, self._kept, self._pool, self._cap, self._broadcast = rpc, kept, pool, cap, broadcast
        self.changed: dict[str, TxRecord] = {}
        """What was written in this round, by intent key."""
        self._agreed = ""
        self._disagreed: tuple[str, Retry] | None = None
        #: Intent key → what a pool said against its newest attempt.
        self._refusals: dict[str, Refusal] = {}
        self._bump_ppm = 0

    def save(self, record: TxRecord) -> TxRecord:
        """Write a record down."""
        self._kept.save(record)
        self.changed[record.intent.key] = record
        self._cap.note(record)
        if not record.state.is_open:
            self._refusals.pop(record.intent.key, None)
        log.info("outbox.step", key=record.intent.key, state=record.state, nonce=record.nonce, reason=record.reason)
        return record

    def begin(self) -> None:
        """A new round of sending: endpoints that disagreed are asked again."""
        self._disagreed = None
        self.changed = {}

    def agree(self, head: BlockRef) -> None:
        """Whether the endpoints agree about `head`; asked once a head while they do, once a round while they do not.

        Raises: `Retry`.
        """
        if head.hash == self._agreed:
            return
        if self._disagreed is not None and self._disagreed[0] == head.hash:
            raise self._disagreed[1]
        try:
            self._rpc.agree(head)
        except Retry as error:
            self._disagreed = (head.hash, error)
            raise
        self._agreed = head.hash

    def refusal(self, record: TxRecord) -> Refusal | None:
        """What a pool said against the newest attempt; None if nothing."""
        refusal = self._refusals.get(record.intent.key)
        return refusal if refusal is not None and refusal.attempts == len(record.attempts) else None

    @property
    def rule(self) -> NodeRule:
        """The replacement rule that a node stated in this process's life."""
        return NodeRule(bump_ppm=self._bump_ppm)

    def sign(
        self, record: TxRecord, signer: Signer, offer: FeeOffer, head: BlockRef, *, cancels: bool = False
    ) -> TxRecord:
        """Sign one more attempt and store it, before anybody else sees it.

        Raises: `Halt`, `Refused` or `Retry` if the day's gas could exceed its cap; `Retry` if endpoints disagree or the
            signer does not answer, after which nothing changed.
        """
        self.agree(head)
        attempt = TxAttempt(
            tx_hash="",
            raw=b"",
            max_fee_wei=offer.max_fee_wei,
            priority_fee_wei=offer.priority_fee_wei,
            block_number=head.number,
            cancels=cancels,
        )
        state = TxState.SIGNED if record.state is TxState.PLANNED else record.state
        self._cap.check(replace(record, state=state, attempts=(*record.attempts, attempt)), now_s=head.timestamp)
        try:
            signed = signer.sign(_transaction(record, attempt, self._rpc.chain_id))
        except (Retry, KeyUnusable) as error:
            self._pool.cannot_sign(signer.address, head, error.message)
            raise
        attempt = replace(attempt, tx_hash=signed.tx_hash, raw=signed.raw)
        if attempt.tx_hash in {known.tx_hash for known in record.attempts}:
            return record  # the very same transaction: nothing new to remember
        return self.save(replace(record, state=state, attempts=(*record.attempts, attempt)))

    def send(self, record: TxRecord, head: BlockRef) -> TxRecord:
        """Broadcast the newest attempt; what a pool has against it is remembered for the next one.

        Raises: `Retry` if endpoints disagree.
        """
        self.agree(head)
        key, sender = record.intent.key, record.sender or ""
        try:
            self._broadcast.send(record.attempts[-1].raw, record, head)
        except NonceUsed:
            return record  # something with this nonce is mined: settlement finds out what
        except Underpriced as error:
            rule, occupied = NodeRule.parse(error.message), is_about_replacing(error.message)
            self._refusals[key] = Refusal(attempts=len(record.attempts), rule=rule, occupied=occupied)
            if occupied:
                self._bump_ppm = max(self._bump_ppm, rule.bump_ppm)
            if occupied and len(record.attempts) == 1:
                # An alert, not a fault of ours: the traceback would say nothing.
                alert = log.error
                alert("outbox.foreign_pending", key=key, nonce=record.nonce, sender=sender, error=error.message)
            else:
                log.warning("outbox.underpriced", key=key, error=error.message)
            return record
        except Unfunded as error:
            # The pool asked every endpoint.  It is told at each block, and the same bytes go out again with the next.
            self._pool.cannot_pay(sender, head, error.message)
            return record
        except Retry as error:
            # Stored and signed: the next block broadcasts the same bytes again.
            log.warning("outbox.not_broadcast", key=key, error=error.message)
            return record
        self._pool.works(sender)
        self._refusals.pop(key, None)
        return record if record.state is TxState.SENT else self.save(replace(record, state=TxState.SENT))


def _transaction(record: TxRecord, attempt: TxAttempt, chain_id: int) -> dict[str, object]:
    assert record.nonce is not None
    assert record.sender is not None
    to, data, gas = record.intent.to, record.intent.data, record.intent.gas_limit
    if attempt.cancels:
        to, data, gas = record.sender, b"", CANCEL_GAS
    return {
        "type": 2,
        "chainId": chain_id,
        "nonce": record.nonce,
        "to": checksum(to),
        "data": "0x" + data.hex(),
        "value": 0,
        "gas": gas,
        "maxFeePerGas": attempt.max_fee_wei,
        "maxPriorityFeePerGas": attempt.priority_fee_wei,
    }


def selector_only(data: bytes) -> str:
    """Name a revert by its selector: what there is without an ABI."""
    return f"0x{data[:4].hex()}" if data else "no reason given"


#: A person's words for the bytes a contract reverted with.
Decode = Callable[[bytes], str]
