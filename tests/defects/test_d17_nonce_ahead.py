"""Defect 17: the nonce counter ran ahead of the chain (by 633, in the bot that suffered it) and never came back."""

import pytest

from keeper.chain.sending.nonces import Lane
from keeper.chain.sending.signer_pool import SignerPool
from keeper.chain.sending.upkeep import Upkeep
from keeper.domain.tx import TxState
from keeper.testing.counter_world import count
from keeper.testing.outbox_world import OutboxWorld
from tests.defects.frame import defect

pytestmark = pytest.mark.chain

AHEAD = 633


def trusts_its_own_counter(patch):
    """The next nonce is one above everything ever signed, wherever the chain is; what waits is waited for."""
    patch.setattr(Lane, "free", property(lambda lane: max([lane.next_nonce, *(held + 1 for held in lane.held)])))
    patch.setattr(Upkeep, "_abandon", lambda _self, record, _why: record)
    patch.setattr(SignerPool, "_why_not", lambda *_: "")


@defect(17, mutant=trusts_its_own_counter)
def test_counter_633_ahead__heals():
    """TX-7: what the store holds far beyond the chain is given up, and new work goes on where the chain is."""
    world = OutboxWorld()
    world.plant("drifted", AHEAD)
    world.restart()
    world.outbox.recover(world.chain.block())
    world.submit("new")
    world.blocks(6)
    assert (world.one("new").state, world.one("new").nonce) == (TxState.FINAL, 0), "TX-7"
    assert count(world.chain, world.counter) == 1
    assert world.store.open_txs() == ()
