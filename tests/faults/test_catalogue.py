"""Every fault of the catalogue strikes, does what it says and is written down; one without a proof fails here."""

import pytest

from keeper.chain.asking.wire import BatchRefused
from keeper.chain.errors import AlreadyKnown, RangeTooWide, RateLimited, StaleBlock, Underpriced, Unreachable, translate
from keeper.testing.counter_world import COUNTER
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.faults import CATALOGUE, words
from keeper.testing.faulty import FaultyNode
from keeper.testing.plan import FaultPlan
from keeper.testing.provider import EmbeddedProvider
from keeper.testing.wire import JsonRpcError, hexed

pytestmark = pytest.mark.chain

GWEI = 10**9


@pytest.fixture(scope="module")
def base():
    chain = EmbeddedChain(accounts=4)
    counter = chain.deploy_code(COUNTER)
    chain.mine(4)
    return chain, counter, chain.snapshot()


class World:
    """A chain of six blocks with a counter, and a node before it that plays one plan."""

    def __init__(self, base):
        self.chain, self.counter, start = base
        self.chain.revert(start)
        self.chain.set_automine(on=False)
        self.chain.node.pool.clear()
        self.node = None

    def play(self, *rules, seed=0):
        self.node = FaultyNode(self.chain.node, FaultPlan.of(*rules, seed=seed))
        self.waited = []
        self.provider = EmbeddedProvider(self.node, timeout_s=1.0, wait=self.waited.append)
        return self

    def ask(self, method, *params):
        return self.node.request(method, list(params))

    def true(self, method, *params):
        return self.chain.node.request(method, list(params))

    def raw(self, *, nonce=0, account=1, max_fee=100 * GWEI, tip=GWEI):
        signed = self.chain.node.accounts[account].sign_transaction(
            {
                "type": 2,
                "chainId": self.chain.chain_id,
                "nonce": nonce,
                "gas": 100_000,
                "to": self.counter,
                "value": 0,
                "data": "0x",
                "maxFeePerGas": max_fee,
                "maxPriorityFeePerGas": tip,
            }
        )
        return hexed(signed.raw_transaction)

    def send(self, **fields):
        return self.ask("eth_sendRawTransaction", self.raw(**fields))

    def poke(self, times=1):
        """Blocks with a log of the counter each."""
        for _ in range(times):
            self.true("eth_sendTransaction", {"from": self.chain.accounts[3], "to": self.counter, "gas": "0x186a0"})
            self.chain.mine()

    def logs(self, method=None):
        query = {"fromBlock": "0x1", "toBlock": "latest", "address": self.counter}
        return (method or self.ask)("eth_getLogs", query)

    def heads(self):
        told = []
        self.node.subscribe_heads(lambda head: told.append(int(head["number"], 16)))
        return told


@pytest.fixture
def world(base):
    return World(base)


PROOFS = {}


def proves(name):
    def keep(proof):
        assert name not in PROOFS
        PROOFS[name] = proof
        return proof

    return keep


# The wire


def unanswered(name, *, executed, rule=""):
    """The provider raises, and the transaction is in the pool exactly if the node was to execute."""

    @proves(name)
    def proof(world):
        world.play(name + rule)
        with pytest.raises(Unreachable):
            world.provider.make_request("eth_sendRawTransaction", [world.raw()])
        assert len(world.chain.node.pool) == int(executed)


for one in ("timeout", "reset", "server_error"):
    unanswered(one, executed=False)
for one in ("answer_lost", "sent_then_timeout", "truncated_json", "short_body", "empty_body", "html_body", "wrong_id"):
    unanswered(one, executed=True)


@proves("slow")
def slow(world):
    world.play("slow{seconds=0.5}")
    assert world.provider.make_request("eth_chainId", [])["result"] == world.true("eth_chainId")
    assert world.waited == [0.5]
    world.play("slow{seconds=5}")
    with pytest.raises(Unreachable):
        world.provider.make_request("eth_sendRawTransaction", [world.raw()])
    assert world.waited == [1.0]
    assert len(world.chain.node.pool) == 1


