"""The questions we ask of the chain, typed.  Whom they are asked of, and how often, is `keeper.chain.asking.pool`'s.

Reads of state take a `BlockRef` and are pinned to its hash (EIP-1898), so a reorg between two reads of one decision is
an error and never a mixture; so is a rotation to a node that does not have the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from keeper.chain.asking.endpoint import Endpoint, endpoint_at, state_pin
from keeper.chain.asking.members import Member, PoolPolicy, Runner, in_turn
from keeper.chain.asking.pool import Pool
from keeper.chain.asking.quorum import Quorum, Tally
from keeper.chain.asking.wire import Asked, Pin
from keeper.chain.clock import Timekeeper
from keeper.chain.errors import AlreadyKnown, Reverted, StaleBlock, Unreachable
from keeper.chain.records import FeeHistory, Log, Receipt, block_ref
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, KeeperError

__all__ = ["Endpoint", "Rpc", "http_endpoint", "pinned"]

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
        policy: how hard to try; by default each endpoint once, whatever its head is like.
        quorum: how many endpoints must vouch for a block before anything is sent on it; 0 heeds contradictions only.
        time: what tells the time and lets it pass.
        jitter: a number in [0, 1) at each call, for the length of pauses.
        run: how questions at the side are asked.

    Raises: `BadInput` without endpoints, or with fewer than the quorum needs.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        chain_id: int,
        multicall: str | None = None,
        policy: PoolPolicy | None = None,
        quorum: int = 0,
        time: Timekeeper | None = None,
        jitter: Callable[[], float] = lambda: 0.5,
        run: Runner = in_turn,
    ) -> None:
        self.chain_id = chain_id
        self.pool = Pool(
            endpoints,
            chain_id=chain_id,
            policy=policy or PoolPolicy(),
            time=time or Timekeeper(),
            jitter=jitter,
            run=run,
        )
        self._quorum = Quorum(self.pool.members, needed=quorum)
        self._multicall = multicall

    def request(self, method: str, *params: Any) -> Any:
        """Ask one raw question.

        Raises: `Retry` if no endpoint can be asked, `Refused` or `Halt` as the answer says; see `keeper.chain.errors`.
        """
        return self.pool.ask(method, params)

    def batch(self, asked: Sequence[Asked]) -> tuple[Any | KeeperError, ...]:
        """Ask several raw questions in one round trip where the endpoint takes batches.

        Returns: per question its result, or the refusal it was answered with.
        Raises: `Retry` if nobody can be asked, or one question stays unanswered: half a picture is none.
        """
        return self.pool.ask_batch(asked)

    @property
    def round_trips(self) -> int:
        """Questions that went out to any endpoint since the start, an array of them being one."""
        return sum(member.endpoint.round_trips for member in self.pool.members)

    def agree(self, block: BlockRef) -> None:
        """Make sure that enough endpoints have `block` at its height; asked before anything is sent.  See `quorum.py`.

        Raises: `Disagreement`, a `Retry`, with who said what.
        """
        self._quorum.agree(block)

    def second_opinions(self, method: str, *params: Any) -> tuple[Any, ...]:
        """What every endpoint that answers now says; nothing where there is only one, which has spoken already.

        Endpoints that fail, rest, or do not know the block have no opinion.
        """
        members = self.pool.members
        found: list[Any] = []
        for member in members if len(members) > 1 else ():
            try:
                found += members.look(member, [(method, params)])
            except KeeperError:
                continue
        return tuple(found)

    def vetoed(
        self, block: BlockRef, to: str, data: bytes, *, sender: str | None = None, gas: int | None = None
    ) -> Reverted | None:
        """Where a quorum is asked for, why some endpoint says that a call would fail after `block`; None if none does.

        A quorum vouches for hashes.  What one endpoint says of the state under a true hash is asked of all here.
        """
        if self._quorum.needed < 2:
            return None
        asked = ("eth_call", (_full_call(to, data, sender, gas), pinned(block)))
        for member in self.pool.members:
            try:
                self.pool.members.look(member, [asked])
            except Reverted as error:
                return error
            except KeeperError:
                continue  # no opinion
        return None

    def vouched(self, block: BlockRef) -> Tally:
        """What each endpoint says of `block`; for a person."""
        return self._quorum.ask(block)

    def close(self) -> None:
        """Let go of connections and threads."""
        for member in self.pool.members:
            member.endpoint.close()

    def _read(self, parse: Callable[[Any], T], method: str, *params: Any) -> T:
        """Ask and parse; an answer of the wrong shape is no answer, and another endpoint may have a better one."""
        return self.pool.through(lambda member: _parsed(parse, member.endpoint.ask(method, params)), method)

    def _read_each(self, parse: Callable[[Any], T], asked: Sequence[Asked]) -> tuple[T, ...]:
        """Ask all in one round trip and parse each.  Raises: the first refusal too."""
        return tuple(_parsed(_same, answer) for answer in self.pool.ask_batch(asked, parse=partial(_parsed, parse)))

    # Blocks

    def block(self, which: int | str = "latest") -> BlockRef:
        """A canonical block by height or tag.

        Raises: `StaleBlock` if no endpoint has it (yet); `StaleHead` for "latest", if no endpoint's is of the present.
        """
        if which == "latest":
            return self.pool.latest()
        return self._block("eth_getBlockByNumber", hex(which) if isinstance(which, int) else which)

    def block_by_hash(self, block_hash: str) -> BlockRef:
        """A block by hash.  Raises: `StaleBlock` if the endpoint does not know it."""
        return self._block("eth_getBlockByHash", block_hash)

    def _block(self, method: str, which: str) -> BlockRef:
        return self._read(partial(_block_there, which), method, which, False)  # noqa: FBT003 - the wire's flag

    def blocks(self, heights: Sequence[int]) -> tuple[BlockRef | None, ...]:
        """Canonical blocks by height, in one round trip; None where there is none (yet).  Raises: `Retry`."""
        return self._read_each(_block_or_none, [("eth_getBlockByNumber", [hex(height), False]) for height in heights])

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
        return self._read(_octets, "eth_call", _full_call(to, data, sender, gas), block)

    def calls_at(self, block: BlockRef, calls: Sequence[tuple[str, bytes]]) -> tuple[bytes | Reverted, ...]:
        """Call several contracts at one block, in one request where a multicall contract is configured.

        Returns: per call its output, or why that one failed.  Raises: `Retry`.
        """
        if self._multicall is None or len(calls) < 2:
            pin = pinned(block)
            answers = self.pool.ask_batch(
                [("eth_call", [_call(to, data), pin]) for to, data in calls], parse=partial(_parsed, _octets)
            )
            return tuple(answer if isinstance(answer, Reverted) else _parsed(_same, answer) for answer in answers)
        asked = [(to, True, data) for to, data in calls]
        output = self.call_at(block, self._multicall, AGGREGATE3 + encode(["(address,bool,bytes)[]"], [asked]))
        try:
            (entries,) = decode(["(bool,bytes)[]"], output)
        except DecodingError as error:
            hint = "check chain.multicall: there must be a Multicall3 at that address"
            raise BadInput(f"{self._multicall} does not answer like a Multicall3", hint=hint) from error
        return tuple(data if done else Reverted("execution reverted", data=data) for done, data in entries)

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
        return self._read_each(_number, [("eth_getTransactionCount", [address, pin]) for address in addresses])

    def next_nonce(self, address: str) -> int:
        """The first nonce that no mined transaction has, now.  The pending count is not asked: nodes disagree on it."""
        return self._read(_number, "eth_getTransactionCount", address, "latest")

    def pending_nonce(self, address: str) -> int:
        """The node's opinion of the first nonce that is neither mined nor in its pool; for diagnosis."""
        return self._read(_number, "eth_getTransactionCount", address, "pending")

    # Logs

    def logs(self, first: int, last: int, addresses: Sequence[str], topics: Sequence[Any] = ()) -> tuple[Log, ...]:
        """Logs of canonical blocks first..last, ordered.

        The block `last` is asked for beside them: a node that does not have it yet would answer with the logs so far.

        Raises: `StaleBlock` if no endpoint has `last`; `RangeTooWide`; `Retry`.
        """
        query = {"fromBlock": hex(first), "toBlock": hex(last)} | _filter(addresses, topics)
        asked: list[Asked] = [("eth_getLogs", [query]), ("eth_getBlockByNumber", [hex(last), False])]

        def ask(member: Member) -> tuple[Log, ...]:
            logs, end = member.endpoint.ask_batch(asked)
            _parsed(partial(_block_there, last), end)
            return _parsed(_logs, logs)

        return self.pool.through(ask, "eth_getLogs")

    def logs_in(self, block: BlockRef, addresses: Sequence[str], topics: Sequence[Any] = ()) -> tuple[Log, ...]:
        """Logs of exactly this block, ordered.  Raises: `StaleBlock`; `Retry`."""
        rest, height = _filter(addresses, topics), hex(block.number)
        by_number = {"fromBlock": height, "toBlock": height} | rest
        return self._read(_logs, "eth_getLogs", Pin({"blockHash": block.hash} | rest, block=block, by_number=by_number))

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
        return self._read_each(_receipt, [("eth_getTransactionReceipt", [tx_hash]) for tx_hash in hashes])


