"""How a new head hangs together with what we know: the one place that walks parents."""

from __future__ import annotations

from collections.abc import Callable, Container

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
