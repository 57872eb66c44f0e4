"""Any node of the kit over loopback HTTP, for whoever lives in another process or speaks HTTP only."""

from __future__ import annotations

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from keeper.testing import answers
from keeper.testing.answers import Node


class HttpNode:
    """Serves a node on 127.0.0.1 until closed: single requests and batches.

    Args:
        node: what answers; anything with `request`.
        port: 0 takes a free one; see `url`.
    """

    def __init__(self, node: Node, *, port: int = 0) -> None:
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(node, self._closing))
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self) -> None:
        """Answer in this thread, until the process ends."""
        self._server.serve_forever()

    def start(self) -> HttpNode:
        """Answer in a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name=f"http-node-{self._server.server_port}",
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering, cut what is connected and free the port."""
        self._closing.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.cut()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that kept-alive ones end with it and no thread outlives a test."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, where: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(where, handler)
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to print."""

    def cut(self) -> None:
        """End every connection that is still open."""
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # gone already


def _handler(node: Node, closing: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body leave in one packet: two would wait 40 ms for each other (Nagle and the delayed ACK).
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            reply = answers.reply_to(node, self.rfile.read(int(self.headers["Content-Length"])))
            if reply.wait_s != 0 and (closing.wait(reply.wait_s) or reply.wait_s is None):
                self.close_connection = True  # the client's patience is over, or the server's life
                return
            if reply.cut:
                self._reset()
                return
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) + reply.missing))
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection = self.close_connection or reply.missing > 0

        def _reset(self) -> None:
            """End the connection with RST: the client sees a reset, and not an orderly end."""
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    return Handler
