"""What was seen and decided, block by block, in SQL: cycles, snapshots, oracle rounds, margin calls."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from sqlalchemy import RowMapping, delete, func, insert, select, update

from keeper.domain.action import MarginCall
from keeper.domain.block import BlockRef
from keeper.domain.codec import dumps, loads
from keeper.domain.history import Notice
from keeper.domain.snapshot import Observation
from keeper.store.engine import Database
from keeper.store.tables import cycles, notices, price_history, snapshots

#: Rows a statement names at once; SQLite allows 32,766 variables.
_BATCH = 500


class HasBlock(Protocol):
    """A record that says which block it is about."""

    @property
    def block(self) -> BlockRef:
        """The block."""


C = TypeVar("C", bound=HasBlock)


class Journal(Generic[C]):
    """The history half of `keeper.ports.Store`; `C` is the record of one cycle."""

    _database: Database
    _cycle_type: type[C]

    def append_cycle(self, record: C) -> None:
        """See `Store.append_cycle`."""
        block = record.block
        row = {
            "block_hash": block.hash,
            "block_number": block.number,
            "parent_hash": block.parent_hash,
            "block_time_s": block.timestamp,
            "record": dumps(record),
            "orphaned": False,
        }
        with self._database.writing() as connection:
            connection.execute(delete(cycles).where(cycles.c.block_hash == block.hash))
            connection.execute(insert(cycles).values(row))

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

    def append_snapshot(self, block_hash: str, payload: bytes) -> None:
        """See `Store.append_snapshot`."""
        # Level 1: three times faster than the default and 10 % larger.
        packed = zlib.compress(payload, 1)
        with self._database.writing() as connection:
            connection.execute(delete(snapshots).where(snapshots.c.block_hash == block_hash))
            connection.execute(insert(snapshots).values(block_hash=block_hash, payload=packed))

    def snapshot(self, block_hash: str) -> bytes | None:
        """See `Store.snapshot`."""
        with self._database.reading() as connection:
            packed = connection.scalar(select(snapshots.c.payload).where(snapshots.c.block_hash == block_hash))
            return None if packed is None else zlib.decompress(bytes(packed))

    def prune(self, *, keep_blocks: int) -> int:
        """See `Store.prune`."""
        kept = select(snapshots.c.seq).order_by(snapshots.c.seq.desc()).limit(keep_blocks)
        with self._database.writing() as connection:
            oldest = connection.scalar(select(func.min(kept.subquery().c.seq)))
            old = delete(snapshots) if oldest is None else delete(snapshots).where(snapshots.c.seq < oldest)
            return connection.execute(old).rowcount

    def append_prices(self, block: BlockRef, underlying: int, rounds: Sequence[Observation]) -> None:
        """See `Store.append_prices`."""
        with self._database.writing() as connection:
            for seen in rounds:
                same = (price_history.c.underlying == underlying) & (price_history.c.at_s == seen.time)
                stored = connection.scalar(select(price_history.c.price).where(same))
                if stored == seen.price:
                    continue  # it stays with the block that showed it first
                connection.execute(delete(price_history).where(same))
                row = {"underlying": underlying, "at_s": seen.time, "price": seen.price, "block_hash": block.hash}
                connection.execute(insert(price_history).values(row))

    def prices(self, underlying: int, *, since_s: int) -> tuple[Observation, ...]:
        """See `Store.prices`."""
        query = select(price_history.c.at_s, price_history.c.price).order_by(price_history.c.at_s)
        query = query.where(price_history.c.underlying == underlying, price_history.c.at_s >= since_s)
        with self._database.reading() as connection:
            return tuple(Observation(time=row.at_s, price=row.price) for row in connection.execute(query))

    def append_notice(self, block: BlockRef, call: MarginCall) -> None:
        """See `Store.append_notice`."""
        row = {
            "account": call.account,
            "block_hash": block.hash,
            "block": dumps(block),
            "health_ppm": call.health_ppm,
            "equity": call.equity,
            "mm": call.mm,
            "why": call.why,
            "ended": False,
        }
        same = (notices.c.account == call.account) & (notices.c.block_hash == block.hash)
        with self._database.writing() as connection:
            connection.execute(delete(notices).where(same))
            connection.execute(insert(notices).values(row))

    def called(self) -> tuple[int, ...]:
        """See `Store.called`."""
        query = select(notices.c.account).where(notices.c.ended.is_(False)).distinct().order_by(notices.c.account)
        with self._database.reading() as connection:
            return tuple(connection.scalars(query))

    def end_calls(self, accounts: Iterable[int]) -> None:
        """See `Store.end_calls`."""
        gone = sorted(set(accounts))
        with self._database.writing() as connection:
            for start in range(0, len(gone), _BATCH):
                those = notices.c.account.in_(gone[start : start + _BATCH]) & notices.c.ended.is_(False)
                connection.execute(update(notices).where(those).values(ended=True))

    def notices(self, *, limit: int = 100) -> tuple[Notice, ...]:
        """See `Store.notices`."""
        query = select(notices).order_by(notices.c.seq.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(_notice(row) for row in rows)


def _notice(row: RowMapping) -> Notice:
    numbers = {name: row[name] for name in ("account", "health_ppm", "equity", "mm")}
    call = MarginCall(**numbers, why=row["why"])
    return Notice(block=loads(BlockRef, bytes(row["block"])), call=call, ended=row["ended"])
