"""Log sync over the embedded chain: complete after restarts, reorgs, refusals and failures."""

import pytest
from structlog.testing import capture_logs

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.errors import StaleBlock
from keeper.chain.following.log_sync import LogSync
from keeper.chain.following.sync_plan import SyncPlan
from keeper.errors import BadInput, Refused, Retry
from keeper.testing.counter_world import COUNTER, rpc_of
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.memory_store import MemoryStore

pytestmark = pytest.mark.chain


class Seen:
    """A consumer that keeps (block, count) of each log, and corrections."""

    def __init__(self):
        self.entries = []

    def apply(self, logs):
        numbers = [entry.block_number for entry in logs]
        assert numbers == sorted(numbers)
        assert not self.entries or not numbers or numbers[0] > self.entries[-1][0]
        self.entries += [(entry.block_number, int.from_bytes(entry.data, "big")) for entry in logs]

    def amend(self, word):
        self.entries.append((self.entries[-1][0], word.decode()))

    def mark(self):
        return tuple(self.entries)

    def reset(self, mark):
        self.entries = list(mark)

    def dump(self, mark):
        return repr(list(mark)).encode().ljust(8_000)

    def load(self, state):
        self.entries = eval(state.decode())

    def clear(self):
        self.entries = []


class Between:
    """A provider with somebody in the line: `meddle(method, params)` answers instead of the node, or returns None."""

    def __init__(self, provider):
        self.provider = provider
        self.meddle = lambda *_: None
        self.asked = []

    def make_request(self, method, params):
        self.asked.append((method, params))
        meddled = self.meddle(method, params)
        return self.provider.make_request(method, params) if meddled is None else {"id": 1, **meddled}

    def queries(self):
        return [params[0] for method, params in self.asked if method == "eth_getLogs"]


class World:
    def __init__(self):
        self.chain = EmbeddedChain(accounts=3)
        self.chain.mine(2)
        self.counter = self.chain.deploy_code(COUNTER)
        self.deployed_at = self.chain.block().number
        self.line = Between(self.chain.provider)
        # One try a question: what fails here is meant to.
        self.rpc = Rpc([Endpoint("local", self.line)], chain_id=self.chain.chain_id)
        self.true = rpc_of(self.chain)
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
        logs = self.true.logs(0, self.chain.block().number, [self.counter])
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


def width(query):
    return int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1


def refusing(words, *, limit, code=-32000):
    """Somebody who refuses questions about more than `limit` blocks, in a provider's words."""

    def meddle(method, params):
        if method == "eth_getLogs" and "fromBlock" in params[0] and width(params[0]) > limit:
            first = int(params[0]["fromBlock"], 16)
            said = words.format(first=hex(first), last=hex(first + limit - 1))
            return {"error": {"code": code, "message": said}}
        return None

    return meddle


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-32000, "exceed maximum block range: 50000"),  # BSC
        (-32005, "query returned more than 10000 results. Try with this block range [{first}, {last}]."),  # Infura
        (-32602, "Log response size exceeded. This block range should work: [{first}, {last}]"),  # Alchemy
        (-32602, "query exceeds max results 20000, retry with the range {first}-{last}"),  # reth
        (-32614, "eth_getLogs is limited to a 10,000 range"),  # QuickNode
    ],
)  # fmt: skip
def test_sync__range_refused__split_until_it_fits(world, code, words):
    """A provider's limit costs requests, never logs; where it says what would fit, hardly any."""
    target = world.poke(60)
    world.line.meddle = refusing(words, limit=7, code=code)
    sync, seen = world.sync()
    sync.sync_to(target)
    assert seen.entries == world.truth()
    asked = [width(query) for query in world.line.queries() if "fromBlock" in query]
    refused = [blocks for blocks in asked if blocks > 7]
    assert max(blocks for blocks in asked if blocks <= 7) > 3
    assert len(refused) <= (3 if "{first}" in words else 6)


def test_sync__answer_is_silently_cut__split_until_it_is_whole(world, monkeypatch):
    """An answer of a suspiciously round length is asked for again in halves."""
    monkeypatch.setattr("keeper.chain.following.log_ranges.SILENT_CAPS", frozenset({10}))
    target = world.poke(60)

    def cut(method, params):
        if method == "eth_getLogs" and "fromBlock" in params[0]:
            answer = world.chain.provider.make_request(method, params)
            return {"result": answer["result"][:10]}
        return None

    world.line.meddle = cut
    sync, seen = world.sync()
    sync.sync_to(target)
    assert seen.entries == world.truth()


