"""web3's way, and the keeper's, into a node of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from web3.providers import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from keeper.chain.asking.wire import BatchRefused, by_id
from keeper.chain.errors import Unreachable, translate
from keeper.testing import answers
from keeper.testing.answers import Node
from keeper.testing.broken import Broken, Slow
from keeper.testing.wire import JsonRpcError


class EmbeddedProvider(BaseProvider):
    """Hands each request to a node in this process and its answer back, as an HTTP provider would.

    Args:
        node: any node of the kit.
        timeout_s: how late an answer may be.
        wait: is told the seconds of a late answer; a test moves its clock there.  Nobody really waits.
    """

    def __init__(self, node: Node, *, timeout_s: float = 10.0, wait: Callable[[float], None] | None = None) -> None:
        super().__init__(cache_allowed_requests=True)
        self._node, self._timeout_s, self._wait = node, timeout_s, wait

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one request; a refusal is an `error` member.

        Raises: what the HTTP provider raises where no proper answer comes.
        """
        try:
            return {"jsonrpc": "2.0", "id": 1, "result": self._node.request(method, list(params))}
        except JsonRpcError as error:
            return {"jsonrpc": "2.0", "id": 1, "error": error.as_json()}  # type: ignore[typeddict-item]
        except Broken as problem:
            late: RPCResponse = self._late(problem, method)
            return late

    def make_batch(self, asked: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Answer several requests in the order of asking, as an array over HTTP would be: one round trip.

        Raises: `BatchRefused`; what the HTTP provider raises where no proper answer comes.
        """
        body = [
            {"jsonrpc": "2.0", "id": at, "method": method, "params": list(params)}
            for at, (method, params) in enumerate(asked)
        ]
        try:
            found = answers.answer(self._node, body)
        except Broken as problem:
            found = self._late(problem, "batch")
        if isinstance(found, list):
            return by_id(range(len(asked)), found)
        raise BatchRefused(translate(found["error"], method="batch").message, status=200)

    def _late(self, problem: Broken, method: str) -> Any:
        if not isinstance(problem, Slow):
            raise problem.error(method)
        if self._wait is not None:
            self._wait(min(problem.seconds, self._timeout_s))
        if problem.seconds >= self._timeout_s:
            raise Unreachable(f"embedded: {problem} on {method}", method=method)
        return problem.answer

    def is_connected(self, show_traceback: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002 - web3's signature
        """Whether requests can be made: always."""
        return True


class PushingProvider(EmbeddedProvider):
    """An `EmbeddedProvider` whose node announces its heads, as one over a WebSocket does."""

    def subscribe(self, what: str, told: Callable[[Any], None], dropped: Callable[[str], None]) -> Callable[[], None]:
        """Call `told` with each new head, and `dropped` once if the node cuts its subscribers off.

        Returns: what ends the subscription.  Raises: `Unreachable` for anything but heads, and while cut off.
        """
        node: Any = self._node
        if what != "newHeads" or not getattr(node, "linked", True):
            raise Unreachable(f"embedded: no {what} now", method="eth_subscribe")
        ends = [node.subscribe_heads(told)]

        def end() -> None:
            while ends:
                ends.pop()()

        def on_link(linked: bool) -> None:  # noqa: FBT001 - the shape of the callback
            if not linked and ends:
                end()
                dropped("the connection was cut")

        link = getattr(node, "subscribe_link", None)
        if link is not None:
            ends.append(link(on_link))
        return end
