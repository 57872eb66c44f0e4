"""The embedded node on a fork: what happened since is its own, what lies before is the other chain's."""

from __future__ import annotations

from typing import Any, Final

from eth_utils import keccak

from keeper.testing.evm import Evm
from keeper.testing.fork.backend import ForkBackend
from keeper.testing.fork.guest import Guest, signed_for
from keeper.testing.node import CODE_SERVER, EmbeddedNode
from keeper.testing.wire import JsonRpcError, hexed, number, octets, quantity

#: Where each method names its block.  State at the fork's block itself is answered here: accounts are funded there.
BLOCK_AT: Final = {
    "eth_getBalance": 1,
    "eth_getTransactionCount": 1,
    "eth_getCode": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getStorageAt": 2,
}

#: Characters of a hash, with 0x.
HASH_DIGITS: Final = 66


class ForkNode(EmbeddedNode):
    """A node whose chain begins after a block of another chain.

    Args:
        backend: the fork.
        block_interval_s: seconds from one block to the next where nothing else was asked for.
    """

    def __init__(self, backend: ForkBackend, *, block_interval_s: int = 12) -> None:
        super().__init__(evm=Evm(backend), block_interval_s=block_interval_s)
        self.upstream, self.fork_number = backend.upstream, backend.fork_number
        #: What was made here is not asked for there, also after a reorg or a revert removed it.
        self._mined: set[bytes] = set()
        self._sent: set[str] = set()
        #: Addresses without a key here that may send all the same, as anvil lets them.
        self._guests: set[bytes] = set()

    def request(self, method: str, params: list[Any]) -> Any:
        """Answer one call.  Raises: `JsonRpcError`."""
        place = BLOCK_AT.get(method)
        if place is not None and len(params) > place:
            past = self._past(params[place])
            if past is not None:
                return self.upstream.ask(method, *params[:place], past)
        return super().request(method, params)

    def mine(self) -> Any:
        """See `EmbeddedNode.mine`."""
        header = super().mine()
        self._mined.add(header.hash)
        return header

    def _past(self, block: Any) -> Any:
        """A block before the fork's, as the other chain is to be asked for it; None for one since."""
        if isinstance(block, dict) and "blockHash" in block:
            return block if self._before(octets(block["blockHash"])) else None
        height = self._height(block["blockNumber"] if isinstance(block, dict) else block)
        return quantity(height) if height is not None and height < self.fork_number else None

    def _before(self, block_hash: bytes) -> bool:
        """Whether a block is an ancestor of the fork's."""
        if block_hash in self._mined or block_hash == octets(self.upstream.block["hash"]):
            return False
        return self.upstream.ancestor(block_hash) is not None

    def _height(self, block: Any) -> int | None:
        """The height a block is named by; None for latest and pending, or a hash."""
        if isinstance(block, dict) or block in ("latest", "pending"):
            return None
        if block in ("safe", "finalized"):
            depth = self.safe_depth if block == "safe" else self.finalized_depth
            return max(0, int(self.evm.head.block_number) - depth)
        return 0 if block == "earliest" else number(block)

    def _there(self, block: Any) -> str | None:
        """Hash or height to ask the other chain for, if the block is the fork's or before it."""
        if isinstance(block, dict):
            block = block.get("blockHash", block.get("blockNumber"))
        if isinstance(block, str) and len(block) == HASH_DIGITS:
            own = octets(block) in self._mined or (
                octets(block) != octets(self.upstream.block["hash"]) and not self._before(octets(block))
            )
            return None if own else block
        height = self._height(block)
        if block == "latest":
            height = int(self.evm.head.block_number)
        return quantity(height) if height is not None and height <= self.fork_number else None

    def rpc_eth_getBlockByNumber(self, block: Any, full: bool = False) -> Any:  # noqa: D102, FBT001, FBT002, N802 - as in the node
        there = self._there(block)
        if there is not None:
            by = "Hash" if len(there) == HASH_DIGITS else "Number"
            return self.upstream.ask(f"eth_getBlockBy{by}", there, full)
        return super().rpc_eth_getBlockByNumber(block, full)

    def rpc_eth_getBlockReceipts(self, block: Any) -> Any:  # noqa: D102, N802 - as in the node
        there = self._there(block)
        if there is not None:
            return self.upstream.ask("eth_getBlockReceipts", there)
        return super().rpc_eth_getBlockReceipts(block)

    def rpc_eth_sendRawTransaction(self, raw: str) -> str:  # noqa: D102, N802 - as in the node
        self._sent.add(hexed(keccak(octets(raw))))
        return super().rpc_eth_sendRawTransaction(raw)

    def rpc_anvil_impersonateAccount(self, address: str) -> None:  # noqa: D102, N802 - as anvil names it
        self._guests.add(octets(address))

    def rpc_eth_sendTransaction(self, request: dict[str, Any]) -> str:  # noqa: D102, N802 - as in the node
        sender = octets(request["from"])
        if sender not in self._guests:
            return super().rpc_eth_sendTransaction(request)
        nonce = int(self.evm.state(self.evm.head).get_nonce(sender))
        guest = signed_for(sender, request, nonce=nonce, chain_id=self.evm.chain_id)
        transaction = Guest(self.evm.decode(guest), sender)
        header, refused = self.evm.mine([transaction], timestamp=self.next_time(), base_fee_wei=0)
        self.next_timestamp = self.next_base_fee_wei = None
        self._mined.add(header.hash)
        if refused:
            raise JsonRpcError(CODE_SERVER, refused[0][1])
        self._sent.add(hexed(transaction.hash))
        return hexed(transaction.hash)

    def rpc_eth_getTransactionReceipt(self, tx_hash: str) -> Any:  # noqa: D102, N802 - as in the node
        return super().rpc_eth_getTransactionReceipt(tx_hash) or self._mined_before(
            "eth_getTransactionReceipt", tx_hash
        )

    def rpc_eth_getTransactionByHash(self, tx_hash: str) -> Any:  # noqa: D102, N802 - as in the node
        return super().rpc_eth_getTransactionByHash(tx_hash) or self._mined_before("eth_getTransactionByHash", tx_hash)

    def _mined_before(self, method: str, tx_hash: str) -> Any:
        if tx_hash.lower() in self._sent:
            return None
        found = self.upstream.ask(method, tx_hash)
        mined = found is not None and found["blockNumber"] is not None
        return found if mined and number(found["blockNumber"]) <= self.fork_number else None

    def rpc_eth_getLogs(self, query: dict[str, Any]) -> list[Any]:  # noqa: D102, N802 - as in the node
        if "blockHash" in query:
            there = self._there(query["blockHash"])
            return super().rpc_eth_getLogs(query) if there is None else list(self.upstream.ask("eth_getLogs", query))
        head = int(self.evm.head.block_number)
        first, last = (self._height(query.get(key, "latest")) for key in ("fromBlock", "toBlock"))
        first, last = head if first is None else first, head if last is None else min(last, head)
        past: list[Any] = []
        if first <= min(last, self.fork_number):
            span = {"fromBlock": quantity(first), "toBlock": quantity(min(last, self.fork_number))}
            past = list(self.upstream.ask("eth_getLogs", query | span))
        if last <= self.fork_number:
            return past
        since = {"fromBlock": quantity(max(first, self.fork_number + 1)), "toBlock": quantity(last)}
        return past + super().rpc_eth_getLogs(query | since)

    def rpc_eth_feeHistory(self, count: Any, newest: Any, percentiles: list[float] | None = None) -> Any:  # noqa: D102, N802 - as in the node
        height = self._height(newest)
        last = int(self.evm.head.block_number) if height is None else height
        if last < self.fork_number:
            return self.upstream.ask("eth_feeHistory", count, quantity(last), percentiles or [])
        return super().rpc_eth_feeHistory(min(number(count), last - self.fork_number + 1), newest, percentiles)
