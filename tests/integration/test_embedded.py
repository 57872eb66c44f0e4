"""The embedded chain keeps the promises the demo and the tests stand on."""

import pytest
from eth_account import Account

from keeper.testing.counter_world import CLOSE, COUNTER, count
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.reverts import revert_of

pytestmark = pytest.mark.chain


@pytest.fixture
def chain():
    return EmbeddedChain(accounts=3)


def test_advance_to__next_block__has_exactly_this_time(chain):
    """No second more or less."""
    for step in (1, 7, 3600, 86_400 * 30):
        wanted = chain.block().timestamp + step
        chain.advance_to(wanted)
        assert chain.mine().timestamp == wanted


def test_same_calls__same_hashes():
    """Two chains that live the same life are the same chain."""
    lives = []
    for _ in range(2):
        chain = EmbeddedChain(accounts=3)
        counter = chain.deploy_code(COUNTER)
        chain.send(sender=chain.accounts[1], to=counter)
        lives.append(chain.mine(3))
    assert lives[0] == lives[1]


def test_snapshot__lived_from_twice__same_start(chain):
    """A snapshot can be reverted to again and again, with receipts of the other life gone."""
    counter = chain.deploy_code(COUNTER)
    start, snapshot = chain.block(), chain.snapshot()
    for _ in range(3):
        sent = chain.send(sender=chain.accounts[1], to=counter)
        chain.mine(2)
        assert count(chain, counter) == 1
        chain.revert(snapshot)
        assert chain.block() == start
        assert count(chain, counter) == 0
        assert chain.request("eth_getTransactionReceipt", sent) is None


def raw(chain, nonce, max_fee, tip):
    transaction = {
        "type": 2, "chainId": chain.chain_id, "nonce": nonce, "to": chain.accounts[0], "value": 1, "gas": 21_000,
        "maxFeePerGas": max_fee, "maxPriorityFeePerGas": tip, "data": "0x",
    }  # fmt: skip
    return "0x" + Account.sign_transaction(transaction, chain.key(1)).raw_transaction.hex()


def test_mempool__gap_and_replacement__as_on_a_real_node(chain):
    """Later nonces wait for the gap; a replacement pays a tenth more on both fields or is refused."""

    def send(*args):
        return chain.request("eth_sendRawTransaction", raw(chain, *args))

    with chain.automine_off():
        later = send(1, 10**10, 10**9)
        chain.mine()
        assert chain.request("eth_getTransactionReceipt", later) is None
        first = send(0, 10**10, 10**9)
        for fees in ((109 * 10**8, 2 * 10**9), (2 * 10**10, 10**9)):
            with pytest.raises(AssertionError, match="underpriced"):
                send(0, *fees)
        second = send(0, 11 * 10**9, 11 * 10**8)
        assert chain.request("eth_getTransactionCount", chain.accounts[1], "pending") == "0x2"
        chain.mine()
    assert chain.request("eth_getTransactionReceipt", first) is None
    assert chain.receipt(second)["blockHash"] == chain.receipt(later)["blockHash"]
    with pytest.raises(AssertionError, match="nonce too low"):
        send(0, 10**11, 10**10)


def test_call__custom_error__data_survives_web3(chain):
    """web3 raises its own error with the contract's bytes."""
    counter = chain.deploy_code(COUNTER)
    chain.send(sender=chain.accounts[0], to=counter, data=CLOSE)
    with pytest.raises(Exception, match="deadbeef") as caught:
        chain.w3.eth.call({"to": counter})
    assert revert_of(caught.value)[0].hex() == "deadbeef"


def test_call__past_block__state_of_then(chain):
    """Reads at a block see that block, not the head."""
    counter = chain.deploy_code(COUNTER)
    chain.send(sender=chain.accounts[0], to=counter)
    then = chain.block()
    chain.send(sender=chain.accounts[0], to=counter)
    at = {"blockHash": then.hash, "requireCanonical": True}
    assert chain.request("eth_getStorageAt", counter, "0x0", at)[-1] == "1"
    assert chain.request("eth_getStorageAt", counter, "0x0", "latest")[-1] == "2"
