"""Any node of the kit over a loopback WebSocket, with `newHeads` subscriptions.

    with WsNode(chain.node) as served:
        connect(served.url)

A client may ask what it asks over HTTP, in the same connection, batches included.  Heads are told by the thread that
mined, in order, before the call that mined returns.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from keeper.testing import answers
from keeper.testing.answers import Announcing
from keeper.testing.wire import JsonRpcError, quantity

#: Subscriptions that are answered; a node refuses the others in these words.
NEW_HEADS = "newHeads"
CODE_UNSUPPORTED = -32601

#: websockets logs every broken connection; breaking them is what this kit does.
_QUIET = logging.getLogger("keeper.testing.ws_node")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class WsNode:
    """Serves a node on 127.0.0.1 until closed.

    Args:
        node: what answers; subscriptions need its `subscribe_heads`.
        port: 0 takes a free one; see `url`.
    """

    def __init__(self, node: Announcing, *, port: int = 0) -> None:
        self._node = node
        self._refusing = False
        self._closing = threading.Event()
        self._unlink: Callable[[], None] = lambda: None
        link = getattr(node, "subscribe_link", None)
        if link is not None:
            self._unlink = link(self._on_link)
        self._server: Server = serve(
            self._serve,
            "127.0.0.1",
            port,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            max_size=None,
            logger=_QUIET,
        )
        self.port = int(self._server.socket.getsockname()[1])
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._server.connections)

    def start(self) -> WsNode:
        """Answer in threads of its own."""
        self._thread = threading.Thread(target=self._server.serve_forever, name=f"ws-node-{self.port}")
        self._thread.start()
        return self

    def drop(self) -> None:
        """Cut every connection without a closing handshake, as a dying proxy does."""
        for connection in self._server.connections:
            connection.close_socket()

    def refuse(self, *, on: bool) -> None:
        """Answer new connections with 503, or take them again."""
        self._refusing = on

    def _on_link(self, linked: bool) -> None:  # noqa: FBT001 - the shape of the callback
        self.refuse(on=not linked)
        if not linked:
            self.drop()

    def close(self) -> None:
        """End all connections, threads and the port.  Again is harmless."""
        self._closing.set()
        self._unlink()
        if self._thread is None:
            self._server.socket.close()
            return
        if self._thread.is_alive():
            self.drop()  # no need to wait for closing handshakes of clients that are gone
            self._server.shutdown()
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _admit(self, connection: ServerConnection, _request: Request) -> Response | None:
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "no\n") if self._refusing else None

    def _serve(self, connection: ServerConnection) -> None:
        session = _Session(self._node, connection)
        try:
            for message in connection:
                reply = answers.reply_to(session, message)
                if reply.wait_s is None or (reply.wait_s and self._closing.wait(reply.wait_s)):
                    continue
                if reply.cut or (reply.status != HTTPStatus.OK and not reply.body.startswith(b"{")):
                    connection.close_socket()
                    return
                connection.send(reply.body.decode())
        except (ConnectionClosed, OSError):
            pass  # the client went, or `drop` cut it
        finally:
            session.end()


class _Session:
    """The node as one connection sees it: with subscriptions that end with the connection."""

    def __init__(self, node: Announcing, connection: ServerConnection) -> None:
        self._node, self._connection = node, connection
        self._ends: dict[str, Callable[[], None]] = {}
        self._ids = 0

    def request(self, method: str, params: list[Any]) -> Any:
        """Subscriptions here, everything else by the node."""
        if method == "eth_subscribe":
            return self._subscribe(params)
        if method == "eth_unsubscribe":
            end = self._ends.pop(str(params[0]) if params else "", None)
            if end is not None:
                end()
            return end is not None
        return self._node.request(method, params)

    def _subscribe(self, params: list[Any]) -> str:
        if params[:1] != [NEW_HEADS]:
            raise JsonRpcError(CODE_UNSUPPORTED, f"no {params[0] if params else ''!r} subscription in eth namespace")
        self._ids += 1
        name = quantity(0x10 + self._ids)

        def tell(head: dict[str, Any]) -> None:
            note = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": name, "result": head}}
            try:
                self._connection.send(json.dumps(note))
            except (ConnectionClosed, OSError):
                self.end()

        self._ends[name] = self._node.subscribe_heads(tell)
        return name

    def batch(self, asked: list[Any]) -> Any:
        """An array, by the node where it answers arrays itself and none of them subscribes."""
        own = getattr(self._node, "batch", None)
        if own is None or any(str(one.get("method")).endswith("subscribe") for one in asked):
            return [answers.one(self, one) for one in asked]
        return own(asked)

    def end(self) -> None:
        """Tell no more heads."""
        while self._ends:
            self._ends.popitem()[1]()
