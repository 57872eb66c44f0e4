"""What the embedded node has beyond a plain chain: tags behind the head, base fees, lost states, pools with rules."""

import pytest

from keeper.chain.errors import StaleBlock, translate
from keeper.testing.counter_world import COUNTER
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.toy import ToyWorld
from keeper.testing.wire import JsonRpcError

pytestmark = pytest.mark.chain

GWEI = 10**9


@pytest.fixture(scope="module")
def base():
    chain = EmbeddedChain(accounts=3)
    counter = chain.deploy_code(COUNTER)
    chain.mine(9)
    return chain, counter, chain.snapshot()


@pytest.fixture
def chain(base):
    built, _, start = base
    built.revert(start)
    built.set_automine(on=False)
    yield built
    node = built.node
    node.safe_depth, node.finalized_depth, node.state_depth = 32, 64, None
    node.pool.bump_percent, node.pool.min_tip_wei = 10, 0


def height(chain, tag):
    return int(chain.request("eth_getBlockByNumber", tag, False)["number"], 16)


def test_tags__safe_and_finalized__lie_behind_the_head(chain):
    """Finality is a depth that a test chooses; a young chain's is its first block."""
    assert (height(chain, "safe"), height(chain, "finalized")) == (0, 0)
    chain.node.safe_depth, chain.node.finalized_depth = 2, 5
    assert (height(chain, "latest"), height(chain, "safe"), height(chain, "finalized")) == (10, 8, 5)
    chain.mine()
    assert height(chain, "finalized") == 6


def test_base_fee__set__of_one_block_and_known_beforehand(chain):
    """A spike is announced by the fee history, holds for its block, and then falls by an eighth at most."""
    chain.request("anvil_setNextBlockBaseFeePerGas", hex(400 * GWEI))
    history = chain.request("eth_feeHistory", "0x2", "latest", [50])
    assert int(history["baseFeePerGas"][-1], 16) == 400 * GWEI
    chain.mine(2)
    fees = [int(fee, 16) for fee in chain.request("eth_feeHistory", "0x2", "latest", [50])["baseFeePerGas"]]
    assert fees[0] == 400 * GWEI
    assert fees[1] == 350 * GWEI


def test_state__older_than_the_node_keeps__refused_as_real_nodes_do(chain):
    """A node that is no archive says so in the words the keeper understands; blocks themselves it still has."""
    chain.node.state_depth = 3
    account = chain.accounts[0]
    assert chain.request("eth_getBalance", account, hex(7))
    for block in (hex(6), {"blockHash": chain.block(6).hash}):
        with pytest.raises(JsonRpcError) as found:
            chain.node.request("eth_getBalance", [account, block])
        assert isinstance(translate(found.value.as_json(), method="eth_getBalance"), StaleBlock)
    assert height(chain, "0x1") == 1


def test_block_receipts__by_number_and_hash__those_of_the_block(chain, base):
    """All receipts of a block in one answer, in order; null for a block that is not there."""
    sent = [chain.send(sender=chain.accounts[at], to=base[1], gas=100_000) for at in (1, 2)]
    block = chain.mine()
    by_number = chain.request("eth_getBlockReceipts", hex(block.number))
    assert sorted(one["transactionHash"] for one in by_number) == sorted(sent)
    assert chain.request("eth_getBlockReceipts", block.hash) == by_number
    assert chain.request("eth_getBlockReceipts", hex(block.number + 1)) is None


def test_reorg__longer_branch_with_a_full_pool__kept_once_each(chain, base):
    """Kept transactions mine again, those that waited mine with them, and nothing stays behind."""
    first = chain.send(sender=chain.accounts[1], to=base[1], gas=100_000)
    before = chain.mine()
    waits = chain.send(sender=chain.accounts[1], to=base[1], gas=100_000)
    chain.node.reorg(1, keep_transactions=True, extra=1)
    assert chain.block().number == before.number + 1
    assert {chain.receipt(first)["status"], chain.receipt(waits)["status"]} == {"0x1"}
    assert len(chain.node.pool) == 0


def test_reorg__lost_transactions__pool_keeps_its_rules(chain, base):
    """A reorg that loses transactions leaves the pool and its rules alone."""
    chain.node.pool.bump_percent = 33
    lost = chain.send(sender=chain.accounts[1], to=base[1], gas=100_000)
    chain.mine()
    chain.node.reorg(1, keep_transactions=False)
    assert chain.request("eth_getTransactionReceipt", lost) is None
    assert chain.node.pool.bump_percent == 33
    assert len(chain.node.pool) == 0


def test_ledger__many_lives__keeps_only_the_present_one():
    """A chain that is lived ten thousand times does not grow."""
    world = ToyWorld.fast(accounts=3)
    sizes = []
    for _ in range(3):
        world.reset()
        world.chain.mine(20)
        sizes.append(len(world.node.evm._blocks))
    assert sizes[0] == sizes[1] == sizes[2]
