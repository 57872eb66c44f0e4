"""`contracts/src/mocks/ToyHouse.sol`, written out in Python: the same calls, the same logs, the same reverts."""

from __future__ import annotations

from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_utils import keccak

PRICE_ONE: Final = 1000
UINT128: Final = 2**128

Topics = tuple[int, ...]


class Revert(Exception):
    """The contract said no; `data` is its custom error."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


def _selector(signature: str) -> bytes:
    return bytes(keccak(signature.encode())[:4])


def _topic(signature: str) -> int:
    return int.from_bytes(keccak(signature.encode()), "big")


ACCOUNT_SET: Final = _topic("AccountSet(uint256,uint256,uint256)")
PRICE_SET: Final = _topic("PriceSet(uint256)")
DONE: Final = _topic("Done(uint256,uint256,address)")
HEALTHY: Final = _selector("Healthy(uint256,uint256,uint256)")


class House:
    """State and code of the contract."""

    def __init__(self) -> None:
        self.price = 0
        self.accounts: dict[int, tuple[int, int]] = {}
        self.done: dict[int, int] = {}

    def copy(self) -> House:
        """One to change."""
        twin = House()
        twin.price, twin.accounts, twin.done = self.price, dict(self.accounts), dict(self.done)
        return twin

    def call(self, sender: bytes, data: bytes) -> tuple[bytes, list[tuple[Topics, bytes]]]:
        """Run a call.  A revert leaves everything as it was.

        Returns: output and logs (topics, data).  Raises: `Revert`.
        """
        known = CALLS.get(bytes(data[:4]))
        if known is None:
            raise Revert(b"")
        name, types = known
        try:
            args = decode(types, data[4:])
        except Exception as error:
            raise Revert(b"") from error
        answer: tuple[bytes, list[tuple[Topics, bytes]]] = getattr(self, f"_{name}")(sender, *args)
        return answer

    def _worth(self, collateral: int) -> int:
        return collateral * self.price // PRICE_ONE

    def _price(self, _sender: bytes) -> Any:
        return encode(["uint256"], [self.price]), []

    def _accounts(self, _sender: bytes, account: int) -> Any:
        return encode(["uint128", "uint128"], self.accounts.get(account, (0, 0))), []

    def _done(self, _sender: bytes, ref: int) -> Any:
        return encode(["uint256"], [self.done.get(ref, 0)]), []

    def _worth_of(self, _sender: bytes, collateral: int) -> Any:
        return encode(["uint256"], [self._worth(collateral)]), []

    def _healthy(self, _sender: bytes, account: int) -> Any:
        collateral, debt = self.accounts.get(account, (0, 0))
        return encode(["bool"], [self._worth(collateral) >= debt]), []

    def _set_price(self, _sender: bytes, price: int) -> Any:
        self.price = price
        return b"", [((PRICE_SET,), encode(["uint256"], [price]))]

    def _set_account(self, _sender: bytes, account: int, collateral: int, debt: int) -> Any:
        return b"", [self._set(account, collateral, debt)]

    def _liquidate(self, sender: bytes, account: int, ref: int) -> Any:
        collateral, debt = self.accounts.get(account, (0, 0))
        value = self._worth(collateral)
        if value >= debt:
            raise Revert(HEALTHY + encode(["uint256", "uint256", "uint256"], [account, value, debt]))
        left = collateral // 2
        return b"", [self._act(sender, ref, account), self._set(account, left, self._worth(left) % UINT128)]

    def _publish(self, sender: bytes, ref: int) -> Any:
        return b"", [self._act(sender, ref, 0)]

    def _set(self, account: int, collateral: int, debt: int) -> tuple[Topics, bytes]:
        self.accounts[account] = (collateral, debt)
        return (ACCOUNT_SET, account), encode(["uint256", "uint256"], [collateral, debt])

    def _act(self, sender: bytes, ref: int, account: int) -> tuple[Topics, bytes]:
        self.done[ref] = self.done.get(ref, 0) + 1
        return (DONE, ref, account, int.from_bytes(sender, "big")), b""


#: Method by selector, with the types of its arguments.
CALLS: Final[dict[bytes, tuple[str, tuple[str, ...]]]] = {
    _selector(f"{name}({','.join(types)})"): (method, types)
    for name, method, types in (
        ("price", "price", ()),
        ("accounts", "accounts", ("uint256",)),
        ("done", "done", ("uint256",)),
        ("worth", "worth_of", ("uint256",)),
        ("healthy", "healthy", ("uint256",)),
        ("setPrice", "set_price", ("uint256",)),
        ("setAccount", "set_account", ("uint256", "uint128", "uint128")),
        ("liquidate", "liquidate", ("uint256", "uint256")),
        ("publish", "publish", ("uint256",)),
    )
}
