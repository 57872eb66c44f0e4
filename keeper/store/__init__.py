"""Memory that survives the process: `keeper.ports.Store` on SQLite or PostgreSQL.

    store = open_store("sqlite:///keeper.sqlite")
    store = open_store("postgresql+psycopg://user:password@host/database")

- Durable: SQLite runs in WAL mode with synchronous=FULL, so what a method wrote is on disk when it returns.
- Whole: each method is one transaction.  A kill at any point leaves the state before it or after it.
- Safe for several threads; each call takes its own connection.
- Speaks in the keeper's errors only, see `keeper.store.border`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Generic

from sqlalchemy import make_url

from keeper.domain.cycle import CycleRecord
from keeper.domain.sender import Sender
from keeper.ports import Store
from keeper.store.border import border
from keeper.store.engine import Database
from keeper.store.journal import C, Journal
from keeper.store.ledger import Ledger
from keeper.store.lock import holder, take
from keeper.store.outbox import Outbox
from keeper.store.overrides import Overrides
from keeper.store.progress import Progress
from keeper.store.schema import migrate
from keeper.store.updates import Updates

__all__ = ["SqlStore", "free_bytes", "open_store"]


class SqlStore(Outbox, Journal[C], Progress, Ledger, Updates, Overrides, Generic[C]):
    """A `Store` over one database; `C` is the record of one cycle."""

    def __init__(self, database: Database, cycle_type: type[C]) -> None:
        super().__init__()
        self._database = database
        self._cycle_type = cycle_type

    def lock_sending(self, *, at_s: int) -> None:
        """See `Store.lock_sending`."""
        self._database.guard(take(self._database.engine, at_s=at_s))

    def sender(self) -> Sender | None:
        """See `Store.sender`."""
        return holder(self._database.engine)

    def close(self) -> None:
        """See `Store.close`."""
        self._database.close()


def free_bytes(url: str) -> int | None:
    """Bytes that are free where the file of the database at `url` lies; None if it has no file on this machine."""
    with border():
        parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    try:
        return shutil.disk_usage(Path(parsed.database).resolve().parent).free
    except OSError:
        return None


def open_store(url: str) -> Store:
    """Open the database at `url`, creating it or upgrading its schema as needed.

    Raises:
        BadInput: the address cannot be used, or the file is damaged or no database.
        Halt: a newer version of the keeper wrote it, or it cannot be written to.
        Retry: another process holds it, or the server cannot be reached.
    """
    return open_sql_store(url, CycleRecord)


def open_sql_store(url: str, cycle_type: type[C]) -> SqlStore[C]:
    """Like `open_store`, for another record of a cycle."""
    database = Database(url)
    with database.writing() as connection:
        migrate(connection)
    return SqlStore(database, cycle_type)
