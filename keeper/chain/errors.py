"""What an endpoint can answer, sorted by what happens next.

- Retry
    - Unreachable: no answer, or none that can be read
    - StaleBlock: the block is gone or not there yet
    - FeeAboveCap: inclusion costs more than we may pay now
- Refused
    - Reverted: the contract said no; carries selector and data
    - RangeTooWide: too many logs for one answer; ask for less
    - AlreadyKnown: the node has this transaction
    - NonceUsed: the nonce is taken by a mined transaction
    - Underpriced: a replacement must pay more, or the base fee is above the offer
- Halt
    - WrongChain; also an unfunded key, or a method the node lacks
"""

from __future__ import annotations

from typing import Any

from keeper.errors import Halt, KeeperError, Refused, Retry


class Unreachable(Retry):
    """No endpoint gave an answer that can be read."""


class StaleBlock(Retry):
    """The block asked for is not (or no longer) canonical at the endpoint."""


class FeeAboveCap(Retry):
    """Being included costs more than the cap allows; wait for a cheaper block."""


class Reverted(Refused):
    """Execution ended in an error."""

    def __init__(self, message: str, *, data: bytes = b"", method: str = "eth_call") -> None:
        super().__init__(message, selector="0x" + data[:4].hex(), method=method)
        self.data = data

    @property
    def selector(self) -> bytes:
        """First four bytes of the error; empty if there are none."""
        return self.data[:4]


class RangeTooWide(Refused):
    """The endpoint does not return so many logs at once."""


class AlreadyKnown(Refused):
    """The node has this very transaction."""


class NonceUsed(Refused):
    """A mined transaction already has this nonce."""


class Underpriced(Refused):
    """The offered fee is too low for this node: below the base fee, or below the replacement rule."""


class WrongChain(Halt):
    """An endpoint serves another chain than the configured one."""


#: Words of go-ethereum, erigon, nethermind, reth, anvil and the large providers, lower case, and what each means.
_WORDS: tuple[tuple[tuple[str, ...], type[KeeperError]], ...] = (
    (("already known", "already imported", "alreadyknown", "known transaction", "already in pool"), AlreadyKnown),
    (("nonce too low", "nonce is too low", "oldnonce", "invalid nonce"), NonceUsed),
    (
        ("underpriced", "max fee per gas less than block base fee", "fee too low", "feetoolow", "fee cap less than"),
        Underpriced,
    ),
    (("query returned more than", "range too large", "block range", "too many results", "response size"), RangeTooWide),
    (("exceed maximum block range", "limited to", "max results", "range is too wide"), RangeTooWide),
    (("header not found", "unknown block", "block not found", "not canonical", "hash is not currently"), StaleBlock),
    (("missing trie node", "state not available", "historical state", "resource not found"), StaleBlock),
)


def translate(error: Any, *, method: str) -> KeeperError:
    """Turn the `error` member of a JSON-RPC answer into ours.

    Args:
        error: an object with code, message and perhaps data; some nodes send text.
        method: what was asked, for the message.

    Returns: an error to raise.  What nobody recognises is `Unreachable`: nothing is decided from it, it is asked again.
    """
    fields = error if isinstance(error, dict) else {"message": str(error)}
    code, message = fields.get("code"), str(fields.get("message", ""))
    words = message.lower()
    data = revert_data(fields.get("data"))
    if code == 3 or "revert" in words or (data and method in ("eth_call", "eth_estimateGas")):
        return Reverted(message or "execution reverted", data=data, method=method)
    if method == "eth_call" and any(word in words for word in ("out of gas", "invalid opcode", "stack")):
        return Reverted(message, data=data, method=method)
    if code == -32001:
        return StaleBlock(f"{method}: {message}", method=method)
    if "insufficient funds" in words:
        return Halt(f"{method}: {message}", hint="send native currency to the keeper's signing address", method=method)
    if code == -32601:
        return Halt(f"the endpoint lacks {method}", hint="use a node that serves it", method=method)
    for needles, kind in _WORDS:
        if any(needle in words for needle in needles) and (kind is not RangeTooWide or method == "eth_getLogs"):
            return kind(f"{method}: {message}", method=method)
    if method == "eth_getLogs" and code == -32005:
        return RangeTooWide(f"{method}: {message}", method=method)
    return Unreachable(f"{method}: {message or error}", method=method, code=code)


def revert_data(data: Any) -> bytes:
    """The bytes a contract reverted with, from the shapes that nodes wrap them in; empty if there are none."""
    if isinstance(data, dict):
        data = data.get("data") or data.get("result")
    if isinstance(data, bytes | bytearray):
        return bytes(data)
    if not isinstance(data, str):
        return b""
    text = data.removeprefix("Reverted ").removeprefix("0x")
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
