"""What the toy house's logs mean, what follows from them, and what is sent: `contracts/src/mocks/ToyHouse.sol`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from eth_abi.exceptions import DecodingError
from eth_utils import keccak

from keeper.abis import load
from keeper.chain.asking.rpc import Rpc
from keeper.chain.following.log_batch import LogBatch
from keeper.domain.block import BlockRef
from keeper.domain.tx import SignerRole, TxIntent
from keeper.errors import BadInput, Retry
from keeper.protocols.abi import Abi

#: The price is in thousandths.
PRICE_ONE: Final = 1000
LIQUIDATE, PUBLISH = "liquidate", "publish"
#: What either action may use.
GAS: Final = 150_000
#: Seconds of block time for which a decision stands.
DEADLINE_S: Final = 600


@cache
def house_abi() -> Abi:
    """The contract's ABI."""
    return Abi("ToyHouse", load("ToyHouse").abi)


@dataclass(frozen=True)
class ToyState:
    """The whole house at one block."""

    price: int = 0
    """Thousandths of a unit of debt for a unit of collateral."""
    accounts: tuple[tuple[int, int, int], ...] = ()
    """(id, collateral, debt) of every open account, ascending."""
    done: tuple[int, ...] = ()
    """References of the actions that happened, in order; twice if they happened twice."""

    def worth(self, collateral: int) -> int:
        """Value of collateral, rounded down as the contract does."""
        return collateral * self.price // PRICE_ONE

    @property
    def unhealthy(self) -> tuple[int, ...]:
        """Accounts whose collateral is worth less than their debt, ascending."""
        return tuple(account for account, collateral, debt in self.accounts if self.worth(collateral) < debt)

    def with_account(self, account: int, collateral: int, debt: int) -> ToyState:
        """With one account set; zeros close it."""
        others = [one for one in self.accounts if one[0] != account]
        own = [(account, collateral, debt)] if collateral or debt else []
        return replace(self, accounts=tuple(sorted(others + own)))


class ToyIndex:
    """`keeper.chain.following.log_sync.LogConsumer`: the house from its logs."""

    def __init__(self) -> None:
        self.state = ToyState()

    def apply(self, logs: LogBatch) -> None:
        """See `LogConsumer.apply`."""
        state = self.state
        try:
            for entry in logs:
                event = house_abi().event(entry.topics, entry.data)
                if event is None:
                    continue
                said = event.args
                if event.name == "PriceSet":
                    state = replace(state, price=said["price"])
                elif event.name == "AccountSet":
                    state = state.with_account(said["id"], said["collateral"], said["debt"])
                else:
                    state = replace(state, done=(*state.done, said["ref"]))
        except (DecodingError, ValueError, KeyError, TypeError) as error:
            raise Retry(f"a log of the house cannot be read: {error}") from error
        self.state = state

    def amend(self, word: bytes) -> None:
        """See `LogConsumer.amend`: an account as the contract has it."""
        account, collateral, debt = json.loads(word)
        self.state = self.state.with_account(account, collateral, debt)

    def mark(self) -> ToyState:
        """See `LogConsumer.mark`: the state is frozen already."""
        return self.state

    def reset(self, mark: ToyState) -> None:
        """See `LogConsumer.reset`."""
        self.state = mark

    def dump(self, mark: ToyState) -> bytes:
        """See `LogConsumer.dump`."""
        return json.dumps([mark.price, mark.accounts, mark.done]).encode()

    def load(self, state: bytes) -> None:
        """See `LogConsumer.load`."""
        try:
            price, accounts, done = json.loads(state)
            self.state = ToyState(price, tuple((a, c, d) for a, c, d in accounts), tuple(done))
        except (ValueError, TypeError) as error:
            raise BadInput(f"no state of a toy house: {error}", hint="read its logs again") from error

    def clear(self) -> None:
        """See `LogConsumer.clear`."""
        self.state = ToyState()


def reference(key: str) -> int:
    """What the contract counts an intent by."""
    return int.from_bytes(keccak(key.encode())[:8], "big")


def liquidation(house: str, account: int, block: BlockRef, **fields: Any) -> TxIntent:
    """Liquidate an account that is unhealthy at `block`."""
    key = f"{block.hash}:{LIQUIDATE}:{account}"
    data = house_abi().call("liquidate", account, reference(key))
    role = SignerRole.LIQUIDATOR
    return _intent(block, key=key, kind=LIQUIDATE, subject=str(account), to=house, data=data, role=role, **fields)


def publication(house: str, block: BlockRef, **fields: Any) -> TxIntent:
    """Something to send at `block` that nobody can refuse."""
    key = f"{block.hash}:{PUBLISH}"
    data = house_abi().call("publish", reference(key))
    role = SignerRole.PUBLISHER
    return _intent(block, key=key, kind=PUBLISH, subject="house", to=house, data=data, role=role, **fields)


def _intent(block: BlockRef, **fields: Any) -> TxIntent:
    given: dict[str, Any] = {
        "gas_limit": GAS,
        "deadline_s": block.timestamp + DEADLINE_S,
        "why": f"{fields['kind']} {fields['subject']} at block {block.number}",
    }
    return TxIntent(decided_at=block, **(given | fields))


class ToyRecheck:
    """`keeper.ports.Recheck`: the contract's own word, asked before anything is sent.

    Args:
        rpc: where to ask.
        house: the contract.
    """

    def __init__(self, rpc: Rpc, house: str) -> None:
        self._rpc, self._house = rpc, house

    def expect(self, intents: Any) -> None:
        """See `Recheck.expect`: each is asked about alone."""

    def standing(self, intent: TxIntent, head: BlockRef) -> str:
        """See `Recheck.standing`."""
        if intent.kind != LIQUIDATE:
            return ""
        data = self._rpc.call_at(head, self._house, house_abi().call("healthy", int(intent.subject)))
        return f"account {intent.subject} is healthy" if int.from_bytes(data, "big") else ""
