"""Defect 5: one transaction timed out, and everything behind it waited for ever."""

from contextlib import suppress

import pytest

from keeper.chain.sending.launch import Launcher
from keeper.chain.sending.upkeep import Upkeep
from keeper.domain.tx import TxState
from keeper.errors import KeeperError, Retry
from keeper.testing.counter_world import count
from keeper.testing.outbox_world import OutboxWorld
from tests.defects.frame import defect

pytestmark = pytest.mark.chain

BLOCKS = 30


def waits_for_each(patch):
    """`receipt = await tx.wait()`, one after the other; what times out is waited for again."""
    launch = Launcher.launch

    def one_by_one(self, record, head):
        if any(one.attempts for one in self._kept.open()):
            raise Retry("the last transaction has no receipt yet")
        return launch(self, record, head)

    patch.setattr(Launcher, "launch", one_by_one)
    patch.setattr(Upkeep, "_abandon", lambda _self, record, _why: record)


def live(world, drop):
    """Blocks in each of which something new is decided and `drop` never mines.  Returns: pokes that counted."""
    for number in range(BLOCKS):
        with suppress(KeeperError):
            world.submit(f"b{number}")
        for attempt in world.one(drop).attempts:
            world.chain.request("anvil_dropTransaction", attempt.tx_hash)
        world.block()
    return count(world.chain, world.counter)


@defect(5, mutant=waits_for_each)
def test_timed_out__one_key__what_comes_after_it_is_sent():
    """TX-8: a transaction that never mines holds up its own key for as long as it may be raised, and no longer."""
    world = OutboxWorld()
    world.submit("a")
    assert live(world, "a") > 5
    assert world.one("a").state in (TxState.ABANDONED, TxState.REPLACED)


@defect(5, mutant=waits_for_each)
def test_timed_out__another_key__goes_on_at_full_speed():
    """TX-6: of two keys the other one never waits; most of what was decided meanwhile is done."""
    world = OutboxWorld(liquidators=2)
    world.submit("a")
    assert live(world, "a") > BLOCKS * 3 // 4
