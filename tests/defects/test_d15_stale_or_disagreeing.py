"""Defect 15: a node that answered 200 with an old head was believed; two that disagreed did not stop a send."""

from contextlib import suppress

import pytest

from keeper.chain.asking.health import Fitness
from keeper.chain.asking.members import PoolPolicy
from keeper.chain.asking.quorum import Quorum
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.clock import Timekeeper
from keeper.chain.following.heads import ChainHeads
from keeper.domain.tx import TxState
from keeper.errors import KeeperError, Retry
from keeper.testing.counter_world import COUNTER, an_intent, an_outbox, count
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.faulty import FaultyNode
from keeper.testing.memory_store import MemoryStore
from keeper.testing.plan import FaultPlan
from keeper.testing.provider import EmbeddedProvider
from tests.defects.frame import defect

pytestmark = pytest.mark.chain

BLOCKS = 12


def rpc_over(chain, *nodes):
    """The chain through these nodes, in this order of preference, on a clock that stands at the newest block."""
    endpoints = [Endpoint(f"node{at}", EmbeddedProvider(node)) for at, node in enumerate(nodes)]
    policy = PoolPolicy(fitness=Fitness(max_head_age_s=30, max_head_lag_blocks=3), retries=1, watch_every_s=0.0)
    time = Timekeeper(wall_s=lambda: float(chain.block().timestamp), wait_s=lambda _: None)
    return Rpc(endpoints, chain_id=chain.chain_id, policy=policy, time=time)


def healthy_because_it_answers(patch):
    """Health is whether the last request succeeded; an answer with status 200 is a success."""
    patch.setattr(Fitness, "stale", lambda *_args, **_named: "")


@defect(15, mutant=healthy_because_it_answers)
def test_stale_head_with_200__rotated_out():
    """POOL-1: the preferred node stands still and goes on answering; every block is followed, through the other one."""
    chain = EmbeddedChain(accounts=4)
    stuck = FaultyNode(chain.node, FaultPlan.parse("1: stale_head+50"))
    heads = ChainHeads(rpc_over(chain, stuck, chain.node))
    seen = [heads.follow(None).head]
    for _ in range(BLOCKS):
        chain.mine()
        seen += heads.follow(seen[-1]).new
    assert seen[-1] == chain.block(), "POOL-1"
    assert [block.number for block in seen] == list(range(seen[0].number, chain.block().number + 1))


def first_answer_wins(patch):
    """Several endpoints are there for when one is down; what two of them say is never compared."""
    patch.setattr(Quorum, "agree", lambda _self, _block: None)


@defect(15, mutant=first_answer_wins, breaks=(AssertionError, KeeperError))
def test_two_disagree__nothing_is_sent_until_they_agree():
    """QRM-2: one of two lies about the newest block; nothing is signed until it stops, then it acts once."""
    chain = EmbeddedChain(accounts=4)
    counter = chain.deploy_code(COUNTER)
    liar = FaultyNode(chain.node, FaultPlan.parse("1: lying_hash"))
    rpc, store = rpc_over(chain, chain.node, liar), MemoryStore()
    outbox = an_outbox(chain, store, rpc=rpc)
    chain.mine(2)
    intent = an_intent(counter, rpc.block())
    for _ in range(3):
        with suppress(Retry):
            outbox.submit(intent)
        with suppress(Retry):
            outbox.settle(chain.mine())
        (record,) = store.txs()
        assert (record.state, record.attempts, record.nonce) == (TxState.PLANNED, (), None), "QRM-2"
    assert count(chain, counter) == 0
    liar.calm = True
    outbox.settle(chain.mine())
    for _ in range(2):
        outbox.settle(chain.mine(4))
    assert store.txs()[0].state is TxState.FINAL
    assert count(chain, counter) == 1
