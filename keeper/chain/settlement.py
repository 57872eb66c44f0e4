"""What became of a signed transaction: read from the chain, by nonce, whatever our own memory says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from keeper.chain.errors import Reverted
from keeper.chain.records import Receipt
from keeper.chain.rpc import Rpc
from keeper.domain.block import BlockRef
from keeper.domain.tx import TxRecord, TxState
from keeper.errors import Retry

log = structlog.get_logger(__name__)


class Settlement:
    """Moves records between SENT, MINED and the ends.

    Args:
        rpc: where to ask.
        confirmations: blocks on top after which a block counts as final.
        decode_revert: a person's words for revert data.
    """

    def __init__(self, rpc: Rpc, *, confirmations: int, decode_revert: Callable[[bytes], str]) -> None:
        self._rpc, self._confirmations, self._decode = rpc, confirmations, decode_revert

    def look(self, record: TxRecord, head: BlockRef) -> TxRecord:
        """The record as the chain up to `head` has it.

        Returns: `record` itself if nothing changed.  Raises: `Retry`.
        """
        assert record.sender is not None
        assert record.nonce is not None
        # The nonce first: if it is used by the time of the second question, the receipts must show by whom.
        gone_for_good = self._nonce_at(record, head.number - self._confirmations) > record.nonce
        mined = self._find(record, head)
        if mined is not None:
            return self._mined(record, *mined, head)
        if gone_for_good:
            reason = f"nonce {record.nonce} of {record.sender} was used by another transaction"
            return _unmined(replace(record, state=TxState.REPLACED, reason=reason))
        if record.state is TxState.MINED:
            log.warning("settlement.reorg", key=record.intent.key, block=record.mined and record.mined.number)
            return _unmined(replace(record, state=TxState.SENT, reason="its block was reorganised away"))
        return record

    def _nonce_at(self, record: TxRecord, height: int) -> int:
        if height < 0:
            return 0
        assert record.sender is not None
        # Blocks at this depth do not change, and the node that serves them serves their state.
        return self._rpc.nonce(record.sender, self._rpc.block(height))

    def _find(self, record: TxRecord, head: BlockRef) -> tuple[Receipt, BlockRef] | None:
        """The receipt of whichever attempt mined, with its canonical block."""
        for attempt in reversed(record.attempts):
            receipt = self._rpc.receipt(attempt.tx_hash)
            if receipt is None or receipt.block_number > head.number:
                continue
            block = self._rpc.block(receipt.block_number)
            if block.hash != receipt.block_hash:
                raise Retry(f"the receipt of {attempt.tx_hash} and its block disagree", tx_hash=attempt.tx_hash)
            return receipt, block
        return None

    def _mined(self, record: TxRecord, receipt: Receipt, block: BlockRef, head: BlockRef) -> TxRecord:
        state = TxState.MINED
        if head.number - block.number >= self._confirmations:
            state = TxState.FINAL if receipt.succeeded else TxState.REVERTED
        same = record.mined == block and record.mined_hash == receipt.tx_hash
        reason = record.reason if same else "" if receipt.succeeded else self._why(record, block)
        return replace(
            record,
            state=state,
            mined=block,
            mined_hash=receipt.tx_hash,
            gas_used=receipt.gas_used,
            reason=reason,
        )

    def _why(self, record: TxRecord, block: BlockRef) -> str:
        """The likely reason of a failure: the same call on the block before.  Earlier transactions may differ."""
        intent = record.intent
        try:
            parent = self._rpc.block_by_hash(block.parent_hash)
            self._rpc.call_at(parent, intent.to, intent.data, sender=record.sender, gas=intent.gas_limit)
        except Reverted as error:
            return f"reverted: {self._decode(error.data) if error.data else error.message}"
        except Retry:
            return "reverted: the reason could not be asked"
        return "reverted: the state changed within its block"


def _unmined(record: TxRecord) -> TxRecord:
    return replace(record, mined=None, mined_hash=None, gas_used=None)
