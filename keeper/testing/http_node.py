"""The embedded node over loopback HTTP, for whoever lives in another process."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from keeper.testing.node import EmbeddedNode
from keeper.testing.wire import JsonRpcError


class HttpNode:
    """Serves a node on 127.0.0.1 until closed.

    Args:
        node: what answers; anything with its `request`.
        port: 0 takes a free one; see `url`.
    """

    def __init__(self, node: EmbeddedNode, *, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(node))
        self._server.daemon_threads = True
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
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering and free the port."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _handler(node: EmbeddedNode) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answers = [_answer(node, one) for one in asked] if isinstance(asked, list) else _answer(node, asked)
            body = json.dumps(answers).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    return Handler


def _answer(node: EmbeddedNode, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {
            "jsonrpc": "2.0",
            "id": asked.get("id"),
            "result": node.request(asked["method"], asked.get("params", [])),
        }
    except JsonRpcError as error:
        return {"jsonrpc": "2.0", "id": asked.get("id"), "error": error.as_json()}
