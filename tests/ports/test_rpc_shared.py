"""One pool for many threads, and for a child process."""

import os
import threading
from contextlib import ExitStack

import pytest

from keeper.chain.asking.health import Fitness
from keeper.chain.asking.members import PoolPolicy, in_parallel
from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.testing.http_node import HttpNode
from keeper.testing.node import EmbeddedNode
from keeper.testing.ws_node import WsNode

pytestmark = pytest.mark.chain

PATIENCE_S = 30.0


@pytest.fixture
def rpc():
    """Two endpoints of one chain, over HTTP and over a WebSocket, with questions at the side in threads."""
    node = EmbeddedNode(accounts=4)
    for _ in range(3):
        node.mine()
    with ExitStack() as stack:
        served = [stack.enter_context(HttpNode(node)), stack.enter_context(WsNode(node))]
        policy = PoolPolicy(fitness=Fitness(max_head_lag_blocks=3), watch_every_s=0.0, probe_pins=True)
        rpc = Rpc(
            [http_endpoint(one.url) for one in served],
            chain_id=node.evm.chain_id,
            policy=policy,
            quorum=2,
            run=in_parallel,
        )
        stack.callback(rpc.close)
        rpc.node = node
        yield rpc


def test_rpc__many_threads__each_has_its_own_answers(rpc):
    """The block loop, the jobs beside it and the looks at the side share one pool."""
    node = rpc.node
    addresses = [account.address for account in node.accounts]
    head = rpc.block()
    expected = [rpc.balance(address, head) for address in addresses]
    wrong = []

    def ask(which):
        for _ in range(10):
            found = rpc.block(), rpc.balance(addresses[which], head), rpc.blocks([which])[0].number
            if found != (head, expected[which], which):
                wrong.append(found)
            rpc.agree(head)

    threads = [threading.Thread(target=ask, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert not wrong
    assert all(member.health.failures == 0 for member in rpc.pool.members)


def test_rpc__forked_child__makes_its_own_connections(rpc):
    """Two processes on one connection would read each other's answers."""
    head = rpc.block()
    rpc.agree(head)  # both connections are open now
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for member in rpc.pool.members:
                for _ in range(5):
                    assert member.endpoint.ask("eth_blockNumber", []) == "0x3"
            code = 0
        finally:
            os._exit(code)
    for member in rpc.pool.members:
        for _ in range(5):
            assert member.endpoint.ask("eth_getBlockByNumber", ["0x1", False])["number"] == "0x1"
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
