"""One block of another chain, read as it is needed and remembered, so that a fork test can run again without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from eth_utils import keccak, to_checksum_address
from web3.exceptions import Web3Exception
from web3.providers.rpc import HTTPProvider

from keeper.errors import BadInput, Halt, Refused, Retry
from keeper.testing.wire import JsonRpcError, hexed, number, octets, quantity

#: What an account is, apart from its storage.
ACCOUNT: Final = ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")
#: What a refusal of the object form of a block says; other refusals are about the question itself.
_NO_OBJECT = ("invalid", "unmarshal", "expected", "deserialize", "parse", "type")
#: Version of the recording's layout.
FORMAT = 1


class Provider(Protocol):
    """Somewhere to ask: a web3 provider, as far as it is used here."""

    def make_request(self, method: Any, params: Any) -> Any:
        """Answer one JSON-RPC request with an object that has `result` or `error`."""


class Upstream:
    """A chain as it was at one block.

    Args:
        source: URL or provider of a node; None answers from a recording only.
        block: height to stand on; the newest without one.  A recording knows its own.

    Every answer is kept: what was asked once is never asked again, and `save` writes it all down.
    """

    def __init__(self, source: str | Provider | None, *, block: int | None = None) -> None:
        self._provider: Provider | None = (
            HTTPProvider(source, exception_retry_configuration=None) if isinstance(source, str) else source
        )
        self.url = source if isinstance(source, str) else ""
        """Where the node is, if it is somewhere by itself."""
        self._answers: dict[str, Any] = {}
        #: The state among the answers, read: the machine asks for the same again and again.
        self._accounts: dict[bytes, tuple[int, int, bytes]] = {}
        self._words: dict[tuple[bytes, int], int] = {}
        self._by_hash = True
        self._in_arrays = True
        self.asked = 0
        """Requests that really went to the node."""
        if self._provider is not None:
            self.chain_id = number(self._request("eth_chainId", []))
            self.block = self._named("latest" if block is None else quantity(block))

    @classmethod
    def recorded(cls, path: Path) -> Upstream:
        """What `save` wrote, without any node.

        Raises: `BadInput` if the file is no recording.
        """
        hint = "record it again with save(), while a node is there"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["format"] != FORMAT:
                raise BadInput(f"{path} has format {kept['format']}, this version reads {FORMAT}", hint=hint)
            found = cls(None)
            found.chain_id, found.block, found._answers = kept["chain_id"], kept["block"], kept["answers"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path} is no recording of a fork: {error!r}", hint=hint) from error
        return found

    def save(self, path: Path) -> None:
        """Write down all that was asked so far; the same questions give the same bytes."""
        kept = {"format": FORMAT, "chain_id": self.chain_id, "block": self.block, "answers": self._answers}
        path.write_text(json.dumps(kept, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")

    @property
    def number(self) -> int:
        """Height of the block stood on."""
        return number(self.block["number"])

    # The state after the block

    def account(self, address: bytes) -> tuple[int, int, bytes]:
        """Balance in wei, nonce and code."""
        found = self._accounts.get(address)
        if found is None:
            named = to_checksum_address(address)
            balance, nonce, code = self._states([(method, (named,)) for method in ACCOUNT])
            found = self._accounts[address] = number(balance), number(nonce), octets(code)
        return found

    def storage(self, address: bytes, slot: int) -> int:
        """One storage word."""
        word = self._words.get((address, slot))
        if word is None:
            (said,) = self._states([("eth_getStorageAt", (to_checksum_address(address), quantity(slot)))])
            word = self._words[address, slot] = number(said)
        return word

    def code_of(self, address: bytes, code_hash: bytes) -> bytes:
        """Code that must have this hash.  Raises: `Halt` if the node tells two stories."""
        code = self.account(address)[2]
        if keccak(code) != code_hash:
            raise Halt(f"the code of {hexed(address)} changed between two reads", hint="use a node that keeps state")
        return code

    # The past

    def ask(self, method: str, *params: Any) -> Any:
        """Forward a question about the block stood on or an earlier one.

        Raises: `JsonRpcError` as the node's, or one that says what is missing from a recording.
        """
        key = json.dumps([method, list(params)], sort_keys=True)
        if key not in self._answers:
            try:
                self._answers[key] = self._request(method, list(params))
            except (Retry, Refused) as error:
                raise JsonRpcError(-32000, error.message) from error
        return self._answers[key]

    def ancestor(self, block_hash: bytes) -> dict[str, Any] | None:
        """The block with this hash if it is this one or an ancestor."""
        found = self.ask("eth_getBlockByHash", hexed(block_hash), False)  # noqa: FBT003 - the wire's flag
        return None if found is None or number(found["number"]) > self.number else dict(found)

    # Asking

    def _named(self, which: str) -> dict[str, Any]:
        found = self._request("eth_getBlockByNumber", [which, False])
        if found is None:
            raise BadInput(f"the node has no block {which}", hint="fork at a block that exists")
        return dict(found)

    def _states(self, asked: Sequence[tuple[str, tuple[str, ...]]]) -> list[str]:
        """Ask for state, by hash where the node takes that, else by number with the hash checked afterwards."""
        keys = [json.dumps([method, list(params)]) for method, params in asked]
        missing = [(key, one) for key, one in zip(keys, asked, strict=True) if key not in self._answers]
        if missing:
            found = self._pinned([(method, [*params]) for _, (method, params) in missing])
            self._answers.update(zip([key for key, _ in missing], found, strict=True))
        return [str(self._answers[key]) for key in keys]

    def _pinned(self, asked: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        if self._by_hash:
            try:
                return self._requests(
                    [(method, [*params, {"blockHash": self.block["hash"]}]) for method, params in asked]
                )
            except Refused as error:
                if not any(word in error.message.lower() for word in _NO_OBJECT):
                    raise
                self._by_hash = False
        found = self._requests([(method, [*params, self.block["number"]]) for method, params in asked])
        now = self._request("eth_getBlockByNumber", [self.block["number"], False])
        if now is None or now["hash"] != self.block["hash"]:
            raise Halt(f"block {self.number} was reorganised away upstream", hint="fork at a final block")
        return found

    def _requests(self, asked: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """All of these, in one array where the node takes arrays."""
        together = getattr(self._provider, "make_batch_request", None)
        if len(asked) > 1 and self._in_arrays and together is not None:
            self.asked += 1
            try:
                found = together(list(asked))
            except (OSError, Web3Exception, ValueError):
                found = None  # one by one says what is the matter
            self._in_arrays = isinstance(found, list) and len(found) == len(asked)
            if isinstance(found, list) and self._in_arrays and all("result" in one for one in found):
                return [one["result"] for one in found]
        return [self._request(method, params) for method, params in asked]

    def _request(self, method: str, params: list[Any]) -> Any:
        if self._provider is None:
            raise Refused(f"{method} {params} was not recorded; record again with save(), while a node is there")
        self.asked += 1
        try:
            answer = self._provider.make_request(method, params)
        except (OSError, Web3Exception) as error:
            raise Retry(f"the forked node does not answer {method}: {type(error).__name__}") from error
        if answer.get("error"):
            raise Refused(f"{method}: {answer['error'].get('message', answer['error'])}")
        return answer["result"]
