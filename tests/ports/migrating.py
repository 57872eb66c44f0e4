"""A store's schema on its way through the migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from keeper.store.schema import alembic_config
from keeper.store.tables import metadata


def migrated(url, revision, way):
    """Go a way, up or down.  Returns: the revision, and how its tables differ from those that the queries expect."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        way(alembic_config(connection), revision)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = context.get_current_revision(), compare_metadata(context, metadata)
    engine.dispose()
    return found
