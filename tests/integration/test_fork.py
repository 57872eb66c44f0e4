"""A local fork: it stands where the other chain stood, changes nothing there, and runs again without it."""

import json
from pathlib import Path

import pytest
from eth_tester import EthereumTester
from eth_tester.exceptions import TransactionNotFound

from keeper.errors import BadInput
from keeper.testing.anvil import AnvilChain
from keeper.testing.counter_world import CLOSE, COUNTER, OPEN, count
from keeper.testing.embedded import EmbeddedChain, LocalChain
from keeper.testing.fork import ForkBackend, ForkedChain, Upstream
from keeper.testing.fork.backend import header_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

BOTH = ["embedded", pytest.param("anvil", marks=pytest.mark.needs_anvil)]


@pytest.fixture(scope="module", params=BOTH)
def upstream(request):
    """A chain with a past: a counter that was poked three times."""
    chain = AnvilChain(accounts=4) if request.param == "anvil" else EmbeddedChain(accounts=4)
    chain.counter = chain.deploy_code(COUNTER)
    for _ in range(3):
        chain.send(sender=chain.accounts[0], to=chain.counter)
    chain.mine(5)
    yield chain
    if isinstance(chain, AnvilChain):
        chain.close()


@pytest.fixture
def fork(upstream):
    return ForkedChain.at(upstream.provider, accounts=4)


def poke(chain: LocalChain, counter: str, data: bytes = b"") -> dict:
    return chain.receipt(chain.send(sender=chain.accounts[1], to=counter, data=data, gas=200_000))


def test_fork__first_look__number_time_chain_and_parent_are_the_upstreams(upstream, fork):
    """The fork's head is the other chain's block, and its next block is that one's child."""
    assert fork.block() == upstream.block()
    assert fork.chain_id == upstream.chain_id
    mined = fork.mine()
    assert mined.number == upstream.block().number + 1
    assert mined.parent_hash == upstream.block().hash
    assert mined.timestamp > upstream.block().timestamp


def test_fork__state__read_through_and_written_here_only(upstream, fork):
    """What was not written here is the other chain's; what was written here never reaches it."""
    before = upstream.block()
    assert count(fork, upstream.counter) == 3
    receipt = poke(fork, upstream.counter)
    assert int(receipt["logs"][0]["data"], 16) == 4
    assert count(fork, upstream.counter) == 4
    assert count(upstream, upstream.counter) == 3
    assert upstream.block() == before


def test_fork__word_set_to_zero__hides_the_upstreams(upstream):
    """A zero written here is a zero, though the other chain has a number there, over blocks and reverts."""
    poke(upstream, upstream.counter, CLOSE)
    fork = ForkedChain.at(upstream.provider, accounts=4)
    poke(upstream, upstream.counter, OPEN)
    slot = lambda: int(fork.request("eth_getStorageAt", upstream.counter, "0x1", "latest"), 16)  # noqa: E731 - asked four times
    assert slot() == 1
    snapshot = fork.snapshot()
    poke(fork, upstream.counter, OPEN)
    fork.mine(2)
    assert slot() == 0
    poke(fork, upstream.counter)
    assert count(fork, upstream.counter) == 4
    fork.revert(snapshot)
    assert slot() == 1


def test_fork__snapshot_and_revert__as_if_nothing_had_happened(upstream, fork):
    """A revert restores blocks, state and nonces, and the fork goes on from there; one snapshot serves twice."""
    start, snapshot = fork.block(), fork.snapshot()
    for expected in (4, 4):
        tx_hash = poke(fork, upstream.counter)["transactionHash"]
        assert count(fork, upstream.counter) == expected
        fork.mine(3)
        fork.revert(snapshot)
        assert fork.block() == start
        assert count(fork, upstream.counter) == 3
        assert fork.request("eth_getTransactionReceipt", tx_hash) is None


def test_fork__anybody_acts__as_on_anvil(upstream, fork):
    """A contract of the other chain, without a key or ether anywhere, sends here once it is impersonated."""
    somebody = upstream.counter
    call = {"from": somebody, "to": upstream.counter, "data": "0x"}
    with pytest.raises(AssertionError, match="unknown account"):
        fork.request("eth_sendTransaction", call)
    fork.request("anvil_impersonateAccount", somebody)
    for poked in (4, 5):
        receipt = fork.receipt(fork.request("eth_sendTransaction", call))
        assert (count(fork, upstream.counter), int(receipt["logs"][0]["data"], 16)) == (poked, poked)
    assert int(fork.request("eth_getTransactionCount", somebody, "latest"), 16) == 3, "a contract begins with one"
    assert poke(fork, upstream.counter)["status"] == "0x1", "and those with keys go on"
    assert count(upstream, upstream.counter) == 3


def test_fork__call_at_the_forked_block__knows_the_block_before(upstream):
    """What runs in the forked block itself may ask for the hash of its parent, which is the other chain's."""
    # NUMBER − 1, BLOCKHASH, returned
    code = bytes.fromhex("6001430340") + bytes.fromhex("60005260206000f3")
    at = upstream.deploy_code(code)
    fresh = ForkedChain.at(upstream.provider, accounts=4)
    answer = fresh.request("eth_call", {"to": at, "data": "0x"}, "latest")
    assert answer == fresh.block().parent_hash


