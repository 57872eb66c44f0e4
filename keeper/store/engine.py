"""A connection to the database, set up so that what was committed survives a power cut."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from keeper.errors import BadInput
from keeper.store.border import border
from keeper.store.lock import SendingLock

#: How long one writer waits for another.  Our transactions take about a millisecond.
_BUSY_TIMEOUT_S = 10

#: Name of the PostgreSQL lock that lets one writer in at a time, as SQLite does: reading and then writing is one step.
_WRITERS = 7_241_853


class Database:
    """An engine with two ways in.  Safe for several threads: each use takes a connection of its own."""

    def __init__(self, url: str) -> None:
        with border():
            parsed = make_url(url)
            sqlite = parsed.get_backend_name() == "sqlite"
            if not sqlite and parsed.get_backend_name() != "postgresql":
                raise BadInput(f"{parsed.get_backend_name()} is not supported", hint="use sqlite or postgresql")
            if sqlite and parsed.database in (None, "", ":memory:"):
                raise BadInput("a store in memory forgets what was sent", hint="name a file: sqlite:///keeper.sqlite")
            options: dict[str, Any] = {"connect_args": {"timeout": _BUSY_TIMEOUT_S}} if sqlite else {}
            self.engine: Engine = create_engine(parsed, pool_pre_ping=not sqlite, **options)
        if sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._sqlite = sqlite
        self._writer = self.engine.execution_options(keeper_writes=True)
        self._lock: SendingLock | None = None
        #: `connection`: of the transaction that this thread has opened with `together`.
        self._joined = threading.local()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view."""
        joined: Connection | None = getattr(self._joined, "connection", None)
        if joined is not None:
            yield joined
            return
        with border(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is durable when the block ends, or none of it happened.

        Raises: `Halt` if the right to send was taken and is lost.
        """
        joined: Connection | None = getattr(self._joined, "connection", None)
        if joined is not None:
            yield joined
            return
        if self._lock is not None:
            self._lock.check()
        with border(), self._writer.begin() as connection:
            if not self._sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
            yield connection

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread reads and writes inside is one transaction; an error that leaves it undoes all of it."""
        with self.writing() as connection:
            outer, self._joined.connection = getattr(self._joined, "connection", None), connection
            try:
                yield
            finally:
                self._joined.connection = outer

    def guard(self, lock: SendingLock) -> None:
        """Write only while `lock` is held, and release it at the end."""
        if self._lock is not None:
            self._lock.release()
        self._lock = lock

    def close(self) -> None:
        """Release all connections, and the right to send."""
        if self._lock is not None:
            self._lock.release()
        self.engine.dispose()


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a writer that starts as a reader and upgrades is refused without waiting when another wrote meanwhile.
    writes = connection.get_execution_options().get("keeper_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
