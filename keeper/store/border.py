"""What a failing database means for the keeper.  Nothing of SQLAlchemy passes this border.

locked, busy, connection lost, pool exhausted      Retry
a constraint or a range of ours is violated        LawBroken
the file is damaged or no database                 BadInput
disk full, read-only, no permission, no table      Halt
the URL names no database, or no driver is there   BadInput
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util.exc import CommandError
from sqlalchemy import exc

from keeper.errors import BadInput, Halt, KeeperError, LawBroken, Retry

_NEW_FILE = "restore a backup of the file, or move it away: the keeper builds a new one and reads the chain again"

#: SQLite's primary result codes.  Source: sqlite.org/rescode.html.
_SQLITE_BUSY_CODES = (5, 6)  # BUSY, LOCKED
_SQLITE_DAMAGED_CODES = (11, 26)  # CORRUPT, NOTADB


@contextmanager
def border() -> Iterator[None]:
    """Translate every exception of the database inside the block into a `KeeperError`."""
    try:
        yield
    except KeeperError:
        raise
    except zlib.error as error:
        raise BadInput(f"the store holds damaged bytes: {error}", hint=_NEW_FILE) from error
    except (exc.SQLAlchemyError, CommandError, sqlite3.Error, OverflowError, ImportError) as error:
        raise translate(error) from error


#: First match wins.  Each row: what it is, what happens next, what we say, what a person can do.
_MEANING: tuple[tuple[tuple[type[Exception], ...], type[KeeperError], str, str], ...] = (
    ((exc.TimeoutError,), Retry, "the database did not answer", ""),
    (
        (ImportError,),
        BadInput,
        "the database's driver is not installed",
        'run: pip install "psycopg[binary]", in the environment of the keeper; or use sqlite:///keeper.sqlite',
    ),
    (
        (exc.ArgumentError, exc.NoSuchModuleError),
        BadInput,
        "the store's address cannot be used",
        "write [store] url like sqlite:///keeper.sqlite or postgresql+psycopg://user:password@host/database",
    ),
    ((CommandError,), Halt, "the store's schema cannot be brought up to date", _NEW_FILE),
    ((exc.OperationalError, exc.InterfaceError), Retry, "the database could not be reached", ""),
    (
        (exc.InternalError, exc.NotSupportedError),
        Halt,
        "the database cannot do this",
        "look at the database's own log",
    ),
    ((Exception,), LawBroken, "the store contradicts itself", ""),
)


def translate(error: Exception) -> KeeperError:
    """The keeper's error for one of the database layer's.  Total: what is not recognised is `LawBroken`."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, KeeperError):
        return cause  # a column type of ours refused the value
    text = str(cause).strip().split("\n")[0] or type(cause).__name__
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause, text)
    if getattr(error, "connection_invalidated", False):
        return Retry(f"the connection to the database was lost: {text}")
    kind, message, hint = next(row[1:] for row in _MEANING if isinstance(error, row[0]))
    return kind(f"{message}: {text}", hint=hint, error=type(error).__name__)


def _of_sqlite(cause: sqlite3.Error, text: str) -> KeeperError:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in _SQLITE_BUSY_CODES:
        return Retry(f"the database is busy: {text}")
    if code in _SQLITE_DAMAGED_CODES:
        return BadInput(f"the store is damaged or is not a database: {text}", hint=_NEW_FILE)
    if isinstance(cause, sqlite3.OperationalError):
        hint = "check that the folder exists, can be written to, and that the disk is not full"
        return Halt(f"the database cannot be used: {text}", hint=hint)
    return LawBroken(f"the store contradicts itself: {text}", error=type(cause).__name__)
