"""A Safe's hashes, and the file that its transaction builder reads.

Source: @safe-global/safe-contracts 1.4.1 (Safe.sol, MultiSendCallOnly.sol, CompatibilityFallbackHandler.sol); the
builder's format 1.0, whose checksum is keccak-256 over a serialisation with sorted keys in which the batch has no name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils import keccak

from keeper.governance.items import Call

ZERO: Final = "0x" + "00" * 20
_DOMAIN: Final = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
_SAFE_TX: Final = keccak(
    text="SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,"
    "uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"
)
_MESSAGE: Final = keccak(text="SafeMessage(bytes message)")
#: Where MultiSendCallOnly 1.4.1 lives on most chains.  Source: Safe's deployments.
MULTI_SEND: Final = "0x9641d764fc13c8B624c04430C7356C1C7C8102e2"
#: What the builder writes for itself; it reads files of any.
_BUILDER: Final = "1.18.0"
CALL, DELEGATE_CALL = 0, 1

#: The part of a Safe that is called here.
ABI: Final = tuple(
    {
        "type": "function",
        "name": name,
        "inputs": [{"name": label, "type": kind} for label, kind in inputs],
        "outputs": [{"name": "", "type": kind} for kind in outputs],
    }
    for name, inputs, outputs in (
        ("nonce", (), ("uint256",)),
        ("getThreshold", (), ("uint256",)),
        ("getOwners", (), ("address[]",)),
        ("approveHash", (("hashToApprove", "bytes32"),), ()),
        (
            "execTransaction",
            (
                ("to", "address"), ("value", "uint256"), ("data", "bytes"), ("operation", "uint8"),
                ("safeTxGas", "uint256"), ("baseGas", "uint256"), ("gasPrice", "uint256"), ("gasToken", "address"),
                ("refundReceiver", "address"), ("signatures", "bytes"),
            ),
            ("bool",),
        ),
    )
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SafeTx:
    """What the owners of a Safe sign: no gas is refunded, so that a failing call fails the whole."""

    to: str
    value: int
    data: bytes
    operation: int
    """0 call, 1 delegate call."""
    nonce: int


def safe_tx(calls: Sequence[Call], *, nonce: int, multi_send: str = MULTI_SEND) -> SafeTx:
    """One call as it is, several through MultiSendCallOnly."""
    if len(calls) == 1:
        one = calls[0]
        return SafeTx(to=one.target, value=one.value, data=one.data, operation=CALL, nonce=nonce)
    packed = b"".join(
        bytes([CALL])
        + bytes.fromhex(one.target.removeprefix("0x"))
        + one.value.to_bytes(32, "big")
        + len(one.data).to_bytes(32, "big")
        + one.data
        for one in calls
    )
    data = keccak(text="multiSend(bytes)")[:4] + encode(["bytes"], [packed])
    return SafeTx(to=multi_send, value=0, data=data, operation=DELEGATE_CALL, nonce=nonce)


def domain_separator(safe: str, chain_id: int) -> bytes:
    """Of EIP-712: this Safe on this chain."""
    return keccak(encode(["bytes32", "uint256", "address"], [_DOMAIN, chain_id, safe]))


def message_hash(tx: SafeTx) -> bytes:
    """Hash of the struct; hardware wallets show it beside the domain's."""
    types = ["bytes32", "address", "uint256", "bytes32", "uint8", *["uint256"] * 3, "address", "address", "uint256"]
    values = [_SAFE_TX, tx.to, tx.value, keccak(tx.data), tx.operation, 0, 0, 0, ZERO, ZERO, tx.nonce]
    return keccak(encode(types, values))


def safe_tx_hash(tx: SafeTx, *, safe: str, chain_id: int) -> bytes:
    """What the owners sign: `getTransactionHash` of the Safe."""
    return keccak(b"\x19\x01" + domain_separator(safe, chain_id) + message_hash(tx))


def text_hash(text: str, *, safe: str, chain_id: int) -> bytes:
    """What owners sign to approve a text off chain: `getMessageHashForSafe` of the fallback handler."""
    return _of_message(keccak(text.encode()), safe=safe, chain_id=chain_id)


def digest_hash(digest: bytes, *, safe: str, chain_id: int) -> bytes:
    """What owners sign so that their Safe stands by a digest (ERC-1271): it is a message of those 32 bytes."""
    return _of_message(keccak(digest), safe=safe, chain_id=chain_id)


def inner_hash(outer_tx_hash: bytes, *, safe: str, chain_id: int) -> bytes:
    """What owners of a Safe sign that is itself an owner of another Safe, for a transaction of that one.

    The outer Safe hands on the bytes whose hash is its transaction's, so that hash is the message's.
    """
    return _of_message(outer_tx_hash, safe=safe, chain_id=chain_id)


def contract_signature(owner: str, signatures: bytes) -> bytes:
    """One contract wallet's signature among a Safe's, where it is the only one: its word and where its proof lies.

    Source: `checkNSignatures` of Safe.sol: v = 0, r = the owner, s = offset of the length-prefixed proof.
    """
    word = bytes.fromhex(owner.removeprefix("0x")).rjust(32, b"\0") + (65).to_bytes(32, "big") + b"\0"
    return word + len(signatures).to_bytes(32, "big") + signatures


def _of_message(hashed: bytes, *, safe: str, chain_id: int) -> bytes:
    struct = keccak(encode(["bytes32", "bytes32"], [_MESSAGE, hashed]))
    return keccak(b"\x19\x01" + domain_separator(safe, chain_id) + struct)


def exec_arguments(tx: SafeTx, signatures: bytes) -> tuple[Any, ...]:
    """Arguments of `execTransaction`."""
    return tx.to, tx.value, tx.data, tx.operation, 0, 0, 0, ZERO, ZERO, signatures


def builder_file(
    calls: Sequence[Call], *, safe: str, chain_id: int, name: str, description: str, created_at_ms: int
) -> dict[str, Any]:
    """The file that the transaction builder imports, with the checksum that it verifies."""
    batch: dict[str, Any] = {
        "version": "1.0",
        "chainId": str(chain_id),
        "createdAt": created_at_ms,
        "meta": {
            "name": name,
            "description": description,
            "txBuilderVersion": _BUILDER,
            "createdFromSafeAddress": safe,
            "createdFromOwnerAddress": "",
        },
        "transactions": [
            {
                "to": one.target,
                "value": str(one.value),
                "data": "0x" + one.data.hex(),
                "contractMethod": None,
                "contractInputsValues": None,
            }
            for one in calls
        ],
    }
    batch["meta"]["checksum"] = builder_checksum(batch)
    return batch


def builder_checksum(batch: Mapping[str, Any]) -> str:
    """The checksum of a batch, whatever it says of its own."""
    meta = {key: value for key, value in batch["meta"].items() if key != "checksum"} | {"name": None}
    return "0x" + keccak(_serialised({**batch, "meta": meta}).encode()).hex()


def _serialised(tree: Any) -> str:
    if isinstance(tree, Mapping):
        keys = sorted(tree)
        return "{" + _json(keys) + "".join(_serialised(tree[key]) + "," for key in keys) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ",".join(_serialised(one) for one in tree) + "]"
    return _json(tree)


def _json(tree: Any) -> str:
    """As JavaScript writes it."""
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False)
