"""A TCP tunnel to a port of this machine that can be cut: what a proxy between a keeper and its node does.

    with AnvilChain() as chain, Tunnel(chain.url) as tunnel:
        provider = WsProvider(tunnel.ws_url)
        tunnel.cut()                              # every connection ends at once, new ones are taken
        with tunnel.refusing(): ...               # nobody is let in

Bytes pass as they are: what speaks to the client is the real node.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 1 << 16


class Tunnel:
    """Listens on 127.0.0.1 until closed.

    Args:
        url: where it leads, http://host:port.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._where = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._guard = threading.Lock()
        self._refusing = False
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.taken = 0
        """Connections let through so far."""
        self._start(self._accept)

    @property
    def url(self) -> str:
        """Where it listens, for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The same for a WebSocket."""
        return f"ws://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End every connection, without a word to either side."""
        with self._guard:
            for end in self._ends:
                _hang_up(end)
            self._ends.clear()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Cut, and let nobody in inside the block."""
        self._refusing = True
        self.cut()
        try:
            yield
        finally:
            self._refusing = False

    def close(self) -> None:
        """End everything, the threads too."""
        self._refusing = True
        _hang_up(self._server)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, name=f"tunnel-{self.port}")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return  # closed
            try:
                far = socket.create_connection(self._where)
            except OSError:
                near.close()
                continue
            with self._guard:
                if self._refusing:
                    near.close()
                    far.close()
                    continue
                self._ends += (near, far)
                self.taken += 1
            self._start(self._pass_on, near, far)
            self._start(self._pass_on, far, near)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                sink.sendall(chunk)
        _hang_up(source)
        _hang_up(sink)
        source.close()


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
