"""Transactions in SQL: the intent as it was decided, its state, and every attempt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, insert, select, update

from keeper.domain.block import BlockRef
from keeper.domain.codec import dumps, loads
from keeper.domain.tx import TxAttempt, TxIntent, TxRecord, TxState
from keeper.domain.tx_flow import check_new, check_step
from keeper.errors import LawBroken, Refused
from keeper.store.engine import Database
from keeper.store.tables import OPEN_STATES, attempts, intents


class Outbox:
    """The transaction half of `keeper.ports.Store`."""

    _database: Database

    def together(self) -> AbstractContextManager[None]:
        """See `Store.together`."""
        return self._database.together()

    def put_intent(self, record: TxRecord) -> TxRecord:
        """See `Store.put_intent`."""
        check_new(record)
        intent = record.intent
        with self._database.writing() as connection:
            if stored := _one(connection, intents.c.key == intent.key):
                return stored
            same = (intents.c.kind == intent.kind) & (intents.c.subject == intent.subject)
            if rival := _one(connection, same & intents.c.state.in_(OPEN_STATES)):
                raise Refused(
                    f"{intent.kind} {intent.subject} is already under way as {rival.intent.key} ({rival.state})",
                    key=intent.key,
                    open_key=rival.intent.key,
                )
            names = {"key": intent.key, "kind": intent.kind, "subject": intent.subject, "intent": dumps(intent)}
            connection.execute(insert(intents).values(**names, **_progress(record)))
        return record

    def update_tx(self, record: TxRecord) -> None:
        """See `Store.update_tx`."""
        key = record.intent.key
        with self._database.writing() as connection:
            stored = _one(connection, intents.c.key == key)
            if stored is None:
                raise LawBroken(f"transaction {key} was never put into the store", key=key)
            check_step(stored, record)
            connection.execute(update(intents).where(intents.c.key == key).values(**_progress(record)))
            for position in range(len(stored.attempts), len(record.attempts)):
                connection.execute(insert(attempts).values(_attempt_row(key, position, record.attempts[position])))

    def tx(self, key: str) -> TxRecord | None:
        """See `Store.tx`."""
        with self._database.reading() as connection:
            return _one(connection, intents.c.key == key)

    def open_txs(self) -> tuple[TxRecord, ...]:
        """See `Store.open_txs`."""
        query = select(intents).where(intents.c.state.in_(OPEN_STATES)).order_by(intents.c.seq)
        with self._database.reading() as connection:
            return records(connection, query)

    def abandoned_txs(self) -> tuple[TxRecord, ...]:
        """See `Store.abandoned_txs`."""
        query = select(intents).where(intents.c.state == TxState.ABANDONED.value).order_by(intents.c.seq)
        with self._database.reading() as connection:
            return records(connection, query)

    def txs(self, *, limit: int = 100) -> tuple[TxRecord, ...]:
        """See `Store.txs`."""
        with self._database.reading() as connection:
            return records(connection, select(intents).order_by(intents.c.seq.desc()).limit(limit))

    def highest_nonce(self, sender: str) -> int | None:
        """See `Store.highest_nonce`."""
        query = select(func.max(intents.c.nonce)).where(intents.c.sender == sender, intents.c.state.in_(OPEN_STATES))
        with self._database.reading() as connection:
            highest = connection.scalar(query)
        return None if highest is None else int(highest)


def _progress(record: TxRecord) -> dict[str, Any]:
    """The columns that move."""
    return {
        "state": record.state.value,
        "sender": record.sender,
        "nonce": record.nonce,
        "mined": None if record.mined is None else dumps(record.mined),
        "mined_hash": record.mined_hash,
        "gas_used": record.gas_used,
        "reason": record.reason,
    }


def _attempt_row(key: str, position: int, attempt: TxAttempt) -> dict[str, Any]:
    return {
        "key": key,
        "position": position,
        "tx_hash": attempt.tx_hash,
        "raw": attempt.raw,
        "max_fee_wei": attempt.max_fee_wei,
        "priority_fee_wei": attempt.priority_fee_wei,
        "block_number": attempt.block_number,
        "cancels": attempt.cancels,
    }


def _one(connection: Connection, condition: ColumnElement[bool]) -> TxRecord | None:
    found = records(connection, select(intents).where(condition))
    return found[0] if found else None


def records(connection: Connection, query: Select[Any]) -> tuple[TxRecord, ...]:
    """The records of rows of `intents`, with their attempts."""
    rows = connection.execute(query).mappings().all()
    signed = _attempts_of(connection, [row["key"] for row in rows])
    return tuple(_record(row, signed[row["key"]]) for row in rows)


def _attempts_of(connection: Connection, keys: Sequence[str]) -> dict[str, list[TxAttempt]]:
    query = select(attempts).where(attempts.c.key.in_(keys)).order_by(attempts.c.key, attempts.c.position)
    found: dict[str, list[TxAttempt]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        found[row["key"]].append(
            TxAttempt(
                tx_hash=row["tx_hash"],
                raw=bytes(row["raw"]),
                max_fee_wei=row["max_fee_wei"],
                priority_fee_wei=row["priority_fee_wei"],
                block_number=row["block_number"],
                cancels=bool(row["cancels"]),
            )
        )
    return found


def _record(row: RowMapping, signed: list[TxAttempt]) -> TxRecord:
    return TxRecord(
        intent=loads(TxIntent, bytes(row["intent"])),
        state=TxState(row["state"]),
        sender=row["sender"],
        nonce=row["nonce"],
        attempts=tuple(signed),
        mined=None if row["mined"] is None else loads(BlockRef, bytes(row["mined"])),
        mined_hash=row["mined_hash"],
        gas_used=row["gas_used"],
        reason=row["reason"],
    )
