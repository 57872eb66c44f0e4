"""What an endpoint can answer, sorted by what happens next.

- Retry
    - Unreachable: no answer, or none that can be read
        - RateLimited: asked too often; carries how long to leave the endpoint alone
    - StaleBlock: the block is gone or not there yet
    - StaleHead: no endpoint's newest block is recent enough to decide on
    - Disagreement: the endpoints do not vouch for one and the same block
    - FeeAboveCap: inclusion costs more than we may pay now
- Refused
    - Reverted: the contract said no; carries selector and data
    - RangeTooWide: too many logs for one answer; ask for less
    - AlreadyKnown: the node has this transaction
    - NonceUsed: the nonce is taken by a mined transaction
    - Underpriced: a replacement must pay more, or the base fee is above the offer
- Halt
    - WrongChain; also a method the node lacks
    - Unfunded: this key cannot pay; another key of its role may
"""

from __future__ import annotations

from typing import Any

from keeper.errors import Halt, KeeperError, Refused, Retry


class Unreachable(Retry):
    """No endpoint gave an answer that can be read."""


class RateLimited(Unreachable):
    """The endpoint wants to be left alone for a while."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, method: str = "") -> None:
        super().__init__(message, retry_after_s=retry_after_s, method=method)
        self.retry_after_s = retry_after_s
        """Seconds the provider asked for; None if it named none."""


class StaleHead(Retry):
    """No endpoint that may be asked has a recent head."""


class Disagreement(Retry):
    """The endpoints do not vouch for one and the same block: nothing is sent."""


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


class Unfunded(Halt):
    """The key that signed cannot pay for it."""


#: JSON-RPC codes of "asked too often": Infura and EIP-1474 (-32005), QuickNode (-32007, -32012), Base (-32016), others'
#: (-32029, -32097), Cloudflare (1015), Alchemy and whoever repeats the HTTP status (429).
RATE_CODES = frozenset({-32005, -32007, -32012, -32016, -32029, -32097, 1015, 429})
#: The same in words, lower case.  "exceeded … capacity" is Alchemy's, "limited to 6000/sec" QuickNode's.
_RATE_WORDS = (
    *("rate limit", "rate-limit", "ratelimit", "too many requests", "capacity", "request limit", "throttl", "quota"),
    *("request-rate", "request rate", "/sec", "per second", "error code: 1015"),
)
#: Codes that other nodes give another meaning; they count only beside words, or where nothing else explains them.
_AMBIGUOUS = frozenset({-32005, -32007, -32012, -32016})

#: Words of go-ethereum, erigon, nethermind, reth, anvil and the large providers, lower case, and what each means.
_WORDS: tuple[tuple[tuple[str, ...], type[KeeperError]], ...] = (
    (("already known", "already imported", "alreadyknown", "known transaction", "already in pool"), AlreadyKnown),
    (("existing tx with same hash",), AlreadyKnown),
    (("nonce too low", "nonce is too low", "oldnonce", "invalid nonce"), NonceUsed),
    (
        ("underpriced", "max fee per gas less than block base fee", "fee too low", "feetoolow", "fee cap less than"),
        Underpriced,
    ),
    (
        # erigon; nethermind
        ("could not replace existing tx", "replacementnotallowed", "replacement not allowed"),
        Underpriced,
    ),
    (("query returned more than", "range too large", "block range", "too many results", "response size"), RangeTooWide),
    (("exceed maximum block range", "limited to", "max results", "range is too wide"), RangeTooWide),
    (("exceeds limit of",), RangeTooWide),  # Infura: "range 1000000 exceeds limit of 10000"
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
    limited = RateLimited(f"{method}: {message}", retry_after_s=_backoff_s(fields.get("data")), method=method)
    # A contract's own words come first: one may well revert with "rate limit" or "capacity".
    said = _of_execution(code, message, revert_data(fields.get("data")), method)
    if said is not None:
        return said
    if (code in RATE_CODES and code not in _AMBIGUOUS) or any(word in words for word in _RATE_WORDS):
        return limited
    known = _of_node(code, message, method) or _of_words(message, method)
    if known is not None:
        return known
    if method == "eth_getLogs" and code == -32005:
        return RangeTooWide(f"{method}: {message}", method=method)
    return limited if code in RATE_CODES else Unreachable(f"{method}: {message or error}", method=method, code=code)


def _of_execution(code: Any, message: str, data: bytes, method: str) -> KeeperError | None:
    """What a contract said, if one was run."""
    words = message.lower()
    if code == 3 or "revert" in words or (data and method in ("eth_call", "eth_estimateGas")):
        return Reverted(message or "execution reverted", data=data, method=method)
    if method == "eth_call" and any(word in words for word in ("out of gas", "invalid opcode", "stack")):
        return Reverted(message, data=data, method=method)
    return None


def _of_node(code: Any, message: str, method: str) -> KeeperError | None:
    """What the node said by a code, or of our key."""
    if code == -32001:
        return StaleBlock(f"{method}: {message}", method=method)
    if "insufficient funds" in message.lower():
        return Unfunded(
            f"{method}: {message}", hint="send native currency to the keeper's signing address", method=method
        )
    if code == -32601:
        return Halt(f"the endpoint lacks {method}", hint="use a node that serves it", method=method)
    return None


def _of_words(message: str, method: str) -> KeeperError | None:
    words = message.lower()
    for needles, kind in _WORDS:
        if any(needle in words for needle in needles) and (kind is not RangeTooWide or method == "eth_getLogs"):
            return kind(f"{method}: {message}", method=method)
    return None


def _backoff_s(data: Any) -> float | None:
    """The wait that Infura puts into an error's data: {"rate": {"backoff_seconds": 30}}."""
    rate = data.get("rate") if isinstance(data, dict) else None
    seconds = rate.get("backoff_seconds") if isinstance(rate, dict) else None
    return float(seconds) if isinstance(seconds, int | float) and seconds >= 0 else None


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
