"""JSON-RPC of the made-up house."""

# ruff: noqa: D102, FBT001, FBT002, N802 - the rpc_ methods have the names, flags and meaning of the standard

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import rlp
from eth_account import Account
from eth_utils import keccak, to_checksum_address

from keeper.domain.block import BlockRef
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.testing.synthetic import setting
from keeper.testing.synthetic.chain import ADDRESSES, SyntheticBlock, SyntheticChain, as_json, receipts
from keeper.testing.synthetic.population import HousePlan
from keeper.testing.synthetic.views import FEEDS, MULTICALL, NoView, SyntheticViews
from keeper.testing.wire import JsonRpcError, number, octets, quantity

#: Length of `keeper.chain.asking.reads`'s program, behind which the addresses stand.
PROGRAM_BYTES = 39
CODE_UNKNOWN_BLOCK, CODE_SERVER, CODE_NO_METHOD, CODE_BAD_PARAMS, CODE_LIMIT = -32001, -32000, -32601, -32602, -32005
#: Whatever has code: contracts, feeds, tokens.
CONTRACTS = {*ADDRESSES.values(), *FEEDS, MULTICALL, *(str(setting.collateral(c)[0]) for c in (0, 1))}


class SyntheticNode:
    """A made-up clearing house behind `request`; see the package.

    Args:
        plan: how large, and how it behaves.
    """

    def __init__(self, plan: HousePlan | None = None) -> None:
        self.plan = plan or HousePlan()
        self.chain = SyntheticChain(self.plan)
        self.views = SyntheticViews(self.chain)
        #: Requests by method since the start (or since somebody cleared it).
        self.counts: Counter[str] = Counter()
        self.multicall = to_checksum_address(MULTICALL)
        self.sent: list[bytes] = []
        self._nonces: Counter[str] = Counter()
        self._mined: dict[str, tuple[SyntheticBlock, bytes]] = {}
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self._lock = threading.RLock()
        self._methods: dict[str, Callable[..., Any]] = {
            name.removeprefix("rpc_"): getattr(self, name) for name in dir(self) if name.startswith("rpc_")
        }

    @property
    def deployment(self) -> Deployment:
        """The file that a keeper would be given."""
        return Deployment(
            chain_id=self.plan.chain_id,
            block=self.chain.deployed_at,
            addresses={
                name: to_checksum_address(address) for name, address in {**ADDRESSES, "Multicall3": MULTICALL}.items()
            },
            symbols=setting.symbols(self.chain.population),
            collaterals={0: "USDC", 1: setting.TICKERS[0]},
            liquidator_account=None,
        )

    def head(self) -> BlockRef:
        """The newest block."""
        block = self.chain.head
        return BlockRef(number=block.number, hash=block.hash, parent_hash=block.parent_hash, timestamp=block.timestamp)

    def mine(self, **what: Any) -> BlockRef:
        """Append a block (see `SyntheticChain.mine`) with all that was sent, and tell who listens."""
        with self._lock:
            block = self.chain.mine(sent=self.sent, **what)
            for raw in self.sent:
                self._mined["0x" + keccak(raw).hex()] = block, raw
                self._nonces[Account.recover_transaction(raw)] += 1
            self.sent = []
        for listener in list(self._listeners):
            listener(as_json(block))
        return self.head()

    def reorg(self, depth: int, *, empty: bool = False) -> BlockRef:
        """Replace the newest blocks; see `SyntheticChain.reorg`."""
        with self._lock:
            self.chain.reorg(depth, empty=empty)
        return self.head()

    def subscribe_heads(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Call back with each new header.  Returns: how to stop that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """Answer one call.  Raises: `JsonRpcError`."""
        if method == "eth_getLogs":
            return orjson.loads(self.logs_json(params))
        self.counts[method] += 1
        handler = self._methods.get(method)
        if handler is None:
            raise JsonRpcError(CODE_NO_METHOD, f"the method {method} does not exist/is not available")
        with self._lock:
            try:
                return handler(*params)
            except NoView as error:
                raise JsonRpcError(3, f"execution reverted: {error}", "0x") from error
            except (TypeError, ValueError, KeyError) as error:
                raise JsonRpcError(CODE_BAD_PARAMS, f"invalid params: {error}") from error

    # --- logs ---------------------------------------------------------------------------------------------------------

    def logs_json(self, params: Sequence[Any]) -> bytes:
        """Answer of eth_getLogs as it goes over the wire.  Raises: `JsonRpcError`."""
        self.counts["eth_getLogs"] += 1
        (query,) = params
        with self._lock:
            if "blockHash" in query:
                blocks = [self._by_hash(query["blockHash"])]
            else:
                first, last = (self._number(query.get(end, "latest")) for end in ("fromBlock", "toBlock"))
                if self.plan.range_cap and last - first + 1 > self.plan.range_cap:
                    raise JsonRpcError(CODE_SERVER, f"eth_getLogs is limited to a {self.plan.range_cap} range")
                blocks = self.chain.blocks[first : last + 1]
            found = sum(len(block.logs) for block in blocks)
            if found > self.plan.log_cap and len(blocks) > 1:
                raise JsonRpcError(CODE_LIMIT, f"query returned more than {self.plan.log_cap} results")
            lines = [line for block in blocks if block.logs for line in self._matching(block, query)]
        if self.plan.silent_cap:
            lines = lines[: self.plan.silent_cap]
        return b"[" + b",".join(lines) + b"]"

    def _matching(self, block: SyntheticBlock, query: dict[str, Any]) -> Sequence[bytes]:
        wanted = query.get("address")
        addresses = {a.lower() for a in ([wanted] if isinstance(wanted, str) else wanted or ADDRESSES.values())}
        topics = query.get("topics") or []
        if len(topics) > 1 or (topics and isinstance(topics[0], str)):
            raise JsonRpcError(CODE_BAD_PARAMS, "only alternatives for the first topic are understood here")
        if addresses >= set(ADDRESSES.values()) and (not topics or block.kinds <= set(topics[0])):
            return [block.joined] if not self.plan.silent_cap else block.logs
        return [
            line
            for line, entry in zip(block.logs, block.parsed(), strict=True)
            if entry["address"] in addresses and (not topics or entry["topics"][0] in topics[0])
        ]

    # --- blocks -------------------------------------------------------------------------------------------------------

    def _by_hash(self, block_hash: str) -> SyntheticBlock:
        found = self.chain.by_hash.get(block_hash.lower())
        if found is None:
            raise JsonRpcError(CODE_UNKNOWN_BLOCK, f"block not found: {block_hash}")
        return found

    def _number(self, tag: Any) -> int:
        head = self.chain.head.number
        if tag in ("latest", "pending"):
            return head
        if tag in ("safe", "finalized"):
            return max(0, head - (8 if tag == "safe" else 32))
        return 0 if tag == "earliest" else number(tag)

    def _block(self, which: Any) -> SyntheticBlock:
        if isinstance(which, dict):
            return self._by_hash(which["blockHash"]) if "blockHash" in which else self._block(which["blockNumber"])
        height = self._number(which)
        if height > self.chain.head.number:
            raise JsonRpcError(CODE_UNKNOWN_BLOCK, f"block not found: {height}")
        return self.chain.blocks[height]

    def rpc_eth_chainId(self) -> str:
        return quantity(self.plan.chain_id)

    def rpc_net_version(self) -> str:
        return str(self.plan.chain_id)

    def rpc_web3_clientVersion(self) -> str:
        return "margin-keeper/synthetic"

    def rpc_eth_syncing(self) -> bool:
        return False

    def rpc_eth_blockNumber(self) -> str:
        return quantity(self.chain.head.number)

    def rpc_eth_getBlockByNumber(self, block: Any, _full: bool = False) -> Any:
        return as_json(self.chain.blocks[h]) if (h := self._number(block)) <= self.chain.head.number else None

    def rpc_eth_getBlockByHash(self, block_hash: str, _full: bool = False) -> Any:
        found = self.chain.by_hash.get(block_hash.lower())
        return None if found is None else as_json(found)

    def rpc_eth_getBlockReceipts(self, block: Any) -> Any:
        return receipts(self._by_hash(block) if isinstance(block, str) and len(block) == 66 else self._block(block))

    # --- state --------------------------------------------------------------------------------------------------------

    def rpc_eth_call(self, call: dict[str, Any], block: Any = "latest", *_: Any) -> str:
        data = octets(call.get("data") or call.get("input") or "0x")
        if not call.get("to"):
            return "0x" + self._code_hashes(data).hex()
        return "0x" + self.views.call(call["to"], data, self._block(block)).hex()

    def _code_hashes(self, program: bytes) -> bytes:
        """What the keeper's program for code hashes returns: a zero word, and a word for each address behind it."""
        words = program[PROGRAM_BYTES:]
        addresses = ["0x" + words[at + 12 : at + 32].hex() for at in range(0, len(words), 32)]
        hashes = [keccak(octets(code)) if (code := self.rpc_eth_getCode(a)) != "0x" else bytes(32) for a in addresses]
        return bytes(32) + b"".join(hashes)

    def rpc_eth_estimateGas(self, _call: dict[str, Any], *_: Any) -> str:
        return quantity(1_000_000)

    def rpc_eth_getCode(self, address: str, _block: Any = "latest") -> str:
        return "0x6000" if address.lower() in CONTRACTS else "0x"

    def rpc_eth_getStorageAt(self, _address: str, _slot: Any, _block: Any = "latest") -> str:
        return "0x" + "00" * 32

    def rpc_eth_getBalance(self, _address: str, _block: Any = "latest") -> str:
        return quantity(1_000 * 10**18)

    # --- transactions -------------------------------------------------------------------------------------------------

    def rpc_eth_getTransactionCount(self, address: str, block: Any = "latest") -> str:
        mined = self._nonces[to_checksum_address(address)]
        waiting = [raw for raw in self.sent if Account.recover_transaction(raw) == to_checksum_address(address)]
        return quantity(mined + (len(waiting) if block == "pending" else 0))

    def rpc_eth_feeHistory(self, count: Any, _newest: Any, percentiles: Sequence[float] = ()) -> Any:
        blocks = number(count)
        return {
            "oldestBlock": quantity(max(0, self.chain.head.number - blocks + 1)),
            "baseFeePerGas": [quantity(10**9)] * (blocks + 1),
            "gasUsedRatio": [0.5] * blocks,
            "reward": [[quantity(10**9)] * len(percentiles)] * blocks,
        }

    def rpc_eth_gasPrice(self) -> str:
        return quantity(2 * 10**9)

    def rpc_eth_maxPriorityFeePerGas(self) -> str:
        return quantity(10**9)

    def rpc_eth_sendRawTransaction(self, raw: str) -> str:
        data = octets(raw)
        if data in self.sent:
            raise JsonRpcError(CODE_SERVER, "already known")
        self.sent.append(data)
        return "0x" + keccak(data).hex()

    def rpc_eth_getTransactionByHash(self, tx_hash: str) -> Any:
        waiting = {"0x" + keccak(raw).hex(): raw for raw in self.sent}
        found = self._mined.get(tx_hash.lower())
        raw = found[1] if found else waiting.get(tx_hash.lower())
        if raw is None:
            return None
        sender = Account.recover_transaction(raw)
        nonce = int.from_bytes(rlp.decode(raw[1:])[1], "big")  # of a typed transaction: chain id, nonce, …
        block = found[0] if found else None
        return {
            "hash": tx_hash,
            "from": sender,
            "nonce": quantity(nonce),
            "blockHash": block and block.hash,
            "blockNumber": block and quantity(block.number),
        }

    def rpc_eth_getTransactionReceipt(self, tx_hash: str) -> Any:
        found = self._mined.get(tx_hash.lower())
        if found is None or self.chain.by_hash.get(found[0].hash) is None:
            return None
        block = found[0]
        return {
            "transactionHash": tx_hash,
            "blockNumber": quantity(block.number),
            "blockHash": block.hash,
            "status": "0x1",
            "gasUsed": "0x5208",
            "effectiveGasPrice": quantity(2 * 10**9),
            "logs": [],
        }
