"""Shapes of JSON-RPC that every transport shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from keeper.domain.block import BlockRef
from keeper.errors import Refused

#: One question: method and parameters.
Asked: TypeAlias = tuple[str, Sequence[Any]]


class BatchRefused(Refused):
    """The server answers single requests and turned down an array of them."""

    @property
    def too_large(self) -> bool:
        """Whether a smaller array may pass."""
        words = self.message.lower()
        return self.fields.get("status") == 413 or any(
            word in words for word in ("too large", "too many", "batch size", "limit", "exceed", "maximum")
        )


class Pin(dict[str, Any]):
    """A block named by its hash among the parameters of a read: EIP-1898 for state, EIP-234 for logs.

    It goes over the wire as the plain object it is.  It also remembers the block, and how the same read is asked for by
    number, for nodes that do not know the object.

    Args:
        by_hash: the object.
        block: what it names.
        by_number: what stands in its place for such a node.
    """

    def __init__(self, by_hash: dict[str, Any], *, block: BlockRef, by_number: Any) -> None:
        super().__init__(by_hash)
        self.block = block
        self.by_number = by_number


def pin_of(params: Sequence[Any]) -> Pin | None:
    """The pin among the parameters, if there is one."""
    return next((param for param in params if isinstance(param, Pin)), None)


def unpinned(params: Sequence[Any]) -> list[Any]:
    """The same parameters, naming the block by its number."""
    return [param.by_number if isinstance(param, Pin) else param for param in params]


def is_answer(answer: Any) -> bool:
    """Whether an object answers a request: it has a result, or an error that says something."""
    return isinstance(answer, dict) and ("result" in answer or bool(answer.get("error")))


def by_id(ids: Sequence[int], answers: Sequence[Any]) -> list[Any]:
    """Answers in the order of asking, whatever order they came in; None where one is missing.

    Some servers send the id back as text.
    """
    found = {str(answer.get("id")): answer for answer in answers if isinstance(answer, dict)}
    return [found.get(str(at)) for at in ids]
