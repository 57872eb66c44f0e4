"""Stores for the suites of ports: in memory, SQLite, and a PostgreSQL of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.store import SqlStore, open_store
from keeper.testing.memory_store import MemoryStore
from tests.conftest import find_postgres
from tests.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server, for tests marked needs_postgres."""
    programs = find_postgres()
    assert programs is not None, "mark the test needs_postgres"
    server = Postgres(programs)
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """A database without rows."""
    postgres.empty()
    return postgres.url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without rows, by each that we support."""
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return f"sqlite:///{tmp_path}/keeper.sqlite"


@pytest.fixture
def newest_schema_again(url: str, request: pytest.FixtureRequest) -> Iterator[None]:
    """For tests that take the schema back: the server is shared by others, which expect the newest one."""
    yield
    if not url.startswith("sqlite"):
        server: Postgres = request.getfixturevalue("postgres")
        server.raze()
        open_store(url).close()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore | SqlStore]:
    """An empty store, by every adapter."""
    if request.param == "memory":
        yield MemoryStore()
        return
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    opened = open_store(url)
    yield opened
    opened.close()
