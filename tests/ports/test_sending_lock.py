"""One process at a time sends from a store: tried with a real second process, and with kill -9."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from keeper.errors import Halt
from keeper.store import open_store
from tests.ports.test_store import planned

#: Takes the lock, says so, and keeps it until its stdin ends or it is killed.
OTHER = """
import sys
from keeper.store import open_store

store = open_store(sys.argv[1])
store.lock_sending(at_s=1_900_000_000)
print("mine", flush=True)
sys.stdin.read()
store.close()
"""
SINCE = "since 2030-03-17 17:46:40 UTC"


@contextmanager
def another(url):
    """A process that sends from the store."""
    command = [sys.executable, "-c", OTHER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "mine\n"
            yield process
        finally:
            process.kill()


@contextmanager
def opened(url):
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def test_lock__another_process_has_it__refused_and_named_until_kill_9(url):
    """TX-11: the second is told who and since when, and may read; the first one's death lets it in at once."""
    with another(url) as process, opened(url) as store:
        with pytest.raises(Halt) as refused:
            store.lock_sending(at_s=1_900_000_100)
        assert f"process {process.pid} on " in refused.value.message
        assert SINCE in refused.value.message
        assert refused.value.fields["pid"] == process.pid
        store.heartbeat("loop", 1, 1)  # a dry run beside it needs no lock
        process.kill()
        process.wait()
        store.lock_sending(at_s=1_900_000_100)
        store.put_intent(planned())


def test_sender__lives_then_kill_9__told_apart_beside_a_dry_keeper(url):
    """TX-12: who sends is asked of the lock itself, so a fresh heartbeat of a dry run never stands in for a sender."""
    with opened(url) as store:
        assert store.sender() is None
        with another(url) as process:
            found = store.sender()
            assert (found.pid, found.since_s) == (process.pid, 1_900_000_000)
            store.heartbeat("dry", 1, 1)
            assert store.sender() == found, "looking takes nothing away"
            process.kill()
            process.wait()
            assert store.sender() is None
        store.lock_sending(at_s=7)
        assert store.sender().pid == os.getpid()
    with opened(url) as store:
        assert store.sender() is None


def test_sender__number_of_the_dead_given_to_another__nobody_sends(tmp_path):
    """TX-12: a process that has the number by now, or a name from another host, is no holder: nobody has the lock."""
    with opened(f"sqlite:///{tmp_path}/keeper.sqlite") as store:
        beside = tmp_path / "keeper.sqlite.sending"
        for content in (
            f'{{"pid": {os.getpid()}, "since_s": 1, "host": "elsewhere"}}',
            "{",
            '{"pid": -1, "since_s": 1}',
        ):
            beside.write_text(content)
            assert store.sender() is None
        store.lock_sending(at_s=1)


def test_lock__closed__free_for_the_next(url):
    """TX-11: an end in order frees it too; two stores of one process are two."""
    with opened(url) as second:
        with opened(url) as first:
            first.lock_sending(at_s=5)
            with pytest.raises(Halt, match=f"process {os.getpid()} on .* since 1970-01-01 00:00:05 UTC"):
                second.lock_sending(at_s=6)
        second.lock_sending(at_s=6)
        second.put_intent(planned())


def test_lock__asked_for_twice_by_one_store__kept(url):
    """TX-11: taking what one has loses nothing."""
    with opened(url) as store, opened(url) as other:
        store.lock_sending(at_s=5)
        with pytest.raises(Halt):
            store.lock_sending(at_s=6)
        with pytest.raises(Halt):
            other.lock_sending(at_s=7)
        store.put_intent(planned())


def test_lock__after_a_dead_holder__its_name_is_overwritten(tmp_path):
    """TX-11: who is named is who holds it now, not who held it longer ago with a longer name."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    beside = tmp_path / "keeper.sqlite.sending"
    beside.write_text("x" * 5_000)
    with another(url) as process, opened(url) as store, pytest.raises(Halt, match=f"process {process.pid} "):
        store.lock_sending(at_s=1)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"pid": "me", "since_s": null}'])
def test_lock__holder_has_not_written_its_name__still_refused(tmp_path, content):
    """TX-11: between taking the lock and telling it lies a moment."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    with opened(url) as first, opened(url) as second:
        first.lock_sending(at_s=1)
        (tmp_path / "keeper.sqlite.sending").write_text(content)
        with pytest.raises(Halt, match="another process sends from this store"):
            second.lock_sending(at_s=2)


def test_lock__two_names_of_one_file__one_lock(tmp_path, monkeypatch):
    """TX-11: a link, or a path from another folder, is the same store."""
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "keeper.sqlite")
    monkeypatch.chdir(tmp_path)
    with opened(f"sqlite:///{tmp_path}/keeper.sqlite") as first:
        first.lock_sending(at_s=1)
        for name in ("link.sqlite", "keeper.sqlite"):
            with opened(f"sqlite:///{name}") as second, pytest.raises(Halt, match="sends from this store"):
                second.lock_sending(at_s=2)


def test_lock__cannot_be_made__says_what_to_do(tmp_path):
    """TX-11: no lock, no sending."""
    (tmp_path / "keeper.sqlite.sending").mkdir()
    with (
        opened(f"sqlite:///{tmp_path}/keeper.sqlite") as store,
        pytest.raises(Halt, match="cannot be locked") as refused,
    ):
        store.lock_sending(at_s=1)
    assert "writable" in refused.value.hint


def removed(tmp_path: Path):
    (tmp_path / "keeper.sqlite.sending").unlink()


def replaced(tmp_path: Path):
    (tmp_path / "keeper.sqlite.sending").rename(tmp_path / "moved")
    (tmp_path / "keeper.sqlite.sending").write_text("")


@pytest.mark.parametrize("lose", [removed, replaced])
def test_lock__its_file_taken_away__nothing_is_written_any_more(tmp_path, lose):
    """TX-11: a second keeper could lock the new file, so the first stops before it signs."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    with opened(url) as store, opened(url) as other:
        store.lock_sending(at_s=1)
        store.put_intent(planned("a"))
        lose(tmp_path)
        for _ in range(2):
            with pytest.raises(Halt, match="was lost"):
                store.put_intent(planned("b"))
        with pytest.raises(Halt, match="was lost"), store.together():
            pass
        other.lock_sending(at_s=2)
        assert other.tx("a") is not None
        assert other.tx("b") is None


@pytest.mark.needs_postgres
def test_lock__its_session_cut__nothing_is_written_any_more(postgres, postgres_url):
    """TX-11: a server that restarts, or an operator, ends the session: a second keeper may be sending by then."""
    with opened(postgres_url) as store, opened(postgres_url) as other:
        store.lock_sending(at_s=1)
        postgres.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'keeper %%'")
        other.lock_sending(at_s=2)
        for _ in range(2):
            with pytest.raises(Halt, match="was lost"):
                store.put_intent(planned("b"))
        other.put_intent(planned("b"))


@pytest.mark.needs_postgres
def test_lock__another_schema_of_the_same_database__another_store(postgres, postgres_url):
    """TX-11: two keepers of two chains may share a server."""
    postgres.do("CREATE SCHEMA second")
    try:
        with opened(postgres_url) as one, opened(f"{postgres_url}&options=-csearch_path%3Dsecond") as two:
            one.lock_sending(at_s=1)
            two.lock_sending(at_s=1)
            two.put_intent(planned())
            assert one.tx("k1") is None
    finally:
        postgres.do("DROP SCHEMA second CASCADE")
