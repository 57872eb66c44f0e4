"""Pending transactions of the embedded node, with the replacement rule that real nodes apply."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

#: A replacement pays at least this much more on both fee fields, in percent (go-ethereum's default price bump).
PRICE_BUMP_PERCENT = 10


class PoolRefusal(Exception):
    """The pool does not take the transaction; the text is go-ethereum's."""


def _fees(transaction: Any) -> tuple[int, int]:
    return int(transaction.max_fee_per_gas), int(transaction.max_priority_fee_per_gas)


class Mempool:
    """Signed transactions by sender and nonce, in memory.

    Args:
        bump_percent: what a replacement must pay more on both fee fields.
        min_tip_wei: transactions that offer a lower tip are refused.
    """

    def __init__(self, *, bump_percent: int = PRICE_BUMP_PERCENT, min_tip_wei: int = 0) -> None:
        self._by_sender: dict[bytes, dict[int, Any]] = defaultdict(dict)
        self.bump_percent, self.min_tip_wei = bump_percent, min_tip_wei
        self.worst_first = False

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._by_sender.values())

    def add(self, transaction: Any, *, state: Any) -> None:
        """Take one transaction.

        Args:
            transaction: decoded and signature-checked.
            state: world state at the head, for nonce and balance.

        Raises: `PoolRefusal` with go-ethereum's words.
        """
        sender = transaction.sender
        nonce = state.get_nonce(sender)
        if transaction.nonce < nonce:
            raise PoolRefusal(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
        max_fee, tip = _fees(transaction)
        if tip < self.min_tip_wei:
            raise PoolRefusal(f"transaction underpriced: gas tip cap {tip}, minimum needed {self.min_tip_wei}")
        if state.get_balance(sender) < transaction.gas * max_fee + transaction.value:
            raise PoolRefusal("insufficient funds for gas * price + value")
        held = self._by_sender[sender].get(transaction.nonce)
        if held is not None:
            if held.hash == transaction.hash:
                raise PoolRefusal("already known")
            for ours, theirs in zip(_fees(transaction), _fees(held), strict=True):
                if ours * 100 < theirs * (100 + self.bump_percent):
                    raise PoolRefusal("replacement transaction underpriced")
        self._by_sender[sender][transaction.nonce] = transaction

    def put_back(self, transaction: Any, *, state: Any) -> None:
        """Take a transaction that a reorg put out of its block; one that meanwhile may not enter is forgotten."""
        try:
            self.add(transaction, state=state)
        except PoolRefusal:
            return

    def get(self, tx_hash: bytes) -> Any | None:
        """The pending transaction with this hash."""
        for queue in self._by_sender.values():
            for transaction in queue.values():
                if transaction.hash == tx_hash:
                    return transaction
        return None

    def ready(self, *, state: Any, base_fee: int) -> list[Any]:
        """What the next block can take: per sender without a nonce gap and above the base fee, best tip first."""
        queues: list[list[Any]] = []
        for sender, queue in self._by_sender.items():
            nonce = state.get_nonce(sender)
            run: list[Any] = []
            while nonce in queue and _fees(queue[nonce])[0] >= base_fee:
                run.append(queue[nonce])
                nonce += 1
            if run:
                queues.append(run)
        ordered: list[Any] = []
        while queues:
            choose = min if self.worst_first else max
            best = choose(queues, key=lambda run: min(_fees(run[0])[1], _fees(run[0])[0] - base_fee))
            ordered.append(best.pop(0))
            queues = [run for run in queues if run]
        return ordered

    def next_nonce(self, sender: bytes, *, latest: int) -> int:
        """The nonce after the last gapless pending one."""
        queue = self._by_sender.get(sender, {})
        while latest in queue:
            latest += 1
        return latest

    def drop(self, tx_hash: bytes) -> bool:
        """Forget one transaction, as a node under memory pressure does.  Returns whether it was there."""
        for queue in self._by_sender.values():
            for nonce, transaction in list(queue.items()):
                if transaction.hash == tx_hash:
                    del queue[nonce]
                    return True
        return False

    def hashes(self) -> tuple[bytes, ...]:
        """Everything held, by sender in the order of nonces."""
        return tuple(queue[nonce].hash for queue in self._by_sender.values() for nonce in sorted(queue))

    def empty_copy(self) -> Mempool:
        """A pool with the same rules and nothing in it."""
        return Mempool(bump_percent=self.bump_percent, min_tip_wei=self.min_tip_wei)

    def forget_mined(self, *, state: Any) -> None:
        """Drop everything whose nonce is used."""
        for sender, queue in list(self._by_sender.items()):
            nonce = state.get_nonce(sender)
            for used in [held for held in queue if held < nonce]:
                del queue[used]
            if not queue:
                del self._by_sender[sender]

    def clear(self) -> None:
        """Drop everything."""
        self._by_sender.clear()
