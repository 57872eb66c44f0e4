"""Exchanges that end without a proper JSON-RPC answer, as each transport shows them.

A node raises one instead of answering.  Over HTTP it becomes what really goes over the wire (`Reply`), over a WebSocket
likewise; in this process it becomes the error that the keeper's own HTTP provider would raise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from keeper.chain.errors import RateLimited, Unreachable
from keeper.errors import KeeperError


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server does with a request."""

    status: int = 200
    """HTTP status.  A WebSocket has none: there the body goes out as it is."""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    body: bytes = b""
    wait_s: float | None = 0.0
    """Seconds before the answer; None: it never comes."""
    cut: bool = False
    """Whether the connection is reset instead of answered."""
    missing: int = 0
    """Bytes of the announced length that never come, the connection ending instead."""


class Broken(Exception):
    """No proper answer.  Subclasses say how.

    Args:
        executed: whether the node did what was asked before things went wrong.
    """

    def __init__(self, about: str, *, executed: bool = False) -> None:
        super().__init__(about)
        self.executed = executed
        self.answer: Any = None
        """The whole answer object (or list) that should have gone out, where something was executed."""

    def reply(self) -> Reply:
        """What goes over the wire."""
        raise NotImplementedError

    def error(self, method: str) -> KeeperError:
        """What the keeper's HTTP provider raises for it."""
        return Unreachable(f"embedded: {self} on {method}", method=method)

    def _body(self) -> bytes:
        return json.dumps(self.answer).encode()


class Silence(Broken):
    """The client waits until it gives up."""

    def reply(self) -> Reply:
        """Nothing, ever."""
        return Reply(wait_s=None)


class Reset(Broken):
    """The connection is reset."""

    def reply(self) -> Reply:
        """A cut."""
        return Reply(cut=True)


class Slow(Broken):
    """The answer comes, late.

    Args:
        seconds: how late.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"an answer after {seconds} s", executed=True)
        self.seconds = seconds

    def reply(self) -> Reply:
        """The right answer, late."""
        return Reply(body=self._body(), wait_s=self.seconds)


class Status(Broken):
    """An HTTP error in the answer's place.

    Args:
        status: HTTP status.
        retry_after_s: the header, where one is sent.
        body: what proxies and providers put into the body.
    """

    def __init__(self, status: int, *, retry_after_s: int | None = None, body: str = "") -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.retry_after_s, self.body = status, retry_after_s, body or HTTPStatus(status).phrase

    def reply(self) -> Reply:
        """The status with its headers."""
        wait = () if self.retry_after_s is None else (("Retry-After", str(self.retry_after_s)),)
        kind = "application/json" if self.body.startswith("{") else "text/html"
        return Reply(status=self.status, headers=(("Content-Type", kind), *wait), body=self.body.encode())

    def error(self, method: str) -> KeeperError:
        """Rate limits are told apart from other trouble."""
        message = f"embedded: HTTP {self.status} on {method}"
        if self.status == HTTPStatus.TOO_MANY_REQUESTS or self.retry_after_s is not None:
            wait = None if self.retry_after_s is None else float(self.retry_after_s)
            return RateLimited(message, retry_after_s=wait, method=method)
        return Unreachable(message, method=method, status=self.status)


@dataclass(frozen=True)
class Damage:
    """How a body was damaged."""

    name: str
    about: str = field(compare=False)


TRUNCATED = Damage("truncated", "JSON that ends in its middle, with a length that fits")
SHORT = Damage("short", "a body shorter than its announced length")
EMPTY = Damage("empty", "200 and nothing")
HTML = Damage("html", "200 and a page for people")
WRONG_ID = Damage("wrong id", "an answer to another request")


class Garbled(Broken):
    """The request was executed, and its answer cannot be read.

    Args:
        damage: in which way.
    """

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage.about, executed=True)
        self.damage = damage

    def reply(self) -> Reply:
        """The damaged body."""
        whole = self._body()
        if self.damage == TRUNCATED:
            return Reply(body=whole[: max(1, len(whole) * 2 // 3)])
        if self.damage == SHORT:
            return Reply(body=whole[: len(whole) // 2], missing=len(whole) - len(whole) // 2)
        if self.damage == EMPTY:
            return Reply()
        if self.damage == HTML:
            page = b"<html><head><title>Just a moment...</title></head><body></body></html>"
            return Reply(headers=(("Content-Type", "text/html"),), body=page)
        return Reply(body=json.dumps(_renumbered(self.answer)).encode())


def _renumbered(answer: Any) -> Any:
    """The answer with ids nobody asked with."""
    if isinstance(answer, list):
        return [_renumbered(one) for one in answer]
    return answer | {"id": 4_040_404 if isinstance(answer.get("id"), int) else "not-yours"}