@proves("rate_limited")
def rate_limited(world):
    for option, wait in (("", None), ("{retry_after_s=7}", 7.0)):
        world.play("rate_limited" + option)
        with pytest.raises(RateLimited) as found:
            world.provider.make_request("eth_chainId", [])
        assert found.value.retry_after_s == wait


# Answers


@proves("stale_head")
def stale_head(world):
    world.play("stale_head@5+3")
    told = world.heads()
    seen = []
    for _ in range(5):
        seen.append(int(world.ask("eth_blockNumber"), 16))
        newest = world.ask("eth_getBlockByNumber", "latest", False)
        assert int(newest["number"], 16) == seen[-1]
        assert world.ask("eth_getBlockByNumber", hex(seen[-1] + 1), False) is None
        world.chain.mine()
    assert seen == [5, 5, 5, 8, 9]
    assert told == [8, 9, 10]


@proves("lagging")
def lagging(world):
    world.poke(3)
    head = world.chain.block()
    world.play("lagging{blocks=2}")
    assert int(world.ask("eth_blockNumber"), 16) == head.number - 2
    assert len(world.logs()) == len(world.logs(world.true)) - 2
    late = world.true("eth_getBlockByNumber", "latest", False)["transactions"][0]
    assert world.ask("eth_getTransactionReceipt", late) is None
    assert world.ask("eth_getTransactionByHash", late)["blockNumber"] is None
    assert world.ask("eth_getBlockByHash", head.hash, False) is None
    assert world.ask("eth_getBlockReceipts", hex(head.number)) is None
    with pytest.raises(JsonRpcError) as found:
        world.ask("eth_getBalance", world.counter, {"blockHash": head.hash})
    assert isinstance(translate(found.value.as_json(), method="eth_getBalance"), StaleBlock)
    sender = world.chain.accounts[3]
    assert world.ask("eth_getTransactionCount", sender, "pending") == "0x1"
    assert world.true("eth_getTransactionCount", sender, "pending") == "0x3"
    assert world.ask("eth_feeHistory", "0x2", "latest", [50])["oldestBlock"] == hex(head.number - 3)


@proves("lying_hash")
def lying_hash(world):
    world.poke()
    world.play("lying_hash+2")
    true = world.true("eth_getBlockByNumber", "latest", False)
    told = world.ask("eth_getBlockByNumber", "latest", False)
    assert told["hash"] != true["hash"]
    assert told["parentHash"] == true["parentHash"]
    assert world.ask("eth_getBlockByHash", told["hash"], False) == told
    assert world.logs()[-1]["blockHash"] == told["hash"]
    world.chain.mine()
    assert world.ask("eth_getBlockByNumber", "latest", False)["parentHash"] == told["hash"]
    world.chain.mine(2)
    world.node.calm = True
    assert world.ask("eth_getBlockByNumber", true["number"], False) == true


@proves("wrong_chain_id")
def wrong_chain_id(world):
    world.play("wrong_chain_id{chain_id=17}")
    assert world.ask("eth_chainId") == "0x11"
    assert world.ask("net_version") == "17"


@proves("null_receipts")
def null_receipts(world):
    world.poke()
    world.play("null_receipts")
    mined = world.true("eth_getBlockByNumber", "latest", False)["transactions"][0]
    assert world.true("eth_getTransactionReceipt", mined)
    assert world.ask("eth_getTransactionReceipt", mined) is None


@proves("null_blocks")
def null_blocks(world):
    assert world.play("null_blocks").ask("eth_getBlockByNumber", "latest", False) is None


@proves("null_transactions")
def null_transactions(world):
    sent = world.play("null_transactions").send()
    assert world.true("eth_getTransactionByHash", sent)
    assert world.ask("eth_getTransactionByHash", sent) is None


@proves("empty_logs")
def empty_logs(world):
    world.poke(2)
    assert world.play("empty_logs").logs() == []