@pytest.mark.parametrize("method", ["eth_getLogs", "eth_getBlockByNumber", "eth_getBlockByHash"])
def test_sync__fetch_fails_midway__nothing_lost_nothing_twice(world, method):
    """A failed fetch is tried again; it never reads as "no accounts" (12) and never applies a log twice."""
    target = world.poke(30)
    sync, seen = world.sync(widest_range=4)
    calls = iter(range(10_000))

    def flaky(asked, _params):
        return {"error": {"code": -32000, "message": "busy"}} if asked == method and next(calls) % 3 == 1 else None

    world.line.meddle = flaky
    for _ in range(3):
        try:
            sync.sync_to(target)
        except Retry:
            continue
    world.line.meddle = lambda *_: None
    sync.sync_to(target)
    assert seen.entries == world.truth()
    sync.sync_to(world.poke(30))
    assert seen.entries == world.truth()


def test_sync__long_catching_up_fails__goes_on_where_it_stopped(world):
    """What was read before an endpoint fell silent is not read again."""
    target = world.poke(60)
    sync, seen = world.sync(widest_range=4)

    def silent_later(method, params):
        late = method == "eth_getLogs" and int(params[0].get("fromBlock", "0x0"), 16) > world.deployed_at + 30
        return {"error": {"code": -32000, "message": "busy"}} if late else None

    world.line.meddle = silent_later
    with pytest.raises(Retry):
        sync.sync_to(target)
    assert world.store.load_sync() is None
    world.line.meddle, world.line.asked = (lambda *_: None), []
    sync.sync_to(world.poke(1))
    assert seen.entries == world.truth()
    assert min(int(q["fromBlock"], 16) for q in world.line.queries() if "fromBlock" in q) > world.deployed_at + 20


@pytest.mark.parametrize("where", ["fromBlock", "blockHash"])
def test_sync__node_without_log_index__retry_not_empty(world, where):
    """Logs that the headers suggest and the node denies: the node lies, in ranges and by block (12)."""
    target = world.poke(30)
    world.line.meddle = lambda method, params: (
        {"result": []} if method == "eth_getLogs" and where in params[0] else None
    )
    sync, seen = world.sync()
    for _ in range(2):
        with pytest.raises(Retry):
            sync.sync_to(target)
    if where == "fromBlock":
        assert world.store.load_sync() is None
    world.line.meddle = lambda *_: None
    sync.sync_to(target)
    assert seen.entries == world.truth()


def test_sync__block_without_logs__empty_is_believed(world):
    """An empty answer that the header agrees with is an answer."""
    sync, seen = world.sync()
    sync.sync_to(world.poke(20))
    for _ in range(3):
        world.chain.mine(1)
        sync.sync_to(world.chain.block())
    assert seen.entries == world.truth()


def test_sync__state_of_an_older_version__refused_and_built_again(world):
    """A dump that cannot be read is no reason to stop: the logs have everything."""
    sync, _ = world.sync()
    sync.sync_to(world.poke(40))
    cursor, state = world.store.load_sync()
    for damaged in (b'{"accounts":[]}', state[:-3], state[:9], state[:-1] + b"?", b"", state[:4] + b"\7" + state[5:]):
        world.store.save_sync(cursor, damaged)
        again, other = world.sync()
        with capture_logs() as told:
            again.sync_to(world.chain.block())
        assert other.entries == world.truth()
        (entry,) = [entry for entry in told if entry["event"] == "log_sync.state_refused"]
        assert (entry["log_level"], entry["then"]) == ("warning", "all logs are read again")


def test_sync__stored_for_other_events__refused_and_built_again(world):
    """A keeper that listens to more than the one that stored the index reads the logs again."""
    sync, seen = world.sync(topics=((1).to_bytes(32, "big"),))
    sync.sync_to(world.poke(30))
    assert seen.entries == world.truth()
    again, other = world.sync()
    world.line.asked = []
    again.sync_to(world.chain.block())
    assert other.entries == world.truth()
    assert min(int(q["fromBlock"], 16) for q in world.line.queries() if "fromBlock" in q) <= world.deployed_at


def test_sync__base_moves__adds_the_logs_since_instead_of_the_whole_state(world):
    """Moving the base costs what changed; from time to time everything is written anew."""
    sync, seen = world.sync()
    sync.sync_to(world.poke(40))
    kinds = []
    for name in ("save_sync", "append_sync"):
        real = getattr(world.store, name)
        setattr(world.store, name, lambda *a, _n=name, _r=real: (kinds.append(_n), _r(*a)))
    for _ in range(60):
        sync.sync_to(world.poke(1))
    assert kinds.count("append_sync") > kinds.count("save_sync") > 0
    again, other = world.sync()
    again.sync_to(world.chain.block())
    assert other.entries == seen.entries == world.truth()


