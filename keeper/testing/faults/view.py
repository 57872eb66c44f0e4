"""The chain as a node sees it that stands still: nothing above a height exists for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keeper.testing.answers import Node
from keeper.testing.faults.fault import Call
from keeper.testing.wire import JsonRpcError, number, quantity

#: Where each method that reads state names its block.
BLOCK_AT: Final[Mapping[str, int]] = {
    "eth_getBalance": 1,
    "eth_getTransactionCount": 1,
    "eth_getCode": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getStorageAt": 2,
}
#: Every method whose answer depends on where the head is.
METHODS: Final = (
    *BLOCK_AT,
    "eth_blockNumber",
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getBlockReceipts",
    "eth_getTransactionReceipt",
    "eth_getTransactionByHash",
    "eth_getLogs",
    "eth_feeHistory",
)
TAGS: Final = ("latest", "pending")


class View:
    """Answers as `node` would with its head at `ceiling`.

    Args:
        node: what knows the chain.
        ceiling: height of the newest block that exists here.
        head: that block's object as it was when the view stood still; later reorgs do not change it.
    """

    def __init__(self, node: Node, ceiling: int, head: Mapping[str, Any] | None = None) -> None:
        self._node, self._ceiling, self._head = node, ceiling, head

    def request(self, call: Call) -> Any:
        """Answer one of `METHODS`.  Raises: `JsonRpcError`."""
        if call.method in BLOCK_AT:
            return self._state(call, BLOCK_AT[call.method])
        return getattr(self, f"_{call.method}")(call)

    def _ask(self, call: Call) -> Any:
        return self._node.request(call.method, list(call.params))

    def _under(self, block: Any) -> Any:
        """A block parameter with tags replaced; None if it names a block that does not exist here."""
        if isinstance(block, dict):
            if "blockHash" in block:
                return block if self._has(block["blockHash"]) else None
            return self._under(block["blockNumber"])
        if block in TAGS:
            return quantity(self._ceiling)
        if block in ("safe", "finalized"):
            there = number(self._node.request("eth_getBlockByNumber", [block, False])["number"])
            return quantity(min(there, self._ceiling))
        if block == "earliest":
            return block
        return block if number(block) <= self._ceiling else None

    def _has(self, block_hash: str) -> bool:
        found = self._node.request("eth_getBlockByHash", [block_hash, False])
        return found is not None and number(found["number"]) <= self._ceiling

    def _state(self, call: Call, place: int) -> Any:
        under = self._under(call.params[place] if len(call.params) > place else "latest")
        if under is None:
            raise JsonRpcError(-32000, "header not found")
        return self._ask(call.with_param(place, under))

    def _eth_blockNumber(self, _call: Call) -> str:  # noqa: N802 - the method's name
        return quantity(self._ceiling)

    def _eth_getBlockByNumber(self, call: Call) -> Any:  # noqa: N802 - the method's name
        under = self._under(call.params[0])
        if under is None:
            return None
        if self._head is not None and under == quantity(self._ceiling) and not any(call.params[1:]):
            return dict(self._head)
        return self._ask(call.with_param(0, under))

    def _eth_getBlockByHash(self, call: Call) -> Any:  # noqa: N802 - the method's name
        if self._head is not None and call.params[0] == self._head["hash"] and not any(call.params[1:]):
            return dict(self._head)
        return self._ask(call) if self._has(call.params[0]) else None

    def _eth_getBlockReceipts(self, call: Call) -> Any:  # noqa: N802 - the method's name
        block = call.params[0]
        by_hash = isinstance(block, str) and len(block) == 66
        under = self._under({"blockHash": block} if by_hash else block)
        return None if under is None else self._ask(call.with_param(0, block if by_hash else under))

    def _eth_getTransactionReceipt(self, call: Call) -> Any:  # noqa: N802 - the method's name
        found = self._ask(call)
        return found if found is not None and number(found["blockNumber"]) <= self._ceiling else None

    def _eth_getTransactionByHash(self, call: Call) -> Any:  # noqa: N802 - the method's name
        found = self._ask(call)
        if found is None or found["blockNumber"] is None or number(found["blockNumber"]) <= self._ceiling:
            return found
        return found | {"blockNumber": None, "blockHash": None, "transactionIndex": None}

    def _eth_getLogs(self, call: Call) -> Any:  # noqa: N802 - the method's name
        query = dict(call.params[0])
        if "blockHash" in query:
            if not self._has(query["blockHash"]):
                raise JsonRpcError(-32000, "unknown block")
            return self._ask(call)
        first = self._under(query.get("fromBlock", "latest"))
        last = self._under(query.get("toBlock", "latest"))
        if first is None:
            return []
        capped = query | {"fromBlock": first, "toBlock": quantity(self._ceiling) if last is None else last}
        return self._ask(call.with_param(0, capped))

    def _eth_feeHistory(self, call: Call) -> Any:  # noqa: N802 - the method's name
        return self._ask(call.with_param(1, self._under(call.params[1]) or quantity(self._ceiling)))
