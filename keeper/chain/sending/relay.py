"""Which way signed bytes leave: to everybody's mempool, or to a private relay first.

A flag or a bid that waits in the public pool shows others what to copy.  A relay hands it to block builders only:

    block 0 … n−1 after the first send   the relay alone, replacements and cancellations too
    from block n on                      the public pool: being copied is better than not being included
    the relay cannot be asked            the public pool at once, or the relay again next block (`when_down`)

What went public once is public for good, whatever else is sent for the same intent: its nonce, target and calldata are
known.  Where and since when an intent went out is in the store *before* the bytes leave, so a restart neither
publishes what was private nor starts counting anew.

A relay answers like a node.  Two ways to ask are known: `eth_sendRawTransaction` (an RPC endpoint that promises not to
gossip) and `eth_sendPrivateTransaction` (carries the last block in which the bytes may be included).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import requests
import structlog

from keeper.chain.errors import AlreadyKnown, NonceUsed, Underpriced, Unreachable, translate
from keeper.domain.block import BlockRef
from keeper.domain.tx import TxRecord
from keeper.domain.worth import PRIVATE, PUBLIC
from keeper.errors import BadInput, KeeperError, Retry
from keeper.ports import Ledger

log = structlog.get_logger(__name__)

#: Ways to ask a relay.
METHODS: Final = ("eth_sendRawTransaction", "eth_sendPrivateTransaction")


class Broadcast(Protocol):
    """Hands signed bytes to the network."""

    def send(self, raw: bytes, record: TxRecord, head: BlockRef) -> None:
        """Send one attempt of `record`; sending the same bytes again is success.

        Raises: `NonceUsed`, `Underpriced`, `Retry`, `Halt` as `Rpc.send_raw`.
        """


class SendsRaw(Protocol):
    """The part of `Rpc` that broadcasts."""

    def send_raw(self, raw: bytes) -> None:
        """Broadcast signed bytes.  Raises: see `Rpc.send_raw`."""


class PublicBroadcast:
    """The public mempool, for everything."""

    def __init__(self, rpc: SendsRaw) -> None:
        self._rpc = rpc

    def send(self, raw: bytes, record: TxRecord, head: BlockRef) -> None:  # noqa: ARG002 - the port's signature
        """See `Broadcast.send`."""
        self._rpc.send_raw(raw)


class Relay(Protocol):
    """A private way to block builders."""

    def submit(self, raw: bytes, *, last_block: int) -> None:
        """Hand over signed bytes that may be included up to `last_block`.

        Raises: `AlreadyKnown`, `NonceUsed`, `Underpriced`; `Retry` for everything that is no answer of the chain.
        """


@dataclass(frozen=True, kw_only=True)
class RelayRules:
    """When the relay is used, and when it is not any more."""

    kinds: frozenset[str]
    """Kinds of action that go out privately."""
    fallback_after_blocks: int
    """Blocks of the relay alone; then the public pool too."""
    public_when_down: bool
    """Whether a relay that cannot be asked sends us to the public pool at once."""


class RelayBroadcast:
    """`Broadcast` by way of a relay; see the module's head.

    Args:
        relay: the private way.
        public: the public one.
        ledger: where it is kept which way an intent went.
        rules: when to use which.
    """

    def __init__(self, relay: Relay, public: Broadcast, ledger: Ledger, rules: RelayRules) -> None:
        self._relay, self._public, self._ledger, self._rules = relay, public, ledger, rules

    def send(self, raw: bytes, record: TxRecord, head: BlockRef) -> None:
        """See `Broadcast.send`."""
        intent, gone = record.intent, self._ledger.sent(record.intent.key)
        if intent.kind not in self._rules.kinds or PUBLIC in gone:
            self._to_public(raw, record, head, gone)
            return
        first = gone.get(PRIVATE, head.number)
        waited = head.number - first
        if waited >= self._rules.fallback_after_blocks:
            log.warning("relay.fallback", key=intent.key, waited_blocks=waited, block=head.number)
            self._to_public(raw, record, head, gone)
            return
        if PRIVATE not in gone:
            self._ledger.note_sent(intent.key, PRIVATE, head.number)
        try:
            self._relay.submit(raw, last_block=first + self._rules.fallback_after_blocks)
        except AlreadyKnown:
            return
        except (NonceUsed, Underpriced):
            raise
        except Retry as error:
            if not self._rules.public_when_down:
                raise
            log.warning("relay.down", key=intent.key, error=error.message, block=head.number)
            self._to_public(raw, record, head, gone)

    def _to_public(self, raw: bytes, record: TxRecord, head: BlockRef, gone: Mapping[str, int]) -> None:
        if PUBLIC not in gone:
            # Before the bytes leave: killed in between, we take for public what is private, and never the reverse.
            self._ledger.note_sent(record.intent.key, PUBLIC, head.number)
        self._public.send(raw, record, head)


#: POST of a JSON object with headers: its status and its parsed body.  Raises: `OSError`, `ValueError`.
Post = Callable[[Any, Mapping[str, str]], tuple[int, Any]]


class HttpRelay:
    """`Relay` over HTTP.

    Args:
        post: how to ask; see `poster`.
        method: one of `METHODS`.
        headers: who we are, for a relay that wants to know.  Never logged.
    """

    def __init__(self, post: Post, *, method: str, headers: Mapping[str, str] | None = None) -> None:
        if method not in METHODS:
            raise BadInput(f"{method} is no way to ask a relay", hint=f"one of {', '.join(METHODS)}", method=method)
        self._post, self._method, self._headers = post, method, dict(headers or {})

    def submit(self, raw: bytes, *, last_block: int) -> None:
        """See `Relay.submit`."""
        text = "0x" + raw.hex()
        params = [text] if self._method == METHODS[0] else [{"tx": text, "maxBlockNumber": hex(last_block)}]
        asked = {"jsonrpc": "2.0", "id": 1, "method": self._method, "params": params}
        try:
            status, answer = self._post(asked, self._headers)
        except (OSError, ValueError) as error:
            # Without the cause: its text would carry the URL, which may hold a key.
            raise Unreachable(f"the relay: {type(error).__name__}", method=self._method) from None
        problem = answer.get("error") if isinstance(answer, dict) else None
        if problem:
            found = translate(problem, method=self._method)
            if isinstance(found, AlreadyKnown | NonceUsed | Underpriced):
                raise found
            # A relay that lacks the method, or does not like our account, must not halt liquidation.
            raise Unreachable(f"the relay: {_words(found)}", method=self._method, status=status) from None
        if status != 200 or not isinstance(answer, dict) or "result" not in answer:
            raise Unreachable(f"the relay answered with status {status} and no result", method=self._method)


def _words(error: KeeperError) -> str:
    return error.message


def poster(url: str, *, timeout_s: float) -> Post:
    """Ask over HTTP(S), following no redirect: it would carry our bytes to another host.

    Raises: `BadInput` if `url` is none.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest:
        raise BadInput("relay.url must be an http:// or https:// URL", hint="check relay.url")
    session = requests.Session()

    def post(asked: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
        answer = session.post(url, json=asked, headers=dict(headers), timeout=timeout_s, allow_redirects=False)
        return answer.status_code, answer.json()

    return post


def auth_headers(path: Path | None) -> dict[str, str]:
    """The headers in a file, one `Name: value` a line; none without a file.

    Raises: `BadInput` if the file cannot be read or a line is no header.  The message quotes nothing of it.
    """
    if path is None:
        return {}
    hint = "write lines like: Authorization: Bearer …"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {type(error).__name__}", hint=hint) from None
    headers = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip().replace("-", "").isalnum() or not value.strip():
            raise BadInput(f"{path} line {number} is no header", hint=hint)
        headers[name.strip()] = value.strip()
    return headers
