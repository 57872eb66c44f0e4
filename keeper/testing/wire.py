"""JSON-RPC's spelling of numbers, bytes, blocks, receipts and logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_bloom.bloom import BloomFilter
from eth_utils import keccak, to_checksum_address


class JsonRpcError(Exception):
    """An error answer: code, message and optional data."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """The `error` member of an answer."""
        return {"code": self.code, "message": self.message, **({} if self.data is None else {"data": self.data})}


def quantity(value: int) -> str:
    """An integer as JSON-RPC writes it."""
    return hex(int(value))


def number(value: Any) -> int:
    """An integer from either spelling.  Raises: `ValueError`."""
    return int(value, 16) if isinstance(value, str) else int(value)


def octets(value: Any) -> bytes:
    """Bytes from 0x-hex or bytes.  Raises: `ValueError`."""
    return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)


def hexed(value: bytes) -> str:
    """Bytes as 0x-hex."""
    return "0x" + bytes(value).hex()


def word(value: int) -> str:
    """A 32-byte word as 0x-hex."""
    return hexed(int(value).to_bytes(32, "big"))


@lru_cache(maxsize=4096)
def address(value: bytes) -> str | None:
    """A checksummed address; None for the empty one of a creation."""
    return str(to_checksum_address(value)) if value else None


def block(header: Any, transactions: Sequence[Any], *, full: bool) -> dict[str, Any]:
    """A block object."""
    listed = [
        transaction(item, header=header, index=index) if full else hexed(item.hash)
        for index, item in enumerate(transactions)
    ]
    return {
        "number": quantity(header.block_number),
        "hash": hexed(header.hash),
        "parentHash": hexed(header.parent_hash),
        "timestamp": quantity(header.timestamp),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "logsBloom": hexed(header.bloom.to_bytes(256, "big")),
        "stateRoot": hexed(header.state_root),
        "receiptsRoot": hexed(header.receipt_root),
        "transactionsRoot": hexed(header.transaction_root),
        "mixHash": hexed(header.mix_hash),
        "miner": address(header.coinbase),
        "withdrawalsRoot": hexed(header.withdrawals_root),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": hexed(header.parent_beacon_block_root),
        **({"requestsHash": hexed(header.requests_hash)} if hasattr(header, "requests_hash") else {}),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": hexed(header.extra_data),
        "nonce": hexed(header.nonce),
        "sha3Uncles": hexed(header.uncles_hash),
        "uncles": [],
        "size": "0x0",
        "transactions": listed,
    }


def transaction(item: Any, *, header: Any | None, index: int | None) -> dict[str, Any]:
    """A transaction object; pending if `header` is None."""
    return {
        "hash": hexed(item.hash),
        "type": quantity(getattr(item, "type_id", 0) or 0),
        "nonce": quantity(item.nonce),
        "from": address(item.sender),
        "to": address(item.to),
        "value": quantity(item.value),
        "gas": quantity(item.gas),
        "input": hexed(item.data),
        "chainId": quantity(getattr(item, "chain_id", None) or 0),
        "maxFeePerGas": quantity(item.max_fee_per_gas),
        "maxPriorityFeePerGas": quantity(item.max_priority_fee_per_gas),
        "gasPrice": quantity(_price(item, header)),
        "blockHash": None if header is None else hexed(header.hash),
        "blockNumber": None if header is None else quantity(header.block_number),
        "transactionIndex": None if index is None else quantity(index),
    }


def _price(item: Any, header: Any | None) -> int:
    if header is None:
        return int(item.max_fee_per_gas)
    return int(min(item.max_fee_per_gas, header.base_fee_per_gas + item.max_priority_fee_per_gas))


def receipt(header: Any, transactions: Sequence[Any], receipts: Sequence[Any], index: int) -> dict[str, Any]:
    """A receipt object."""
    item, own = transactions[index], receipts[index]
    before = receipts[index - 1].gas_used if index else 0
    created = None
    if not item.to:
        created = address(keccak(_creation_rlp(item.sender, item.nonce))[12:])
    return {
        "transactionHash": hexed(item.hash),
        "transactionIndex": quantity(index),
        "blockHash": hexed(header.hash),
        "blockNumber": quantity(header.block_number),
        "from": address(item.sender),
        "to": address(item.to),
        "status": quantity(int(own.state_root == b"\x01")),
        "gasUsed": quantity(own.gas_used - before),
        "cumulativeGasUsed": quantity(own.gas_used),
        "effectiveGasPrice": quantity(_price(item, header)),
        "contractAddress": created,
        "logsBloom": hexed(own.bloom.to_bytes(256, "big")),
        "type": quantity(getattr(item, "type_id", 0) or 0),
        "logs": list(logs(header, transactions, receipts, LogFilter(), only=index)),
    }


def _creation_rlp(sender: bytes, nonce: int) -> bytes:
    """RLP of [sender, nonce]: the preimage of a created contract's address."""
    if nonce == 0:
        tail = b"\x80"
    else:
        digits = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
        tail = digits if nonce < 0x80 else bytes([0x80 + len(digits)]) + digits
    body = b"\x94" + sender + tail
    return bytes([0xC0 + len(body)]) + body


@dataclass(frozen=True)
class LogFilter:
    """Which logs a query wants; empty means any."""

    addresses: frozenset[bytes] = frozenset()
    topics: tuple[frozenset[bytes], ...] = ()

    @classmethod
    def parse(cls, query: dict[str, Any]) -> LogFilter:
        """From the request of eth_getLogs."""
        wanted = query.get("address") or []
        addresses = [wanted] if isinstance(wanted, str) else wanted
        slots = query.get("topics") or []
        topics = [[] if slot is None else [slot] if isinstance(slot, str) else slot for slot in slots]
        return cls(
            frozenset(octets(one) for one in addresses),
            tuple(frozenset(octets(one) for one in slot) for slot in topics),
        )

    def may_match(self, bloom: int) -> bool:
        """Whether a block with this bloom can contain a match."""
        seen = BloomFilter(bloom)
        if self.addresses and not any(one in seen for one in self.addresses):
            return False
        return all(any(one in seen for one in slot) for slot in self.topics if slot)

    def matches(self, where: bytes, topics: Sequence[bytes]) -> bool:
        """Whether one log matches."""
        if self.addresses and where not in self.addresses:
            return False
        if len(self.topics) > len(topics):
            return False
        return all(not slot or topics[place] in slot for place, slot in enumerate(self.topics))


def logs(
    header: Any, transactions: Sequence[Any], receipts: Sequence[Any], wanted: LogFilter, *, only: int | None = None
) -> Iterator[dict[str, Any]]:
    """Matching logs of a block in order; of one transaction if `only` is its index."""
    position = 0
    for index, own in enumerate(receipts):
        for entry in own.logs:
            topics = [topic.to_bytes(32, "big") for topic in entry.topics]
            if (only is None or only == index) and wanted.matches(entry.address, topics):
                yield {
                    "address": address(entry.address),
                    "topics": [hexed(topic) for topic in topics],
                    "data": hexed(entry.data),
                    "logIndex": quantity(position),
                    "transactionIndex": quantity(index),
                    "transactionHash": hexed(transactions[index].hash),
                    "blockHash": hexed(header.hash),
                    "blockNumber": quantity(header.block_number),
                    "blockTimestamp": quantity(header.timestamp),
                    "removed": False,
                }
            position += 1
