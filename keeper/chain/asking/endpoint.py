"""One node: how it is asked, and what we learned it cannot do.

Two abilities differ between nodes and are remembered here.  An array of requests may be turned down, wholly or above a
size; then requests go smaller, or one by one.  A block named by hash (EIP-1898) may be refused, or, on some nodes,
quietly read as something else; then reads name its number, and the hash of that height is compared *afterwards, at the
same node*: had a reorg come in before or between the reads, the hash seen after them is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import requests
import structlog
from web3.exceptions import Web3Exception

from keeper.chain.asking.http_provider import HttpProvider
from keeper.chain.asking.websocket import WsProvider
from keeper.chain.asking.wire import Asked, BatchRefused, Pin, is_answer, pin_of, unpinned
from keeper.chain.errors import StaleBlock, Unreachable, translate
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, KeeperError

log = structlog.get_logger(__name__)

#: Everything a provider may raise instead of answering: transport, unreadable answers, web3's own.
FOREIGN = (OSError, requests.RequestException, Web3Exception, ValueError, KeyError, TypeError, EOFError)

#: What nodes say, in lower case, that expect a number or a tag where a block is named by hash: go-ethereum before 1.9
#: and its offspring, OpenEthereum, godwoken, axon, ganache.
_NO_PIN_WORDS = (
    *("unmarshal object", "invalid type: map", "must be a string", "hex string without 0x", "invalid block"),
    *("blockhash", "object object", "expected a string", "hex number", "invalid argument", "invalid params"),
)
_CODE_BAD_PARAMS = -32602

#: Requests in one array, unless told otherwise.
BATCH_SIZE = 100

#: A block nobody has.  A node that reads state "there" does not look at the hash.
NO_BLOCK = BlockRef(0, "0x" + "5a" * 32, "0x" + "00" * 32, 0)
_NOBODY = "0x" + "00" * 20


class Provider(Protocol):
    """A web3 provider as far as we use it: HTTP, WebSocket, or one of the test kit's."""

    def make_request(self, method: Any, params: Any) -> Any:
        """Answer one JSON-RPC request with an object that has `result` or `error`."""


@runtime_checkable
class BatchProvider(Provider, Protocol):
    """A provider that takes several requests in one round trip."""

    def make_batch(self, asked: Sequence[Asked]) -> list[Any]:
        """An answer object each, in the order of asking; None where one is missing.  Raises: `BatchRefused`."""


