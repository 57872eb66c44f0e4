"""The embedded node on a fork: what happened since is its own, what lies before is the other chain's."""

from __future__ import annotations

from typing import Any, Final

from keeper.testing.evm import Evm, UnknownBlock
from keeper.testing.fork.backend import ForkBackend
from keeper.testing.node import EmbeddedNode
from keeper.testing.wire import number, octets, quantity

#: Where each method names its block.  State at the fork's block itself is answered here: accounts are funded there.
BLOCK_AT: Final = {
    "eth_getBalance": 1,
    "eth_getTransactionCount": 1,
    "eth_getCode": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getStorageAt": 2,
}


class ForkNode(EmbeddedNode):
    """A node whose chain begins after a block of another chain.

    Args:
        backend: the fork.
        block_interval_s: seconds from one block to the next where nothing else was asked for.
    """

    def __init__(self, backend: ForkBackend, *, block_interval_s: int = 12) -> None:
        super().__init__(evm=Evm(backend), block_interval_s=block_interval_s)
        self.upstream, self.fork_number = backend.upstream, backend.fork_number

    def request(self, method: str, params: list[Any]) -> Any:
        """Answer one call.  Raises: `JsonRpcError`."""
        place = BLOCK_AT.get(method)
        if place is not None and len(params) > place and self._is_past(params[place]):
            return self.upstream.ask(method, *params)
        return super().request(method, params)

    def _is_past(self, block: Any) -> bool:
        """Whether a block lies before the fork's."""
        if isinstance(block, dict) and "blockHash" in block:
            try:
                self.evm.header_by_hash(octets(block["blockHash"]))
            except UnknownBlock:
                return self.upstream.ancestor(octets(block["blockHash"])) is not None
            return False
        if isinstance(block, dict):
            return self._is_past(block["blockNumber"])
        height = _height(block)
        return height is not None and height < self.fork_number

    def rpc_eth_getBlockByNumber(self, block: Any, full: bool = False) -> Any:  # noqa: D102, FBT001, FBT002, N802 - as in the node
        height = _height(block)
        if height is None and block != "pending" and not isinstance(block, dict):
            height = int(self._header(block).block_number)
        if height is not None and height <= self.fork_number:
            return self.upstream.ask("eth_getBlockByNumber", quantity(height), full)
        return super().rpc_eth_getBlockByNumber(block, full)

    def rpc_eth_getBlockByHash(self, block_hash: str, full: bool = False) -> Any:  # noqa: D102, FBT001, FBT002, N802 - as in the node
        past = self.upstream.ancestor(octets(block_hash)) if not self._is_own(block_hash) else None
        if past is not None:
            return self.upstream.ask("eth_getBlockByHash", block_hash, full)
        return super().rpc_eth_getBlockByHash(block_hash, full)

    def _is_own(self, block_hash: str) -> bool:
        try:
            return int(self.evm.header_by_hash(octets(block_hash)).block_number) > self.fork_number
        except UnknownBlock:
            return False

    def rpc_eth_getTransactionReceipt(self, tx_hash: str) -> Any:  # noqa: D102, N802 - as in the node
        return super().rpc_eth_getTransactionReceipt(tx_hash) or self._mined_before(
            "eth_getTransactionReceipt", tx_hash
        )

    def rpc_eth_getTransactionByHash(self, tx_hash: str) -> Any:  # noqa: D102, N802 - as in the node
        return super().rpc_eth_getTransactionByHash(tx_hash) or self._mined_before("eth_getTransactionByHash", tx_hash)

    def _mined_before(self, method: str, tx_hash: str) -> Any:
        found = self.upstream.ask(method, tx_hash)
        mined = found is not None and found["blockNumber"] is not None
        return found if mined and number(found["blockNumber"]) <= self.fork_number else None

    def rpc_eth_getLogs(self, query: dict[str, Any]) -> list[Any]:  # noqa: D102, N802 - as in the node
        if "blockHash" in query:
            if self._is_own(query["blockHash"]):
                return super().rpc_eth_getLogs(query)
            return list(self.upstream.ask("eth_getLogs", query))
        first, last = (_height(query.get(key, "latest")) for key in ("fromBlock", "toBlock"))
        past: list[Any] = []
        if first is not None and first <= self.fork_number:
            until = self.fork_number if last is None else min(last, self.fork_number)
            past = list(
                self.upstream.ask("eth_getLogs", query | {"fromBlock": quantity(first), "toBlock": quantity(until)})
            )
            if last is not None and last <= self.fork_number:
                return past
            query = query | {"fromBlock": quantity(self.fork_number + 1)}
            if self.evm.head.block_number == self.fork_number:
                return past
        return past + super().rpc_eth_getLogs(query)

    def rpc_eth_feeHistory(self, count: Any, newest: Any, percentiles: list[float] | None = None) -> Any:  # noqa: D102, N802 - as in the node
        height = _height(newest)
        last = int(self.evm.head.block_number) if height is None else height
        if last < self.fork_number:
            return self.upstream.ask("eth_feeHistory", count, newest, percentiles or [])
        return super().rpc_eth_feeHistory(min(number(count), last - self.fork_number + 1), newest, percentiles)


def _height(block: Any) -> int | None:
    """The height a block is named by; None for a tag that follows the head, or a hash."""
    if block == "earliest":
        return 0
    return None if isinstance(block, dict) or block in ("latest", "safe", "finalized", "pending") else number(block)
