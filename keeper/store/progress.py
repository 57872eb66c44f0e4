"""How far we are, in SQL: the log index and the loops' heartbeats."""

from __future__ import annotations

import zlib

from sqlalchemy import Table, delete, insert, select

from keeper.domain.block import BlockRef
from keeper.domain.codec import dumps, loads
from keeper.store.engine import Database
from keeper.store.tables import heartbeats, sync


class Progress:
    """The progress half of `keeper.ports.Store`."""

    _database: Database

    def save_sync(self, cursor: BlockRef, state: bytes) -> None:
        """See `Store.save_sync`."""
        packed = zlib.compress(state, 1)
        # One transaction: a cursor without its state would skip logs, a state without its cursor would count twice.
        self._replace(sync, {"id": 1}, {"cursor": dumps(cursor), "state": packed})

    def load_sync(self) -> tuple[BlockRef, bytes] | None:
        """See `Store.load_sync`."""
        with self._database.reading() as connection:
            row = connection.execute(select(sync)).mappings().first()
            return (
                None if row is None else (loads(BlockRef, bytes(row["cursor"])), zlib.decompress(bytes(row["state"])))
            )

    def heartbeat(self, name: str, at_s: int, progress: int) -> None:
        """See `Store.heartbeat`."""
        self._replace(heartbeats, {"name": name}, {"at_s": at_s, "progress": progress})

    def heartbeats(self) -> dict[str, tuple[int, int]]:
        """See `Store.heartbeats`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(heartbeats).order_by(heartbeats.c.name)).mappings().all()
        return {row["name"]: (row["at_s"], row["progress"]) for row in rows}

    def _replace(self, table: Table, key: dict[str, object], values: dict[str, object]) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(table).filter_by(**key))
            connection.execute(insert(table).values(key | values))