@proves("missing_logs")
def missing_logs(world):
    world.poke(4)
    all_of_them = world.logs(world.true)
    found = world.play("missing_logs").logs()
    assert len(found) < len(all_of_them)
    assert all(one in all_of_them for one in found)


@proves("logs_beyond_head")
def logs_beyond_head(world):
    world.poke()
    found = world.play("logs_beyond_head").logs()
    assert int(found[-1]["blockNumber"], 16) > world.chain.block().number
    assert found[:-1] == world.logs(world.true)


@proves("reordered_logs")
def reordered_logs(world):
    world.poke(3)
    found, true = world.play("reordered_logs").logs(), world.logs(world.true)
    assert found != true
    assert sorted(found, key=lambda log: log["blockNumber"]) == true


@proves("duplicated_logs")
def duplicated_logs(world):
    world.poke(2)
    assert len(world.play("duplicated_logs").logs()) == 2 * len(world.logs(world.true))


@proves("dishonest_balance")
def dishonest_balance(world):
    assert world.play("dishonest_balance{wei=17}").ask("eth_getBalance", world.chain.accounts[1], "latest") == "0x11"


@proves("zeroed_call")
def zeroed_call(world):
    sha256 = {"to": "0x" + "00" * 19 + "02", "data": "0x"}
    true = world.true("eth_call", sha256, "latest")
    found = world.play("zeroed_call").ask("eth_call", sha256, "latest")
    assert int(found, 16) == 0
    assert len(found) == len(true)
    assert int(true, 16)


@proves("nonce_too_low")
def nonce_too_low(world):
    world.poke(2)
    assert world.play("nonce_too_low").ask("eth_getTransactionCount", world.chain.accounts[3], "latest") == "0x1"


@proves("nonce_too_high")
def nonce_too_high(world):
    found = world.play("nonce_too_high").ask("eth_getTransactionCount", world.chain.accounts[2], "latest")
    assert int(found, 16) == 633


@proves("refuses_hash")
def refuses_hash(world):
    pin = {"blockHash": world.chain.block().hash, "requireCanonical": True}
    for wording in words.BY_HASH:
        world.play(f"refuses_hash{{words={wording}}}")
        with pytest.raises(JsonRpcError):
            world.ask("eth_getBalance", world.counter, pin)
        assert world.ask("eth_getBalance", world.counter, "latest") == "0x0"


@proves("refuses_logs")
def refuses_logs(world):
    for wording in words.LOG_RANGES:
        world.play(f"refuses_logs{{words={wording},widest=3}}")
        with pytest.raises(JsonRpcError) as found:
            world.logs()
        assert isinstance(translate(found.value.as_json(), method="eth_getLogs"), RangeTooWide), wording
        assert world.ask("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x3"}) == []
        assert world.ask("eth_getLogs", {"blockHash": world.chain.block().hash}) == []


@proves("lost_state")
def lost_state(world):
    old, near = world.chain.block(2), world.chain.block(4)
    world.play("lost_state{depth=2}")
    for where in (hex(old.number), {"blockHash": old.hash}):
        with pytest.raises(JsonRpcError) as found:
            world.ask("eth_getBalance", world.counter, where)
        assert isinstance(translate(found.value.as_json(), method="eth_getBalance"), StaleBlock)
    assert world.ask("eth_getBalance", world.counter, {"blockHash": near.hash}) == "0x0"


@proves("rate_limited_in_body")
def rate_limited_in_body(world):
    for wording in words.RATES:
        with pytest.raises(JsonRpcError) as found:
            world.play(f"rate_limited_in_body{{words={wording}}}").ask("eth_blockNumber")
        assert isinstance(translate(found.value.as_json(), method="eth_blockNumber"), RateLimited)


@proves("internal_error")
def internal_error(world):
    with pytest.raises(JsonRpcError) as found:
        world.play("internal_error").ask("eth_blockNumber")
    assert isinstance(translate(found.value.as_json(), method="eth_blockNumber"), Unreachable)


THREE = [("eth_chainId", []), ("eth_blockNumber", []), ("net_version", [])]