def test_fork__older_blocks__answered_by_the_upstream(upstream, fork):
    """Blocks, logs, receipts and state from before the fork are still there, joined with what happened since."""
    poke(fork, upstream.counter)
    fork_height = upstream.block().number
    assert fork.block(fork_height - 2) == upstream.block(fork_height - 2)
    whole = {"fromBlock": "0x0", "toBlock": "latest", "address": upstream.counter}
    before, after = upstream.request("eth_getLogs", whole), fork.request("eth_getLogs", whole)
    assert [log["data"] for log in after] == [log["data"] for log in before] + ["0x" + f"{4:064x}"]
    assert fork.request("eth_getTransactionReceipt", before[0]["transactionHash"]) is not None
    then = before[0]["blockNumber"]
    assert int(fork.request("eth_getStorageAt", upstream.counter, "0x0", then), 16) == 1


def test_fork__block_hash_opcode__knows_blocks_from_before(upstream, fork):
    """A contract that asks for an old block's hash gets the other chain's, and the fork's own where that is newer."""
    asks = fork.deploy_code(bytes.fromhex("60003540600052" + "60206000f3"))  # blockhash(calldata word)
    head = fork.mine()

    def blockhash(height: int) -> str:
        data = "0x" + f"{height:064x}"
        return fork.request("eth_call", {"to": asks, "data": data}, hex(head.number))

    parent = upstream.block().number
    assert blockhash(parent - 3) == upstream.block(parent - 3).hash
    assert blockhash(parent) == upstream.block().hash
    assert blockhash(head.number - 1) == fork.block(head.number - 1).hash


def test_eth_tester__on_a_fork_backend__lives_and_reverts(upstream):
    """The backend serves eth-tester itself: transactions, receipts, snapshot and revert."""
    backend = ForkBackend(Upstream(upstream.provider), accounts=4)
    tester = EthereumTester(backend)
    sender = tester.get_accounts()[1]
    snapshot = tester.take_snapshot()
    sent = tester.send_transaction({"from": sender, "to": upstream.counter, "gas": 200_000})
    receipt = tester.get_transaction_receipt(sent)
    assert receipt["block_number"] == upstream.block().number + 1
    assert backend.get_storage(bytes.fromhex(upstream.counter[2:]), 0) == 4
    tester.mine_blocks(2)
    tester.revert_to_snapshot(snapshot)
    assert tester.get_block_by_number("latest")["number"] == upstream.block().number
    assert backend.get_storage(bytes.fromhex(upstream.counter[2:]), 0) == 3
    with pytest.raises(TransactionNotFound):
        backend.get_transaction_receipt(bytes.fromhex(sent[2:]))


def test_fork__recorded__runs_again_without_the_upstream(upstream, tmp_path):
    """A saved fork gives the same blocks with no node behind it, and names what it never read."""
    path = tmp_path / "kept.fork.json"

    def story(chain: ForkedChain) -> list[str]:
        poke(chain, upstream.counter)
        chain.mine(2)
        return [chain.block(n).hash for n in range(chain.upstream.number, chain.block().number + 1)]

    live = ForkedChain.at(upstream.provider, accounts=4)
    told = story(live)
    live.save(path)
    replayed = ForkedChain.replayed(path, accounts=4)
    assert story(replayed) == told
    assert replayed.upstream.asked == 0
    with pytest.raises(AssertionError, match="was not recorded"):
        replayed.request("eth_getStorageAt", upstream.counter, "0x99", "0x0")


def test_fork__reads__nothing_twice(upstream, fork):
    """What was asked once is not asked again, by a second transaction or after a revert neither."""
    snapshot = fork.snapshot()
    poke(fork, upstream.counter)
    fork.revert(snapshot)
    asked = fork.upstream.asked
    poke(fork, upstream.counter)
    assert fork.upstream.asked == asked


def test_upstream__node_without_block_objects__read_by_number_and_checked(upstream):
    """A node that refuses EIP-1898 is read by height, and a reorganised height is noticed."""

    class Old:
        moved = False

        def make_request(self, method, params):
            if any(isinstance(one, dict) and "blockHash" in one for one in params) and method != "eth_getLogs":
                return {"error": {"code": -32602, "message": "invalid argument 1: cannot unmarshal object"}}
            answer = upstream.provider.make_request(method, params)
            if self.moved and method == "eth_getBlockByNumber":
                answer = {"result": dict(answer["result"]) | {"hash": "0x" + "ab" * 32}}
            return answer

    node = Old()
    fork = ForkedChain.at(node, accounts=4)
    assert count(fork, upstream.counter) == count(upstream, upstream.counter)
    node.moved = True
    with pytest.raises(Exception, match="reorganised away"):
        fork.request("eth_getStorageAt", upstream.counter, "0x77", "latest")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda block: block.pop("parentBeaconBlockRoot"), "before Cancun"),
        (lambda block: block.update(gasUsed="0x1234567"), "hashes to"),
    ],
)
def test_header__not_ethereums__refused_with_the_way_out(upstream, spoil, said):
    """A header that does not hash to its own hash is not guessed at."""
    block = dict(upstream.request("eth_getBlockByNumber", "latest", False))
    spoil(block)
    with pytest.raises(BadInput, match=said):
        header_of(block)


def test_recording__damaged__refused(tmp_path: Path):
    """A file that is no recording, or of another version, is bad input with what to do."""
    path = tmp_path / "bad.json"
    for text in ("", "[]", json.dumps({"format": 99})):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match=r"recording|format 99"):
            Upstream.recorded(path)
