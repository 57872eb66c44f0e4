"""Inputs of publications and signed-off models, in SQL.

An inputs file is never pruned: what is on-chain can be asked about for as long as the chain stands.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

from sqlalchemy import insert, select, update

from keeper.domain.updates import KeptInputs, ShadowRun, SignOff
from keeper.store.engine import Database
from keeper.store.tables import model_sign_offs, publication_inputs, shadow_runs

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

    def keep_shadow(self, run: ShadowRun) -> ShadowRun:
        """See `Updates.keep_shadow`."""
        values = {name: given for name, given in vars(run).items() if name != "number"}
        with self._database.writing() as connection:
            if run.number:
                connection.execute(update(shadow_runs).where(shadow_runs.c.number == run.number).values(**values))
                return run
            number = connection.execute(insert(shadow_runs).values(**values)).inserted_primary_key
        assert number is not None, "the table counts by itself"
        return replace(run, number=number[0])

    def shadows(self) -> tuple[ShadowRun, ...]:
        """See `Updates.shadows`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(shadow_runs).order_by(shadow_runs.c.number)).mappings()
            return tuple(ShadowRun(**row) for row in rows)
