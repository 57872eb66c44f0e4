"""The ledger in SQL: refusals, outcomes, and which way each intent went out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, func, insert, select, tuple_

from keeper.domain.tx import TxRecord, TxState
from keeper.domain.worth import Realised, Refusal
from keeper.store.engine import Database
from keeper.store.outbox import records
from keeper.store.tables import intents, realised, refusals, sends

#: States in which a nonce is used for good.
_OVER = tuple(state.value for state in (TxState.FINAL, TxState.REVERTED, TxState.REPLACED))
#: Only the newest intents are looked through for one not measured yet: an old store has millions.
_WINDOW = 5_000


class Ledger:
    """See `keeper.ports.Ledger`."""

    _database: Database

    def refusals(self) -> tuple[Refusal, ...]:
        """See `Ledger.refusals`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(refusals).order_by(refusals.c.kind, refusals.c.subject)).mappings()
            return tuple(Refusal(**row) for row in rows)

    def refuse(self, refusals_: Iterable[Refusal], *, forget_before: int) -> None:
        """See `Ledger.refuse`."""
        new = {(one.kind, one.subject): one for one in refusals_}
        with self._database.writing() as connection:
            connection.execute(delete(refusals).where(refusals.c.last_block < forget_before))
            _drop(connection, new)
            rows = [vars(one) for one in new.values() if one.last_block >= forget_before]
            if rows:
                connection.execute(insert(refusals), rows)

    def forgive(self, done: Iterable[tuple[str, str]]) -> None:
        """See `Ledger.forgive`."""
        with self._database.writing() as connection:
            _drop(connection, done)

    def unmeasured(self, *, limit: int) -> tuple[TxRecord, ...]:
        """See `Ledger.unmeasured`."""
        newest = select(func.coalesce(func.max(intents.c.seq), 0) - _WINDOW).scalar_subquery()
        query = select(intents).where(intents.c.seq > newest, intents.c.state.in_(_OVER))
        known = select(realised.c.key).where(realised.c.key == intents.c.key).exists()
        query = query.where(~known).order_by(intents.c.seq).limit(limit)
        with self._database.reading() as connection:
            return records(connection, query)

    def append_realised(self, outcome: Realised) -> None:
        """See `Ledger.append_realised`."""
        with self._database.writing() as connection:
            connection.execute(delete(realised).where(realised.c.key == outcome.key))
            connection.execute(insert(realised).values(vars(outcome)))

    def realised(self, *, since_s: int) -> tuple[Realised, ...]:
        """See `Ledger.realised`."""
        query = select(realised).where(realised.c.at_s >= since_s).order_by(realised.c.at_s, realised.c.key)
        with self._database.reading() as connection:
            return tuple(Realised(**row) for row in connection.execute(query).mappings())

    def note_sent(self, key: str, via: str, block_number: int) -> None:
        """See `Ledger.note_sent`."""
        with self._database.writing() as connection:
            known = select(sends.c.via).where(sends.c.key == key, sends.c.via == via)
            if connection.execute(known).first() is None:
                connection.execute(insert(sends).values(key=key, via=via, block_number=block_number))

    def sent(self, key: str) -> dict[str, int]:
        """See `Ledger.sent`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(sends.c.via, sends.c.block_number).where(sends.c.key == key))
            return {row.via: row.block_number for row in rows}


def _drop(connection: Any, of: Iterable[tuple[str, str]]) -> None:
    wanted = list(of)
    for start in range(0, len(wanted), 500):
        batch = wanted[start : start + 500]
        connection.execute(delete(refusals).where(tuple_(refusals.c.kind, refusals.c.subject).in_(batch)))
