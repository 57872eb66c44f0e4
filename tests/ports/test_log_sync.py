"""Log sync over the embedded chain: complete after restarts, reorgs, refusals and failures."""

import pytest

from keeper.chain.errors import RangeTooWide, StaleBlock, Unreachable
from keeper.chain.log_sync import LogSync, SyncPlan
from keeper.errors import BadInput, Refused, Retry
from keeper.testing.counter_world import COUNTER, rpc_of
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.memory_store import MemoryStore

pytestmark = pytest.mark.chain


class Seen:
    """A consumer that keeps (block, count) of each log."""

    def __init__(self):
        self.entries = []

    def apply(self, number, logs):
        assert {entry.block_number for entry in logs} == {number}
        assert not self.entries or number > self.entries[-1][0]
        self.entries += [(number, int.from_bytes(entry.data, "big")) for entry in logs]

    def dump(self):
        return repr(self.entries).encode()

    def load(self, state):
        self.entries = eval(state.decode())

    def clear(self):
        self.entries = []


class World:
    def __init__(self):
        self.chain = EmbeddedChain(accounts=3)
        self.chain.mine(2)
        self.counter = self.chain.deploy_code(COUNTER)
        self.deployed_at = self.chain.block().number
        self.rpc = rpc_of(self.chain)
        self.store = MemoryStore()

    def poke(self, times=1):
        for _ in range(times):
            self.chain.send(sender=self.chain.accounts[0], to=self.counter)
        return self.chain.block()

    def sync(self, **plan):
        given = {"depth": 4, "checkpoint_blocks": 3} | plan
        seen = Seen()
        settings = SyncPlan(addresses=(self.counter,), deployed_at=self.deployed_at, **given)
        return LogSync(self.rpc, self.store, seen, settings), seen

    def truth(self):
        logs = self.rpc.logs(0, self.chain.block().number, [self.counter])
        return [(entry.block_number, int.from_bytes(entry.data, "big")) for entry in logs]


@pytest.fixture
def world():
    return World()


def test_sync__from_deployment_then_block_by_block__complete(world):
    """The state is that of the target, whether blocks came in ranges or one by one."""
    sync, seen = world.sync()
    for burst in (15, 1, 3, 1, 1, 9, 30):
        sync.sync_to(world.poke(burst))
        assert seen.entries == world.truth()


def test_sync__restart_at_any_time__complete(world):
    """A new process continues from the base and knows everything."""
    for burst in (1, 6, 12, 1, 1, 40):
        sync, seen = world.sync()
        sync.sync_to(world.poke(burst))
        assert seen.entries == world.truth()


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_sync__reorg__rolled_back_and_reapplied(world, depth):
    """What a reorg removed is gone, what replaced it is there."""
    sync, seen = world.sync()
    sync.sync_to(world.poke(20))
    world.chain.reorg(depth)
    assert len(world.truth()) == 20 - depth
    sync.sync_to(world.chain.block())
    assert seen.entries == world.truth()
    sync.sync_to(world.poke(5))
    assert seen.entries == world.truth()


def test_sync__reorg_below_the_base__starts_over(world):
    """Deeper than anything kept: the state is built again from the deployment, not patched."""
    sync, seen = world.sync()
    sync.sync_to(world.poke(20))
    world.chain.reorg(12)
    target = world.poke(3)
    with pytest.raises(StaleBlock):
        sync.sync_to(target)
    sync.sync_to(target)
    assert seen.entries == world.truth()


def test_sync__older_target__replayed_from_memory(world):
    """`explain` may look back without a second index."""
    sync, seen = world.sync()
    world.poke(20)
    earlier = world.chain.block()
    sync.sync_to(earlier)
    then = list(seen.entries)
    sync.sync_to(world.poke(3))
    sync.sync_to(earlier)
    assert seen.entries == then
    with pytest.raises(Refused):
        sync.sync_to(world.chain.block(world.deployed_at))


def test_sync__range_refused__split_until_it_fits(world):
    """A provider's limit costs requests, never logs."""
    target = world.poke(60)
    real, widths = world.rpc.logs, []

    def logs(first, last, addresses, topics=()):
        if last - first + 1 > 7:
            raise RangeTooWide("limited to 7 blocks")
        widths.append(last - first + 1)
        return real(first, last, addresses, topics)

    world.rpc.logs = logs
    sync, seen = world.sync()
    sync.sync_to(target)
    world.rpc.logs = real
    assert seen.entries == world.truth()
    assert max(widths) > 3


@pytest.mark.parametrize("method", ["logs", "logs_in", "block", "block_by_hash"])
def test_sync__fetch_fails_midway__nothing_lost_nothing_twice(world, method):
    """A failed fetch is tried again; it never reads as "no accounts" (12) and never applies a log twice."""
    target = world.poke(30)
    sync, seen = world.sync(widest_range=4)
    real = getattr(world.rpc, method)
    calls = iter(range(10_000))

    def flaky(*args, **kwargs):
        if next(calls) % 3 == 1:
            raise Unreachable("no answer")
        return real(*args, **kwargs)

    setattr(world.rpc, method, flaky)
    for _ in range(3):
        try:
            sync.sync_to(target)
        except Retry:
            continue
    setattr(world.rpc, method, real)
    sync.sync_to(target)
    assert seen.entries == world.truth()
    sync.sync_to(world.poke(30))
    assert seen.entries == world.truth()


def test_sync__node_without_log_index__retry_not_empty(world):
    """A contract without a single log since its deployment is a node that lies (12)."""
    target = world.poke(30)
    world.rpc.logs = lambda *_: ()
    sync, _ = world.sync()
    with pytest.raises(Retry):
        sync.sync_to(target)
    assert world.store.load_sync() is None


def test_sync__target_before_deployment__bad_input(world):
    """A wrong deployment block is the operator's to correct."""
    sync, _ = world.sync()
    with pytest.raises(BadInput):
        sync.sync_to(world.chain.block(0))
