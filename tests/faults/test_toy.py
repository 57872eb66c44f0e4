"""The ledger answers as py-evm does, and a keeper of the toy house lives on both alike."""

from types import SimpleNamespace

import numpy as np
import pytest
from eth.vm.forks.london.headers import calculate_expected_base_fee_per_gas
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.tx import TxState
from keeper.testing.faulty import FaultyNode
from keeper.testing.memory_store import MemoryStore
from keeper.testing.plan import FaultPlan
from keeper.testing.toy import ToyKeeper, ToyWorld
from keeper.testing.toy.house import house_abi, reference
from keeper.testing.toy.ledger import next_base_fee
from keeper.testing.wire import hexed

pytestmark = pytest.mark.chain

ACCOUNTS = range(1, 6)


@pytest.fixture(scope="module")
def fast():
    return ToyWorld.fast()


@pytest.fixture(scope="module")
def real():
    return ToyWorld.real()


def asked(world, call, block="latest"):
    """Output, or revert data."""
    answer = world.chain.provider.make_request("eth_call", [call | {"to": world.house}, block])
    return answer["error"]["data"] if "error" in answer else answer["result"]


def told(world, tx_hash):
    """A receipt without gas and without the names of the chain it is on."""
    found = world.chain.request("eth_getTransactionReceipt", tx_hash)
    logs = [(log["topics"], log["data"], log["address"] == world.house, log["logIndex"]) for log in found["logs"]]
    return found["status"], logs, found["transactionIndex"], found["from"], found["to"] == world.house


def drawn(rng):
    """One call of the house."""
    account, ref = int(rng.integers(1, 4)), int(rng.integers(1, 9))
    return [
        ("setPrice", int(rng.integers(0, 2000))),
        ("setAccount", account, int(rng.integers(0, 50)), int(rng.integers(0, 50))),
        ("liquidate", account, ref),
        ("publish", ref),
        ("liquidate", account, ref),
    ][int(rng.integers(5))]


@pytest.mark.parametrize("seed", range(4))
def test_ledger__random_lives__answers_as_py_evm_does(seed, fast, real):
    """Receipts, logs, views, reverts, pending calls, nonces and pools agree; gas is the one thing that does not."""
    rng = np.random.default_rng(seed)
    for world in (fast, real):
        world.reset()
    for _ in range(6):
        calls = [(drawn(rng), int(rng.integers(0, 3))) for _ in range(int(rng.integers(0, 4)))]
        sent = [[world.do(name, *args, sender=sender) for (name, *args), sender in calls] for world in (fast, real)]
        probe, sender = drawn(rng), fast.chain.accounts[0]
        data = {"from": sender, "data": hexed(house_abi().call(*probe))}
        assert asked(fast, data, "pending") == asked(real, data, "pending")
        for world in (fast, real):
            world.chain.mine()
        assert [told(fast, one) for one in sent[0]] == [told(real, one) for one in sent[1]]
        assert fast.state(ACCOUNTS) == real.state(ACCOUNTS)
        assert [fast.done(ref) for ref in range(9)] == [real.done(ref) for ref in range(9)]
        assert asked(fast, data) == asked(real, data)
        for at in range(3):
            nonces = [w.chain.request("eth_getTransactionCount", w.chain.accounts[at], "latest") for w in (fast, real)]
            assert nonces[0] == nonces[1]
    for world in (fast, real):
        query = {"fromBlock": hex(world.deployed_at + 2), "toBlock": "latest", "address": world.house}
        world.logs = [(one["topics"], one["data"]) for one in world.chain.request("eth_getLogs", query)]
    assert fast.logs == real.logs


@given(fee=st.integers(1, 10**12), used=st.integers(0, 30_000_000))
def test_ledger__base_fee__follows_eip_1559(fee, used):
    """The next base fee is py-evm's, to the wei."""
    parent = SimpleNamespace(gas_limit=30_000_000, gas_used=used, base_fee_per_gas=fee)
    assert next_base_fee(parent) == calculate_expected_base_fee_per_gas(parent)


def lived(world, plan=""):
    """A fall of the price and a recovery, with a keeper that looks at every block."""
    world.reset()
    store = MemoryStore()
    node = FaultyNode(world.node, FaultPlan.parse(plan))
    keeper = ToyKeeper(
        world.rpc(node), store, world.signers(), house=world.house, deployed_at=world.deployed_at, publish_every=4
    )
    for account in ACCOUNTS:
        world.do("setAccount", account, 1000 * account, 900 * account)
    for block in range(24):
        if block == 3:
            world.do("setPrice", 850)
        node.calm = block > 14
        node.request("evm_mine", [])
        keeper.live()
    node.close()
    return keeper, store


@pytest.mark.parametrize("which", ["fast", "real"])
def test_keeper__price_falls__each_unhealthy_account_liquidated_once(which, request):
    """The real outbox, heads and log sync keep the toy house on either chain."""
    world = request.getfixturevalue(which)
    keeper, store = lived(world)
    assert keeper.index.state.unhealthy == ()
    assert keeper.index.state.accounts == world.state(ACCOUNTS).accounts
    liquidations = [tx for tx in store.txs() if tx.intent.kind == "liquidate"]
    assert sorted(tx.intent.subject for tx in liquidations) == [str(account) for account in ACCOUNTS]
    assert {tx.state for tx in liquidations} == {TxState.FINAL}
    assert {world.done(reference(tx.intent.key)) for tx in store.txs() if tx.state is TxState.FINAL} == {1}


def test_world__reset__the_same_life_again(fast):
    """One chain serves every scenario: the same plan gives the same records down to the hash."""
    plan = "5: timeout%0.05; stale_head@8-14%0.2+2; reorg@9{depth=2,keep=kept}; delayed%0.3"
    lives = [lived(fast, plan)[1].txs() for _ in range(2)]
    hashes = [[attempt.tx_hash for record in life for attempt in record.attempts] for life in lives]
    assert hashes[0] == hashes[1]
    assert hashes[0]
