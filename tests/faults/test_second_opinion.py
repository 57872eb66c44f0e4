"""One endpoint's word about our own keys: what is done on it, and what is asked of others first."""

from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.errors import Disagreement
from keeper.domain.tx import TxState
from keeper.testing.counter_world import CLOSE, COUNTER, an_intent, an_outbox
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.faulty import FaultyNode
from keeper.testing.memory_store import MemoryStore
from keeper.testing.plan import FaultPlan
from keeper.testing.provider import EmbeddedProvider
from keeper.testing.toy import ToyKeeper, ToyWorld

pytestmark = pytest.mark.chain


class Town:
    """A keeper that publishes at every block, behind a liar and, if there are several, honest endpoints."""

    def __init__(self, rule, *, honest, publish_every=1):
        self.world = ToyWorld.fast()
        self.world.reset()
        self.liar = FaultyNode(self.world.node, FaultPlan.of(rule))
        self.store = MemoryStore()
        rpc = self.world.rpc(self.liar, *[self.world.node] * honest)
        signers = self.world.signers()
        house = {"house": self.world.house, "deployed_at": self.world.deployed_at}
        self.keeper = ToyKeeper(rpc, self.store, signers, publish_every=publish_every, **house)

    def blocks(self, count):
        said = []
        for _ in range(count):
            self.world.chain.mine()
            said.append(self.keeper.live())
        return said

    def states(self):
        return [record.state for record in self.store.txs(limit=100)]


def test_nonce_633_too_high__another_endpoint_says_otherwise__nothing_signed_there():
    """A jump that nobody confirms is no nonce to sign at; when the liar is well again all is sent (CHAOS-11)."""
    town = Town("nonce_too_high", honest=1)
    assert "others say" in town.blocks(1)[0]
    assert town.states() == [TxState.PLANNED]
    town.liar.calm = True
    town.blocks(3)
    assert {record.nonce for record in town.store.txs(limit=100) if record.nonce is not None} <= set(range(6))
    assert TxState.PLANNED not in town.states()


@pytest.mark.parametrize("honest", [0, 1])
def test_nonce_said_to_be_used_for_good__nobody_shows_by_what__never_replaced(honest):
    """REPLACED is certain: the block that used the nonce is shown, or enough endpoints say so, twice (CHAOS-12)."""
    town = Town("nonce_too_high@6-", honest=honest)
    town.blocks(2)
    town.keeper._publish_every = 0
    town.world.chain.request("anvil_setNextBlockBaseFeePerGas", hex(60 * 10**9))  # what was sent waits
    town.blocks(6)
    assert TxState.REPLACED not in town.states()
    town.liar.calm = True
    town.blocks(30)
    assert set(town.states()) == {TxState.FINAL}


def test_balance_said_to_be_0__another_endpoint_says_otherwise__sent():
    """That a key cannot pay is not one endpoint's to say (CHAOS-13)."""
    town = Town("dishonest_balance", honest=1)
    town.blocks(4)
    assert town.liar.ledger.of("dishonest_balance") > 0
    assert TxState.PLANNED not in town.states()


def test_balance_said_to_be_0_by_the_only_endpoint__waits_with_an_alert_at_each_block_and_goes_on():
    """An unfunded key is no end of the keeper: it waits, and sends as soon as there is money."""
    town = Town("dishonest_balance", honest=0)
    with capture_logs() as told:
        town.blocks(3)
    assert [one["event"] for one in told].count("signer.cannot_pay") == 3
    assert set(town.states()) == {TxState.PLANNED}
    town.liar.calm = True
    town.blocks(2)
    assert TxState.SENT in town.states() or TxState.MINED in town.states()


class SaysYes:
    """A node for which every call goes through."""

    def __init__(self, inner):
        self.inner = inner

    def request(self, method, params):
        return "0x" if method == "eth_call" else self.inner.request(method, params)


def test_simulation_that_one_endpoint_passes__another_says_it_fails__not_sent_until_they_agree():
    """A view that lies under a true hash: with a quorum, one that says no is enough to keep a send back (CHAOS-14)."""
    chain = EmbeddedChain(accounts=4)
    counter = chain.deploy_code(COUNTER)
    chain.send(sender=chain.accounts[0], to=counter, data=CLOSE)
    chain.mine(4)
    endpoints = [
        Endpoint("liar", EmbeddedProvider(SaysYes(chain.node))),
        Endpoint("honest", EmbeddedProvider(chain.node)),
    ]
    for quorum, sent in ((2, False), (0, True)):
        store = MemoryStore()
        outbox = an_outbox(chain, store, rpc=Rpc(endpoints, chain_id=chain.chain_id, quorum=quorum))
        with suppress(Disagreement):
            outbox.submit(an_intent(counter, chain.block(), key=f"k{quorum}"))
        (record,) = store.txs()
        assert bool(record.attempts) is sent, "without a quorum one endpoint's word is taken: the test sees the veto"
