"""Brings a database to this version's schema when it is opened, in one transaction, or refuses it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from keeper.errors import Halt

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, with no file: the migrations travel inside the package."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """Revision of the schema that this code expects."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


def migrate(connection: Connection) -> None:
    """Upgrade to `newest()`; does nothing if already there.

    Raises: `Halt` if the schema was written by a newer version.
    """
    config = alembic_config(connection)
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise Halt(
            f"the store has schema {current}, which this version does not know (newest: {newest()})",
            hint="a newer keeper wrote it: upgrade this one, or point [store] url to another database",
            schema=current,
        )
    if current != scripts.get_current_head():
        command.upgrade(config, "head")
