"""An EIP-1559 transaction as bytes: what is signed, and what a node takes.

Written out here because a service signs bytes, not fields.  `eth_account` is its twin in the tests.
"""

from __future__ import annotations

from typing import Any

import rlp
from eth_utils import keccak

from keeper.chain.signers.port import Signed
from keeper.errors import LawBroken

#: Transaction type.  Source: EIP-2718, EIP-1559.
_TYPE = b"\x02"
_NUMBERS = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
_KNOWN = {*_NUMBERS, "to", "value", "data", "accessList", "type", "from"}


def unsigned(transaction: dict[str, Any]) -> bytes:
    """The bytes whose keccak hash is signed.

    Args:
        transaction: web3's field names; `to` empty or absent creates a contract; `data` bytes or 0x text.

    Raises: `LawBroken` if a field is missing, or one is there that would not be signed.
    """
    return _TYPE + bytes(rlp.encode(_fields(transaction)))


def signed(transaction: dict[str, Any], *, y_parity: int, r: int, s: int) -> Signed:
    """The transaction with its signature."""
    raw = _TYPE + bytes(rlp.encode([*_fields(transaction), y_parity, r, s]))
    return Signed(raw, "0x" + keccak(raw).hex())


def _fields(transaction: dict[str, Any]) -> list[Any]:
    missing = [name for name in _NUMBERS if name not in transaction]
    foreign = set(transaction) - _KNOWN
    if missing or foreign or transaction.get("type", 2) not in (2, "0x2") or transaction.get("accessList"):
        raise LawBroken(
            f"not a plain EIP-1559 transaction: missing {missing}, unknown {sorted(foreign)}",
            hint="transactions are made by the outbox and the deployer only",
        )
    to, data = transaction.get("to") or b"", transaction.get("data", b"")
    return [
        *(int(transaction[name]) for name in _NUMBERS),
        _bytes(to),
        int(transaction.get("value", 0)),
        _bytes(data),
        [],
    ]


def _bytes(value: bytes | str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