def pinned(block: BlockRef) -> Pin:
    """A block named by hash, EIP-1898; web3's own `block_identifier=hash` would look it up and call by number."""
    return state_pin(block)


def _filter(addresses: Sequence[str], topics: Sequence[Any]) -> dict[str, Any]:
    return {"address": list(addresses)} | ({"topics": list(topics)} if topics else {})


def _full_call(to: str, data: bytes, sender: str | None, gas: int | None) -> dict[str, str]:
    call = _call(to, data)
    if sender is not None:
        call["from"] = sender
    if gas is not None:
        call["gas"] = hex(gas)
    return call


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


def _block_there(which: int | str, raw: Any) -> BlockRef:
    if raw is None:
        raise StaleBlock(f"no block {which}", block=which)
    return block_ref(raw)


def _logs(raw: Any) -> tuple[Log, ...]:
    return tuple(sorted(map(Log.parse, raw), key=lambda entry: (entry.block_number, entry.index)))


def _same(answer: T) -> T:
    return answer


def _receipt(raw: Any) -> Receipt | None:
    return None if raw is None or raw["blockHash"] is None else Receipt.parse(raw)


def _octets(raw: str) -> bytes:
    return bytes.fromhex(raw.removeprefix("0x"))


def _number(raw: str) -> int:
    return int(raw, 16)


def _fees(raw: dict[str, Any]) -> tuple[int, tuple[int, ...]]:
    tips = [int(block[0], 16) for block in raw.get("reward") or () if block]
    return int(raw["baseFeePerGas"][-1], 16), tuple(tips)
