"""The right to send from a store: one process at a time, and nothing to clean up when it is killed.

    SQLite        a lock of the kernel (flock) on `<database>.sending` beside the file
    PostgreSQL    an advisory lock of a session of its own, one for each schema

Both end with the process that holds them, however it ends.  Both are looked at again before each write: a process whose
session was cut, or whose file somebody removed, may have a successor by then, and what it does not write it does not
sign.  Neither is needed to read, or to run dry.

A pool that hands each transaction another session (pgbouncer in transaction mode) cannot hold such a lock; the first
write says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, text

from keeper.domain.nested import json_of
from keeper.domain.sender import Sender
from keeper.errors import Halt, KeeperError
from keeper.store.border import border

#: Name of the advisory lock, beside the schema's own number.
_SENDING: Final = 7_241_854

_HELD: Final = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid::bigint = :name"
    " AND l.objid::bigint = (hashtext(current_schema())::bigint & 4294967295)"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class SendingLock(Protocol):
    """Held from when it was taken."""

    def check(self) -> None:
        """Make sure that it is still held.  Raises: `Halt` if it is not."""

    def release(self) -> None:
        """Let the next one have it.  Again does nothing."""


def take(engine: Engine, *, at_s: int) -> SendingLock:
    """Take the right to send from the database of `engine`.

    Args:
        engine: an open store's.
        at_s: unix seconds, told to whoever asks in vain.

    Raises: `Halt` if another process has it, or it cannot be locked.
    """
    me = {"pid": os.getpid(), "since_s": at_s, "host": socket.gethostname()}
    if engine.dialect.name == "sqlite":
        return FileLock(_beside(engine), me)
    return SessionLock(engine, me)


def holder(engine: Engine) -> Sender | None:
    """Who has the right to send from the database of `engine`; None if nobody has, however the last one ended."""
    if engine.dialect.name == "sqlite":
        return _of_file(_beside(engine))
    with border(), engine.connect() as session:
        return _sender(_parse(session.scalar(text(_HELD), {"name": _SENDING})))


def _of_file(path: Path) -> Sender | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # nobody ever sent from here
    found = None
    try:
        found = _sender(_read(handle))
        # Looking takes the lock for a moment: not where its last holder is seen to be gone, so that a keeper that
        # starts now meets nobody.
        if found is None or (found.host == socket.gethostname() and not _lives(found.pid)):
            return None
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return found
    finally:
        os.close(handle)
    return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _sender(found: dict[str, object]) -> Sender | None:
    pid, since_s, host = found.get("pid"), found.get("since_s"), found.get("host")
    if not isinstance(pid, int) or pid < 1 or not isinstance(since_s, int):
        return None
    return Sender(pid=pid, host=str(host or ""), since_s=since_s)


class FileLock:
    """A lock of the kernel on a file.  The file stays: removing it would let two processes lock two files."""

    def __init__(self, path: Path, me: dict[str, object]) -> None:
        self._path, self._handle = path, -1
        try:
            # Not inherited: a child that outlives us must not hold it.
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.check()
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps(me).encode(), 0)
        except BlockingIOError as error:
            holder = _read(self._handle)
            self.release()
            raise _refused(holder) from error
        except OSError as error:
            self.release()
            raise Halt(
                f"{path} cannot be locked: {error.strerror}",
                hint="a keeper that sends keeps a second one away by this file: make its folder writable and local",
            ) from error

    def check(self) -> None:
        """See `SendingLock.check`."""
        try:
            there, ours = self._path.stat(), os.fstat(self._handle)
        except OSError:
            there, ours = None, None
        if there is None or ours is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            self.release()
            raise _lost(f"{self._path} was removed or replaced")

    def release(self) -> None:
        """See `SendingLock.release`."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


class SessionLock:
    """An advisory lock of a session of its own, which tells others by its name who holds it."""

    def __init__(self, engine: Engine, me: dict[str, object]) -> None:
        self._turn = threading.Lock()
        self._session: Connection | None = None
        with border():
            session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            session.detach()  # never given back to the pool: closing it ends the session
            # Names of sessions are cut at 63 bytes: what matters comes first.
            named = f"keeper {me['pid']} {me['since_s']} {me['host']}"[:63]
            session.execute(text("SELECT set_config('application_name', :named, false)"), {"named": named})
            name = {"name": _SENDING}
            mine = session.scalar(text("SELECT pg_try_advisory_lock(:name, hashtext(current_schema()))"), name)
            holder = None if mine else session.scalar(text(_HELD), name)
        if not mine:
            session.close()
            raise _refused(_parse(holder))
        self._session = session

    def check(self) -> None:
        """See `SendingLock.check`."""
        with self._turn:
            session, why = self._session, "the session that held it has ended"
            try:
                with border():
                    ours = text(f"SELECT EXISTS ({_HELD} AND l.pid = pg_backend_pid())")
                    held = session is not None and session.scalar(ours, {"name": _SENDING})
            except KeeperError as error:
                held, why = False, error.message
        if not held:
            self.release()
            raise _lost(why)

    def release(self) -> None:
        """See `SendingLock.release`."""
        with self._turn:
            session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(KeeperError), border():
                session.close()


def _beside(engine: Engine) -> Path:
    """Where two keepers of one database meet, whatever name or link each knows it by."""
    with border(), engine.connect() as connection:
        for _, name, file in connection.exec_driver_sql("PRAGMA database_list"):
            if name == "main" and file:
                path = Path(file).resolve()
                return path.with_name(path.name + ".sending")
    raise Halt("this store has no file that could be locked", hint="name a file: sqlite:///keeper.sqlite")


def _read(handle: int) -> dict[str, object]:
    try:
        found = json_of(os.pread(handle, 4096, 0))
    except (OSError, ValueError):
        return {}  # it took the lock a moment ago and has not written its name yet
    return found if isinstance(found, dict) else {}


def _parse(name: object) -> dict[str, object]:
    words = str(name or "").split(maxsplit=3)
    if len(words) < 3 or words[0] != "keeper" or not (words[1] + words[2]).isdigit():
        return {}
    return {"pid": int(words[1]), "since_s": int(words[2]), "host": words[3] if len(words) > 3 else ""}


def _refused(holder: dict[str, object]) -> Halt:
    pid, host, since_s = holder.get("pid"), holder.get("host"), holder.get("since_s")
    who = "another process"
    if isinstance(pid, int):
        who = f"process {pid}" + (f" on {host}" if host else "")
    since = f", since {datetime.fromtimestamp(since_s, UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(since_s, int) else ""
    return Halt(
        f"{who} sends from this store{since}",
        hint="two keepers would sign the same nonces: stop that one first, or run without --send",
        **holder,
    )


def _lost(why: str) -> Halt:
    return Halt(
        f"the right to send from this store was lost: {why}",
        hint="start the keeper again: what another one may have sent meanwhile is then found on the chain",
    )
