"""JSON-RPC's envelope around any node of the kit: single requests, batches, errors; over HTTP and WebSocket alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from keeper.testing.broken import Broken, Reply
from keeper.testing.wire import JsonRpcError

#: Codes of the JSON-RPC 2.0 specification.
CODE_PARSE, CODE_INVALID = -32700, -32600


class Node(Protocol):
    """What answers."""

    def request(self, method: str, params: list[Any]) -> Any:
        """The `result` of one call.

        Raises: `JsonRpcError` where the answer is an error; `Broken` where no proper answer comes.
        """


class Announcing(Node, Protocol):
    """A node that also tells when its head moves."""

    def subscribe_heads(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Call `callback` with each new head's block object, in order; reorganised blocks are told again.

        Returns: what ends it.
        """


def answer(node: Node, asked: Any) -> Any:
    """What goes back for one decoded body: an object for a request, a list for a batch."""
    if isinstance(asked, list):
        if not asked:
            return _error(None, JsonRpcError(CODE_INVALID, "empty batch"))
        many: Callable[[list[Any]], Any] | None = getattr(node, "batch", None)
        return many(asked) if many is not None else [one(node, request) for request in asked]
    return one(node, asked)


def one(node: Node, asked: Any) -> dict[str, Any]:
    """The answer to one request object."""
    if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
        return _error(None, JsonRpcError(CODE_INVALID, "invalid request"))
    try:
        result = node.request(asked["method"], asked.get("params") or [])
    except JsonRpcError as error:
        return _error(asked.get("id"), error)
    except Broken as problem:
        if isinstance(problem.answer, dict):
            problem.answer["id"] = asked.get("id")
        raise
    return {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}


def parse(body: bytes | str) -> Any:
    """A decoded body; the answer to an unreadable one is raised.

    Raises: `JsonRpcError`.
    """
    try:
        return json.loads(body)
    except ValueError as error:
        raise JsonRpcError(CODE_PARSE, f"parse error: {error}") from error


def reply_to(node: Node, body: bytes | str) -> Reply:
    """What goes back for the bytes that came."""
    try:
        return Reply(body=json.dumps(answer(node, parse(body))).encode())
    except JsonRpcError as error:
        return Reply(body=json.dumps(_error(None, error)).encode())
    except Broken as problem:
        return problem.reply()


def _error(request_id: Any, error: JsonRpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": error.as_json()}
