"""What was decided on blocks that a reorg removed: marked, with everything that rests on it."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from keeper.domain.block import BlockRef
from keeper.ports import Heads, Store

log = structlog.get_logger(__name__)

#: Lived blocks compared with the chain when a reorg may have removed some; doubled until one is found that stands.
LOOK_BACK = 64


def mark_orphans(heads: Heads, store: Store, named: Sequence[BlockRef] = ()) -> None:
    """Mark what was decided on blocks that are gone: those that the heads named, and any that the store still has.

    The heads remember one process's last blocks only.  After a restart, a long gap or a reorg deeper than they
    remember, the store knows what else was lived.
    Raises: `Retry` if an endpoint is behind what was lived, or cannot be asked; nothing is marked then.
    """
    limit = LOOK_BACK
    gone = {block.hash for block in named}
    while True:
        lived = store.lived(limit=limit)
        gone |= {block.hash for block in heads.gone(lived)}
        if len(lived) < limit or lived[-1].hash not in gone:
            break
        limit *= 2
    if gone:
        store.orphan_cycles(sorted(gone))
        log.warning("daemon.orphaned", blocks=len(gone))


def forget_strays(heads: Heads, store: Store) -> None:
    """Forget prices of blocks that were read by a process that ended before it lived them, and are gone now.

    Raises: as `mark_orphans`.
    """
    found = {stray: heads.find(stray) for stray in store.strays()}
    gone = {block.hash for block in heads.gone([block for block in found.values() if block is not None])}
    gone |= {stray for stray, block in found.items() if block is None}
    if gone:
        store.orphan_cycles(sorted(gone))