def test_tidy__behind_each_block__nothing_is_written_whole_while_a_block_is_read(world):
    """What takes as long as the house is large waits for `tidy`; a restart in between knows everything."""
    sync, seen = world.sync()
    sync.sync_to(world.poke(40))
    whole, reading = [], True
    real = world.store.save_sync
    world.store.save_sync = lambda *a: (whole.append(reading), real(*a))
    for _ in range(40):
        reading = True
        sync.sync_to(world.poke(1))
        reading = False
        sync.tidy()
        again, other = world.sync()
        again.sync_to(world.chain.block())
        assert other.entries == seen.entries == world.truth()
    assert len(whole) > 1
    assert not any(whole)


class Killed(BaseException):
    """The process dies here."""


class DyingStore:
    """A store whose process dies around its n-th write of the index: just before it, or right after."""

    def __init__(self, store, *, nth, before):
        self.store, self.left, self.before = store, nth, before
        self.load_sync = store.load_sync

    def save_sync(self, *args):
        self._write(self.store.save_sync, args)

    def append_sync(self, *args):
        self._write(self.store.append_sync, args)

    def _write(self, write, args):
        self.left -= 1
        if self.left == 0 and self.before:
            raise Killed
        write(*args)
        if self.left == 0:
            raise Killed


def live(world, sync):
    """Some blocks, the third one always in vain."""
    for at in range(60):
        sync.sync_to(world.poke(20 if at == 0 else 1))
        if at % 3 == 2:
            world.chain.reorg(2)
        sync.tidy()


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("nth", [1, 2, 6, 11, 12, 21])
def test_tidy__killed_around_any_write__the_next_life_restores_the_same_index(world, nth, before):
    """IDX-12: whole or added to, the stored index is of one moment, and what it lacks is read again."""
    world.store, lasting = DyingStore(world.store, nth=nth, before=before), world.store
    sync, _ = world.sync()
    with pytest.raises(Killed):
        live(world, sync)
    world.store = lasting
    world.poke(3)
    for _ in range(2):
        again, other = world.sync()
        again.sync_to(world.chain.block())
        again.tidy()
        assert other.entries == world.truth(), "IDX-12"


def test_sync__reorg_below_what_is_stored__lived_through_and_never_restored(world):
    """Deeper than planned but not below the base: undone in memory; what is stored of it is not believed later."""
    sync, seen = world.sync(depth=2, checkpoint_blocks=10)
    for burst in (20, *[1] * 8):
        sync.sync_to(world.poke(burst))
    stored = world.store.load_sync()[0]
    world.chain.reorg(5)
    assert world.chain.block(stored.number).hash != stored.hash
    sync.sync_to(world.chain.block())
    assert seen.entries == world.truth()
    for restarts in range(2):
        again, other = world.sync(depth=2, checkpoint_blocks=10)
        again.sync_to(world.chain.block())
        assert other.entries == world.truth(), restarts
    for _ in range(25):
        sync.sync_to(world.poke(1))
    assert seen.entries == world.truth()
    assert world.store.load_sync()[0].hash == world.chain.block(world.store.load_sync()[0].number).hash


def test_amend__then_reorg_and_restart__kept_with_its_block(world):
    """A correction stays with the block it was made after: a rollback above it keeps it, a restart too."""
    sync, seen = world.sync()
    sync.sync_to(world.poke(20))
    sync.amend(b"mended")
    sync.sync_to(world.poke(2))
    world.chain.reorg(1)
    sync.sync_to(world.chain.block())
    assert [word for _, word in seen.entries].count("mended") == 1
    for _ in range(12):
        sync.sync_to(world.poke(1))
    again, other = world.sync()
    again.sync_to(world.chain.block())
    assert other.entries == seen.entries
    assert [word for _, word in other.entries].count("mended") == 1


def test_sync__stored_base_above_the_node__retry_and_nothing_forgotten(world):
    """An endpoint that lags behind what is stored is waited for; its past is not taken for the present."""
    sync, _ = world.sync()
    sync.sync_to(world.poke(40))
    stored = world.store.load_sync()
    world.chain.reorg(1)  # nothing: the base is deeper
    again, _ = world.sync()
    world.line.meddle = lambda method, params: (
        {"result": None} if method == "eth_getBlockByNumber" and int(params[0], 16) >= stored[0].number else None
    )
    with pytest.raises(Retry):
        again.sync_to(world.chain.block(stored[0].number - 5))
    assert world.store.load_sync() == stored


def test_sync__target_before_deployment__bad_input(world):
    """A wrong deployment block is the operator's to correct."""
    sync, _ = world.sync()
    with pytest.raises(BadInput):
        sync.sync_to(world.chain.block(0))
