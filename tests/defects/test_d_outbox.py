"""Defects 6 and 7: how other senders lose and repeat."""

from contextlib import suppress
from dataclasses import replace

import pytest

from keeper.chain.dispatch import Dispatch
from keeper.chain.settlement import Settlement
from keeper.domain.tx import TxState
from keeper.errors import KeeperError
from keeper.testing.counter_world import count
from keeper.testing.outbox_world import OutboxWorld
from tests.defects.frame import defect

pytestmark = pytest.mark.chain


def believes_its_receipt(patch):
    """What was seen mined stays mined."""
    judge = Settlement._judge

    def once_mined(self, record, *rest, **named):
        return record if record.state is TxState.MINED else judge(self, record, *rest, **named)

    patch.setattr(Settlement, "_judge", once_mined)


@defect(6, mutant=believes_its_receipt)
def test_receipt_lost_to_a_reorg__tracked_again():
    """The block is gone, and so is the transaction: the same bytes go out again and are followed to their end."""
    world = OutboxWorld()
    world.chain.mine(3)
    world.submit("a")
    world.block()
    assert world.one().state is TxState.MINED
    world.chain.reorg(1)
    world.blocks(6)
    assert world.one().state is TxState.FINAL
    assert count(world.chain, world.counter) == 1


