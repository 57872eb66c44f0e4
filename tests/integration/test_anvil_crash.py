"""A keeper beside a real anvil that mines by itself every quarter of a second, while prices fall."""

import threading
from itertools import pairwise

import pytest

from keeper.testing.forwarding import ForwardingNode
from keeper.testing.wire import number
from tests.cases.anvil_life import CRASH, PATIENCE_S, Life, flagged, hold_laws, open_market, push_prices

pytestmark = [pytest.mark.needs_anvil, pytest.mark.chain, pytest.mark.timeout(300)]

#: Blocks that are mined while the daemon is busy with one.
MISSED = 8


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return open_market(tmp_path_factory.mktemp("market"))


@pytest.fixture
def quick(market):
    """The market on an anvil that mines four blocks a second."""
    with market.on_anvil(block_time_s=0.25) as world:
        yield world


class Watcher:
    """Hears of anvil's heads by a subscription of its own."""

    def __init__(self, node):
        self._told, self._newest = threading.Condition(), 0
        node.subscribe_heads(self._hear)

    def _hear(self, head):
        with self._told:
            self._newest = number(head["number"])
            self._told.notify_all()

    def reaches(self, height):
        with self._told:
            return self._told.wait_for(lambda: self._newest >= height, PATIENCE_S)


def test_quarter_second_blocks__crash__keeps_up_and_flags_everybody(quick, tmp_path):
    """Blocks that come faster than it lives them are lived together; no log is lost, whoever can be is flagged.

    Prices fall in steps; at the last one the daemon is busy until eight more blocks are mined.
    """
    chain = quick.chain
    with (
        ForwardingNode(chain.url) as node,
        Life(quick, tmp_path, [chain.ws_url, chain.url]) as life,
    ):
        mined = Watcher(node)
        assert life.waits_for(lambda: life.records)
        first = life.newest
        for point in range(1, CRASH):
            push_prices(quick, point)
            assert life.waits_for(lambda after=life.newest: life.newest > after + 1)
        with life.busy() as busy_at:
            push_prices(quick, CRASH)
            assert mined.reaches(busy_at + MISSED)
        assert life.waits_for(lambda: life.newest >= max(first + 20, busy_at + MISSED))
        lived = [one.block.number for one in life.records]
        assert all(a < b for a, b in pairwise(lived)), "each block once, forwards"
        after = lived[lived.index(busy_at) + 1]
        assert after >= busy_at + MISSED, "the newest head, and none of those in between"
        assert life.waits_for(lambda: flagged(quick) and not life.store.open_txs())
        chain.stop_mining()
        assert life.reaches(chain.block()), "as far as the chain"
        hold_laws(life, life.drain())
        assert set(flagged(quick).values()) == {1}
