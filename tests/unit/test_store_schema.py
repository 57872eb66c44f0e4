"""The schema: migrations build what the tables say, numbers are exact and sorted, commits are durable."""

from __future__ import annotations

import random  # noqa: TID251 - shuffles a list, seeded
from decimal import Decimal

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from keeper.errors import LawBroken
from keeper.store import open_store
from keeper.store.schema import newest
from keeper.store.tables import metadata
from keeper.store.types import Int256, UInt256

SQLITE = sqlite.dialect()
POSTGRES = postgresql.dialect()


def test_migrations__from_nothing__build_the_tables(tmp_path):
    """What the migrations build and what the queries expect are one schema."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    open_store(url).close()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == newest()
    engine.dispose()


def test_open__twice__keeps_what_was_written(tmp_path):
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    first = open_store(url)
    first.heartbeat("loop", 1, 2)
    first.close()
    second = open_store(url)
    assert second.heartbeats() == {"loop": (1, 2)}
    second.close()


def test_sqlite__pragmas__durable_and_checked(tmp_path):
    """WAL and synchronous=FULL: a commit is on disk when it returns.  2 is FULL."""
    store = open_store(f"sqlite:///{tmp_path}/keeper.sqlite")
    with store._database.reading() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert values == ["wal", 2, 1]
    store.close()


def test_postgresql__ddl__compiles_with_exact_numbers():
    ddl = "".join(str(CreateTable(table).compile(dialect=POSTGRES)) for table in metadata.sorted_tables)
    assert "max_fee_wei NUMERIC(78, 0) NOT NULL" in ddl
    assert "seq BIGSERIAL NOT NULL" in ddl


@pytest.mark.parametrize("kind", [UInt256(), Int256()])
@given(st.data())
def test_numbers__any_in_range__round_trip_and_keep_their_order(kind, data):
    """Exact on both databases, and text sorts as the numbers do."""
    numbers = st.integers(kind.low, kind.high) | st.sampled_from([kind.low, -1, 0, 1, 2**53 + 1, kind.high])
    a, b = (data.draw(numbers.filter(lambda n: n >= kind.low)) for _ in range(2))
    text_a, text_b = (kind.process_bind_param(n, SQLITE) for n in (a, b))
    assert (text_a < text_b) == (a < b)
    assert len(text_a) == len(text_b)
    for dialect in (SQLITE, POSTGRES):
        assert kind.process_result_value(kind.process_bind_param(a, dialect), dialect) == a
    assert kind.process_bind_param(a, POSTGRES) == Decimal(a)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (UInt256(), -1),
        (UInt256(), 2**256),
        (Int256(), 2**255),
        (Int256(), -(2**255) - 1),
        (UInt256(), 1.0),
        (UInt256(), True),
    ],
)
def test_numbers__out_of_range_or_not_whole__law_broken(kind, value):
    for dialect in (SQLITE, POSTGRES):
        with pytest.raises(LawBroken):
            kind.process_bind_param(value, dialect)


def test_numbers__in_sqlite__order_by_and_max_are_right():
    """The database itself sorts them, negative numbers included."""
    table = sa.Table("t", sa.MetaData(), sa.Column("u", UInt256), sa.Column("s", Int256))
    values = [0, 1, 2**53, 2**53 + 1, 2**255 - 1, 9, 10]
    rows = [{"u": value, "s": sign * value} for value in values for sign in (1, -1)] + [{"u": None, "s": None}]
    random.Random(1).shuffle(rows)
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(sa.insert(table), rows)
        assert connection.scalar(sa.select(sa.func.max(table.c.u))) == 2**255 - 1
        assert connection.scalar(sa.select(sa.func.min(table.c.s))) == -(2**255) + 1
        ordered = connection.scalars(sa.select(table.c.s).where(table.c.s.is_not(None)).order_by(table.c.s)).all()
        assert ordered == sorted(ordered)
    engine.dispose()
