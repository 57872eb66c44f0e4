"""Faults while sending, without a crash: gaps, drift, a node's own rules, spikes."""

from itertools import pairwise

import pytest

from keeper.chain.errors import Underpriced, Unreachable
from keeper.chain.sending.fees import FeePolicy
from keeper.domain.tx import TxState
from keeper.testing.counter_world import COUNTER, an_intent, an_outbox, count, rpc_of
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.memory_store import MemoryStore

pytestmark = pytest.mark.chain


class World:
    def __init__(self):
        self.chain = EmbeddedChain(accounts=4)
        self.counter = self.chain.deploy_code(COUNTER)
        self.chain.mine(4)
        self.store, self.rpc = MemoryStore(), rpc_of(self.chain)
        self.outbox = an_outbox(self.chain, self.store, rpc=self.rpc)

    def intent(self, key="a"):
        return an_intent(self.counter, self.chain.block(), key=key)

    def states(self):
        return [record.state for record in reversed(self.store.txs())]

    def finish(self):
        for _ in range(6):
            self.outbox.settle(self.chain.mine())


@pytest.fixture
def world():
    return World()


def test_nonce_gap__first_broadcast_lost__filled_in_the_next_block(world):
    """A broadcast that failed leaves a gap; the same bytes fill it, and what waited behind it follows."""
    real = world.rpc.send_raw
    world.rpc.send_raw = lambda _raw: (_ for _ in ()).throw(Unreachable("no answer"))
    world.outbox.submit(world.intent("a"))
    world.rpc.send_raw = real
    world.outbox.submit(world.intent("b"))
    assert world.states() == [TxState.SIGNED, TxState.SENT]
    assert count(world.chain, world.counter) == 0
    world.finish()
    assert world.states() == [TxState.FINAL, TxState.FINAL]
    assert [record.nonce for record in reversed(world.store.txs())] == [0, 1]
    assert count(world.chain, world.counter) == 2


def test_broadcast__accepted_but_answer_lost__acts_once(world):
    """A time-out after the node took the transaction is not a reason to send another one."""
    real = world.rpc.send_raw

    def taken_then_silent(raw):
        real(raw)
        raise Unreachable("timed out")

    world.rpc.send_raw = taken_then_silent
    assert world.outbox.submit(world.intent()).state is TxState.SIGNED
    world.finish()
    assert world.states() == [TxState.FINAL]
    assert count(world.chain, world.counter) == 1


def test_replacement__node_wants_more__last_one_accepted_still_mines(world):
    """A node with a stricter replacement rule refuses; the earlier attempt is in its pool and mines."""
    world.chain.set_automine(on=False)
    world.outbox.submit(world.intent())
    first = world.store.txs()[0].attempts[0]
    world.rpc.send_raw = lambda _raw: (_ for _ in ()).throw(Underpriced("replacement transaction underpriced"))
    later = world.chain.block()
    world.outbox.settle(type(later)(later.number + 2, later.hash, later.parent_hash, later.timestamp))
    assert len(world.store.txs()[0].attempts) == 2
    world.finish()
    assert world.states() == [TxState.FINAL]
    assert world.store.txs()[0].mined_hash == first.tx_hash


def test_fee_cap__many_replacements__never_exceeded(world):
    """Stuck for long: every attempt stays under both caps, each pays a tenth more than the last, then they stop."""
    fees = FeePolicy(max_fee_wei=4 * 10**9, max_priority_fee_wei=2 * 10**9)
    world.outbox = an_outbox(world.chain, world.store, rpc=world.rpc, fees=fees)
    world.chain.set_automine(on=False)
    world.outbox.submit(world.intent())
    for _ in range(40):
        for attempt in world.store.txs()[0].attempts:
            world.chain.request("anvil_dropTransaction", attempt.tx_hash)
        world.outbox.settle(world.chain.mine())
    attempts = world.store.txs()[0].attempts
    assert 3 < len(attempts) < 20
    for earlier, later in pairwise(attempts):
        assert later.max_fee_wei * 10 >= earlier.max_fee_wei * 11
        assert later.priority_fee_wei * 10 >= earlier.priority_fee_wei * 11
    assert all(attempt.max_fee_wei <= fees.max_fee_wei for attempt in attempts)
    assert all(attempt.priority_fee_wei <= fees.max_priority_fee_wei for attempt in attempts)
    world.finish()
    assert world.states() == [TxState.FINAL]


def test_reorg__transaction_mines_again_in_another_block__followed(world):
    """The receipt moved to another block: the record moves with it."""
    world.outbox.submit(world.intent())
    world.outbox.settle(world.chain.block())
    before = world.store.txs()[0].mined
    world.chain.reorg(1, keep_transactions=True)
    world.outbox.settle(world.chain.block())
    after = world.store.txs()[0]
    assert after.state is TxState.MINED
    assert after.mined.hash != before.hash
    world.finish()
    assert world.states() == [TxState.FINAL]


def test_nonce_drift__foreign_transactions_while_down__heals(world):
    """Somebody used our key for a while: the next nonce is the chain's."""
    world.outbox.submit(world.intent("a"))
    world.finish()
    for _ in range(9):
        world.chain.send(sender=world.chain.accounts[2], to=world.chain.accounts[0], gas=21_000)
    assert world.outbox.submit(world.intent("b")).nonce == 10
    world.finish()
    assert world.states() == [TxState.FINAL, TxState.FINAL]
