"""Endpoints of a made-up chain, each wrong in its own way, and a time that passes only when told.

Nothing is executed: blocks follow from their height, and the balance of any address at a block is the first eight bytes
of that block's hash, so that an answer gives away which block it was really read at.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from eth_utils import keccak

from keeper.chain.asking.endpoint import Endpoint
from keeper.chain.asking.health import Fitness
from keeper.chain.asking.members import PoolPolicy
from keeper.chain.asking.rpc import Rpc
from keeper.chain.asking.wire import BatchRefused
from keeper.chain.clock import Timekeeper
from keeper.domain.block import BlockRef
from keeper.testing.wire import JsonRpcError

#: The made-up chain: its id, the time of block 0, the seconds between blocks.
CHAIN_ID, GENESIS_S, INTERVAL_S = 7, 1_700_000_000, 12
#: Anybody's address.
ANYBODY: Final = "0x" + "a1" * 20


class FakeTime:
    """Wall and steady clock of a test.  A wait passes at once, and is written down."""

    def __init__(self, *, block: int = 100) -> None:
        self.now_s = 0.0
        self._began_s = float(GENESIS_S + block * INTERVAL_S)
        self.waits: list[float] = []

    def wall_s(self) -> float:
        """Unix seconds."""
        return self._began_s + self.now_s

    def steady_s(self) -> float:
        """Seconds since the test began."""
        return self.now_s

    def wait_s(self, seconds: float) -> None:
        """Let time pass because somebody waits."""
        self.waits.append(seconds)
        self.now_s += seconds

    def pass_s(self, seconds: float) -> None:
        """Let time pass by itself."""
        self.now_s += seconds

    def beside(
        self, jobs: Sequence[Callable[[], None]], /, *, longest_s: float, enough: Callable[[], bool] = lambda: False
    ) -> None:
        """A `Runner` as if at the same time: the longest counts, and none more than `longest_s`."""
        began, ended = self.now_s, self.now_s
        for job in jobs:
            self.now_s = began
            job()
            ended = max(ended, self.now_s)
            if enough():
                break
        self.now_s = min(ended, began + longest_s)

    @property
    def keeper(self) -> Timekeeper:
        """As the pool takes it."""
        return Timekeeper(wall_s=self.wall_s, steady_s=self.steady_s, wait_s=self.wait_s)


@lru_cache(maxsize=4096)
def block_at(number: int, *, forked_at: int | None = None) -> BlockRef:
    """A block of the chain, or of the fork that leaves it at a height."""
    return BlockRef(number, _hash(number, forked_at), _hash(number - 1, forked_at), GENESIS_S + number * INTERVAL_S)


def _hash(number: int, forked_at: int | None) -> str:
    branch = "" if forked_at is None or number < forked_at else f" of a fork at {forked_at}"
    return "0x" + keccak(text=f"block {number}{branch}").hex()


def balance_at(block: BlockRef) -> int:
    """Anybody's balance in the state after a block."""
    return int(block.hash[2:18], 16)


