"""Five hundred flags that the chain refuses: they cost nothing, kill nothing, and the real one goes out (defect 9)."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.tx import TxState
from keeper.errors import Refused, Retry
from keeper.policy import backoff
from keeper.testing.counter_world import CLOSE, COUNTER, FEES, an_outbox, count
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.false_positives import Doubts, FalsePositives
from keeper.testing.lived import PlainEncoder, StoringSender
from keeper.testing.memory_store import MemoryStore

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

FALSE = 500


class OnCounters(PlainEncoder):
    """Each action pokes a counter: the closed one for some accounts, the open one for the others."""

    def __init__(self, closed, opened, false):
        self.closed, self.opened, self.false = closed, opened, false

    def encode(self, action, *, block):
        intent = super().encode(action, block=block)
        account = backoff.account_of(intent.subject)
        to = self.closed if account in self.false else self.opened
        return replace(intent, to=to, data=b"", gas_limit=200_000)


def test_cycle__simulation_refuses_five_hundred__the_real_one_is_sent_and_the_worker_goes_on():
    """BCK-3, defect 9: a view that agrees with us and a contract that does not; nothing is signed for any of them."""
    chain, store = EmbeddedChain(accounts=4), MemoryStore()
    closed, opened = chain.deploy_code(COUNTER), chain.deploy_code(COUNTER)
    chain.send(sender=chain.accounts[0], to=closed, data=CLOSE)
    outbox = an_outbox(chain, store, fees=FEES)
    world = FalsePositives(
        false=FALSE,
        policy=PolicyKnobs(max_actions_per_block=5, max_standby_per_block=FALSE),
        recheck=Doubts(),
        sender=outbox,
        encoder=OnCounters(closed, opened, set(range(10, 10 + FALSE))),
        store=store,
    )
    wealth = chain.request("eth_getBalance", chain.accounts[2], "latest")
    record = world.live(chain.block())
    assert world.flagged() == [world.real], "BCK-3"
    refused = [one for one in record.handed if one.refused]
    assert len(refused) == FALSE
    assert all("0xdeadbeef" in one.reason for one in refused)
    assert count(chain, opened) == 1
    spent = int(wealth, 16) - int(chain.request("eth_getBalance", chain.accounts[2], "latest"), 16)
    assert spent == sum(
        int(chain.receipt(a.tx_hash)["gasUsed"], 16) * int(chain.receipt(a.tx_hash)["effectiveGasPrice"], 16)
        for tx in store.txs(limit=9_999)
        for a in tx.attempts
    ), "a false positive costs nothing"
    # The worker lives on: later blocks settle the real one (a built world has it short again), the false cost nothing.
    world.live(chain.mine(4))
    assert set(world.flagged()) == {world.real}
    assert [tx.state for tx in store.txs(limit=9_999) if tx.attempts][-1] is TxState.FINAL


class Unsendable(StoringSender):
    """An outbox that cannot send for some accounts, block after block."""

    def __init__(self, store, of, error):
        super().__init__(store)
        self.of, self.error, self.asked = of, error, 0

    def submit(self, intent):
        self.asked += 1
        if backoff.account_of(intent.subject) in self.of:
            raise self.error("no route")
        return super().submit(intent)


@pytest.mark.parametrize("error", [Retry, Refused])
def test_cycle__the_worst_cannot_be_sent__the_milder_are_and_a_dead_node_is_not_asked_for_hundreds(error):
    """BCK-5, defect 14: what fails in every block takes nobody's place, and is tried twice the places at most."""
    store, places = MemoryStore(), 5
    world = FalsePositives(
        false=places,
        policy=PolicyKnobs(max_actions_per_block=places, max_standby_per_block=FALSE),
        recheck=Doubts(),
        sender=Unsendable(store, set(range(10, 10 + places)), error),
        store=store,
    )
    world.live(1)
    assert world.flagged() == [world.real], "BCK-5"
    dead = Unsendable(store, range(10, 10 + FALSE), error)
    crowd = FalsePositives(
        false=FALSE,
        policy=PolicyKnobs(max_actions_per_block=places, max_standby_per_block=FALSE),
        recheck=Doubts(),
        sender=dead,
        store=MemoryStore(),
    )
    crowd.live(1)
    assert dead.asked == 2 * places, "BCK-5"


def test_act__hundreds_stand_by__the_most_urgent_do_not_wait_for_them():
    """BCK-6: what stands by is made ready only once it is needed, so that a crowd delays no first signature."""
    made = []

    class Noting(PlainEncoder):
        def encode(self, action, *, block):
            made.append(action)
            return super().encode(action, block=block)

    class Counting(StoringSender):
        def submit(self, intent):
            at_send.append(len(made))
            return super().submit(intent)

    at_send, store = [], MemoryStore()
    policy = PolicyKnobs(max_actions_per_block=5, max_standby_per_block=FALSE)
    wanted = FalsePositives(
        false=FALSE, policy=policy, recheck=Doubts(), sender=Counting(store), encoder=Noting(), store=store
    )
    record = wanted.live(100)
    assert len(record.decision.standby) > 100 * 4
    assert at_send == [5] * 5, "BCK-6"
    assert len(made) == 5, "nobody moved up, so nothing that stood by was made ready"