@proves("refuses_batches")
def refuses_batches(world):
    world.play("refuses_batches")
    with pytest.raises(BatchRefused) as found:
        world.provider.make_batch(THREE)
    assert not found.value.too_large
    world.play("refuses_batches{largest=2,words=too_large}")
    with pytest.raises(BatchRefused) as found:
        world.provider.make_batch(THREE)
    assert found.value.too_large
    assert len(world.provider.make_batch(THREE[:2])) == 2


@proves("reordered_batch")
def reordered_batch(world):
    world.play("reordered_batch")
    body = [{"jsonrpc": "2.0", "id": at, "method": method, "params": []} for at, (method, _) in enumerate(THREE)]
    found = [one["id"] for one in world.node.batch(body)]
    assert found != [0, 1, 2]
    assert sorted(found) == [0, 1, 2]


@proves("partial_batch")
def partial_batch(world):
    world.play("partial_batch")
    assert world.provider.make_batch(THREE).count(None) == 1


# The pool


@proves("swallowed")
def swallowed(world):
    sent = world.play("swallowed").send()
    assert len(sent) == 66
    assert world.true("eth_getTransactionByHash", sent) is None


@proves("lying_known")
def lying_known(world):
    with pytest.raises(JsonRpcError) as found:
        world.play("lying_known").send()
    assert isinstance(translate(found.value.as_json(), method="eth_sendRawTransaction"), AlreadyKnown)
    assert len(world.chain.node.pool) == 0


@proves("pool_full")
def pool_full(world):
    with pytest.raises(JsonRpcError) as found:
        world.play("pool_full").send()
    assert isinstance(translate(found.value.as_json(), method="eth_sendRawTransaction"), Unreachable)
    assert len(world.chain.node.pool) == 0


@proves("delayed")
def delayed(world):
    sent = world.play("delayed{blocks=2}").send()
    mined = [world.chain.mine() and world.true("eth_getTransactionReceipt", sent) is not None for _ in range(4)]
    assert mined == [False, False, True, True]


