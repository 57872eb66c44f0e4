"""What gas costs in the next block, asked once per head; and the receipts that say what it did cost."""

from __future__ import annotations

from statistics import median_low

from keeper.chain.asking.rpc import Rpc
from keeper.chain.records import Receipt
from keeper.domain.block import BlockRef
from keeper.errors import KeeperError


class Gas:
    """What actions are weighed against.

    Args:
        rpc: where to ask.
        default_tip_wei: tip where the chain has no history of tips.
    """

    def __init__(self, rpc: Rpc, *, default_tip_wei: int = 10**9) -> None:
        self._rpc, self._default_tip_wei = rpc, default_tip_wei
        self._asked: tuple[str, int | None] = ("", None)

    def gas_price_wei(self, head: BlockRef) -> int | None:
        """Base fee of the block after `head` and the usual tip, wei per gas; None if it could not be asked."""
        if self._asked[0] != head.hash:
            self._asked = (head.hash, self._ask())
        return self._asked[1]

    def _ask(self) -> int | None:
        try:
            history = self._rpc.fee_history()
        except KeeperError:  # unknown is a value, whatever the reason: policy decides what to do without it
            return None
        tip = median_low(history.tips_wei) if history.tips_wei else self._default_tip_wei
        return history.next_base_fee_wei + tip

    def receipt(self, tx_hash: str) -> Receipt | None:
        """See `Rpc.receipt`."""
        return self._rpc.receipt(tx_hash)

    def block_by_hash(self, block_hash: str) -> BlockRef:
        """See `Rpc.block_by_hash`."""
        return self._rpc.block_by_hash(block_hash)
