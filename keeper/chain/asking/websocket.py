"""JSON-RPC over a WebSocket: answers are told from each other by their id, heads are pushed in between.

One connection and one thread that reads it.  It is made when first needed, and made again by the next question after
it broke; subscriptions end with the connection that they were made on, and say so to whoever made them
(`keeper.chain.following.announcements` makes them again).  Nothing waits for ever: connecting, sending, each answer and
each sign of life have the same time-out.

As with HTTP, the URL may carry a key, so errors of the library are described by their type and never chained.
"""

from __future__ import annotations

import logging
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import orjson
import structlog
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from keeper.chain.asking.wire import Asked, BatchRefused, by_id, is_answer
from keeper.chain.errors import RateLimited, Unreachable, translate
from keeper.errors import KeeperError

log = structlog.get_logger(__name__)

#: Most bytes of one message.
MAX_BYTES = 256 * 1024 * 1024
#: Seconds a closing handshake may take.
_CLOSE_S = 1.0
#: Seconds between two signs of life.
_PING_S = 20.0

#: The library writes the request line, and with it the key, at debug level.
_QUIET = logging.getLogger("keeper.chain.asking.websocket.quiet")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False
_QUIET.setLevel(logging.CRITICAL)

#: Called with each pushed object; with the reason when no more will come.
Told: TypeAlias = Callable[[Any], None]
Dropped: TypeAlias = Callable[[str], None]


class WsProvider:
    """Asks one URL over one connection.  Safe to use from several threads; a forked child connects by itself.

    Args:
        url: ws:// or wss://.
        timeout_s: seconds for a connection, for sending, and for each answer.
        ping_s: seconds between two signs of life; one that is not returned within `timeout_s` ends the connection.
    """

    def __init__(self, url: str, *, timeout_s: float, ping_s: float = _PING_S) -> None:
        self._url = url
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self._timeout_s = timeout_s
        self._ping_s = ping_s
        self._ids = count(1)
        self._lock = threading.Lock()
        self._line: _Line | None = None

    def make_request(self, method: str, params: Any) -> Any:
        """Ask once.  Raises: `Unreachable`, `RateLimited`."""
        at = next(self._ids)
        waiter = self._ask(_Waiter([at]), _request(at, method, params), method)
        answer = waiter.answers.get(str(at), waiter.refusal)
        if not is_answer(answer):
            raise Unreachable(f"{self.host}: neither result nor error for {method}", method=method)
        return answer

    def make_batch(self, asked: Sequence[Asked]) -> list[Any]:
        """Ask several in one message.  Returns: an answer each in the order of asking, None where one is missing.

        Raises: `BatchRefused`, `Unreachable`, `RateLimited`.
        """
        ids = [next(self._ids) for _ in asked]
        body = [_request(at, method, params) for at, (method, params) in zip(ids, asked, strict=True)]
        waiter = self._ask(_Waiter(ids), body, "batch")
        if waiter.refusal is not None:
            error = translate(waiter.refusal.get("error"), method="batch")
            raise error if isinstance(error, RateLimited) else BatchRefused(error.message)
        return by_id(ids, list(waiter.answers.values()))

    def subscribe(self, what: str, told: Told, dropped: Dropped) -> Callable[[], None]:
        """Have `told` called with each new object of kind `what`, from the thread that reads; it must not block.

        Returns: what ends the subscription; harmless when it is over already.
        Raises: `KeeperError` if the node cannot be reached or refuses.
        """
        at = next(self._ids)
        line = self._connected()
        waiter = _Waiter([at], subscriber=(told, dropped))
        self._ask(waiter, _request(at, "eth_subscribe", [what]), "eth_subscribe", line=line)
        answer = waiter.answers.get(str(at), waiter.refusal)
        if not is_answer(answer) or answer.get("error"):
            error = translate((answer or {}).get("error"), method="eth_subscribe")
            raise error
        name = str(answer["result"])

        def end() -> None:
            if not line.forget(name):
                return
            at = next(self._ids)
            with suppress(KeeperError):  # the connection may be gone, and the subscription with it
                self._ask(_Waiter([at]), _request(at, "eth_unsubscribe", [name]), "eth_unsubscribe", line=line)

        return end

    def close(self) -> None:
        """End the connection and its thread."""
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def _ask(self, waiter: _Waiter, body: Any, method: str, *, line: _Line | None = None) -> _Waiter:
        line = line or self._connected()
        problem = line.exchange(waiter, orjson.dumps(body).decode(), within_s=self._timeout_s)
        if problem:
            raise Unreachable(f"{self.host}: {problem} on {method}", method=method)
        return waiter

    def _connected(self) -> _Line:
        with self._lock:
            if self._line is None or not self._line.alive:
                found = self._connect()
                if isinstance(found, KeeperError):  # raised out here, so that no chained exception carries the URL
                    raise found
                self._line = _Line(found, self.host)
            return self._line

    def _connect(self) -> ClientConnection | KeeperError:
        try:
            connection = connect(
                self._url,
                open_timeout=self._timeout_s,
                close_timeout=_CLOSE_S,
                ping_interval=self._ping_s,
                ping_timeout=self._timeout_s,
                max_size=MAX_BYTES,
                user_agent_header="margin-keeper",
                logger=_QUIET,
                legacy=True,  # a connection to keep, not a context: who made it is not who closes it
            )
        except InvalidStatus as error:
            status, said = error.response.status_code, error.response.headers.get("Retry-After", "")
            if status == 429:
                wait_s = float(said) if said.isdigit() else None
                return RateLimited(f"{self.host}: HTTP 429 on connecting", retry_after_s=wait_s)
            hint = (
                f"the provider at {self.host} does not accept the key in chain.rpc_urls" if status in (401, 403) else ""
            )
            return Unreachable(f"{self.host}: HTTP {status} on connecting", hint=hint, status=status)
        except (OSError, WebSocketException, ValueError, EOFError) as error:
            return Unreachable(f"{self.host}: {type(error).__name__} on connecting")
        _limit_sending(connection, self._timeout_s)
        return connection


