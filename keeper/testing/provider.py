"""web3's way into the embedded node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from web3.providers import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from keeper.testing.node import EmbeddedNode
from keeper.testing.wire import JsonRpcError


class EmbeddedProvider(BaseProvider):
    """Hands each request to a node in this process and its answer back, as an HTTP provider would."""

    def __init__(self, node: EmbeddedNode) -> None:
        super().__init__(cache_allowed_requests=True)
        self._node = node

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one request; a refusal is an `error` member, never an exception."""
        try:
            return {"jsonrpc": "2.0", "id": 1, "result": self._node.request(method, list(params))}
        except JsonRpcError as error:
            return {"jsonrpc": "2.0", "id": 1, "error": error.as_json()}  # type: ignore[typeddict-item]

    def make_batch(self, asked: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Answer several requests in the order of asking, as an array over HTTP would be: one round trip."""
        return [self.make_request(RPCEndpoint(method), params) for method, params in asked]

    def is_connected(self, show_traceback: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002 - web3's signature
        """Whether requests can be made: always."""
        return True
