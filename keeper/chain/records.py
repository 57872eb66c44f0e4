"""What the chain edge hands out besides blocks: logs, receipts, fees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_utils import to_checksum_address

from keeper.domain.block import BlockRef


@dataclass(frozen=True, slots=True)
class Log:
    """One event as a contract emitted it, undecoded."""

    address: str
    """Checksummed address of the contract."""
    topics: tuple[bytes, ...]
    """Indexed words; the first is the event's signature hash."""
    data: bytes
    block_number: int
    block_hash: str
    """Lower-case 0x-hex."""
    tx_hash: str
    index: int
    """Position in the block.  (block_number, index) orders all logs."""

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Log:
        """From an answer of eth_getLogs.  Raises: `KeyError`, `ValueError`, `TypeError` if it is not one."""
        return cls(
            address=checksum(raw["address"]),
            topics=tuple(bytes.fromhex(topic[2:]) for topic in raw["topics"]),
            data=bytes.fromhex(raw["data"][2:]),
            block_number=int(raw["blockNumber"], 16),
            block_hash=raw["blockHash"].lower(),
            tx_hash=raw["transactionHash"].lower(),
            index=int(raw["logIndex"], 16),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a mined transaction."""

    tx_hash: str
    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    effective_price_wei: int
    """Wei per gas that was really paid."""
    logs: tuple[Log, ...]
    data_fee_wei: int = 0
    """What a rollup charged for posting the data to its parent chain, beside the gas; 0 elsewhere."""

    @property
    def cost_wei(self) -> int:
        """Everything the sender paid for it."""
        return self.gas_used * self.effective_price_wei + self.data_fee_wei

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Receipt:
        """From an answer of eth_getTransactionReceipt.  Raises: `KeyError`, `ValueError`, `TypeError`."""
        return cls(
            tx_hash=raw["transactionHash"].lower(),
            block_number=int(raw["blockNumber"], 16),
            block_hash=raw["blockHash"].lower(),
            succeeded=int(raw["status"], 16) == 1,
            gas_used=int(raw["gasUsed"], 16),
            effective_price_wei=int(raw["effectiveGasPrice"], 16),
            logs=tuple(Log.parse(entry) for entry in raw["logs"]),
            data_fee_wei=int(raw.get("l1Fee") or "0x0", 16),
        )


@dataclass(frozen=True, slots=True)
class FeeHistory:
    """What recent blocks cost."""

    next_base_fee_wei: int
    """Base fee of the block after the newest."""
    tips_wei: tuple[int, ...]
    """Median tip of each recent block that has one, oldest first."""


def block_ref(raw: dict[str, Any]) -> BlockRef:
    """A block's address from a block object.  Raises: `KeyError`, `ValueError`, `TypeError`."""
    return BlockRef(
        number=int(raw["number"], 16),
        hash=raw["hash"].lower(),
        parent_hash=raw["parentHash"].lower(),
        timestamp=int(raw["timestamp"], 16),
    )


@lru_cache(maxsize=4096)
def checksum(address: str) -> str:
    """Checksummed spelling; the few contracts we follow are asked for a million times."""
    return str(to_checksum_address(address))
