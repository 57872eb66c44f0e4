"""Let a key sign something that no chain can ever take, and prove what came back.

A message of another kind would not do: what must work is what the outbox does, signing a transaction.  So it is one,
ruled out three times over, by rules that hold on every chain whatever its id:

1. Its nonce is 2^64 − 1, which no transaction may have (EIP-2681).
2. Its gas limit is 0, below what any transaction costs by itself (21,000).
3. Its chain id is 2^64 − 1, which nobody is known to use, and its fee is 0.

It would move nothing if it could be mined: value 0, from the key to itself.  Its data are fresh random bytes, so that a
service cannot answer with a signature it made before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from keeper.chain.signers.der import ORDER
from keeper.chain.signers.port import Signer, WrongSignature

#: Largest nonce plus one.  Source: EIP-2681.
IMPOSSIBLE_NONCE = 2**64 - 1
NOBODYS_CHAIN = 2**64 - 1


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What a key did."""

    address: str
    took_ms: float


def rehearse(signer: Signer, *, challenge: bytes, elapsed_s: Callable[[], float] = time.monotonic) -> Rehearsed:
    """Sign once and check the answer with a library that had no part in making it.

    Args:
        signer: the key.
        challenge: fresh bytes; they end up in the transaction's data.
        elapsed_s: seconds on any clock that only goes forward.

    Raises: what `Signer.sign` raises; `WrongSignature` if the transaction does not recover to the signer's address or
        its s is high.
    """
    transaction = {
        "chainId": NOBODYS_CHAIN,
        "nonce": IMPOSSIBLE_NONCE,
        "to": signer.address,
        "value": 0,
        "data": challenge,
        "gas": 0,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
    }
    began = elapsed_s()
    signed = signer.sign(transaction)
    took_ms = round((elapsed_s() - began) * 1000, 1)
    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    recovered, s = str(Account.recover_transaction(signed.raw)), int(fields["s"])
    if recovered != signer.address or s > ORDER // 2 or bytes(fields["data"]) != challenge:
        raise WrongSignature(f"the signature recovers to {recovered} with s = {s}", hint="do not use this key")
    return Rehearsed(address=recovered, took_ms=took_ms)
