"""Defect 4: the sender raised its fee, the earlier attempt mined, and the transaction counted as failed."""

import pytest

from keeper.chain.sending.settlement import Settlement
from keeper.domain.tx import TxState
from keeper.testing.counter_world import count
from keeper.testing.outbox_world import ALL, OutboxWorld
from tests.defects.frame import defect

pytestmark = pytest.mark.chain


def remembers_one_hash(patch):
    """A column `tx_hash` that each replacement overwrites: only the newest one is ever asked for."""
    judge = Settlement._judge

    def newest_only(self, record, receipts, *rest, **named):
        newest = {key: receipt for key, receipt in receipts.items() if key == record.attempts[-1].tx_hash}
        return judge(self, record, newest, *rest, **named)

    patch.setattr(Settlement, "_judge", newest_only)


@pytest.mark.parametrize("which", [0, 1], ids=["the first", "the second"])
@pytest.mark.parametrize("restarted", [False, True], ids=["one life", "restarted"])
@defect(4, mutant=remembers_one_hash)
def test_mined_under_an_earlier_hash__is_success(which, restarted):
    """TX-4: a pool kept an earlier attempt while we replaced it; that one mines, and both it and what waits end FINAL.

    Its price is what a person is shown, its nonce is used once, and nothing acts twice, in this life or the next.
    """
    world = OutboxWorld()
    world.submit("a")
    world.submit("behind")
    world.blocks(6, lose=ALL)
    attempts = world.one().attempts
    assert len(attempts) >= 3
    world.lose()
    world.chain.request("eth_sendRawTransaction", "0x" + attempts[which].raw.hex())
    world.chain.mine()
    if restarted:
        world.restart()
        world.outbox.recover(world.chain.block())
    world.blocks(8)
    assert (world.one().state, world.one().mined_hash) == (TxState.FINAL, attempts[which].tx_hash)
    assert world.one("behind").state is TxState.FINAL
    assert count(world.chain, world.counter) == 2