@dataclass(eq=False)
class ScriptedProvider:
    """One node.  Change its fields as the story goes."""

    time: FakeTime
    head: int = 100
    """Height of its newest block."""
    forked_at: int | None = None
    """Where it leaves the chain that the others are on; None if nowhere."""
    chain_id: int = CHAIN_ID
    takes_s: float = 0.0
    """Seconds that an answer takes."""
    pins: Literal["heeds", "refuses", "ignores"] = "heeds"
    """What it does with a block named by hash."""
    largest_batch: int | None = None
    """Most requests that it takes at once; 1 for none, None for any number."""
    fault: Callable[[str], Any] | None = None
    """Called with each method before it is answered; may raise, or return an answer object to give instead."""
    faults: deque[Callable[[str], Any] | None] = field(default_factory=deque)
    """One for each exchange, before `fault` is looked at; None lets it pass."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each method was asked for."""
    raw_sent: list[str] = field(default_factory=list)
    """Transactions that reached it."""

    def make_request(self, method: Any, params: Any) -> Any:
        """Answer one request."""
        self.time.pass_s(self.takes_s)
        instead = self._interfere(method)
        return self._answer(method, list(params)) if instead is None else instead

    def make_batch(self, asked: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Answer several."""
        self.time.pass_s(self.takes_s)
        if self.largest_batch is not None and len(asked) > self.largest_batch:
            said = "batch requests are not supported" if self.largest_batch == 1 else "batch too large"
            raise BatchRefused(said)
        instead = self._interfere("batch")
        if instead is not None:
            return [instead for _ in asked]
        return [self._answer(method, list(params)) for method, params in asked]

    def _interfere(self, method: str) -> Any:
        fault = self.faults.popleft() if self.faults else self.fault
        return fault(method) if fault is not None else None

    def _answer(self, method: str, params: list[Any]) -> Any:
        self.asked[method] += 1
        handler = getattr(self, "_" + method, None)
        if handler is None:
            return {"id": 1, "error": {"code": -32601, "message": f"the method {method} does not exist"}}
        try:
            return {"id": 1, "result": handler(*params)}
        except JsonRpcError as error:
            return {"id": 1, "error": error.as_json()}

    def block(self, number: int) -> BlockRef:
        """Its block at a height."""
        return block_at(number, forked_at=self.forked_at)

    # Methods

    def _eth_chainId(self) -> str:  # noqa: N802 - the wire's name
        return hex(self.chain_id)

    def _eth_getBlockByNumber(self, which: str, _full: Any) -> Any:  # noqa: N802 - the wire's name
        number = self.head if which == "latest" else int(which, 16)
        return _raw(self.block(number)) if number <= self.head else None

    def _eth_getBlockByHash(self, block_hash: str, _full: Any) -> Any:  # noqa: N802 - the wire's name
        found = self._find(block_hash)
        return None if found is None else _raw(found)

    def _eth_getBalance(self, _address: str, where: Any) -> str:  # noqa: N802 - the wire's name
        return hex(balance_at(self._state(where)))

    def _eth_getTransactionCount(self, _address: str, where: Any) -> str:  # noqa: N802 - the wire's name
        return hex(self._state(where).number)

    def _eth_sendRawTransaction(self, raw: str) -> str:  # noqa: N802 - the wire's name
        if raw in self.raw_sent:
            raise JsonRpcError(-32000, "already known")
        self.raw_sent.append(raw)
        return "0x" + keccak(hexstr=raw).hex()

    def _eth_getLogs(self, query: dict[str, Any]) -> list[Any]:  # noqa: N802 - the wire's name
        if "blockHash" in query:
            blocks = [self._state({"blockHash": query["blockHash"]})]
        else:
            last = min(int(query["toBlock"], 16), self.head)
            blocks = [self.block(number) for number in range(int(query["fromBlock"], 16), last + 1)]
        return [_log(block) for block in blocks]

    def _state(self, where: Any) -> BlockRef:
        if isinstance(where, dict):
            return self._pinned(where)
        number = self.head if where in ("latest", "pending") else int(where, 16)
        if number > self.head:
            raise JsonRpcError(-32000, "header not found")
        return self.block(number)

    def _pinned(self, where: dict[str, Any]) -> BlockRef:
        if self.pins == "refuses":
            said = "invalid argument 1: json: cannot unmarshal object into Go value of type string"
            raise JsonRpcError(-32602, said)
        if self.pins == "ignores":
            return self.block(self.head)
        found = self._find(where["blockHash"])
        if found is None:
            raise JsonRpcError(-32001, "block not found")
        return found

    def _find(self, block_hash: str) -> BlockRef | None:
        heights = range(self.head, max(-1, self.head - 300), -1)
        return next((self.block(number) for number in heights if self.block(number).hash == block_hash), None)


def endpoints_of(*providers: ScriptedProvider) -> list[Endpoint]:
    """Endpoints a, b, c, … in this order of preference."""
    return [Endpoint(chr(ord("a") + at), provider) for at, provider in enumerate(providers)]


def nodes(time: FakeTime, count: int, **fields: Any) -> list[ScriptedProvider]:
    """Several that are alike, until the story changes one."""
    return [ScriptedProvider(time, **fields) for _ in range(count)]


#: What the pool of a test demands of heads, and how long it tries.
FIT = Fitness(max_head_age_s=60, max_head_lag_blocks=3)
TIMEOUT_S, DEADLINE_S = 10.0, 20.0


def rpc_of(
    time: FakeTime,
    *providers: ScriptedProvider,
    fitness: Fitness = FIT,
    retries: int = 0,
    quorum: int = 0,
    jitter: Callable[[], float] = lambda: 0.5,
    probe_pins: bool = False,
) -> Rpc:
    """The chain through these endpoints."""
    policy = PoolPolicy(fitness=fitness, retries=retries, deadline_s=DEADLINE_S, probe_pins=probe_pins)
    return Rpc(
        endpoints_of(*providers),
        chain_id=CHAIN_ID,
        policy=policy,
        quorum=quorum,
        time=time.keeper,
        jitter=jitter,
        run=time.beside,
    )


# What may go wrong with one exchange.


def dead(_method: str) -> Any:
    """Nobody is there."""
    raise ConnectionRefusedError


def silent(time: FakeTime, *, timeout_s: float) -> Callable[[str], Any]:
    """No answer within the time-out."""

    def fault(_method: str) -> Any:
        time.pass_s(timeout_s)
        raise TimeoutError

    return fault


def says(code: int, message: str, data: Any = None) -> Callable[[str], Any]:
    """An error answer to whatever is asked."""
    return lambda _method: {"id": 1, "error": {"code": code, "message": message, "data": data}}


def answers(result: Any) -> Callable[[str], Any]:
    """The same result whatever is asked."""
    return lambda _method: {"id": 1, "result": result}


def _raw(block: BlockRef) -> dict[str, str]:
    return {
        "number": hex(block.number),
        "hash": block.hash,
        "parentHash": block.parent_hash,
        "timestamp": hex(block.timestamp),
    }


def _log(block: BlockRef) -> dict[str, Any]:
    return {
        "address": ANYBODY,
        "topics": ["0x" + "01" * 32],
        "data": "0x",
        "blockNumber": hex(block.number),
        "blockHash": block.hash,
        "transactionHash": "0x" + "02" * 32,
        "logIndex": "0x0",
    }
