"""Every exception of the database layer has a meaning for the keeper, and the ones we can cause are caused."""

from __future__ import annotations

import inspect
import resource
import signal
import sqlite3
import zlib

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.errors import BadInput, Halt, KeeperError, LawBroken, Retry
from keeper.store import free_bytes, open_store
from keeper.store.border import border, translate
from keeper.testing.builders import a_snapshot, an_account

FOREIGN = [
    one
    for one in vars(exc).values()
    if inspect.isclass(one) and issubclass(one, exc.SQLAlchemyError) and not issubclass(one, Warning)
]

#: What the daemon does about each that a running keeper can meet.
REACTIONS = {
    exc.OperationalError: Retry,
    exc.InterfaceError: Retry,
    exc.TimeoutError: Retry,
    exc.IntegrityError: LawBroken,
    exc.DataError: LawBroken,
    exc.ProgrammingError: LawBroken,
    exc.StatementError: LawBroken,
    exc.DatabaseError: LawBroken,
    exc.InternalError: Halt,
    exc.NotSupportedError: Halt,
    exc.ArgumentError: BadInput,
    exc.NoSuchModuleError: BadInput,
}


def an_error(cls: type[Exception], orig: BaseException | None = None) -> Exception:
    """One instance, with the fields the class is known by."""
    error = cls.__new__(cls)
    Exception.__init__(error, "it failed")
    if issubclass(cls, exc.StatementError):
        error.orig = orig or RuntimeError("it failed")
    return error


@pytest.mark.parametrize("cls", FOREIGN)
def test_border__every_foreign_class__becomes_ours(cls):
    """None is missing: a new class of a new version would fail nothing, because the translation is total."""
    with pytest.raises(KeeperError), border():
        raise an_error(cls)


@pytest.mark.parametrize(("cls", "expected"), REACTIONS.items())
def test_translate__known_class__reaction(cls, expected):
    assert type(translate(an_error(cls))) is expected


def test_translate__connection_lost__retry():
    lost = an_error(exc.ProgrammingError)
    lost.connection_invalidated = True
    assert type(translate(lost)) is Retry


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("BUSY", Retry),
        ("LOCKED", Retry),
        ("BUSY_SNAPSHOT", Retry),
        ("CORRUPT", BadInput),
        ("NOTADB", BadInput),
        ("FULL", Halt),
        ("READONLY", Halt),
        ("IOERR_FSYNC", Halt),
        ("CANTOPEN", Halt),
        ("ERROR", Halt),
    ],
)
def test_translate__sqlite_code__reaction(code, expected):
    orig = sqlite3.OperationalError("it failed")
    orig.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{code}")
    assert type(translate(an_error(exc.OperationalError, orig))) is expected


@pytest.mark.parametrize(
    "foreign", [zlib.error("bad"), OverflowError("big"), sqlite3.InterfaceError("x"), ImportError("x")]
)
def test_border__neighbours_of_the_database__become_ours(foreign):
    with pytest.raises(KeeperError), border():
        raise foreign


def test_translate__driver_not_there__says_what_to_install():
    """PostgreSQL's driver is an extra: the address is right, so the hint is not to rewrite it."""
    error = translate(ModuleNotFoundError("No module named 'psycopg'"))
    assert isinstance(error, BadInput)
    assert "driver is not installed" in error.message
    assert "pip install" in error.hint


@pytest.mark.parametrize("bug", [KeyError("x"), ZeroDivisionError()])
def test_border__our_own_bug__passes_unchanged(bug):
    """A bug of ours is not the database's failure."""
    with pytest.raises(type(bug)), border():
        raise bug


@pytest.mark.parametrize(
    "url",
    ["", "keeper.sqlite", "mysql://host/db", "nosuch://x", "sqlite://", "sqlite:///:memory:", "postgresql+no://h/d"],
)
def test_open__address_names_no_database__bad_input(url):
    with pytest.raises(BadInput) as caught:
        open_store(url)
    assert caught.value.hint


def test_open__folder_absent__halt_with_hint(tmp_path):
    with pytest.raises(Halt) as caught:
        open_store(f"sqlite:///{tmp_path}/absent/keeper.sqlite")
    assert "folder" in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to look like one" * 100, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_open__file_is_no_database__bad_input_with_hint(tmp_path, content):
    path = tmp_path / "keeper.sqlite"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        open_store(f"sqlite:///{path}")
    assert "backup" in caught.value.hint
    assert path.read_bytes() == content, "the evidence stays"


def test_open__schema_of_a_newer_version__halt_with_hint(tmp_path):
    """A downgrade never touches a schema that it does not know."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    open_store(url).close()
    set_revision(url, "9999")
    with pytest.raises(Halt) as caught:
        open_store(url)
    assert type(caught.value) is Halt
    assert "upgrade" in caught.value.hint


def set_revision(url, revision):
    run_sql(url, f"UPDATE alembic_version SET version_num = '{revision}'")


def run_sql(url, *statements):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_read__damaged_bytes__bad_input(tmp_path):
    """A row that does not decode is never taken for an empty one."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    store = open_store(url)
    seen = a_snapshot(an_account())
    inputs = CycleInputs(snapshot=seen, in_flight=(), called=(), risk=RiskKnobs(), policy=PolicyKnobs())
    store.append_inputs(inputs)
    store.save_sync(BlockRef(1, "0xa", "0xb", 2), b"state")
    run_sql(url, "UPDATE snapshots SET payload = x'00ff'", "UPDATE sync SET cursor = x'7b7d'")
    for read in (lambda: store.inputs(seen.block.hash), store.load_sync):
        with pytest.raises(BadInput):
            read()
    store.close()


def test_try_write__no_room_to_grow__halt_and_else_nothing_is_left(tmp_path):
    """What `keeper check` asks: a store that opens and reads may not take a write any more.

    A limit on the size of this process's files stands in for a full disk.
    """
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    store = open_store(url)
    store.try_write()
    assert store.heartbeats() == {}
    assert free_bytes(url) > 0
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    try:
        assert store.heartbeats() == {}, "it reads"
        with pytest.raises((Halt, Retry)):
            store.try_write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    store.try_write()
    store.close()


def test_write__other_process_holds_the_lock__retry(tmp_path, monkeypatch):
    monkeypatch.setattr("keeper.store.engine._BUSY_TIMEOUT_S", 0)
    path = tmp_path / "keeper.sqlite"
    store = open_store(f"sqlite:///{path}")
    rival = sqlite3.connect(path, isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    with pytest.raises(Retry):
        store.heartbeat("loop", 1, 1)
    assert store.heartbeats() == {}, "reading goes on beside a writer"
    rival.execute("ROLLBACK")
    rival.close()
    store.heartbeat("loop", 1, 1)
    store.close()
