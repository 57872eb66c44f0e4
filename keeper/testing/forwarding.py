"""A node in another process as a node of the kit: anvil with faults in front of it.

with AnvilChain() as chain, ForwardingNode(chain.url) as node:
    faulty = FaultyNode(node, FaultPlan.of("stricter_bump{percent=10}"))     # anvil itself is content with 1 %
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from keeper.testing.broken import Reset
from keeper.testing.wire import JsonRpcError

#: Longer than any answer on this machine takes.
TIMEOUT_S: Final = 30.0


class ForwardingNode:
    """Asks a URL over HTTP; heads come over a WebSocket at the same port.

    Args:
        url: http://host:port.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._ids = count(1)
        self._guard = threading.Lock()
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self._line: _Line | None = None

    def request(self, method: str, params: list[Any]) -> Any:
        """Answer one call.  Raises: `JsonRpcError`; `Broken` if the node cannot be asked."""
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        try:
            with self._guard:
                answer = self._session.post(self._url, json=body, timeout=TIMEOUT_S).json()
        except requests.RequestException as error:
            raise Reset(f"{type(error).__name__} from the node behind") from error
        if answer.get("error"):
            said = answer["error"]
            raise JsonRpcError(said["code"], said["message"], said.get("data"))
        return answer["result"]

    def subscribe_heads(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Call `callback` with each new head, from a thread of its own, soon after it was mined."""
        self._listeners.append(callback)
        if self._line is None:
            self._line = _Line(self._url.replace("http", "ws", 1), self._tell)

        def end() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return end

    def _tell(self, head: dict[str, Any]) -> None:
        for callback in tuple(self._listeners):
            callback(head)

    def close(self) -> None:
        """Let go of the connections."""
        if self._line is not None:
            self._line.close()
            self._line = None
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Line:
    """One subscription to newHeads, read by a thread."""

    def __init__(self, url: str, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._opening = connect(url, compression=None, ping_interval=None, close_timeout=1)
        self._socket: ClientConnection = self._opening.__enter__()
        self._socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}))
        self._name = json.loads(self._socket.recv(timeout=TIMEOUT_S))["result"]
        self._thread = threading.Thread(target=self._read, name="forwarded-heads")
        self._thread.start()

    def _read(self) -> None:
        try:
            for message in self._socket:
                said = json.loads(message)
                if said.get("params", {}).get("subscription") == self._name:
                    self._tell(said["params"]["result"])
        except ConnectionClosed:
            return  # the node ended, or `close` did

    def close(self) -> None:
        """End the subscription and the thread."""
        self._opening.__exit__(None, None, None)
        self._thread.join()
