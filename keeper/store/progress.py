"""Whose house we keep and how far we are, in SQL: the log index and the loops' heartbeats."""

from __future__ import annotations

import zlib
from typing import Final

from sqlalchemy import Connection, Table, delete, func, insert, select

from keeper.domain.block import BlockRef
from keeper.domain.codec import dumps, loads
from keeper.domain.home import Home
from keeper.errors import LawBroken
from keeper.store.engine import Database
from keeper.store.tables import heartbeats, home, sync

#: A heartbeat of nobody, which is taken back at once; one that is left there by a kill counts for nothing.
_TRIAL: Final = "trial of writing"


class Progress:
    """The progress half of `keeper.ports.Store`."""

    _database: Database

    def home(self) -> Home | None:
        """See `Store.home`."""
        with self._database.reading() as connection:
            return _home(connection)

    def dedicate(self, to: Home) -> Home:
        """See `Store.dedicate`."""
        if (found := self.home()) is not None:
            return found  # every start but the first, without waiting for whoever writes
        with self._database.writing() as connection:
            found = _home(connection)
            if found is None:
                connection.execute(insert(home).values(id=1, chain_id=to.chain_id, house=to.house))
        return found or to

    def save_sync(self, cursor: BlockRef, state: bytes) -> None:
        """See `Store.save_sync`."""
        row = {"id": 1, "cursor": dumps(cursor), "state": zlib.compress(state, 1)}
        # One transaction: a cursor without its state would skip logs, a state without its cursor would count twice.
        with self._database.writing() as connection:
            connection.execute(delete(sync))
            connection.execute(insert(sync).values(row))

    def append_sync(self, cursor: BlockRef, more: bytes) -> None:
        """See `Store.append_sync`."""
        packed = zlib.compress(more, 1)
        with self._database.writing() as connection:
            last = connection.execute(select(func.max(sync.c.id))).scalar()
            if last is None:
                raise LawBroken("nothing is stored that could be continued", block=cursor.number)
            connection.execute(insert(sync).values(id=last + 1, cursor=dumps(cursor), state=packed))

    def load_sync(self) -> tuple[BlockRef, bytes] | None:
        """See `Store.load_sync`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(sync).order_by(sync.c.id)).mappings().all()
        if not rows:
            return None
        return loads(BlockRef, bytes(rows[-1]["cursor"])), b"".join(_unpacked(bytes(row["state"])) for row in rows)

    def heartbeat(self, name: str, at_s: int, progress: int) -> None:
        """See `Store.heartbeat`."""
        self._replace(heartbeats, {"name": name}, {"at_s": at_s, "progress": progress})

    def heartbeats(self) -> dict[str, tuple[int, int]]:
        """See `Store.heartbeats`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(heartbeats).order_by(heartbeats.c.name)).mappings().all()
        return {row["name"]: (row["at_s"], row["progress"]) for row in rows if row["name"] != _TRIAL}

    def try_write(self) -> None:
        """See `Store.try_write`."""
        # Two commits: a transaction that is rolled back need never reach the disk.
        self._replace(heartbeats, {"name": _TRIAL}, {"at_s": 0, "progress": 0})
        with self._database.writing() as connection:
            connection.execute(delete(heartbeats).filter_by(name=_TRIAL))

    def _replace(self, table: Table, key: dict[str, object], values: dict[str, object]) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(table).filter_by(**key))
            connection.execute(insert(table).values(key | values))


def _home(connection: Connection) -> Home | None:
    row = connection.execute(select(home)).mappings().first()
    return None if row is None else Home(chain_id=row["chain_id"], house=row["house"])


def _unpacked(packed: bytes) -> bytes:
    """Bytes of one row.  What cannot be unpacked is left as it is: whoever reads it tells damage by its own marks."""
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return packed
