"""Endpoints that lie, lag, or fail, in front of a real chain: what is read is right or not read, and nothing is sent
while they disagree.
"""

from contextlib import ExitStack, suppress

import pytest

from keeper.chain.asking.health import Fitness
from keeper.chain.asking.members import PoolPolicy
from keeper.chain.asking.rpc import Endpoint, Rpc, http_endpoint
from keeper.chain.clock import Timekeeper
from keeper.chain.errors import Disagreement, StaleHead, WrongChain
from keeper.chain.following.heads import ChainHeads
from keeper.domain.tx import TxState
from keeper.errors import Retry
from keeper.testing.counter_world import COUNTER, an_intent, an_outbox, count
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.faults import CATALOGUE, Boundary
from keeper.testing.faulty import FaultyNode
from keeper.testing.http_node import HttpNode
from keeper.testing.memory_store import MemoryStore
from keeper.testing.plan import FaultPlan
from keeper.testing.provider import EmbeddedProvider

pytestmark = pytest.mark.chain

FIT = Fitness(max_head_age_s=30, max_head_lag_blocks=3)

#: Faults that change what a node says of a block's state or logs.  No hash gives them away: the index is reconciled
#: with the contract's views for that, and profit measured where it arrives.
LIES_OF_CONTENT = {
    *("dishonest_balance", "zeroed_call", "nonce_too_low", "nonce_too_high", "null_transactions"),
    *("empty_logs", "missing_logs", "logs_beyond_head", "reordered_logs", "duplicated_logs", "null_receipts"),
}
SEEN = sorted(
    name
    for name, fault in CATALOGUE.items()
    if fault.boundary in (Boundary.ANSWER, Boundary.WIRE) and name not in LIES_OF_CONTENT
)


@pytest.fixture
def chain():
    return EmbeddedChain(accounts=4)


def beside(chain, plan):
    """A node with faults in front of the chain."""
    return FaultyNode(chain.node, FaultPlan.parse(plan))


def at_the_head(chain):
    """A wall clock that stands at the newest block, and waits that pass at once."""
    return Timekeeper(wall_s=lambda: float(chain.block().timestamp), wait_s=lambda _: None)


def rpc_over(chain, *nodes, quorum=0):
    """The chain through these nodes, in this order of preference."""
    endpoints = [Endpoint(f"node{at}", EmbeddedProvider(node)) for at, node in enumerate(nodes)]
    policy = PoolPolicy(fitness=FIT, retries=1, probe_pins=True, watch_every_s=0.0)
    return Rpc(endpoints, chain_id=chain.chain_id, policy=policy, quorum=quorum, time=at_the_head(chain))


@pytest.mark.parametrize("name", SEEN)
def test_read__preferred_endpoint_has_any_fault__right_or_retry(chain, name):
    """POOL-1 and POOL-3 against each fault of the kit: heads and reads are the chain's, or are not there."""
    ill = beside(chain, f"3: {name}")
    rpc = rpc_over(chain, ill, chain.node)
    chain.mine(3)
    answered = 0
    for _ in range(4):
        chain.mine(2)
        try:
            head = rpc.block()
            found = rpc.balance(chain.accounts[0], head)
            nonces = rpc.nonces(chain.accounts[:3], head)
            blocks = rpc.blocks([head.number - 1, head.number])
        except Retry:
            continue
        answered += 1
        assert chain.block().number - head.number <= 3
        if name != "lying_hash":  # alone against another it cannot be told which one lies; see the sending below
            assert head == chain.block(head.number)
            assert blocks == (chain.block(head.number - 1), head)
        pin = {"blockHash": head.hash, "requireCanonical": True}
        truth = chain.node if name != "lying_hash" else ill
        assert found == int(truth.request("eth_getBalance", [chain.accounts[0], pin]), 16)
        assert nonces == (0, 0, 0)
    assert answered, "one sound endpoint is enough to go on"


