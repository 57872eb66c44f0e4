"""A keeper over a real WebSocket: subscriptions that break, gaps of many blocks, nothing lost (defect 16, HEAD-5)."""

import pytest

from tests.ws_life import DEPTH, living, missed

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]


@pytest.mark.parametrize(("blocks", "reads_too"), [(1, False), (3 * DEPTH, False), (12 * DEPTH, False), (12, True)])
def test_ws__dropped_for_n_blocks__backfilled_and_nothing_lost(blocks, reads_too):
    """HEAD-5: events of blocks that nobody announced are known once the subscription is back, whatever the gap."""
    with living(reads_too=reads_too) as life:
        head, unknown = missed(life, blocks)
        assert not unknown, "HEAD-5"
        life.house.chain.mine()
        assert life.reaches(head.number + 1), "told again"


def test_ws__reorg_while_dropped__rolled_back_and_marked():
    """HEAD-5: what happened on blocks that are gone is rolled back too, and their decisions are marked."""
    with living() as life:
        kept, lost = life.deposit(1), life.deposit(2)
        gone = life.house.chain.block()
        assert life.reaches(gone.number)
        with life.cut_off():
            life.house.chain.reorg(1)
            life.house.chain.mine(2)
        head = life.house.chain.block()
        assert life.reaches(head.number)
        held = {a.account for a in life.snapshot(head).accounts}
        assert kept in held
        assert lost not in held, "HEAD-5"
        assert gone.hash not in {c.block.hash for c in life.store.cycles()}, "6"
