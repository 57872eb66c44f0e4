"""What the pure half saw, block by block, in SQL: the shared part of each block whole, of the accounts what changed.

    snapshots   the inputs without their accounts, and which roster they had
    rosters     every account (base is null), or what changed since another roster (base)

Rosters are never rewritten, so one that others build on stays what it was whatever becomes of its block: a reorg's
blocks build on what was stored last, not on their parent.  A process starts with a whole roster, since it does not know
the accounts stored before; pruning turns the oldest roster that is still needed into a whole one, and drops the rest.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import reduce
from threading import Lock

from sqlalchemy import Connection, delete, func, insert, select, update

from keeper.domain import roster_bytes
from keeper.domain.codec import dumps, loads
from keeper.domain.cycle import CycleInputs
from keeper.domain.roster import Roster
from keeper.domain.roster_change import Change
from keeper.errors import BadInput
from keeper.store.engine import Database
from keeper.store.tables import rosters, snapshots

#: Changes in a row after which a roster is written whole all the same: reading one back reads them all.
MOST_CHANGES = 4_096
#: A change of more than one account in this many is no smaller than a whole roster.
_MANY = 4
_BATCH = 500
_HINT = "the store is damaged: restore a backup of it"


class Inputs:
    """The inputs half of `keeper.ports.Store`."""

    _database: Database

    def __init__(self) -> None:
        self._rosters = Lock()
        self._newest: tuple[int, int, Roster] | None = None
        """Number of the roster that this process wrote last, changes since the whole one, and the roster."""

    def append_inputs(self, inputs: CycleInputs) -> None:
        """See `Store.append_inputs`."""
        with self._database.writing() as connection:
            written = self.write_inputs(connection, inputs)
        self.remember_roster(written)

    def write_inputs(self, connection: Connection, inputs: CycleInputs) -> tuple[int, int, Roster]:
        """Write one block's inputs; returns what `remember_roster` takes once the transaction is through."""
        written = self._write_roster(connection, inputs.snapshot.accounts)
        head = replace(inputs, snapshot=replace(inputs.snapshot, accounts=Roster.of(())))
        of_block = snapshots.c.block_hash == inputs.snapshot.block.hash
        connection.execute(delete(snapshots).where(of_block))
        payload = zlib.compress(dumps(head), 1)
        row = {"block_hash": inputs.snapshot.block.hash, "payload": payload, "roster": written[0]}
        connection.execute(insert(snapshots).values(row))
        return written

    def remember_roster(self, written: tuple[int, int, Roster]) -> None:
        """The next change is counted from this roster."""
        with self._rosters:
            self._newest = written

    def _write_roster(self, connection: Connection, roster: Roster) -> tuple[int, int, Roster]:
        with self._rosters:
            newest = self._newest
        if newest is not None:
            base, changes, old = newest
            change = Change.between(old, roster)
            # Another process may have pruned it meanwhile.
            there = connection.scalar(select(rosters.c.seq).where(rosters.c.seq == base)) is not None
            if there and not len(change):
                return base, changes, roster
            if there and changes < MOST_CHANGES and len(change) * _MANY <= max(len(roster), _MANY):
                return _insert(connection, base, change.dump()), changes + 1, roster
        return _insert(connection, None, roster_bytes.dump(roster)), 0, roster

    def inputs(self, block_hash: str) -> CycleInputs | None:
        """See `Store.inputs`."""
        with self._database.reading() as connection:
            row = connection.execute(select(snapshots).where(snapshots.c.block_hash == block_hash)).mappings().first()
            if row is None:
                return None
            head = loads(CycleInputs, zlib.decompress(bytes(row["payload"])))
            if row["roster"] is None:  # written by a version that kept the accounts with the rest
                return head
            roster = _read_roster(connection, row["roster"])
        return replace(head, snapshot=replace(head.snapshot, accounts=roster))

    def prune(self, *, keep_blocks: int) -> int:
        """See `Store.prune`."""
        kept = select(snapshots.c.seq, snapshots.c.roster).order_by(snapshots.c.seq.desc()).limit(keep_blocks)
        with self._database.reading() as connection:
            stay = connection.execute(kept).all()
            needed = {row.roster for row in stay if row.roster is not None}
            oldest = min(needed, default=None)
            # Built and compressed outside of the transaction that writes it: a block in the making waits for that.
            whole = None if oldest is None or _base(connection, oldest) is None else _read_roster(connection, oldest)
        packed = None if whole is None else zlib.compress(roster_bytes.dump(whole), 1)
        with self._database.writing() as connection:
            if packed is not None:
                connection.execute(update(rosters).where(rosters.c.seq == oldest).values(base=None, payload=packed))
            first = min((row.seq for row in stay), default=None)
            old = delete(snapshots) if first is None else delete(snapshots).where(snapshots.c.seq < first)
            dropped = connection.execute(old).rowcount
            needed = set(connection.scalars(select(snapshots.c.roster).where(snapshots.c.roster.is_not(None))))
            # The newest stays, or SQLite would give its number to another while a process still counts from it.
            newest = connection.scalar(select(func.max(rosters.c.seq)))
            _drop_rosters(connection, needed | ({newest} if newest is not None else set()))
        return dropped


def _insert(connection: Connection, base: int | None, payload: bytes) -> int:
    # Level 1: three times faster than the default and 10 % larger.
    row = {"base": base, "payload": zlib.compress(payload, 1)}
    return int(connection.execute(insert(rosters).values(row).returning(rosters.c.seq)).scalar_one())


def _base(connection: Connection, seq: int) -> int | None:
    return connection.scalar(select(rosters.c.base).where(rosters.c.seq == seq))


def _read_roster(connection: Connection, seq: int) -> Roster:
    """A roster: the whole one that it builds on, and the changes since.  Raises: `BadInput` if one is missing."""
    changes: list[Change] = []
    at = seq
    while True:
        row = connection.execute(select(rosters).where(rosters.c.seq == at)).mappings().first()
        if row is None:
            raise BadInput(f"the accounts of a stored block are gone: roster {at} is missing", hint=_HINT, roster=at)
        data = zlib.decompress(bytes(row["payload"]))
        if row["base"] is None:
            whole = roster_bytes.load(data)
            return reduce(Change.then, reversed(changes)).after(whole) if changes else whole
        changes.append(Change.load(data))
        at = row["base"]


def _drop_rosters(connection: Connection, needed: set[int]) -> None:
    """Drop rosters that no kept block needs, directly or as what another builds on."""
    bases = {row.seq: row.base for row in connection.execute(select(rosters.c.seq, rosters.c.base))}
    stay: set[int] = set()
    for seq in needed:
        at: int | None = seq
        while at is not None and at not in stay:
            stay.add(at)
            at = bases.get(at)
    gone = sorted(bases.keys() - stay)
    for start in range(0, len(gone), _BATCH):
        connection.execute(delete(rosters).where(rosters.c.seq.in_(gone[start : start + _BATCH])))
