"""Signed two-party trades, as owners make them: EIP-712 orders and the transaction that matches two of them."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_account import Account
from eth_utils import keccak

from keeper.deploy import account_id
from keeper.domain.snapshot import Instrument
from keeper.protocols.clearinghouse.ids import pack_instrument

#: Source: contracts/src/house/OrderLib.sol.
DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ORDER_TYPE = (
    b"Order(uint256 account,uint120 instrument,bool isBuy,uint128 amount,uint128 limitPrice,uint128 maxFee,"
    b"uint64 nonce,uint64 expiry,address submitter)"
)
NO_ONE = "0x" + "0" * 40


@dataclass(frozen=True)
class Owner:
    """Somebody who signs.  The key comes from the seed: worth nothing anywhere else."""

    key: bytes
    address: str

    @classmethod
    def of(cls, seed: int, name: str) -> Owner:
        """The owner with this name in this world."""
        key = keccak(f"margin keeper demo {seed} {name}".encode())
        return cls(key, str(Account.from_key(key).address))

    @property
    def account(self) -> int:
        """Its first account in the house."""
        return account_id(self.address)


class Signing:
    """Orders for one house.

    Args:
        chain_id: where it lives.
        house: checksummed address of the ClearingHouse.
    """

    def __init__(self, *, chain_id: int, house: str) -> None:
        self._domain = keccak(
            encode(
                ["bytes32", "bytes32", "bytes32", "uint256", "address"],
                [keccak(DOMAIN_TYPE), keccak(b"ClearingHouse"), keccak(b"1"), chain_id, house],
            )
        )
        self._order_type = keccak(ORDER_TYPE)

    def order(
        self, owner: Owner, instrument: Instrument, *, is_buy: bool, amount: int, price: int, nonce: int, expiry: int
    ) -> tuple[tuple[object, ...], bytes]:
        """An order at a limit, and its signature."""
        order = (owner.account, pack_instrument(instrument), is_buy, amount, price, 0, nonce, expiry, NO_ONE)
        types = ["uint256", "uint120", "bool", "uint128", "uint128", "uint128", "uint64", "uint64", "address"]
        inner = keccak(encode(["bytes32", *types], [self._order_type, *order]))
        digest = keccak(b"\x19\x01" + self._domain + inner)
        return order, bytes(Account.unsafe_sign_hash(digest, owner.key).signature)
