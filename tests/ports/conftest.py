"""A PostgreSQL for the tests of the store."""

from collections.abc import Iterator

import pytest

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
