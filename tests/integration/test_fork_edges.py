"""Where a fork and what it stands on meet: destroyed accounts, tags, logs, old hashes, chain ids."""

import pytest
import rlp
from eth_account import Account
from eth_utils import keccak, to_checksum_address

from keeper.testing.counter_world import COUNTER
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.fork import ForkedChain

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120)]

BENEFICIARY = to_checksum_address("0x" + "be" * 20)
FUNDED_WEI = 5


@pytest.fixture(scope="module")
def upstream():
    """A chain with a counter, and ether where account 1 would create its first contract."""
    chain = EmbeddedChain(accounts=4)
    chain.counter = chain.deploy_code(COUNTER)
    for _ in range(3):
        chain.send(sender=chain.accounts[0], to=chain.counter)
    chain.mine(5)
    chain.there = first_contract_of(chain.accounts[1])
    chain.send(sender=chain.accounts[0], to=chain.there, value=FUNDED_WEI, gas=21_000)
    return chain


@pytest.fixture
def fork(upstream):
    return ForkedChain.at(upstream.provider, accounts=4)


def first_contract_of(sender):
    return to_checksum_address(keccak(rlp.encode([bytes.fromhex(sender[2:]), 0]))[12:])


def account(chain, address):
    """Balance, nonce and code."""
    asked = ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")
    balance, nonce, code = (chain.request(method, address, "latest") for method in asked)
    return int(balance, 16), int(nonce, 16), code


def test_create__at_an_address_with_ether__keeps_it(upstream, fork):
    """A contract made where the other chain has a balance has that balance."""
    receipt = fork.receipt(fork.send(sender=fork.accounts[1], to=None, data=bytes.fromhex("60006000f3")))
    assert to_checksum_address(receipt["contractAddress"]) == upstream.there
    assert account(fork, upstream.there) == (FUNDED_WEI, 1, "0x")


@pytest.mark.filterwarnings("ignore:SELFDESTRUCT opcode:DeprecationWarning")  # py-evm's word on the very subject
def test_destroyed_in_its_own_transaction__ether_moves_once(upstream, fork):
    """What a contract had before it was made leaves with it: the other chain's balance does not shine through again."""
    snapshot = fork.snapshot()
    dies = bytes.fromhex("73" + BENEFICIARY[2:] + "ff")  # PUSH20 beneficiary SELFDESTRUCT, while it is made
    fork.receipt(fork.send(sender=fork.accounts[1], to=None, data=dies))
    for _ in range(3):
        assert account(fork, BENEFICIARY)[0] == FUNDED_WEI
        assert account(fork, upstream.there) == (0, 0, "0x")
        fork.mine()
    fork.send(sender=fork.accounts[0], to=upstream.there, value=2, gas=21_000)
    assert account(fork, upstream.there) == (2, 0, "0x")
    fork.revert(snapshot)
    assert (account(fork, upstream.there)[0], account(fork, BENEFICIARY)[0]) == (FUNDED_WEI, 0)
    assert account(upstream, upstream.there)[0] == FUNDED_WEI


def test_touched__with_nothing__stays_what_it_is(upstream, fork):
    """A transfer of nothing leaves an empty account empty, and one of the other chain with what it has there."""
    for where in (upstream.there, BENEFICIARY):
        before = account(fork, where)
        fork.receipt(fork.send(sender=fork.accounts[1], to=where, gas=21_000))
        fork.mine()
        assert account(fork, where) == before


def test_revert__after_hundreds_of_blocks__starts_over(upstream, fork):
    """Blocks further away than BLOCKHASH reaches are taken back, and the same life gives the same hashes again."""
    start, snapshot = fork.block(), fork.snapshot()
    hashes = []
    for _ in range(2):
        sent = fork.send(sender=fork.accounts[1], to=upstream.counter, gas=200_000)
        hashes.append(fork.mine(300).hash)
        assert fork.receipt(sent)["blockNumber"] == hex(start.number + 1)
        fork.revert(snapshot)
        assert fork.block() == start
        assert fork.request("eth_getTransactionReceipt", sent) is None
        assert fork.request("eth_getBlockByHash", hashes[-1], False) is None
    assert hashes[0] == hashes[1]