@proves("stricter_bump")
def stricter_bump(world):
    world.play("stricter_bump{percent=25}")
    world.send(max_fee=100 * GWEI, tip=GWEI)
    with pytest.raises(JsonRpcError) as found:
        world.send(max_fee=120 * GWEI, tip=120 * GWEI // 100)
    assert isinstance(translate(found.value.as_json(), method="eth_sendRawTransaction"), Underpriced)
    world.send(max_fee=125 * GWEI, tip=125 * GWEI // 100)
    assert len(world.chain.node.pool) == 1
    world.send(nonce=1, max_fee=50 * GWEI, tip=GWEI)


@proves("min_tip")
def min_tip(world):
    world.play("min_tip{gwei=2}")
    with pytest.raises(JsonRpcError) as found:
        world.send(tip=GWEI)
    assert isinstance(translate(found.value.as_json(), method="eth_sendRawTransaction"), Underpriced)
    world.send(tip=2 * GWEI)


@proves("refuses_gaps")
def refuses_gaps(world):
    world.play("refuses_gaps")
    with pytest.raises(JsonRpcError):
        world.send(nonce=1)
    world.send(nonce=0)
    world.send(nonce=1)


@proves("evicted")
def evicted(world):
    world.play("evicted{blocks=1}")
    gone = world.send(nonce=1)
    world.chain.mine()
    assert world.true("eth_getTransactionByHash", gone) is None
    stays = world.send(nonce=0)
    world.chain.mine()
    assert world.true("eth_getTransactionReceipt", stays)
    assert world.node.ledger.of("evicted") == 1
    at_once = world.play("evicted").send(nonce=1)
    assert world.true("eth_getTransactionByHash", at_once) is None


@proves("foreign")
def foreign(world):
    world.play("foreign*1{account=1,behind=0}")
    world.chain.mine()  # strikes after this block
    ours = world.raw(nonce=0)
    with pytest.raises(JsonRpcError):
        world.ask("eth_sendRawTransaction", ours)  # the nonce is taken by somebody who pays more
    world.chain.mine()
    assert world.true("eth_getTransactionCount", world.chain.accounts[1], "latest") == "0x1"


@proves("private_pool")
def private_pool(world):
    sent = world.play("private_pool").send()
    assert world.ask("eth_getTransactionByHash", sent) is None
    assert world.ask("eth_getTransactionCount", world.chain.accounts[1], "pending") == "0x0"
    world.chain.mine()
    assert world.ask("eth_getTransactionByHash", sent)["blockNumber"] is not None


# The chain


@proves("base_fee_spike")
def base_fee_spike(world):
    world.play("base_fee_spike*1{gwei=300}")
    cheap = world.send(max_fee=100 * GWEI)
    world.ask("evm_mine")
    assert int(world.true("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16) == 300 * GWEI
    fees = []
    while world.true("eth_getTransactionReceipt", cheap) is None:
        world.ask("evm_mine")
        fees.append(int(world.true("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16))
    assert fees == sorted(fees, reverse=True)
    assert fees[-2] > 100 * GWEI >= fees[-1]


@proves("reorg")
def reorg(world):
    for keep, remain in (("none", 0), ("kept", 2), ("reordered", 2)):
        world.chain.node.pool.clear()
        world.play(f"reorg*1{{depth=2,keep={keep}}}")
        nonces = [int(world.true("eth_getTransactionCount", world.chain.accounts[n], "latest"), 16) for n in (1, 2)]
        sent = [world.send(nonce=nonces[n - 1], account=n, tip=n * GWEI) for n in (1, 2)]
        before = world.chain.mine()
        order = world.true("eth_getBlockByNumber", "latest", False)["transactions"]
        assert order == sent[::-1]
        world.ask("evm_mine")
        after = world.true("eth_getBlockByNumber", hex(before.number), False)
        assert after["hash"] != before.hash
        receipts = [one for one in sent if world.true("eth_getTransactionReceipt", one)]
        assert len(receipts) == remain
        if remain:
            first = world.true("eth_getTransactionReceipt", sent[0])["blockNumber"]
            again = world.true("eth_getBlockByNumber", first, False)["transactions"]
            assert again == (order if keep == "kept" else order[::-1])


@proves("time_jump")
def time_jump(world):
    before = world.chain.block().timestamp
    world.play("time_jump{seconds=600}").ask("evm_mine")
    assert world.chain.block().timestamp - before == 612


# Heads


@proves("ws_drop")
def ws_drop(world):
    world.play("ws_drop@6+2")
    told, links = world.heads(), []
    world.node.subscribe_link(links.append)
    world.chain.mine(5)
    assert told == [8, 9, 10]
    assert links == [False, True]


@proves("silent_subscription")
def silent_subscription(world):
    world.play("silent_subscription@6+2")
    told, links = world.heads(), []
    world.node.subscribe_link(links.append)
    world.chain.mine(5)
    assert told == [8, 9, 10]
    assert links == []


@proves("missing_head")
def missing_head(world):
    told = world.play("missing_head@7").heads()
    world.chain.mine(4)
    assert told == [6, 8, 9]


@proves("duplicate_head")
def duplicate_head(world):
    told = world.play("duplicate_head@7").heads()
    world.chain.mine(3)
    assert told == [6, 7, 7, 8]


@proves("swapped_heads")
def swapped_heads(world):
    told = world.play("swapped_heads@7").heads()
    world.chain.mine(4)
    assert told == [6, 8, 7, 9]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_fault__its_proof__strikes_as_described_and_is_written_down(name, world):
    """A fault does what its sentence says, and the ledger has it at the boundary it sits at."""
    assert name in PROOFS, f"write a proof for {name}"
    PROOFS[name](world)
    firings = [one for one in world.node.ledger.firings if one.fault == name]
    assert firings
    assert all(one.boundary is CATALOGUE[name].boundary for one in firings)


def test_proofs__each__is_of_a_fault_that_exists():
    """A proof does not outlive its fault."""
    assert set(PROOFS) == set(CATALOGUE)
