"""When a mined transaction counts as final, per kind of action.

An action is taken on the head, since a liquidation that waits is late; what became of it is settled deeper down.  How
deep is a choice per kind: by blocks on top, or by the node's own tags `safe` and `finalized` (consensus clients answer
those; many rollups and older nodes do not).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

import structlog

from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import StaleBlock, Unreachable
from keeper.domain.block import BlockRef

log = structlog.get_logger(__name__)

#: What settles a transaction: so many blocks on top of it, or the node's own word.
Rule = int | Literal["safe", "finalized"]

#: Codes of "I do not know this tag": bad parameters, unknown block.  Source: JSON-RPC 2.0; go-ethereum's engine API.
UNKNOWN_TAG: Final = (-32602, -39001)


class Finality(Protocol):
    """Says how far down a transaction must lie."""

    def final_height(self, kind: str, head: BlockRef) -> int:
        """The highest height at which a transaction of an action of this kind counts as final, as of `head`.

        Negative while the chain is too short for anything to be final.
        Raises: `Retry` if the node could not be asked.
        """


class Confirmations:
    """`Finality` by blocks on top.

    Args:
        blocks: on top of a block after which it counts as final.
        by_kind: other counts for some kinds of action.
    """

    def __init__(self, blocks: int, by_kind: Mapping[str, int] | None = None) -> None:
        self._blocks, self._by_kind = blocks, dict(by_kind or {})

    def final_height(self, kind: str, head: BlockRef) -> int:
        """See `Finality.final_height`."""
        return head.number - self._by_kind.get(kind, self._blocks)


class TaggedFinality:
    """`Finality` by a rule per kind: blocks on top, or the node's tags, each asked at most once a head.

    Where the node does not know a tag, blocks on top stand in, and that is told once.  A tag that was answered before
    is never replaced by a count: while it cannot be answered, what it said last still holds, since a final block stays
    final.

    Args:
        rpc: where to ask.
        confirmations: blocks on top where a tag is not known.
        default: the rule of kinds without one of their own.
        by_kind: rules of some kinds.
    """

    def __init__(
        self, rpc: Rpc, *, confirmations: int, default: Rule, by_kind: Mapping[str, Rule] | None = None
    ) -> None:
        self._rpc, self._confirmations = rpc, confirmations
        self._default, self._by_kind = default, dict(by_kind or {})
        #: Head that `_heights` belongs to.
        self._head = ""
        self._heights: dict[str, int] = {}
        #: What each tag said last.
        self._last: dict[str, int] = {}
        self._told: set[str] = set()

    def final_height(self, kind: str, head: BlockRef) -> int:
        """See `Finality.final_height`."""
        rule = self._by_kind.get(kind, self._default)
        if isinstance(rule, int):
            return head.number - rule
        if head.hash != self._head:
            self._head, self._heights = head.hash, {}
        if rule not in self._heights:
            self._heights[rule] = self._ask(rule, head)
        return self._heights[rule]

    def _ask(self, tag: str, head: BlockRef) -> int:
        try:
            # Never above the head we act on: another endpoint may be further along than the one that gave us that.
            height = min(self._rpc.block(tag).number, head.number)
        except StaleBlock as error:
            return self._without(tag, head, error.message)
        except Unreachable as error:
            if error.fields.get("code") not in UNKNOWN_TAG:
                raise
            return self._without(tag, head, error.message)
        self._last[tag] = height
        return height

    def _without(self, tag: str, head: BlockRef, why: str) -> int:
        if tag in self._last:
            return min(self._last[tag], head.number)
        if tag not in self._told:
            self._told.add(tag)
            log.warning("finality.tag_unknown", tag=tag, error=why, confirmations=self._confirmations)
        return head.number - self._confirmations
