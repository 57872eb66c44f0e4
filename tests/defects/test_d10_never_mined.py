"""Defect 10: a transaction that no block ever took held its worker for ever, and nobody was told."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from keeper.chain.sending.upkeep import Upkeep
from keeper.domain.tx import TxState
from keeper.testing.counter_world import count
from keeper.testing.outbox_world import ALL, OutboxWorld
from tests.defects.frame import defect

pytestmark = pytest.mark.chain


def keeps_its_worker(patch):
    """`while True: bump(); sleep()`: there is no end to trying."""
    patch.setattr(Upkeep, "_abandon", lambda _self, record, _why: record)


def gives_up_silently(patch):
    """`except Timeout: return`: the worker is free, and the liquidation that did not happen is nobody's business."""

    def quietly(self, record, why):
        return self._dispatch.save(replace(record, state=TxState.ABANDONED, reason=why))

    patch.setattr(Upkeep, "_abandon", quietly)


def law(*, restarted):
    """No block takes the first; then one takes the second about the same subject, from the same key and nonce."""
    world = OutboxWorld()
    world.submit("a", subject="alice")
    with capture_logs() as logs:
        for number in range(14):
            world.block(lose=ALL)
            if restarted and number == 7:
                world.restart()
                world.outbox.recover(world.chain.block())
    given_up = world.one()
    assert given_up.state is TxState.ABANDONED
    told = [entry for entry in logs if entry["log_level"] == "error" and entry.get("key") == "a"]
    assert [entry["nonce"] for entry in told] == [given_up.nonce], "a person is told once, and which nonce"
    again = world.submit("b", subject="alice")
    assert again.nonce == given_up.nonce
    world.blocks(5)
    assert world.one("b").state is TxState.FINAL
    assert count(world.chain, world.counter) == 1


@pytest.mark.parametrize("restarted", [False, True], ids=["one life", "restarted"])
@defect(10, mutant=keeps_its_worker)
def test_never_mined__frees_its_worker(restarted):
    """TX-8: its subject can be decided anew, and its key and nonce send again."""
    law(restarted=restarted)


@defect(10, mutant=gives_up_silently)
def test_never_mined__alerts():
    """TX-8: what was given up is an error in the log, with what a person needs to look for it."""
    law(restarted=False)
