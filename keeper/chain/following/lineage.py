"""How a new head hangs together with what we know: the one place that walks parents."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Protocol

from keeper.domain.block import BlockRef


def connect(
    target: BlockRef, *, known: Container[str], fetch: Callable[[str], BlockRef], limit: int, floor: int = 0
) -> tuple[tuple[BlockRef, ...], bool]:
    """Walk from `target` back by parent hash until a known block.

    By hash, so that a reorg during the walk cannot mix two branches.

    Args:
        target: where to start; may be known itself.
        known: hashes of blocks we have.
        fetch: a block by its hash; raises `Retry`.
        limit: at most so many unknown blocks.
        floor: no block below this height is fetched.

    Returns:
        the unknown blocks, oldest first, and whether the parent of the first one (or `target`) is known.
    """
    path: list[BlockRef] = []
    if target.hash in known:
        return (), True
    cursor = target
    while True:
        path.append(cursor)
        if cursor.parent_hash in known:
            return tuple(reversed(path)), True
        if len(path) >= limit or cursor.number <= floor:
            return tuple(reversed(path)), False
        cursor = fetch(cursor.parent_hash)


class Blocks(Protocol):
    """Where blocks are asked for.  Each raises `Retry`."""

    def blocks(self, numbers: Sequence[int]) -> Sequence[BlockRef | None]:
        """Those of some heights at once; None where there is none."""

    def block_by_hash(self, block_hash: str) -> BlockRef:
        """One by its hash."""


def path_to(
    target: BlockRef, rpc: Blocks, *, known: Container[str], top: BlockRef, base: BlockRef
) -> Sequence[BlockRef] | None:
    """The unknown blocks up to `target`, oldest first; the first one's parent is known.

    Args:
        target: not known.
        rpc: where to ask.
        known: hashes of blocks we have, from `base` to `top`.
        top: the newest of them.
        base: the oldest of them.

    Returns: None if it does not descend from any of them.
    """
    if target.parent_hash in known:
        return (target,)
    if top.number < target.number - 1:
        # All at once by height; if they do not hang together, one by one by hash.
        between = rpc.blocks(range(top.number + 1, target.number))
        path = [*(block for block in between if block is not None), target]
        parents = [top.hash, *(block.hash for block in path[:-1])]
        if len(path) == len(between) + 1 and [block.parent_hash for block in path] == parents:
            return path
    span = target.number - base.number
    found, connected = connect(target, known=known, fetch=rpc.block_by_hash, limit=max(span, 1), floor=base.number + 1)
    return found if connected else None
