"""Defect 8: the process ended in the middle of a write, and what it left could not be read, or was half of the truth.

The deaths are real: a process forked from this one kills itself with SIGKILL after one statement or commit.
"""

import shutil
import zlib
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, func, insert, select, update

from keeper.domain.codec import dumps
from keeper.domain.tx import TxAttempt, TxRecord, TxState
from keeper.domain.tx_flow import check_step
from keeper.store import open_store
from keeper.store.outbox import Outbox, _attempt_row, _progress
from keeper.store.progress import Progress
from keeper.store.tables import attempts, intents, sync
from keeper.testing.builders import a_block
from keeper.testing.counter_world import an_intent
from keeper.testing.toy import ToyKeeper, ToyWorld
from tests.defects.frame import defect
from tests.faults.test_kill import die, forked, killed

pytestmark = pytest.mark.chain


def deaths(folder, act):
    """`act(store)` over and over on copies of `folder`/start.sqlite, killed after its first step, its second, ….

    A step is a statement that changes something, or a commit.
    Yields: what each process left, as an open store; the last one lived to its end.
    """
    for count in range(1, 1_000):
        file = folder / f"{count}.sqlite"
        shutil.copy(folder / "start.sqlite", file)

        def life(file=file, count=count):
            left = [count]

            def step(*_):
                left[0] -= 1
                if not left[0]:
                    die()

            store = open_store(f"sqlite:///{file}")
            event.listen(Engine, "after_cursor_execute", lambda *told: None if told[2].startswith("SELECT") else step())
            event.listen(Engine, "commit", step)
            act(store)

        status = forked(life)
        store = open_store(f"sqlite:///{file}")
        yield store
        store.close()
        if not killed(status):
            assert status == 0
            assert count > 3, "the life was really cut at several points"
            return


# The index


def cursor_then_state(patch):
    """`db.set("cursor", block); db.set("state", dump)`: two writes, and the cursor promises what is not there yet."""

    def save(self, cursor, state):
        with self._database.writing() as connection:
            if connection.scalar(select(func.count()).select_from(sync)):
                connection.execute(update(sync).values(cursor=dumps(cursor)))
            else:
                connection.execute(insert(sync).values(id=1, cursor=dumps(cursor), state=zlib.compress(state, 1)))
        with self._database.writing() as connection:
            connection.execute(sync.delete())
            connection.execute(insert(sync).values(id=1, cursor=dumps(cursor), state=zlib.compress(state, 1)))

    def append(self, cursor, more):
        with self._database.writing() as connection:
            last = connection.scalar(select(func.max(sync.c.id)))
            connection.execute(insert(sync).values(id=last + 1, cursor=dumps(cursor), state=zlib.compress(b"", 1)))
        with self._database.writing() as connection:
            connection.execute(update(sync).where(sync.c.id == last + 1).values(state=zlib.compress(more, 1)))

    patch.setattr(Progress, "save_sync", save)
    patch.setattr(Progress, "append_sync", append)


class House:
    """A toy house whose accounts change in every block, and keepers that only read it."""

    def __init__(self):
        self.world = ToyWorld.fast()
        self.world.reset()
        self.accounts = set()

    def blocks(self, number):
        for _ in range(number):
            height = self.world.chain.block().number
            self.accounts.add(height)
            self.world.do("setAccount", height, 1000 + height, 1)
            self.world.do("setAccount", 1, 2000 + height, 1)
            self.world.chain.mine()

    def keeper(self, store):
        world = self.world
        return ToyKeeper(world.rpc(), store, world.signers(), house=world.house, deployed_at=world.deployed_at)

    def follow(self, store, first, last):
        """Block by block."""
        keeper = self.keeper(store)
        for number in range(first, last + 1):
            keeper.sync.sync_to(self.world.chain.block(number))
        return keeper.index.state

    def truth(self):
        return self.world.state([1, *self.accounts]).accounts


@defect(8, mutant=cursor_then_state)
def test_killed_while_it_stores_the_index__the_next_life_knows_everybody(tmp_path):
    """RD-1: whatever statement was the last one, what was stored and what is read since make the whole house."""
    house = House()
    house.blocks(20)
    first = house.world.chain.block().number
    store = open_store(f"sqlite:///{tmp_path}/start.sqlite")
    house.follow(store, first, first)
    store.close()
    house.blocks(5)
    last = house.world.chain.block().number
    for left in deaths(tmp_path, lambda store: house.follow(store, first, last)):
        assert house.follow(left, last, last).accounts == house.truth()


# What was signed


def state_then_attempts(patch):
    """`tx.state = "signed"; tx.save(); for a in attempts: a.save()`: a row of the one without rows of the other."""

    def one_by_one(self, record):
        stored, key = self.tx(record.intent.key), record.intent.key
        check_step(stored, record)
        with self._database.writing() as connection:
            connection.execute(update(intents).where(intents.c.key == key).values(**_progress(record)))
        for position in range(len(stored.attempts), len(record.attempts)):
            with self._database.writing() as connection:
                connection.execute(insert(attempts).values(_attempt_row(key, position, record.attempts[position])))

    patch.setattr(Outbox, "update_tx", one_by_one)


@defect(8, mutant=state_then_attempts)
def test_killed_while_it_stores_what_it_signed__all_of_it_is_there_or_nothing(tmp_path):
    """TX-2: state, nonce and every attempt's bytes arrive together: without its bytes a nonce is blocked for ever."""
    planned = TxRecord(intent=an_intent("0x" + "11" * 20, a_block()), state=TxState.PLANNED)
    signed = replace(
        planned,
        state=TxState.SIGNED,
        sender="0x" + "22" * 20,
        nonce=0,
        attempts=tuple(
            TxAttempt(tx_hash=name, raw=b"raw", max_fee_wei=1, priority_fee_wei=1, block_number=1)
            for name in ("0xaa", "0xbb")
        ),
    )
    store = open_store(f"sqlite:///{tmp_path}/start.sqlite")
    store.put_intent(planned)
    store.close()
    seen = []
    for left in deaths(tmp_path, lambda store: store.update_tx(signed)):
        assert left.tx(planned.intent.key) in (planned, signed)
        seen.append(left.tx(planned.intent.key))
    assert seen[0] == planned
    assert seen[-1] == signed