@pytest.mark.parametrize("quorum", [0, 2])
def test_send__one_of_two_lies__nothing_is_signed_until_they_agree(chain, quorum):
    """Defect 15: two endpoints, one lies about the newest block; the intent waits unsigned, then acts once."""
    counter = chain.deploy_code(COUNTER)
    liar = beside(chain, "1: lying_hash")
    rpc, store = rpc_over(chain, chain.node, liar, quorum=quorum), MemoryStore()
    outbox = an_outbox(chain, store, rpc=rpc)
    chain.mine(2)
    intent = an_intent(counter, rpc.block())
    for _ in range(3):
        with pytest.raises(Disagreement):
            outbox.submit(intent)
        with pytest.raises(Disagreement):
            rpc.agree(rpc.block())
        chain.mine()
    (record,) = store.txs()
    assert (record.state, record.attempts, record.nonce) == (TxState.PLANNED, (), None)
    liar.calm = True
    chain.mine(2)
    outbox.submit(intent)
    outbox.settle(chain.mine())
    outbox.settle(chain.mine(4))
    assert store.txs()[0].state is TxState.FINAL
    assert count(chain, counter) == 1


def test_send__one_of_two_lags__a_quorum_waits_and_the_head_is_the_other_ones(chain):
    """The lagging endpoint is preferred: it is rotated out, and its say is missed as long as two must agree."""
    counter = chain.deploy_code(COUNTER)
    slow = beside(chain, "1: lagging{blocks=6}")
    rpc, store = rpc_over(chain, slow, chain.node, quorum=2), MemoryStore()
    outbox = an_outbox(chain, store, rpc=rpc)
    chain.mine(8)
    head = rpc.block()
    assert head == chain.block()
    with pytest.raises(Disagreement):
        outbox.submit(an_intent(counter, head))
    assert store.txs()[0].attempts == ()
    slow.calm = True
    outbox.submit(an_intent(counter, head))
    assert store.txs()[0].state is TxState.SENT


def test_heads__stale_head_with_200__rotated_out_and_nothing_missed(chain):
    """A node stuck at a block goes on answering; `Heads` follows the other one, block by block."""
    stuck = beside(chain, "1: stale_head+50")
    heads = ChainHeads(rpc_over(chain, stuck, chain.node))
    seen = [heads.follow(None).head]
    for _ in range(12):
        chain.mine()
        advance = heads.follow(seen[-1])
        assert not advance.orphaned
        seen += advance.new
    assert [block.number for block in seen] == list(range(seen[0].number, chain.block().number + 1))


def test_heads__both_stale__retry_and_back_when_one_moves(chain):
    stuck = [beside(chain, "1: stale_head+500") for _ in range(2)]
    rpc = rpc_over(chain, *stuck)
    rpc.block()
    chain.mine(20)
    with pytest.raises(StaleHead):
        rpc.block()
    stuck[1].calm = True
    assert rpc.block() == chain.block()


def test_three_over_http__one_lies_one_is_stale_one_says_429__no_send(chain):
    """Nobody sound is left: whatever head is read, no two endpoints vouch for it."""
    plans = ("1: lying_hash{depth=2}", "1: stale_head+500", "1: rate_limited{retry_after_s=60}")
    counter = chain.deploy_code(COUNTER)
    with ExitStack() as stack:
        nodes = [beside(chain, plan) for plan in plans]
        for node in nodes:
            node.calm = True
        served = [stack.enter_context(HttpNode(node)) for node in nodes]
        endpoints = [http_endpoint(web.url) for web in served]
        for endpoint in endpoints:
            stack.callback(endpoint.close)
        rpc = Rpc(
            endpoints,
            chain_id=chain.chain_id,
            policy=PoolPolicy(fitness=FIT, watch_every_s=0.0),
            quorum=2,
            time=at_the_head(chain),
        )
        store = MemoryStore()
        outbox = an_outbox(chain, store, rpc=rpc)
        head = rpc.block()
        rpc.agree(head)
        for node in nodes:
            node.calm = False
        rpc.block()
        for number in range(4):
            chain.mine(5)
            with suppress(Retry):
                head = rpc.block()
            with pytest.raises(Retry):
                outbox.submit(an_intent(counter, head, key=f"k{number}", subject=f"s{number}"))
    assert all(record.attempts == () for record in store.txs())
    assert count(chain, counter) == 0


def test_start__every_endpoint_of_another_chain__halts(chain):
    wrong = [beside(chain, "1: wrong_chain_id{chain_id=5}") for _ in range(2)]
    with pytest.raises(WrongChain, match="serves chain 5"):
        rpc_over(chain, *wrong).block()
    assert rpc_over(chain, wrong[0], chain.node).block() == chain.block()