class _Waiter:
    """Somebody who waits for the answers to some ids."""

    def __init__(self, ids: Sequence[int], *, subscriber: tuple[Told, Dropped] | None = None) -> None:
        self.ids = tuple(map(str, ids))
        self.answers: dict[str, Any] = {}
        self.refusal: Any = None
        """An error that named no id: the answer to a whole array, or to what the server could not read."""
        self.problem = ""
        self.subscriber = subscriber
        self.done = threading.Event()


class _Line:
    """One connection."""

    def __init__(self, connection: ClientConnection, host: str) -> None:
        self._connection, self._host = connection, host
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiter] = {}
        self._subscribers: dict[str, tuple[Told, Dropped]] = {}
        self._over = ""
        self._reader = threading.Thread(target=self._read, name=f"rpc {host}", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether somebody reads it: not after it broke, nor in a forked child."""
        return not self._over and self._reader.is_alive()

    def exchange(self, waiter: _Waiter, text: str, *, within_s: float) -> str:
        """Send, and wait for the waiter's answers.  Returns: what went wrong; empty if nothing."""
        with self._lock:
            if self._over:
                return self._over
            self._waiting |= dict.fromkeys(waiter.ids, waiter)
        try:
            self._connection.send(text)
        except (OSError, WebSocketException) as error:
            waiter.problem = type(error).__name__
            waiter.done.set()
            with self._lock:  # at once: the next question must not be put to it before the reading thread notices
                self._over = self._over or waiter.problem
            self._connection.close_socket()
        if not waiter.done.wait(within_s):
            waiter.problem = f"no answer within {within_s:g} s"
        with self._lock:
            for at in waiter.ids:
                self._waiting.pop(at, None)
        return waiter.problem

    def forget(self, subscription: str) -> bool:
        """Tell a subscriber nothing more.  Returns: whether there was still one."""
        with self._lock:
            return self._subscribers.pop(subscription, None) is not None

    def close(self) -> None:
        """Close the connection; the reading thread ends with it."""
        self._connection.close()
        if self._reader is not threading.current_thread():
            self._reader.join(_CLOSE_S)

    def _read(self) -> None:
        why = "connection closed"
        try:
            for message in self._connection:
                self._dispatch(orjson.loads(message))
        except (OSError, WebSocketException, ValueError) as error:  # a message that is no JSON ends the line too
            why = type(error).__name__
        finally:
            self._end(why)

    def _dispatch(self, message: Any) -> None:
        items = message if isinstance(message, list) else [message]
        for item in items:
            if not isinstance(item, dict):
                continue
            if "id" not in item and "method" in item:
                self._push(item.get("params"))
            elif item.get("id") is None and item.get("error"):
                self._refuse(item)
            else:
                self._answer(item)

    def _answer(self, item: dict[str, Any]) -> None:
        at = str(item.get("id"))
        with self._lock:
            waiter = self._waiting.get(at)
            if waiter is None:
                return  # too late, or nobody's
            waiter.answers[at] = item
            if waiter.subscriber is not None and "result" in item:
                # Here, not in the waiting thread: the first push may follow at once.
                self._subscribers[str(item["result"])] = waiter.subscriber
            complete = len(waiter.answers) == len(waiter.ids)
        if complete:
            waiter.done.set()

    def _refuse(self, item: dict[str, Any]) -> None:
        with self._lock:
            waiters = set(self._waiting.values())
        for waiter in waiters:
            waiter.refusal = item
            waiter.done.set()

    def _push(self, params: Any) -> None:
        if not isinstance(params, dict):
            return
        with self._lock:
            subscriber = self._subscribers.get(str(params.get("subscription")))
        if subscriber is not None:
            self._tell(subscriber[0], params.get("result"))

    def _tell(self, told: Callable[[Any], None], what: Any) -> None:
        try:
            told(what)
        except Exception:  # a subscriber's fault must not end everybody's connection
            log.exception("rpc.subscriber_failed", endpoint=self._host)

    def _end(self, why: str) -> None:
        with self._lock:
            self._over = why
            waiters, self._waiting = set(self._waiting.values()), {}
            subscribers, self._subscribers = list(self._subscribers.values()), {}
        for waiter in waiters:
            waiter.problem = waiter.problem or why
            waiter.done.set()
        self._connection.close_socket()
        for _, dropped in subscribers:
            self._tell(dropped, why)


def _request(at: int, method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": at, "method": method, "params": list(params)}


def _limit_sending(connection: ClientConnection, timeout_s: float) -> None:
    """Let a send fail that the other side does not take, instead of holding the connection's lock for ever."""
    if sys.platform == "linux":
        whole, part = divmod(timeout_s, 1)
        limit = struct.pack("ll", int(whole), int(part * 1e6))
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
