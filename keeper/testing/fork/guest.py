"""Transactions of addresses whose key nobody here has: contracts, voters, multisigs of the forked chain.

The transaction is signed with a made-up key, so that it is whole wherever bytes count, and says it is somebody else's
where the machine asks who sends it.  It pays nothing for gas, in a block that asks for nothing.
"""

from __future__ import annotations

from typing import Any, Final

from eth_account import Account
from eth_utils import keccak

from keeper.testing.wire import number, octets

#: Where no gas is named: below the block limit of every chain that is forked here.
GUEST_GAS: Final = 25_000_000


class Guest:
    """A signed transaction with another sender.

    Args:
        transaction: py-evm's, decoded.
        sender: who is to have sent it.
    """

    def __init__(self, transaction: Any, sender: bytes) -> None:
        self._transaction, self.sender = transaction, sender

    def get_sender(self) -> bytes:
        """Who is to have sent it."""
        return self.sender

    def __getattr__(self, name: str) -> Any:
        if name == "_transaction":  # of a copy in the making: asking it for itself would never end
            raise AttributeError(name)
        return getattr(self._transaction, name)


def signed_for(sender: bytes, request: dict[str, Any], *, nonce: int, chain_id: int) -> bytes:
    """Raw bytes of what a guest sends, signed with a key made of its address."""
    unsigned = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "gas": number(request.get("gas", GUEST_GAS)),
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "value": number(request.get("value", 0)),
        "data": octets(request.get("data") or request.get("input") or "0x"),
        **({"to": request["to"]} if request.get("to") else {}),
    }
    return bytes(Account.sign_transaction(unsigned, keccak(sender)).raw_transaction)
