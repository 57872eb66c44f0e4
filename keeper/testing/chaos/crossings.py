"""The boundaries between a keeper's steps, and ending it at one of them.

A boundary lies before and after everything that leaves the process or survives it: a write to the store, a signature, a
request.  `Crossings` stands at all of them, counts, and at the appointed one calls what ends the process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from keeper.domain.tx import TxRecord, TxState

#: Methods of a store that write; what is read survives nothing.
WRITES: Final = ("put_intent", "update_tx", "save_sync", "append_sync", "note_sent")


class Dead(BaseException):
    """The process ended here.  No `except Exception` may survive it."""


def drop_dead() -> None:
    """End a life inside this process.  Raises: `Dead`, always."""
    raise Dead


class Crossings:
    """Counts what is crossed; ends the process where it was told to.

    Args:
        end: ends it; `drop_dead` or a real SIGKILL.
    """

    def __init__(self, end: Callable[[], None] = drop_dead) -> None:
        self._end = end
        self._at: tuple[str, int] | None = None
        self.crossed: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def appoint(self, boundary: str, times: int = 1) -> None:
        """End at the `times`-th crossing of a boundary from now on."""
        self._at = boundary, times

    def spare(self) -> None:
        """End nowhere."""
        self._at = None

    def cross(self, boundary: str) -> None:
        """Said by the wrapped things."""
        self.crossed[boundary] += 1
        if self._at is None or self._at[0] != boundary:
            return
        left = self._at[1] - 1
        self._at = (boundary, left) if left else None
        if not left:
            self.ended[boundary] += 1
            self._end()

    def around(self, inner: Any, name: Callable[..., str], *methods: str) -> Any:
        """`inner`, with a boundary before and after each of these methods.

        Args:
            inner: anything.
            name: what the boundary is called, from the method's name and its arguments.
            methods: which; the others pass untouched.
        """
        return _Wrapped(inner, self, name, methods)


class _Wrapped:
    def __init__(self, inner: Any, crossings: Crossings, name: Callable[..., str], methods: tuple[str, ...]) -> None:
        self._inner, self._crossings, self._name, self._methods = inner, crossings, name, methods

    def __getattr__(self, attribute: str) -> Any:
        real = getattr(self._inner, attribute)
        if attribute not in self._methods:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            name = self._name(attribute, *args)
            self._crossings.cross(f"before {name}")
            answer = real(*args, **kwargs)
            self._crossings.cross(f"after {name}")
            return answer

        return call


#: States whose writes are told apart by whether the transaction was raised.
_RAISED: Final = (TxState.SIGNED, TxState.SENT, TxState.MINED, TxState.FINAL)


def write_name(method: str, *args: Any) -> str:
    """What a write is called: by the state that a transaction's record reaches."""
    if args and isinstance(args[0], TxRecord):
        record = args[0]
        again = len(record.attempts) > 1 and record.state in _RAISED
        return f"store {record.state}{' again' if again else ''}"
    return f"store {method}"


def sign_name(_method: str, *_args: Any) -> str:
    """A signature."""
    return "sign"


#: What an array of questions is for, by a question that only this one has; the first that fits.
_ARRAYS: Final = (
    ("eth_feeHistory", "simulate"),
    ("eth_getLogs", "logs"),
    ("eth_getTransactionReceipt", "receipts"),
    ("eth_getTransactionByHash", "lost"),
    ("eth_getTransactionCount", "nonces"),
    ("eth_chainId", "head"),
)


def request_name(method: str, *args: Any) -> str:
    """A request by its method; an array by what it is for."""
    if method == "make_request":
        return str(args[0])
    asked = {str(name) for name, _ in args[0]}
    return "batch: " + next((purpose for name, purpose in _ARRAYS if name in asked), "blocks")


#: Everything that leaves the process or survives it, in the order of a transaction's life.
STEPS: Final = (
    "batch: head",
    "batch: logs",
    "store save_sync",
    "store append_sync",
    "batch: nonces",
    "store planned",
    "eth_call",
    "batch: simulate",
    "sign",
    "store signed",
    "eth_sendRawTransaction",
    "store sent",
    "batch: receipts",
    "store mined",
    "store final",
    "store signed again",
    "store sent again",
    "store mined again",
    "store final again",
    "store dropped",
    "store abandoned",
    "store replaced",
)
#: Before and after each: where a life can end.
BOUNDARIES: Final = tuple(f"{side} {step}" for step in STEPS for side in ("before", "after"))
