"""Endpoints of one chain behind one object: ask, rotate on failure, translate every error.

The shape is a pool (a list, one of them current); health scores, quorum and WebSockets find their place in `_ask_all`.
Reads of state take a `BlockRef` and are pinned to its hash (EIP-1898), so a reorg between two reads of one decision is
an error and never a mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from keeper.chain.endpoint import Endpoint, endpoint_at, state_pin
from keeper.chain.errors import (
    AlreadyKnown,
    Reverted,
    StaleBlock,
    Unreachable,
    WrongChain,
)
from keeper.chain.records import FeeHistory, Log, Receipt, block_ref
from keeper.chain.wire import Pin
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, KeeperError, Retry

__all__ = ["Endpoint", "Rpc", "http_endpoint", "pinned"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: aggregate3((address target, bool allowFailure, bytes callData)[]), Multicall3.
AGGREGATE3 = bytes.fromhex("82ad56cb")

#: Blocks of fee history looked at, and the percentile of tips in each.
FEE_BLOCKS, FEE_PERCENTILE = 10, 50


#: An endpoint by its URL; the name most callers know.
http_endpoint = endpoint_at


class Rpc:
    """The chain, asked through whichever endpoint answers.

    Args:
        endpoints: at least one, in order of preference.
        chain_id: what each must serve; checked before an endpoint's first answer is believed.
        multicall: address of a Multicall3, if the chain has one.
    """

    def __init__(self, endpoints: Sequence[Endpoint], *, chain_id: int, multicall: str | None = None) -> None:
        if not endpoints:
            raise BadInput("no RPC endpoint is configured", hint="set chain.rpc_urls")
        self._endpoints = list(endpoints)
        self._current = 0
        self.chain_id = chain_id
        self._multicall = multicall

    def request(self, method: str, *params: Any) -> Any:
        """Ask one raw question.

        Raises: `Retry` if no endpoint can be asked, `Refused` or `Halt` as the answer says; see `keeper.chain.errors`.
        """
        return self._through(lambda endpoint: endpoint.ask(method, params), method)

    def _through(self, ask: Callable[[Endpoint], T], method: str) -> T:
        failure: Retry | None = None
        for _ in self._endpoints:
            endpoint = self._endpoints[self._current]
            try:
                self._verify(endpoint)
                return ask(endpoint)
            except Retry as error:
                failure = error
                log.warning("rpc.failed", endpoint=endpoint.name, method=method, error=error.message)
                self._current = (self._current + 1) % len(self._endpoints)
        assert failure is not None
        raise failure

    def batch(self, asked: Sequence[tuple[str, Sequence[Any]]]) -> tuple[Any | KeeperError, ...]:
        """Ask several raw questions in one round trip where the endpoint takes batches.

        Returns: per question its result, or the refusal it was answered with.
        Raises: `Retry` if nobody can be asked, or one question stays unanswered: half a picture is none.
        """
        if not asked:
            return ()
        answers = self._through(lambda endpoint: endpoint.ask_batch(asked), "batch")
        for answer in answers:
            if isinstance(answer, Retry):
                raise answer
        return tuple(answers)

    @property
    def round_trips(self) -> int:
        """Questions that went out to any endpoint since the start, an array of them being one."""
        return sum(endpoint.round_trips for endpoint in self._endpoints)

    def agree(self, block: BlockRef) -> None:
        """Whether enough endpoints have `block` as the canonical one of its height; asked before anything is sent.

        Raises: `Retry` if fewer than the configured quorum do.
        """

    def _verify(self, endpoint: Endpoint) -> None:
        if endpoint.verified:
            return
        found = int(endpoint.ask("eth_chainId", ()), 16)
        if found != self.chain_id:
            raise WrongChain(
                f"{endpoint.name} serves chain {found}, configured is {self.chain_id}",
                hint="point chain.rpc_urls at the right network, or correct chain.chain_id",
                found=found,
                configured=self.chain_id,
            )
        endpoint.verified = True

    def _read(self, parse: Callable[[Any], T], method: str, *params: Any) -> T:
        """Ask and parse; an answer of the wrong shape is no answer."""
        answer = self.request(method, *params)
        try:
            return parse(answer)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise Unreachable(f"{method}: unreadable answer ({error!r})", method=method) from error

    # Blocks

    def block(self, which: int | str = "latest") -> BlockRef:
        """A canonical block by height or tag.  Raises: `StaleBlock` if it is not there (yet)."""
        return self._block("eth_getBlockByNumber", hex(which) if isinstance(which, int) else which)

    def block_by_hash(self, block_hash: str) -> BlockRef:
        """A block by hash.  Raises: `StaleBlock` if the endpoint does not know it."""
        return self._block("eth_getBlockByHash", block_hash)

    def _block(self, method: str, which: str) -> BlockRef:
        found = self._read(_block_or_none, method, which, False)  # noqa: FBT003 - the wire's flag
        if found is None:
            raise StaleBlock(f"no block {which}", block=which)
        return found

    def blocks(self, heights: Sequence[int]) -> tuple[BlockRef | None, ...]:
        """Canonical blocks by height, in one round trip; None where there is none (yet).  Raises: `Retry`."""
        answers = self.batch([("eth_getBlockByNumber", [hex(height), False]) for height in heights])
        return tuple(_parsed(_block_or_none, answer) for answer in answers)

    # State

    def call_at(
        self, block: BlockRef, to: str, data: bytes, *, sender: str | None = None, gas: int | None = None
    ) -> bytes:
        """Call a contract in the state after `block`, whatever became of the chain since.

        Raises: `StaleBlock` if `block` is no longer canonical; `Reverted`.
        """
        return self._call(pinned(block), to, data, sender, gas)

    def simulate(self, to: str, data: bytes, *, sender: str, gas: int) -> bytes:
        """Call a contract in the pending state: what would happen if it were sent now.

        Raises: `Reverted`; `Retry`.
        """
        return self._call("pending", to, data, sender, gas)

    def _call(self, block: Any, to: str, data: bytes, sender: str | None, gas: int | None) -> bytes:
        call = _call(to, data)
        if sender is not None:
            call["from"] = sender
        if gas is not None:
            call["gas"] = hex(gas)
        return self._read(_octets, "eth_call", call, block)

    def calls_at(self, block: BlockRef, calls: Sequence[tuple[str, bytes]]) -> tuple[bytes | Reverted, ...]:
        """Call several contracts at one block, in one request where a multicall contract is configured.

        Returns: per call its output, or why that one failed.  Raises: `Retry`.
        """
        if self._multicall is None or len(calls) < 2:
            answers = self.batch([("eth_call", [_call(to, data), pinned(block)]) for to, data in calls])
            return tuple(answer if isinstance(answer, Reverted) else _parsed(_octets, answer) for answer in answers)
        asked = [(to, True, data) for to, data in calls]
        output = self.call_at(block, self._multicall, AGGREGATE3 + encode(["(address,bool,bytes)[]"], [asked]))
        try:
            (answers,) = decode(["(bool,bytes)[]"], output)
        except DecodingError as error:
            hint = "check chain.multicall: there must be a Multicall3 at that address"
            raise BadInput(f"{self._multicall} does not answer like a Multicall3", hint=hint) from error
        return tuple(data if done else Reverted("execution reverted", data=data) for done, data in answers)

    def code(self, address: str, block: BlockRef) -> bytes:
        """A contract's code; empty if there is none."""
        return self._read(_octets, "eth_getCode", address, pinned(block))

    def balance(self, address: str, block: BlockRef) -> int:
        """Native balance, wei."""
        return self._read(_number, "eth_getBalance", address, pinned(block))

    def nonce(self, address: str, block: BlockRef) -> int:
        """How many transactions of `address` are mined up to `block`."""
        return self._read(_number, "eth_getTransactionCount", address, pinned(block))

    def nonces(self, addresses: Sequence[str], block: BlockRef) -> tuple[int, ...]:
        """`nonce` of several addresses, in one round trip.  Raises: `Retry`."""
        pin = pinned(block)
        answers = self.batch([("eth_getTransactionCount", [address, pin]) for address in addresses])
        return tuple(_parsed(_number, answer) for answer in answers)

    def next_nonce(self, address: str) -> int:
        """The first nonce that no mined transaction has, now.  The pending count is not asked: nodes disagree on it."""
        return self._read(_number, "eth_getTransactionCount", address, "latest")

    def pending_nonce(self, address: str) -> int:
        """The node's opinion of the first nonce that is neither mined nor in its pool; for diagnosis."""
        return self._read(_number, "eth_getTransactionCount", address, "pending")

    # Logs

    def logs(self, first: int, last: int, addresses: Sequence[str], topics: Sequence[Any] = ()) -> tuple[Log, ...]:
        """Logs of canonical blocks first..last, ordered.  Raises: `RangeTooWide`; `Retry`."""
        return self._logs({"fromBlock": hex(first), "toBlock": hex(last)}, addresses, topics)

    def logs_in(self, block: BlockRef, addresses: Sequence[str], topics: Sequence[Any] = ()) -> tuple[Log, ...]:
        """Logs of exactly this block, ordered.  Raises: `StaleBlock`; `Retry`."""
        return self._logs({"blockHash": block.hash}, addresses, topics)

    def _logs(self, where: dict[str, str], addresses: Sequence[str], topics: Sequence[Any]) -> tuple[Log, ...]:
        query = where | {"address": list(addresses)} | ({"topics": list(topics)} if topics else {})
        found = self._read(lambda raw: [Log.parse(entry) for entry in raw], "eth_getLogs", query)
        return tuple(sorted(found, key=lambda entry: (entry.block_number, entry.index)))

    # Sending

    def fee_history(self) -> FeeHistory:
        """What recent blocks cost."""
        answer = self._read(_fees, "eth_feeHistory", hex(FEE_BLOCKS), "latest", [FEE_PERCENTILE])
        return FeeHistory(*answer)

    def send_raw(self, raw: bytes) -> None:
        """Broadcast signed bytes.  A node that has them already counts as success.

        Raises: `NonceUsed`, `Underpriced`, `Retry`, `Halt` for an unfunded key.
        """
        try:
            self.request("eth_sendRawTransaction", "0x" + raw.hex())
        except AlreadyKnown:
            return

    def receipt(self, tx_hash: str) -> Receipt | None:
        """A mined transaction's receipt; None if it is not mined."""
        return self._read(_receipt, "eth_getTransactionReceipt", tx_hash)

    def receipts(self, hashes: Sequence[str]) -> tuple[Receipt | None, ...]:
        """`receipt` of several transactions, in one round trip.  Raises: `Retry`."""
        answers = self.batch([("eth_getTransactionReceipt", [tx_hash]) for tx_hash in hashes])
        return tuple(_parsed(_receipt, answer) for answer in answers)


