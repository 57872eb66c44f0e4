"""Floors set by hand, in SQL.  None is ever deleted: who set what, and who took it back, stays on record."""

from __future__ import annotations

from dataclasses import fields, replace

from sqlalchemy import insert, select, update

from keeper.domain.overrides import Override
from keeper.store.engine import Database
from keeper.store.tables import overrides


class Overrides:
    """See `keeper.ports.Overrides`."""

    _database: Database

    def set_override(self, one: Override) -> Override:
        """See `Overrides.set_override`."""
        values = {name: given for name, given in vars(one).items() if name != "number"}
        with self._database.writing() as connection:
            number = connection.execute(insert(overrides).values(**values)).inserted_primary_key
        assert number is not None, "the table counts by itself"
        return replace(one, number=number[0])

    def clear_override(self, number: int, *, at_s: int, by: str, why: str = "") -> bool:
        """See `Overrides.clear_override`."""
        standing = overrides.c.number == number, overrides.c.cleared_at_s.is_(None), overrides.c.expires_at_s > at_s
        with self._database.writing() as connection:
            cleared = update(overrides).where(*standing).values(cleared_at_s=at_s, cleared_by=by, cleared_why=why)
            done = connection.execute(cleared)
        return done.rowcount == 1

    def cleared_why(self) -> dict[int, str]:
        """See `Overrides.cleared_why`."""
        query = select(overrides.c.number, overrides.c.cleared_why).where(overrides.c.cleared_why != "")
        with self._database.reading() as connection:
            return {row.number: row.cleared_why for row in connection.execute(query)}

    def overrides(self, *, at_s: int | None = None, since_s: int | None = None) -> tuple[Override, ...]:
        """See `Overrides.overrides`."""
        query = select(*(overrides.c[one.name] for one in fields(Override))).order_by(overrides.c.number)
        since = at_s if since_s is None else since_s
        if since is not None:
            query = query.where(overrides.c.expires_at_s > since)
        with self._database.reading() as connection:
            found = tuple(Override(**row) for row in connection.execute(query).mappings())
        return found if at_s is None or since is None else tuple(one for one in found if one.stood(since, at_s))
