"""The made-up house over loopback HTTP: a million logs leave as the bytes they are kept in."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from keeper.testing.synthetic.node import SyntheticNode
from keeper.testing.wire import JsonRpcError


class SyntheticServer:
    """Serves a node on 127.0.0.1 until closed.

    Args:
        node: what answers.
        port: 0 takes a free one; see `url`.
    """

    def __init__(self, node: SyntheticNode, *, port: int = 0) -> None:
        self.node = node
        #: HTTP requests answered; a batch is one.
        self.round_trips = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self) -> None:
        """Answer in this thread, until the process ends."""
        self._server.serve_forever()

    def start(self) -> SyntheticServer:
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

    def answer(self, body: bytes) -> bytes:
        """Answer one request or a batch."""
        self.round_trips += 1
        asked = orjson.loads(body)
        if isinstance(asked, list):
            return b"[" + b",".join([self._one(one) for one in asked]) + b"]"
        return self._one(asked)

    def _one(self, asked: dict[str, Any]) -> bytes:
        method, params, number = asked["method"], asked.get("params", []), orjson.dumps(asked.get("id"))
        try:
            # Beyond the standard, for a test in another process: what the kit offers in this one.
            if method == "synthetic_mine":
                result = orjson.dumps(vars(self.node.mine(**params[0])))
            elif method == "synthetic_reorg":
                result = orjson.dumps(vars(self.node.reorg(**params[0])))
            elif method == "synthetic_accounts":
                known = self.node.chain.accounts()
                result = orjson.dumps([hex(account) for account in list(known)[: params[0]]])
            elif method == "synthetic_counts":
                counts = {"round_trips": self.round_trips, "methods": self.node.counts, "views": self.node.views.counts}
                result = orjson.dumps(counts)
            elif method == "eth_getLogs":
                result = self.node.logs_json(params)
            else:
                result = orjson.dumps(self.node.request(method, params))
        except JsonRpcError as error:
            return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (number, orjson.dumps(error.as_json()))
        return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (number, result)


def _handler(server: SyntheticServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One packet an answer: header and body in two would wait for each other's acknowledgement.
        wbufsize = 1 << 16

        def do_POST(self) -> None:
            body = server.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    return Handler
