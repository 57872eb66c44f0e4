"""The truth behind all endpoints, and what really left the keeper while things stood so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from keeper.testing.node import EmbeddedNode
from keeper.testing.toy.house import house_abi
from keeper.testing.toy.ledger import decoded

#: A liquidation is innocent if its account was unhealthy at one of so many of the last true heads: what the pool lets
#: an endpoint lag, and the head that moves between the reading and the sending.
MEMORY = 3

_LIQUIDATE = house_abi().call("liquidate", 0, 0)[:4]


class Witness:
    """The true node, which remembers how things stood at its last heads.

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

    def judge(self, raw: str) -> None:
        """Signed bytes leave the keeper now."""
        account = liquidated(raw)
        if account is None:
            return
        self.sent += 1
        if not any(account in unhealthy for unhealthy in self._heads):
            self.wronged.append(f"account {account} was healthy at the last {len(self._heads)} heads")


class Watched:
    """A keeper's provider whose sends are judged when they leave: what a pool does with them later is its own doing.

    Args:
        inner: the provider.
        witness: who judges.
    """

    def __init__(self, inner: Any, witness: Witness) -> None:
        self._inner, self._witness = inner, witness

    def make_request(self, method: str, params: Any) -> Any:
        """Pass one request on."""
        if method == "eth_sendRawTransaction":
            self._witness.judge(str(params[0]))
        return self._inner.make_request(method, params)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._inner, attribute)


def liquidated(raw: str) -> int | None:
    """The account that a signed transaction liquidates; None if it does something else."""
    data = decoded(bytes.fromhex(raw.removeprefix("0x"))).data
    if data[:4] != _LIQUIDATE:
        return None
    return int.from_bytes(data[4:36], "big")
