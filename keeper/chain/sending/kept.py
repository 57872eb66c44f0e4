"""The store's open and abandoned records, in memory beside it.

Every step asks what is in flight; reading and parsing it from a database each time would cost more than the step.  One
process writes a store's transactions (`keeper nonce repair` refuses to beside a running keeper), so what was read once
and written since is what is there.  Where a write ended in an error, which may have come after the commit, all of it is
read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keeper.domain.tx import TxRecord, TxState
from keeper.ports import Store


class Kept:
    """Open and abandoned transactions.

    Args:
        store: where they are durable.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, TxRecord] = {}
        self._abandoned: dict[str, TxRecord] = {}
        self._read = False

    def forget(self) -> None:
        """Read all of it again when it is asked for next."""
        self._read = False

    def open(self) -> tuple[TxRecord, ...]:
        """See `Store.open_txs`."""
        self._fresh()
        return tuple(self._open.values())

    def abandoned(self) -> tuple[TxRecord, ...]:
        """See `Store.abandoned_txs`."""
        self._fresh()
        return tuple(self._abandoned.values())

    @contextmanager
    def together(self) -> Iterator[None]:
        """See `Store.together`."""
        self._fresh()
        try:
            with self._store.together():
                yield
        except BaseException:
            self._read = False
            raise

    def put(self, record: TxRecord) -> TxRecord:
        """See `Store.put_intent`."""
        self._fresh()
        self._read = False
        stored = self._store.put_intent(record)
        self._read = True
        return self._note(stored)

    def save(self, record: TxRecord) -> TxRecord:
        """See `Store.update_tx`.  Returns: the record."""
        self._fresh()
        self._read = False
        self._store.update_tx(record)
        self._read = True
        return self._note(record)

    def _note(self, record: TxRecord) -> TxRecord:
        key = record.intent.key
        for kept, belongs in ((self._open, record.state.is_open), (self._abandoned, _given_up(record))):
            if belongs:
                kept[key] = record
            else:
                kept.pop(key, None)
        return record

    def _fresh(self) -> None:
        if not self._read:
            self._open = {record.intent.key: record for record in self._store.open_txs()}
            self._abandoned = {record.intent.key: record for record in self._store.abandoned_txs()}
            self._read = True


def _given_up(record: TxRecord) -> bool:
    return record.state is TxState.ABANDONED
