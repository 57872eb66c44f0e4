"""Five hundred flags that the chain refuses: they cost nothing, kill nothing, and the real one goes out (defect 9)."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.tx import TxState
from keeper.policy import backoff
from keeper.testing.counter_world import CLOSE, COUNTER, FEES, an_outbox, count
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.false_positives import Doubts, FalsePositives
from keeper.testing.lived import PlainEncoder
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
