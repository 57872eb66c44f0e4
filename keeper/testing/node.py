"""A JSON-RPC node around the embedded EVM: standard requests in, standard answers and error codes out.

One surface for everybody: web3 talks to it through `keeper.testing.provider`, another process through
`keeper.testing.http_node`, and the keeper cannot tell it from a real node: custom errors carry their data, blocks can
be addressed by hash, receipts come from an index.

Methods beyond the standard follow anvil's names: evm_mine, evm_snapshot, evm_revert, evm_setAutomine,
evm_setNextBlockTimestamp, evm_increaseTime, anvil_reorg, anvil_dropTransaction, anvil_dropAllTransactions,
anvil_setNextBlockBaseFeePerGas, anvil_setBlockTimestampInterval.
"""

# ruff: noqa: D102, FBT001, FBT002, N802 - the rpc_ methods have the names, flags and meaning of the standard

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from eth_account import Account
from eth_utils import keccak

from keeper.testing import wire
from keeper.testing.evm import CHAIN_ID, BadTransaction, Call, Evm, ExecutionError, UnknownBlock
from keeper.testing.machine import Machine
from keeper.testing.mempool import Mempool, PoolRefusal
from keeper.testing.wire import JsonRpcError, number, octets, quantity

#: Error codes as go-ethereum and anvil use them.
CODE_REVERTED, CODE_UNKNOWN_BLOCK, CODE_SERVER, CODE_NO_METHOD, CODE_BAD_PARAMS = 3, -32001, -32000, -32601, -32602

#: Depths of the tags: one and two epochs of 32 blocks.
SAFE_DEPTH, FINALIZED_DEPTH = 32, 64

#: What a node suggests where it has no history of tips: 1 gwei.
DEFAULT_TIP_WEI = 10**9


