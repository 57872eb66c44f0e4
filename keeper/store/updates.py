"""Inputs of publications and signed-off models, in SQL.

An inputs file is never pruned: what is on-chain can be asked about for as long as the chain stands.
"""

from __future__ import annotations

import zlib

from sqlalchemy import insert, select

from keeper.domain.updates import KeptInputs, SignOff
from keeper.store.engine import Database
from keeper.store.tables import model_sign_offs, publication_inputs

_INDEX = [column for column in publication_inputs.c if column.name not in ("seq", "payload")]


class Updates:
    """See `keeper.ports.Updates`."""

    _database: Database

    def keep_inputs(self, kept: KeptInputs, data: bytes) -> None:
        """See `Updates.keep_inputs`."""
        known = select(publication_inputs.c.seq).where(publication_inputs.c.hash == kept.hash)
        with self._database.writing() as connection:
            if connection.scalar(known) is None:
                connection.execute(insert(publication_inputs).values(**vars(kept), payload=zlib.compress(data)))

    def inputs_file(self, hash_: str) -> bytes | None:
        """See `Updates.inputs_file`."""
        query = select(publication_inputs.c.payload).where(publication_inputs.c.hash == hash_)
        with self._database.reading() as connection:
            payload = connection.scalar(query)
        return None if payload is None else zlib.decompress(bytes(payload))

    def kept_inputs(
        self, *, symbol: str | None = None, publication: int | None = None, limit: int = 100
    ) -> tuple[KeptInputs, ...]:
        """See `Updates.kept_inputs`."""
        query = select(*_INDEX).order_by(publication_inputs.c.seq.desc()).limit(limit)
        if symbol is not None:
            query = query.where(publication_inputs.c.symbol == symbol)
        if publication is not None:
            query = query.where(publication_inputs.c.publication == publication)
        with self._database.reading() as connection:
            return tuple(KeptInputs(**row) for row in connection.execute(query).mappings())

    def sign_off(self, signed: SignOff) -> None:
        """See `Updates.sign_off`."""
        with self._database.writing() as connection:
            connection.execute(insert(model_sign_offs).values(**vars(signed)))

    def sign_offs(self) -> tuple[SignOff, ...]:
        """See `Updates.sign_offs`."""
        columns = [column for column in model_sign_offs.c if column.name != "seq"]
        query = select(*columns).order_by(model_sign_offs.c.seq)
        with self._database.reading() as connection:
            return tuple(SignOff(**row) for row in connection.execute(query).mappings())