def pinned(block: BlockRef) -> Pin:
    """A block named by hash, EIP-1898; web3's own `block_identifier=hash` would look it up and call by number."""
    return state_pin(block)


def _call(to: str, data: bytes) -> dict[str, Any]:
    return {"to": to, "data": "0x" + data.hex()}


def _parsed(parse: Callable[[Any], T], answer: Any | KeeperError) -> T:
    """A result parsed.  Raises: the error it is; `Unreachable` if it is of the wrong shape."""
    if isinstance(answer, KeeperError):
        raise answer
    try:
        return parse(answer)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise Unreachable(f"unreadable answer ({error!r})") from error


def _block_or_none(raw: Any) -> BlockRef | None:
    return None if raw is None else block_ref(raw)


def _receipt(raw: Any) -> Receipt | None:
    return None if raw is None or raw["blockHash"] is None else Receipt.parse(raw)


def _octets(raw: str) -> bytes:
    return bytes.fromhex(raw.removeprefix("0x"))


def _number(raw: str) -> int:
    return int(raw, 16)


def _fees(raw: dict[str, Any]) -> tuple[int, tuple[int, ...]]:
    tips = [int(block[0], 16) for block in raw.get("reward") or () if block]
    return int(raw["baseFeePerGas"][-1], 16), tuple(tips)
