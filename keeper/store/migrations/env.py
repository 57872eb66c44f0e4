"""Alembic's entry: run the migrations on the connection that the store opened."""

from __future__ import annotations

from alembic import context

from keeper.store.tables import metadata

# transactional_ddl: SQLite can roll back DDL too, once we say BEGIN ourselves.  A kill leaves the old schema whole.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
