"""The truth behind all endpoints: what really reached the chain, and how things stood then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from keeper.protocols.abi import Abi
from keeper.testing.node import EmbeddedNode
from keeper.testing.toy.house import house_abi

#: A liquidation is innocent if its account was unhealthy at one of so many of the last true heads: what the pool lets
#: an endpoint lag, and the head that moves between the reading and the sending.
MEMORY = 3


class Witness:
    """A node that passes everything on and remembers the liquidations it was handed.

    Args:
        inner: the true node.
        unhealthy: the accounts that are unhealthy at the true head.
    """

    def __init__(self, inner: EmbeddedNode, unhealthy: Callable[[], frozenset[int]]) -> None:
        self._inner, self._unhealthy = inner, unhealthy
        self._heads: deque[frozenset[int]] = deque(maxlen=MEMORY)
        self.sent = 0
        self.wronged: list[str] = []
        """Liquidations of accounts that were healthy all the while, one line each."""

    def request(self, method: str, params: list[Any]) -> Any:
        """Answer as the true node does."""
        if method == "eth_sendRawTransaction":
            self._judge(str(params[0]))
        answer = self._inner.request(method, params)
        if method == "evm_mine":
            self.look()
        return answer

    def look(self) -> None:
        """Remember how things stand at the true head."""
        self._heads.append(self._unhealthy())

    def reorg(self, depth: int, **how: Any) -> None:
        """Replace blocks, as the true node does."""
        self._inner.reorg(depth, **how)
        self.look()

    def subscribe_heads(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """As the true node."""
        return self._inner.subscribe_heads(callback)

    def _judge(self, raw: str) -> None:
        account = liquidated(raw)
        if account is None:
            return
        self.sent += 1
        if not any(account in unhealthy for unhealthy in self._heads):
            self.wronged.append(f"account {account} was healthy at the last {len(self._heads)} heads")


def liquidated(raw: str) -> int | None:
    """The account that a signed transaction liquidates; None if it does something else."""
    transaction = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    data = bytes(transaction["data"])
    abi: Abi = house_abi()
    if data[:4] != abi.call("liquidate", 0, 0)[:4]:
        return None
    return int.from_bytes(data[4:36], "big")