class EmbeddedNode:
    """Chain, mempool and clock behind `request`.

    Args:
        accounts: how many funded accounts of the test mnemonic.
        block_interval_s: seconds from one block to the next where nothing else was asked for.
        automine: mine as soon as a transaction can be included.
        chain_id: what `eth_chainId` answers and transactions are checked against.
        evm: the chain; a fresh one by default; where one is given, `accounts` and `chain_id` have no meaning.
    """

    def __init__(
        self,
        *,
        accounts: int = 10,
        block_interval_s: int = 12,
        automine: bool = True,
        chain_id: int = CHAIN_ID,
        evm: Machine | None = None,
    ) -> None:
        self.evm: Machine = evm or Evm.fresh(accounts=accounts, chain_id=chain_id)
        self.pool = Mempool()
        self.automine = automine
        self.block_interval_s = block_interval_s
        self.next_timestamp: int | None = None
        self.next_base_fee_wei: int | None = None
        #: How far the blocks called safe and finalized lie behind the head (as on Ethereum, and anvil).
        self.safe_depth, self.finalized_depth = SAFE_DEPTH, FINALIZED_DEPTH
        #: How old a state this node still has; None: all.  Nodes that are no archives have the last 128.
        self.state_depth: int | None = None
        self.accounts = tuple(Account.from_key(key) for key in self.evm.keys)
        self._snapshots: list[tuple[bytes, bool, int]] = []
        self._lock = threading.RLock()
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self._methods: dict[str, Callable[..., Any]] = {
            name.removeprefix("rpc_"): getattr(self, name) for name in dir(self) if name.startswith("rpc_")
        }

    def request(self, method: str, params: list[Any]) -> Any:
        """Answer one call.  Raises: `JsonRpcError`, never anything else for bad input."""
        handler = self._methods.get(method)
        if handler is None:
            raise JsonRpcError(CODE_NO_METHOD, f"the method {method} does not exist/is not available")
        with self._lock:
            try:
                return handler(*params)
            except ExecutionError as error:
                data = wire.hexed(error.output)
                raise JsonRpcError(CODE_REVERTED, f"execution reverted: {error}", data) from error
            except UnknownBlock as error:
                raise JsonRpcError(CODE_UNKNOWN_BLOCK, f"block not found: {error}") from error
            except (PoolRefusal, BadTransaction) as error:
                raise JsonRpcError(CODE_SERVER, str(error)) from error
            except (TypeError, ValueError, KeyError) as error:
                raise JsonRpcError(CODE_BAD_PARAMS, f"invalid params: {error}") from error

    def subscribe_heads(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Call `callback` with each new head's block object, in the thread that mined it and before that returns.

        Blocks of a reorg are told one by one, oldest first.  Returns: what ends the subscription.
        """
        with self._lock:
            self._listeners.append(callback)

        def end() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return end

    # Time and blocks

    def next_time(self) -> int:
        """Timestamp of the block that `mine` would append."""
        parent = int(self.evm.head.timestamp)
        return max(parent + 1, self.next_timestamp or parent + self.block_interval_s)

    def _upcoming(self) -> Any:
        """Header of the block that `mine` would append."""
        return self.evm.next_header(timestamp=self.next_time(), base_fee_wei=self.next_base_fee_wei)

    def mine(self) -> Any:
        """Append one block with everything in the pool that can enter it.  Returns its header."""
        ready: list[Any] = []
        if len(self.pool):
            state = self.evm.state(self.evm.head)
            ready = self.pool.ready(state=state, base_fee=int(self._upcoming().base_fee_per_gas))
        header, refused = self.evm.mine(ready, timestamp=self.next_time(), base_fee_wei=self.next_base_fee_wei)
        self.next_timestamp = self.next_base_fee_wei = None
        for transaction, reason in refused:
            if "limit" not in reason.lower():  # a full block leaves the transaction for the next one
                self.pool.drop(transaction.hash)
        if len(self.pool):
            self.pool.forget_mined(state=self.evm.state(self.evm.head))
        if self._listeners:
            told = wire.block(header, self.evm.transactions(header), full=False)
            for callback in tuple(self._listeners):
                callback(told)
        return header

    def reorg(self, depth: int, *, keep_transactions: bool, worst_first: bool = False, extra: int = 0) -> None:
        """Replace the last `depth` blocks by as many others.

        Args:
            depth: blocks to remove.
            keep_transactions: whether removed transactions return to the pool and mine again, or are lost.
            worst_first: the new blocks take transactions in the opposite order of tips, senders' nonces permitting.
            extra: how many blocks longer the new branch is; a real one always is, by one at least.
        """
        with self._lock:
            self._reorg(depth, keep_transactions=keep_transactions, worst_first=worst_first, extra=extra)

    def _reorg(self, depth: int, *, keep_transactions: bool, worst_first: bool, extra: int) -> None:
        head = self.evm.head
        removed = [self.evm.header(height) for height in range(head.block_number - depth + 1, head.block_number + 1)]
        transactions = [transaction for header in removed for transaction in self.evm.transactions(header)]
        self.evm.rewind(self.evm.header(head.block_number - depth).hash)
        self.evm.fork_salt()
        if keep_transactions:
            state = self.evm.state(self.evm.head)
            for transaction in transactions:
                self.pool.put_back(transaction, state=state)
        waiting = self.pool
        if not keep_transactions:
            self.pool = waiting.empty_copy()
        self.pool.worst_first = worst_first
        for header in removed:
            self.next_timestamp = int(header.timestamp)
            self.mine()
        for _ in range(extra):
            self.mine()
        self.pool = waiting
        self.pool.worst_first = False
        self.pool.forget_mined(state=self.evm.state(self.evm.head))

    def _header(self, block: Any) -> Any:
        if isinstance(block, dict):
            if "blockHash" in block:
                return self.evm.header_by_hash(octets(block["blockHash"]))
            return self._header(block["blockNumber"])
        if block == "latest":
            return self.evm.head
        if block in ("safe", "finalized"):
            depth = self.safe_depth if block == "safe" else self.finalized_depth
            return self.evm.header(max(self.evm.first, int(self.evm.head.block_number) - depth))
        if block == "pending":
            return self._upcoming()
        if block == "earliest":
            return self.evm.header(self.evm.first)
        return self.evm.header(number(block))

    def _state(self, block: Any) -> Any:
        return self.evm.state(self.evm.head if block == "pending" else self._with_state(self._header(block)))

    def _with_state(self, header: Any) -> Any:
        age = int(self.evm.head.block_number - header.block_number)
        if self.state_depth is not None and age > self.state_depth:
            raise JsonRpcError(
                CODE_SERVER, f"missing trie node {header.state_root.hex()} (path ) state is not available"
            )
        return header

    # Reading

    def rpc_eth_chainId(self) -> str:
        return quantity(self.evm.chain_id)

    def rpc_net_version(self) -> str:
        return str(self.evm.chain_id)

    def rpc_web3_clientVersion(self) -> str:
        return "margin-keeper/embedded/py-evm"

    def rpc_eth_blockNumber(self) -> str:
        return quantity(self.evm.head.block_number)

    def rpc_eth_accounts(self) -> list[str]:
        return [account.address for account in self.accounts]

    def rpc_eth_getBlockByNumber(self, block: Any, full: bool = False) -> Any:
        try:
            return wire.block(self._header(block), self._block_transactions(block), full=full)
        except UnknownBlock:
            return None

    def rpc_eth_getBlockByHash(self, block_hash: str, full: bool = False) -> Any:
        return self.rpc_eth_getBlockByNumber({"blockHash": block_hash}, full)

    def _block_transactions(self, block: Any) -> tuple[Any, ...]:
        return () if block == "pending" else self.evm.transactions(self._header(block))

    def rpc_eth_getBalance(self, address: str, block: Any = "latest") -> str:
        return quantity(self._state(block).get_balance(octets(address)))

    def rpc_eth_getCode(self, address: str, block: Any = "latest") -> str:
        return wire.hexed(self._state(block).get_code(octets(address)))

    def rpc_eth_getStorageAt(self, address: str, slot: Any, block: Any = "latest") -> str:
        return wire.word(self._state(block).get_storage(octets(address), number(slot)))

    def rpc_eth_getTransactionCount(self, address: str, block: Any = "latest") -> str:
        nonce = self._state(block).get_nonce(octets(address))
        return quantity(self.pool.next_nonce(octets(address), latest=nonce) if block == "pending" else nonce)

    def _execute(self, call: dict[str, Any], block: Any) -> tuple[bytes, int]:
        request = Call(
            sender=octets(call.get("from") or "0x" + "00" * 20),
            to=octets(call.get("to") or "0x"),
            data=octets(call.get("data") or call.get("input") or "0x"),
            value=number(call.get("value", 0)),
            gas=number(call["gas"]) if call.get("gas") else None,
        )
        header = self._header(block)
        if block != "pending":
            return self.evm.call(request, self._with_state(header))
        state = self.evm.state(self.evm.head)
        return self.evm.call(request, header, after=self.pool.ready(state=state, base_fee=0))

    def rpc_eth_call(self, call: dict[str, Any], block: Any = "latest") -> str:
        return wire.hexed(self._execute(call, block)[0])

    def rpc_eth_estimateGas(self, call: dict[str, Any], block: Any = "latest") -> str:
        # Half as much again covers refunds and the 63/64 rule; precise enough for set-up code, which passes gas anyway.
        return quantity(self._execute(call, block)[1] * 3 // 2 + 5_000)

    def rpc_eth_gasPrice(self) -> str:
        return quantity(int(self._header("pending").base_fee_per_gas) + DEFAULT_TIP_WEI)

    def rpc_eth_maxPriorityFeePerGas(self) -> str:
        return quantity(DEFAULT_TIP_WEI)

    def rpc_eth_feeHistory(self, count: Any, newest: Any, percentiles: list[float] | None = None) -> Any:
        last = self._header("latest" if newest == "pending" else newest).block_number
        first = max(0, last - number(count) + 1)
        headers = [self.evm.header(height) for height in range(first, last + 1)]
        upcoming = self._header("pending") if last == self.evm.head.block_number else self.evm.header(last + 1)
        return {
            "oldestBlock": quantity(first),
            "baseFeePerGas": [quantity(header.base_fee_per_gas) for header in (*headers, upcoming)],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
            "reward": [[quantity(DEFAULT_TIP_WEI) for _ in percentiles or ()] for _ in headers],
        }

    def rpc_eth_getTransactionReceipt(self, tx_hash: str) -> Any:
        found = self.evm.locate(octets(tx_hash))
        if found is None:
            return None
        header, index = found
        return wire.receipt(header, self.evm.transactions(header), self.evm.receipts(header), index)

    def rpc_eth_getBlockReceipts(self, block: Any) -> Any:
        try:
            header = self._header({"blockHash": block} if isinstance(block, str) and len(block) == 66 else block)
        except UnknownBlock:
            return None
        transactions, receipts = self.evm.transactions(header), self.evm.receipts(header)
        return [wire.receipt(header, transactions, receipts, index) for index in range(len(transactions))]

    def rpc_eth_getTransactionByHash(self, tx_hash: str) -> Any:
        found = self.evm.locate(octets(tx_hash))
        if found is not None:
            header, index = found
            return wire.transaction(self.evm.transactions(header)[index], header=header, index=index)
        pending = self.pool.get(octets(tx_hash))
        return None if pending is None else wire.transaction(pending, header=None, index=None)

    def rpc_eth_getLogs(self, query: dict[str, Any]) -> list[Any]:
        if "blockHash" in query:
            headers = [self._header(query)]
        else:
            first = self._header(query.get("fromBlock", "latest")).block_number
            newest = self.evm.head.block_number
            last = min(number_or(query.get("toBlock", "latest"), newest), newest)
            headers = [self.evm.header(height) for height in range(first, last + 1)]
        wanted = wire.LogFilter.parse(query)
        return [
            entry
            for header in headers
            if wanted.may_match(header.bloom)
            for entry in wire.logs(header, self.evm.transactions(header), self.evm.receipts(header), wanted)
        ]

    # Sending

    def rpc_eth_sendRawTransaction(self, raw: str) -> str:
        transaction = self.evm.decode(octets(raw))
        if int(getattr(transaction, "chain_id", self.evm.chain_id) or self.evm.chain_id) != self.evm.chain_id:
            raise JsonRpcError(CODE_SERVER, "invalid chain id for signer")
        if self.evm.locate(transaction.hash) is not None:
            raise JsonRpcError(CODE_SERVER, "already known")
        self.pool.add(transaction, state=self.evm.state(self.evm.head))
        if self.automine:
            self.mine()
        return wire.hexed(transaction.hash)

    def rpc_eth_sendTransaction(self, request: dict[str, Any]) -> str:
        sender = octets(request["from"])
        account = next((own for own in self.accounts if octets(own.address) == sender), None)
        if account is None:
            raise JsonRpcError(CODE_SERVER, "unknown account")
        base_fee = int(self._header("pending").base_fee_per_gas)
        tip = number(request.get("maxPriorityFeePerGas", DEFAULT_TIP_WEI))
        gas = request.get("gas")
        unsigned = {
            "type": 2,
            "chainId": self.evm.chain_id,
            "nonce": number(request.get("nonce") or self.rpc_eth_getTransactionCount(request["from"], "pending")),
            "gas": number(gas if gas is not None else self.rpc_eth_estimateGas(request, "latest")),
            "maxFeePerGas": number(request.get("maxFeePerGas", 2 * base_fee + tip)),
            "maxPriorityFeePerGas": tip,
            "value": number(request.get("value", 0)),
            "data": octets(request.get("data") or request.get("input") or "0x"),
            **({"to": request["to"]} if request.get("to") else {}),
        }
        return self.rpc_eth_sendRawTransaction(_signed(bytes(account.key), tuple(unsigned.items())))

    # Test controls

    def rpc_evm_mine(self, *_: Any) -> str:
        self.mine()
        return "0x0"

    def rpc_evm_setAutomine(self, on: bool) -> None:
        self.automine = on

    def rpc_evm_setNextBlockTimestamp(self, timestamp: Any) -> None:
        self.next_timestamp = number(timestamp)

    def rpc_evm_increaseTime(self, seconds: Any) -> str:
        self.next_timestamp = self.next_time() + number(seconds)
        return quantity(number(seconds))

    def rpc_anvil_setBlockTimestampInterval(self, seconds: Any) -> None:
        self.block_interval_s = number(seconds)

    def rpc_evm_snapshot(self) -> str:
        self._snapshots.append((self.evm.head.hash, self.automine, self.evm.salt))
        return quantity(len(self._snapshots) - 1)

    def rpc_evm_revert(self, snapshot: Any) -> bool:
        """Go back to a snapshot.  It stays usable: a life from it can be lived again, to the same hashes."""
        index = number(snapshot)
        if index >= len(self._snapshots):
            return False
        block_hash, self.automine, self.evm.salt = self._snapshots[index]
        self.evm.rewind(block_hash)
        self.pool.clear()
        self.next_timestamp = self.next_base_fee_wei = None
        return True

    def rpc_anvil_reorg(self, depth: Any, _transactions: Any = ()) -> None:
        self.reorg(number(depth), keep_transactions=False)

    def rpc_anvil_dropTransaction(self, tx_hash: str) -> bool:
        return self.pool.drop(octets(tx_hash))

    def rpc_anvil_dropAllTransactions(self) -> None:
        self.pool.clear()

    def rpc_anvil_setNextBlockBaseFeePerGas(self, wei: Any) -> None:
        self.next_base_fee_wei = number(wei)

    rpc_evm_setBaseFee = rpc_anvil_setNextBlockBaseFeePerGas  # noqa: N815 - another name of the same method

    def rpc_web3_sha3(self, data: str) -> str:
        return wire.hexed(keccak(octets(data)))


@lru_cache(maxsize=1024)
def _signed(key: bytes, unsigned: tuple[tuple[str, Any], ...]) -> str:
    """Raw bytes; the same world set up again asks for the same signatures again."""
    return wire.hexed(Account.sign_transaction(dict(unsigned), key).raw_transaction)


def number_or(value: Any, named: int) -> int:
    """A block number, or `named` for a tag such as latest."""
    return named if value in ("latest", "safe", "finalized", "pending") else number(value)
