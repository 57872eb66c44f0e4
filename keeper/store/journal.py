"""What was decided, block by block, in SQL: cycles, oracle rounds, margin calls.

What it was decided on is in `keeper.store.inputs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from keeper.domain.action import MarginCall
from keeper.domain.block import BlockRef
from keeper.domain.codec import dumps, loads
from keeper.domain.cycle import CycleInputs
from keeper.domain.history import Notice
from keeper.domain.snapshot import Observation
from keeper.store.engine import Database
from keeper.store.inputs import Inputs
from keeper.store.tables import cycles, notices, price_history

#: Rows a statement names at once; SQLite allows 32,766 variables.
_BATCH = 500


class HasBlock(Protocol):
    """A record that says which block it is about."""

    @property
    def block(self) -> BlockRef:
        """The block."""


C = TypeVar("C", bound=HasBlock)


@dataclass(frozen=True)
class _Rounds:
    """Rounds of one underlying as they were read."""

    since_s: int
    writes: int
    """Writes of this process before them."""
    size: tuple[int, int | None]
    """How many the table had then, and the time of the newest: another process would have moved it."""
    found: tuple[Observation, ...]


class Journal(Inputs, Generic[C]):
    """The history half of `keeper.ports.Store`; `C` is the record of one cycle."""

    _database: Database
    _cycle_type: type[C]

    def __init__(self) -> None:
        super().__init__()
        self._prices_lock = Lock()
        #: Each block asks for weeks of rounds, of which one at most is new.
        self._prices: dict[int, _Rounds] = {}
        self._price_writes = 0

    def append_lived(self, inputs: CycleInputs, record: C, *, ended: Iterable[int]) -> None:
        """See `Store.append_lived`."""
        with self._database.writing() as connection:
            written = self.write_inputs(connection, inputs)
            _write_cycle(connection, record)
            _end_calls(connection, ended)
        self.remember_roster(written)

    def append_cycle(self, record: C) -> None:
        """See `Store.append_cycle`."""
        with self._database.writing() as connection:
            _write_cycle(connection, record)

    def cycle(self, block_hash: str) -> C | None:
        """See `Store.cycle`."""
        with self._database.reading() as connection:
            data = connection.scalar(select(cycles.c.record).where(cycles.c.block_hash == block_hash))
        return None if data is None else loads(self._cycle_type, bytes(data))

    def cycle_at(self, number: int) -> C | None:
        """See `Store.cycle_at`."""
        query = select(cycles.c.record).where(cycles.c.block_number == number, cycles.c.orphaned.is_(False))
        with self._database.reading() as connection:
            data = connection.scalar(query.order_by(cycles.c.seq.desc()).limit(1))
        return None if data is None else loads(self._cycle_type, bytes(data))

    def cycles(self, *, limit: int = 100) -> tuple[C, ...]:
        """See `Store.cycles`."""
        query = select(cycles.c.record).where(cycles.c.orphaned.is_(False))
        query = query.order_by(cycles.c.block_number.desc(), cycles.c.seq.desc()).limit(limit)
        with self._database.reading() as connection:
            return tuple(loads(self._cycle_type, bytes(data)) for data in connection.scalars(query))

    def orphan_cycles(self, hashes: Iterable[str]) -> None:
        """See `Store.orphan_cycles`."""
        gone = list(hashes)
        with self._database.writing() as connection:
            for start in range(0, len(gone), _BATCH):
                batch = gone[start : start + _BATCH]
                connection.execute(update(cycles).where(cycles.c.block_hash.in_(batch)).values(orphaned=True))
                connection.execute(delete(price_history).where(price_history.c.block_hash.in_(batch)))
                # A call that nobody's block shows must not silence the next one.
                connection.execute(update(notices).where(notices.c.block_hash.in_(batch)).values(ended=True))
        self._prices_change()

    def lived(self, *, limit: int) -> tuple[BlockRef, ...]:
        """See `Store.lived`."""
        named = (cycles.c.block_number, cycles.c.block_hash, cycles.c.parent_hash, cycles.c.block_time_s)
        query = select(*named).where(cycles.c.orphaned.is_(False))
        query = query.order_by(cycles.c.block_number.desc(), cycles.c.seq.desc()).limit(limit)
        with self._database.reading() as connection:
            return tuple(BlockRef(*row) for row in connection.execute(query))

    def strays(self) -> tuple[str, ...]:
        """See `Store.strays`."""
        query = select(price_history.c.block_hash).distinct().order_by(price_history.c.block_hash)
        query = query.where(price_history.c.block_hash.not_in(select(cycles.c.block_hash)))
        with self._database.reading() as connection:
            return tuple(connection.scalars(query))

    def append_prices(self, block: BlockRef, underlying: int, rounds: Sequence[Observation]) -> None:
        """See `Store.append_prices`."""
        with self._database.reading() as connection:
            news = _unknown_rounds(connection, underlying, rounds)
        if not news:  # the usual block: nothing is written, and nobody waited for
            return
        with self._database.writing() as connection:
            for seen in _unknown_rounds(connection, underlying, news):
                same = (price_history.c.underlying == underlying) & (price_history.c.at_s == seen.time)
                connection.execute(delete(price_history).where(same))
                row = {"underlying": underlying, "at_s": seen.time, "price": seen.price, "block_hash": block.hash}
                connection.execute(insert(price_history).values(row))
        self._prices_change()

    def prices(self, underlying: int, *, since_s: int) -> tuple[Observation, ...]:
        """See `Store.prices`."""
        with self._prices_lock:
            writes, kept = self._price_writes, self._prices.get(underlying)
        with self._database.reading() as connection:
            size = _rounds_kept(connection, underlying)
            if kept is None or kept.since_s > since_s or (kept.writes, kept.size) != (writes, size):
                found = _rounds(connection, underlying, since_s)
                kept = _Rounds(since_s=since_s, writes=writes, size=size, found=found)
        with self._prices_lock:
            self._prices[underlying] = kept
        return tuple(seen for seen in kept.found if seen.time >= since_s)

    def _prices_change(self) -> None:
        """What was read of rounds before is not what is there now."""
        with self._prices_lock:
            self._price_writes += 1

    def append_notices(self, block: BlockRef, calls: Sequence[MarginCall]) -> None:
        """See `Store.append_notices`."""
        rows = [
            {
                "account": call.account,
                "block_hash": block.hash,
                "block": dumps(block),
                "health_ppm": call.health_ppm,
                "equity": call.equity,
                "mm": call.mm,
                "why": call.why,
                "ended": False,
            }
            for call in calls
        ]
        if not rows:
            return
        with self._database.writing() as connection:
            for start in range(0, len(rows), _BATCH):
                batch = rows[start : start + _BATCH]
                named = notices.c.account.in_([row["account"] for row in batch])
                connection.execute(delete(notices).where(named & (notices.c.block_hash == block.hash)))
                connection.execute(insert(notices), batch)

    def called(self) -> tuple[int, ...]:
        """See `Store.called`."""
        query = select(notices.c.account).where(notices.c.ended.is_(False)).distinct().order_by(notices.c.account)
        with self._database.reading() as connection:
            return tuple(connection.scalars(query))

    def end_calls(self, accounts: Iterable[int]) -> None:
        """See `Store.end_calls`."""
        with self._database.writing() as connection:
            _end_calls(connection, accounts)

    def notices(self, *, limit: int = 100) -> tuple[Notice, ...]:
        """See `Store.notices`."""
        query = select(notices).order_by(notices.c.seq.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(_notice(row) for row in rows)


def _write_cycle(connection: Connection, record: HasBlock) -> None:
    block = record.block
    row = {
        "block_hash": block.hash,
        "block_number": block.number,
        "parent_hash": block.parent_hash,
        "block_time_s": block.timestamp,
        "record": dumps(record),
        "orphaned": False,
    }
    connection.execute(delete(cycles).where(cycles.c.block_hash == block.hash))
    connection.execute(insert(cycles).values(row))


def _end_calls(connection: Connection, accounts: Iterable[int]) -> None:
    gone = sorted(set(accounts))
    for start in range(0, len(gone), _BATCH):
        those = notices.c.account.in_(gone[start : start + _BATCH]) & notices.c.ended.is_(False)
        connection.execute(update(notices).where(those).values(ended=True))


def _rounds_kept(connection: Connection, underlying: int) -> tuple[int, int | None]:
    """How many rounds there are, and the time of the newest."""
    query = select(func.count(), func.max(price_history.c.at_s)).where(price_history.c.underlying == underlying)
    count, newest = connection.execute(query).one()
    return count, newest


def _rounds(connection: Connection, underlying: int, since_s: int) -> tuple[Observation, ...]:
    query = select(price_history.c.at_s, price_history.c.price).order_by(price_history.c.at_s)
    query = query.where(price_history.c.underlying == underlying, price_history.c.at_s >= since_s)
    return tuple(Observation(time=row.at_s, price=row.price) for row in connection.execute(query))


def _unknown_rounds(connection: Connection, underlying: int, rounds: Sequence[Observation]) -> list[Observation]:
    """Rounds that are not stored, or with another price; those that are stay with the block that showed them first."""
    times = [seen.time for seen in rounds]
    known: dict[int, int] = {}
    for start in range(0, len(times), _BATCH):
        query = select(price_history.c.at_s, price_history.c.price).where(
            price_history.c.underlying == underlying, price_history.c.at_s.in_(times[start : start + _BATCH])
        )
        known |= {row.at_s: row.price for row in connection.execute(query)}
    return [seen for seen in rounds if known.get(seen.time) != seen.price]


def _notice(row: RowMapping) -> Notice:
    numbers = {name: row[name] for name in ("account", "health_ppm", "equity", "mm")}
    call = MarginCall(**numbers, why=row["why"])
    return Notice(block=loads(BlockRef, bytes(row["block"])), call=call, ended=row["ended"])