def test_chain_id__in_transactions_and_contracts__the_upstreams(upstream, fork):
    """CHAINID says what the other chain's says; a transaction for another chain is refused."""
    asks = fork.deploy_code(bytes.fromhex("46600052" + "60206000f3"))
    assert int(fork.request("eth_call", {"to": asks}, "latest"), 16) == upstream.chain_id
    fields = {"chainId": 1, "nonce": 0, "gas": 21_000, "to": BENEFICIARY, "value": 1}
    fees = {"maxFeePerGas": 10**12, "maxPriorityFeePerGas": 1}
    raw = "0x" + Account.sign_transaction(fields | fees, fork.key(1)).raw_transaction.hex()
    with pytest.raises(AssertionError, match="chain id"):
        fork.request("eth_sendRawTransaction", raw)


@pytest.mark.parametrize("blocks", [1, 33, 70])
def test_tags__on_both_sides_of_the_fork__one_chain(upstream, fork, blocks):
    """safe and finalized lie as far behind the fork's head as on any chain, with the other chain's blocks and state."""
    fork.send(sender=fork.accounts[1], to=upstream.counter, gas=200_000)
    head = fork.mine(blocks - 1) if blocks > 1 else fork.block()
    depths = {"latest": 0, "safe": 32, "finalized": 64, "earliest": head.number}
    whole = {"fromBlock": "0x0", "address": upstream.counter}
    every = fork.request("eth_getLogs", whole | {"toBlock": "latest"})
    assert len(every) == 4
    for tag, depth in depths.items():
        height = max(0, head.number - depth)
        assert fork.block(tag) == fork.block(height)
        upto = [log for log in every if int(log["blockNumber"], 16) <= height]
        assert fork.request("eth_getLogs", whole | {"toBlock": tag}) == upto
        assert fork.request("eth_getLogs", whole | {"toBlock": hex(height)}) == upto
        for block in (tag, {"blockHash": fork.block(height).hash}):
            poked = int(fork.request("eth_getStorageAt", upstream.counter, "0x0", block), 16)
            assert poked == len(upto)


def test_logs__by_range_and_hash__joined_without_gap_or_double(upstream, fork):
    """Every range over the fork has the logs of its blocks once; a block's own are found by its hash."""
    fork.send(sender=fork.accounts[1], to=upstream.counter, gas=200_000)
    last = fork.block().number
    each = {n: fork.request("eth_getLogs", {"blockHash": fork.block(n).hash}) for n in range(last + 1)}
    assert sum(map(len, each.values())) == 4
    for first in range(last + 1):
        for end in range(first, last + 1):
            found = fork.request("eth_getLogs", {"fromBlock": hex(first), "toBlock": hex(end)})
            assert found == [log for n in range(first, end + 1) for log in each[n]]


def test_block_receipts__of_old_and_new_blocks__there(upstream, fork):
    """The receipts of a block are the other chain's up to the fork, and the fork's since."""
    sent = fork.send(sender=fork.accounts[1], to=upstream.counter, gas=200_000)
    for height in range(1, upstream.block().number + 1):
        asked = ("eth_getBlockReceipts", hex(height))
        assert fork.request(*asked) == upstream.request(*asked)
    (receipt,) = fork.request("eth_getBlockReceipts", "latest")
    assert receipt["transactionHash"] == sent


def test_own_things__asked_for_here_only(upstream, tmp_path):
    """Polling for what was sent or mined here asks nothing of the other chain, so a recording need not know it."""
    recorded = ForkedChain.at(upstream.provider, accounts=4)
    recorded.receipt(recorded.send(sender=recorded.accounts[1], to=upstream.counter, gas=200_000))
    recorded.save(tmp_path / "kept.json")
    fork = ForkedChain.replayed(tmp_path / "kept.json", accounts=4)
    fork.set_automine(on=False)
    sent = fork.send(sender=fork.accounts[2], to=upstream.counter, gas=200_000)  # another story than was recorded
    assert fork.request("eth_getTransactionReceipt", sent) is None
    gone = fork.mine().hash
    fork.reorg(1)
    assert fork.request("eth_getBlockByHash", gone, False) is None
    assert fork.request("eth_getTransactionReceipt", sent) is None
