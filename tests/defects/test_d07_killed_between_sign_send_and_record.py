"""Defect 7: kill -9 between sign, send and record lost a transaction, or sent a second one for the same intent.

The deaths are real: a process forked from this one kills itself with SIGKILL, and another one recovers.
"""

from dataclasses import replace

import pytest

from keeper.chain.sending.dispatch import Dispatch
from keeper.chain.sending.outbox import Outbox
from keeper.domain.tx import TxState
from keeper.store import open_store
from tests.defects.frame import defect
from tests.faults.test_kill import POINTS, World, killed

pytestmark = pytest.mark.chain

#: Where the first life ends.
BETWEEN = (
    "between sign and record",
    "between stored and broadcast",
    "between broadcast and record",
    "after the broadcast is recorded",
)


def sends_then_stores(patch):
    """`hash = node.send(signed); db.save(hash)`: what was signed is in memory only until the node answers."""
    save = Dispatch.save

    def late(self, record):
        if record.state is TxState.SIGNED:
            return record
        if self._kept._store.tx(record.intent.key).state is TxState.PLANNED:
            save(self, replace(record, state=TxState.SIGNED))
        return save(self, record)

    patch.setattr(Dispatch, "save", late)


def starts_clean(patch):
    """`UPDATE txs SET state = 'failed' WHERE state = 'pending'` at every start: nobody waits for those any more."""
    recover = Outbox.recover

    def clean(self, head):
        for record in self._kept.open():
            if record.state is not TxState.MINED:
                left = TxState.DROPPED if record.state is TxState.PLANNED else TxState.ABANDONED
                self._dispatch.save(replace(record, state=left, reason="left over"))
        return recover(self, head)

    patch.setattr(Outbox, "recover", clean)


def law(folder, *, automine):
    """Whatever line was the last one, the next life finishes the work, at the same nonce, once."""
    for place, point in enumerate(BETWEEN):
        (folder / str(place)).mkdir()
        world = World(folder / str(place))
        try:
            world.rpc().request("evm_setAutomine", automine)
            assert killed(world.keeper(point=POINTS[point])), point
            assert world.keeper() == 0, point  # it recovers, and decides the same thing again
            store = open_store(world.database)
            assert [(one.state, one.nonce) for one in store.txs()] == [(TxState.FINAL, 0)], point
            store.close()
            assert world.pokes() == 1, point
        finally:
            world.close()


@defect(7, mutant=sends_then_stores)
def test_killed__mined_at_once__acts_once(tmp_path):
    """TX-2: the next life finds the hash of what was sent and mined, and does not send another."""
    law(tmp_path, automine=True)


@pytest.mark.parametrize("automine", [True, False], ids=["mined at once", "waiting in the pool"])
@defect(7, mutant=starts_clean)
def test_killed__recovers__nothing_is_lost(tmp_path, automine):
    """TX-2: what was signed before is what is sent and followed, to its end."""
    law(tmp_path, automine=automine)
