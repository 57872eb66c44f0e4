"""A deployment at one block, as proposals read it: views, code, and which logs there were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final

from eth_abi.exceptions import DecodingError
from eth_utils import keccak, to_checksum_address

from keeper.abis import load
from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import Reverted
from keeper.chain.records import Log
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, Refused
from keeper.protocols.abi import Abi, explain_revert
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.protocols.clearinghouse.watched import BEACON_SLOT, IMPLEMENTATION, LEGACY

#: What a proposal may speak to besides the deployment's own contracts.
GOVERNOR, TIMELOCK, SAFE = "Governor", "TimelockController", "Safe"
#: A price feed, of whoever's making.
AGGREGATOR: Final = "Aggregator"
#: What the code of an account begins with that hands on to a contract.  Source: EIP-7702.
_DELEGATED: Final = b"\xef\x01\x00"
#: A concrete one's ABI: every governor, and every feed, has the part of it that is used here.
_ABI_OF: Final = {GOVERNOR: "MockGovernor", AGGREGATOR: "MockAggregator"}
ZERO: Final = "0x" + "00" * 20


class ChainView:
    """One deployment after one block.

    Args:
        rpc: the chain.
        deployment: where our contracts are.
        block: all reads are of its state.
    """

    def __init__(self, rpc: Rpc, deployment: Deployment, block: BlockRef) -> None:
        self.rpc, self.deployment, self.block = rpc, deployment, block
        self._abis: dict[str, Abi] = {}

    def abi(self, contract: str) -> Abi:
        """The exported ABI of a contract."""
        if contract not in self._abis:
            self._abis[contract] = Abi(contract, load(_ABI_OF.get(contract, contract)).abi)
        return self._abis[contract]

    def address(self, contract: str) -> str:
        """Where a contract of the deployment is.  Raises: `BadInput` if the deployment has none."""
        found = self.deployment.addresses.get(contract)
        if found is None:
            raise BadInput(f"the deployment file names no {contract}", hint="add its address under addresses")
        return to_checksum_address(found)

    def view(self, contract: str, function: str, *args: Any, at: str = "") -> dict[str, Any]:
        """What a view returns, by name.

        Raises: `Refused` with the contract's words if it reverts or does not answer in its own shape.
        """
        abi = self.abi(contract)
        try:
            data = self.rpc.call_at(self.block, at or self.address(contract), abi.call(function, *args))
            return abi.result(function, data)
        except Reverted as error:
            raise Refused(f"{contract}.{function}: {explain_revert(error.data, [abi])}") from error
        except DecodingError as error:
            raise Refused(f"{at or contract} does not answer {function} as a {contract} does") from error

    def one(self, contract: str, function: str, *args: Any, at: str = "") -> Any:
        """The single value that a view returns."""
        return next(iter(self.view(contract, function, *args, at=at).values()))

    def code_hash(self, address: str) -> str:
        """keccak-256 of the code that runs at an address: its own and that of everything it hands on to; 0x-hex.

        An ERC-1967 proxy, or an older one, hands on to its implementation, a beacon proxy to its beacon and to what
        that names, a Safe's proxy to its singleton, a delegated account (EIP-7702) to whom it names.
        """
        code = self.rpc.code(address, self.block)
        for behind in self._behind(address, code):
            code += self.rpc.code(behind, self.block)
        return "0x" + keccak(code).hex()

    def _behind(self, address: str, code: bytes) -> Iterator[str]:
        """Addresses whose code an address runs beside its own, nearest first."""
        if code.startswith(_DELEGATED) and len(code) == len(_DELEGATED) + 20:
            yield to_checksum_address(code[len(_DELEGATED) :])
        elif code:
            for slot in (IMPLEMENTATION, LEGACY):
                if behind := self._pointer(address, slot):
                    yield behind
            if beacon := self._pointer(address, BEACON_SLOT):
                yield beacon
                if behind := self._asked(beacon, "implementation"):
                    yield behind
            # Any contract may keep an address in its first slot; a Safe's proxy says that it runs it.
            singleton = self._pointer(address, 0)
            if singleton and self._asked(address, "masterCopy") == singleton:
                yield singleton

    def _pointer(self, address: str, slot: int) -> str:
        word = self.rpc.request("eth_getStorageAt", address, hex(slot), hex(self.block.number))
        raw = bytes.fromhex(str(word).removeprefix("0x").rjust(64, "0"))
        return to_checksum_address(raw[-20:]) if any(raw[-20:]) else ""

    def _asked(self, address: str, function: str) -> str:
        """The address that a view without arguments names; empty if there is no such answer."""
        try:
            told = self.rpc.call_at(self.block, address, keccak(text=f"{function}()")[:4])
        except Reverted:
            return ""
        return to_checksum_address(told[-20:]) if len(told) == 32 and not any(told[:12]) and any(told) else ""

    def has_code(self, address: str) -> bool:
        """Whether a contract lives there."""
        return bool(self.rpc.code(address, self.block))

    def events(self, contract: str, event: str, *, at: str, since: int = 0) -> Iterator[dict[str, Any]]:
        """Arguments of every log of one event, oldest first.  Raises: `Refused` if the node searches less far."""
        abi = self.abi(contract)
        topic = abi.topic(event)
        if topic is None:
            raise BadInput(f"{contract} has no event {event}")
        for log in self._logs(since, at, ["0x" + topic.hex()]):
            found = abi.event(log.topics, log.data)
            if found is not None:
                yield found.args

    def _logs(self, since: int, at: str, topics: Iterable[Any]) -> tuple[Log, ...]:
        return self.rpc.logs(since, self.block.number, [at], tuple(topics))

    @cached_property
    def underlyings(self) -> dict[str, int]:
        """Underlying id by ticker."""
        return {symbol: number for number, symbol in self.deployment.symbols.items()}

    @cached_property
    def collaterals(self) -> dict[str, int]:
        """Collateral id by ticker."""
        return {symbol: number for number, symbol in self.deployment.collaterals.items()}
