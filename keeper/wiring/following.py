"""The log index over whatever contracts the house names.

Where the house names another contract than before, all logs are read again with that one among them: what it emitted
before nobody has, and what its predecessor emitted no longer counts.  That takes as long as a first start, happens
within the block that shows the change, and needs no restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import structlog

from keeper.chain.following.log_sync import LogSync
from keeper.domain.block import BlockRef
from keeper.ports import Store

log = structlog.get_logger(__name__)


class Following:
    """A `LogSync` that is made anew when addresses move.

    Args:
        make: the sync over contracts at these addresses, given by name, kept in this store.
        addresses: where they are at the start.
        store: where the index is kept.
    """

    def __init__(
        self, make: Callable[[Mapping[str, str], Store], LogSync], addresses: Mapping[str, str], store: Store
    ) -> None:
        self._make, self._store = make, store
        self._sync = make(addresses, store)

    def sync_to(self, block: BlockRef) -> None:
        """See `LogSync.sync_to`."""
        self._sync.sync_to(block)

    def amend(self, word: bytes) -> None:
        """See `LogSync.amend`."""
        self._sync.amend(word)

    def tidy(self) -> None:
        """See `LogSync.tidy`."""
        self._sync.tidy()

    def move(self, addresses: Mapping[str, str]) -> None:
        """Follow contracts at other addresses, from the deployment on."""
        log.warning("logs.moved", then="all logs are read again", **addresses)
        # A sync asks of a store what `_Afresh` has, and nothing else.
        self._sync = self._make(addresses, cast("Store", _Afresh(self._store)))


class _Afresh:
    """A store that knows no index of before: it was made from other contracts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.save_sync, self.append_sync = store.save_sync, store.append_sync

    def load_sync(self) -> None:
        """Nothing, whatever is stored."""