@dataclass(eq=False)
class Endpoint:
    """One node."""

    name: str
    """For logs: the URL's host, never its path, which may hold a key."""
    provider: Provider
    verified: bool = False
    """Whether its chain id was seen to be ours, and nothing happened since that could have put another node there."""
    batch_size: int = BATCH_SIZE
    """Most requests in one array; shrinks when the node says so."""
    batches: bool | None = None
    """Whether it takes arrays; None while unknown."""
    pins: bool | None = None
    """Whether it reads state at a block named by hash; None while unknown."""
    round_trips: int = field(default=0, repr=False)
    """Questions that went out, an array being one."""

    def ask(self, method: str, params: Sequence[Any]) -> Any:
        """Ask one question.  Raises: what the answer says, see `keeper.chain.errors`; `Unreachable` without one."""
        (answer,) = self.ask_batch([(method, params)])
        if isinstance(answer, KeeperError):
            raise answer
        return answer

    def ask_batch(self, asked: Sequence[Asked]) -> list[Any | KeeperError]:
        """Ask several questions.

        Returns: for each its result, or the error it was answered with.
        Raises: `Unreachable` if the node gave no answer at all.
        """
        if self.pins is False:
            return self._by_number(asked)
        answers = self._send(asked)
        pinned = [at for at, (_, params) in enumerate(asked) if pin_of(params) is not None]
        if any(not isinstance(answers[at], KeeperError) for at in pinned):
            self.pins = True
        refused = [at for at in pinned if refuses_pin(answers[at])]
        if refused and self.pins is None:
            again = self._by_number([asked[at] for at in refused])
            # Bad parameters of another kind are bad by number too, and say nothing about the hash.
            if not any(refuses_pin(answer) for answer in again):
                self._give_up_pins("refused")
                for at, answer in zip(refused, again, strict=True):
                    answers[at] = answer
        return answers

    def learn_pins(self) -> bool | None:
        """Find out whether blocks can be named by hash, by naming one that does not exist.

        Some nodes answer that as if it were the newest block: silence about a wrong hash is worse than a refusal.
        Returns: what is known now; None if the node's answer says neither.  Raises: `Unreachable`.
        """
        if self.pins is None:
            (answer,) = self._send([("eth_getBalance", [_NOBODY, state_pin(NO_BLOCK)])])
            if isinstance(answer, StaleBlock):
                self.pins = True
            elif not isinstance(answer, KeeperError):
                self._give_up_pins("ignored")
            elif refuses_pin(answer) and not names_block(answer):
                self._give_up_pins("refused")
        return self.pins

    def close(self) -> None:
        """Let go of connections and threads."""
        close = getattr(self.provider, "close", None)
        if close is not None:
            close()

    # How questions leave

    def _by_number(self, asked: Sequence[Asked]) -> list[Any | KeeperError]:
        """Ask with numbers in place of pins, then make sure those heights still are the blocks meant."""
        answers = self._send([(method, unpinned(params)) for method, params in asked])
        blocks = {pin.block.hash: pin.block for _, params in asked if (pin := pin_of(params)) is not None}
        if not blocks:
            return answers
        heads = self._send([("eth_getBlockByNumber", [hex(block.number), False]) for block in blocks.values()])
        there = {wanted: _hash_of(found) for wanted, found in zip(blocks, heads, strict=True)}
        for at, (method, params) in enumerate(asked):
            pin = pin_of(params)
            if pin is None:
                continue
            seen = there[pin.block.hash]
            if isinstance(seen, KeeperError):
                answers[at] = seen
            elif seen != pin.block.hash:
                message = f"{method}: block {pin.block.number} is {seen or 'not there'}, not {pin.block.hash}"
                answers[at] = StaleBlock(message, method=method, block=pin.block.number)
        return answers

    def _give_up_pins(self, why: str) -> None:
        self.pins = False
        log.warning("rpc.no_pins", endpoint=self.name, why=why, then="numbers, and the hash of the height after")

    def _send(self, asked: Sequence[Asked]) -> list[Any | KeeperError]:
        answers: list[Any | KeeperError] = []
        while len(answers) < len(asked):
            chunk = asked[len(answers) : len(answers) + max(1, self.batch_size)]
            answers += self._chunk(chunk)
        return answers

    def _chunk(self, chunk: Sequence[Asked]) -> list[Any | KeeperError]:
        provider = self.provider
        if len(chunk) > 1 and self.batches is not False and isinstance(provider, BatchProvider):
            try:
                found = self._exchange("batch", lambda: provider.make_batch(chunk))
            except BatchRefused as error:
                if error.too_large and self.batch_size > 1:
                    self.batch_size = max(1, min(self.batch_size, len(chunk)) // 2)
                else:
                    self.batches = False
                log.warning("rpc.batch_refused", endpoint=self.name, said=error.message, batch_size=self.batch_size)
                return self._send(chunk)
            self.batches = True
            return [self._read(answer, method) for answer, (method, _) in zip(found, chunk, strict=True)]
        return [self._one(method, params) for method, params in chunk]

    def _one(self, method: str, params: Sequence[Any]) -> Any | KeeperError:
        answer = self._exchange(method, lambda: self.provider.make_request(method, list(params)))
        if not is_answer(answer):
            raise Unreachable(f"{self.name}: neither result nor error for {method}", method=method)
        return self._read(answer, method)

    def _read(self, answer: Any, method: str) -> Any | KeeperError:
        """A result, or the error that stands in its place.  An item missing from an array is unanswered, alone."""
        if not is_answer(answer):
            return Unreachable(f"{self.name}: neither result nor error for {method}", method=method)
        return translate(answer["error"], method=method) if answer.get("error") else answer["result"]

    def _exchange(self, method: str, exchange: Any) -> Any:
        self.round_trips += 1
        problem = ""
        try:
            return exchange()
        except KeeperError:
            raise
        except FOREIGN as error:
            problem = type(error).__name__
        # Outside the handler: a library's exception may name the URL, with its key, and must not come along as a cause.
        raise Unreachable(f"{self.name}: {problem} on {method}", method=method)


def endpoint_at(url: str, *, timeout_s: float = 10.0, batch_size: int = BATCH_SIZE) -> Endpoint:
    """An endpoint over HTTP(S) or WebSocket, by its scheme.  Nothing is connected yet.

    Raises: `BadInput` if the URL is none.
    """
    scheme = _scheme(url)
    if scheme is None:
        message = "an RPC endpoint must be an http://, https://, ws:// or wss:// URL with a host and a port below 65536"
        raise BadInput(message, hint="check chain.rpc_urls")
    provider = (HttpProvider if scheme in ("http", "https") else WsProvider)(url, timeout_s=timeout_s)
    return Endpoint(provider.host, provider, batch_size=batch_size)


def _scheme(url: str) -> str | None:
    """The scheme of a URL that can be asked; None of any other.  The parser's own words would show the URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https", "ws", "wss") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts.scheme if usable and not any(letter.isspace() for letter in url) else None


def name_apart(endpoints: Sequence[Endpoint]) -> None:
    """Number those that share a host: two keys at one provider, or two transports of one node."""
    names: set[str] = set()
    for at, endpoint in enumerate(endpoints, start=1):
        if endpoint.name in names:
            endpoint.name += f" #{at}"
        names.add(endpoint.name)


def state_pin(block: BlockRef) -> Pin:
    """A block as the state reads take it: by hash, which must be canonical."""
    by_hash = {"blockHash": block.hash, "requireCanonical": True}
    return Pin(by_hash, block=block, by_number=hex(block.number))


def refuses_pin(answer: Any) -> bool:
    """Whether an answer says that the node does not know blocks named by hash."""
    if type(answer) is not Unreachable:
        return False
    words = answer.message.lower()
    return answer.fields.get("code") == _CODE_BAD_PARAMS or any(word in words for word in _NO_PIN_WORDS)


def names_block(answer: KeeperError) -> bool:
    """Whether a refusal speaks of a block that is not there, in words nobody listed."""
    words = answer.message.lower()
    return "not found" in words or "unknown" in words or "does not exist" in words


def _hash_of(found: Any) -> str | KeeperError:
    if isinstance(found, KeeperError):
        return found
    said = found.get("hash") if isinstance(found, dict) else None
    return said.lower() if isinstance(said, str) else ""
