"""What only a real PostgreSQL can show; the suite in test_store.py runs over one as well."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from keeper.errors import Retry
from keeper.store import open_store
from keeper.store.schema import newest
from keeper.store.tables import metadata
from tests.ports.test_store import planned

pytestmark = pytest.mark.needs_postgres


def test_migrations__from_nothing__build_the_tables(postgres, postgres_url):
    """What the migrations build and what the queries expect are one schema there too."""
    postgres.raze()
    open_store(postgres_url).close()
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == newest()
    engine.dispose()


def test_write__connection_cut__retry_and_the_next_one_works(postgres, postgres_url):
    """A server that restarts costs a block, not the keeper."""
    store = open_store(postgres_url)

    def write_and_lose():
        with store.together():
            store.put_intent(planned("a"))
            postgres.do(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND state = 'idle in transaction'"
            )
            store.put_intent(planned("b"))

    with pytest.raises(Retry, match="connection"):
        write_and_lose()
    assert store.open_txs() == ()
    store.put_intent(planned("a"))
    assert [record.intent.key for record in store.open_txs()] == ["a"]
    store.close()
