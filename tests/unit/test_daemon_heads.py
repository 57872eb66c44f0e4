"""The block loop and its heads: woken by announcements, polling as the floor, nothing kept of blocks that are gone."""

import contextlib
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from keeper.cycle import Ports
from keeper.daemon import Daemon, Rhythm
from keeper.domain.action import MarginCall
from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Observation
from keeper.errors import Retry
from keeper.marketdata.board import NoSource
from keeper.orphans import LOOK_BACK
from keeper.testing.builders import NOW, a_snapshot, an_account
from keeper.testing.lived import BuiltReader, PlainEncoder, StoringSender
from keeper.testing.memory_store import MemoryStore

EVERY_DAY = 86_400
#: Longest wait for another thread; a test that passes never waits so long.
PATIENCE_S = 20.0


#: Branches of the test's chains.
BRANCHES = {"": 0, "b": 1 << 200, "gone": 2 << 200}


def a_block(number: int, branch: str = "") -> BlockRef:
    """A block whose hash follows from its number and branch."""
    at = BRANCHES[branch]
    return BlockRef(number, f"{at + number:#066x}", f"{at + number - 1:#066x}", NOW)


@dataclass
class Chain:
    """`Heads` of a chain that the test writes."""

    blocks: list[BlockRef]
    orphaned: tuple[BlockRef, ...] = ()
    fails: int = 0
    looks: int = 0
    looked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    wake: object = None
    others: dict[str, BlockRef] = field(default_factory=dict)

    def head(self):
        return self.blocks[-1]

    def listen(self, wake):
        self.wake = wake
        return lambda: None

    def follow(self, last):
        self.looks += 1
        self.looked.release()
        if self.fails:
            self.fails -= 1
            raise Retry("the node is away")
        orphaned, self.orphaned = self.orphaned, ()
        return SimpleNamespace(head=None if last == self.blocks[-1] else self.blocks[-1], orphaned=orphaned)

    def gone(self, lived):
        canonical = {block.number: block.hash for block in self.blocks}
        return tuple(block for block in lived if canonical.get(block.number) != block.hash)

    def find(self, block_hash):
        known = {block.hash: block for block in self.blocks} | self.others
        return known.get(block_hash)


def a_daemon(heads, store=None, *, poll_s=EVERY_DAY, on_cycle=None):
    store = store or MemoryStore()
    ports = Ports(
        reader=BuiltReader(a_snapshot(an_account(7))),
        quotes=NoSource(),
        encoder=PlainEncoder(),
        sender=StoringSender(store),
        store=store,
    )
    rhythm = Rhythm(
        poll_interval_s=poll_s,
        heartbeat_every_s=EVERY_DAY,
        quotes_every_s=EVERY_DAY,
        reconcile_every_s=EVERY_DAY,
        reconcile_sample=1,
        housekeeping_every_s=EVERY_DAY,
        keep_blocks=100,
    )
    return Daemon(
        heads=heads,
        ports=ports,
        clock=SimpleNamespace(now_s=lambda: 0),
        risk=RiskKnobs(),
        policy=PolicyKnobs(),
        rhythm=rhythm,
        on_cycle=on_cycle,
    )


class Running:
    """Daemons in threads of their own; stopped and joined at the end."""

    def __init__(self):
        self.started = []

    def start(self, daemon):
        thread = threading.Thread(target=self._run, args=(daemon,))
        self.started.append((daemon, thread))
        thread.start()
        return thread

    def _run(self, daemon):
        daemon.run()

    def stop(self):
        for daemon, thread in self.started:
            daemon.stop()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.fixture
def running():
    made = Running()
    yield made
    made.stop()


def came(semaphore):
    return semaphore.acquire(timeout=PATIENCE_S)


def test_run__head_announced__lived_without_waiting_for_the_poll(running):
    """HEAD-1: the poll interval is a day here; only an announcement can have brought block 101."""
    chain, lived = Chain([a_block(100)]), threading.Semaphore(0)
    running.start(a_daemon(chain, on_cycle=lambda _: lived.release()))
    assert came(lived)
    chain.blocks.append(a_block(101))
    chain.wake()
    assert came(lived), "HEAD-1"


def test_run__no_announcement__polling_finds_the_head(running):
    """HEAD-3: a silent subscription costs a poll interval and nothing else."""
    chain, lived = Chain([a_block(100)]), threading.Semaphore(0)
    running.start(a_daemon(chain, poll_s=0.01, on_cycle=lambda _: lived.release()))
    assert came(lived)
    chain.blocks.append(a_block(101))
    assert came(lived), "HEAD-3"


def test_run__burst_of_announcements__one_look():
    """HEAD-4: a thousand announcements while the loop is busy are one reason to look, and the newest block is lived."""
    chain, numbers = Chain([a_block(100)]), []
    made = a_daemon(chain)

    def busy(record):
        numbers.append(record.block.number)
        if len(numbers) == 1:
            for number in range(101, 1101):
                chain.blocks.append(a_block(number))
                chain.wake()
        else:
            made.stop()

    made._on_cycle = busy
    chain.listen(made._wake.set)
    made.loop()
    assert numbers == [100, 1100], "HEAD-4"
    assert chain.looks <= 3, "HEAD-4"


def test_run__announcement_between_the_look_and_the_wait__not_lost(running):
    """HEAD-1: what is announced while the loop looks is looked at once more before it waits."""
    chain, lived = Chain([a_block(100)]), threading.Semaphore(0)
    plain, first = chain.follow, [True]

    def late(last):
        answer = plain(last)
        if last is not None and first:
            first.clear()
            chain.blocks.append(a_block(101))  # after the answer was made, before the loop waits
            chain.wake()
        return answer

    chain.follow = late
    running.start(a_daemon(chain, on_cycle=lambda _: lived.release()))
    assert came(lived)
    assert came(lived), "HEAD-1"


def test_run__stop_while_waiting_for_a_day__ends_at_once(running):
    """Stopping does not wait for the poll."""
    chain, lived = Chain([a_block(100)]), threading.Semaphore(0)
    daemon = a_daemon(chain, on_cycle=lambda _: lived.release())
    thread = running.start(daemon)
    assert came(lived)
    assert came(chain.looked)
    daemon.stop()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_two_daemons__one_chain_fails__the_other_lives_on(running):
    """Defect 3: two chains in one process share nothing; one that is away, or ends, stops neither jobs nor blocks."""
    ill, well = Chain([a_block(1)], fails=10**9), Chain([a_block(500)])
    lived = threading.Semaphore(0)
    broken = Chain([a_block(9)])
    broken.follow = None  # not even a KeeperError: that daemon's thread dies
    running._run = quietly(running._run)
    running.start(a_daemon(ill, poll_s=0.005))
    running.start(a_daemon(broken, poll_s=0.005))
    running.start(a_daemon(well, on_cycle=lambda _: lived.release()))
    assert came(lived)
    for number in range(501, 506):
        well.blocks.append(a_block(number))
        well.wake()
        assert came(lived), "3"
    for _ in range(3):
        assert came(ill.looked), "the ill one goes on trying"


def quietly(run):
    def silent(daemon):
        with contextlib.suppress(TypeError):
            run(daemon)

    return silent


def test_failures__announcements_go_on__the_node_is_left_alone_for_a_poll(running):
    """An ill node that announces quickly is not asked more often than the poll interval says."""
    chain = Chain([a_block(100)], fails=10**9)
    daemon = a_daemon(chain, poll_s=3_600)
    running.start(daemon)
    assert came(chain.looked)
    for _ in range(1_000):
        chain.wake()
    assert not chain.looked.acquire(timeout=0.05)


# What is kept of blocks that are gone


def live(chain, store, numbers, branch=""):
    """Live some blocks of a chain one by one, as a process of its own."""
    made = a_daemon(chain, store)
    for number in numbers:
        chain.blocks = [b for b in chain.blocks if b.number < number] + [a_block(number, branch)]
        assert made.step()
    return made


def test_step__reorg__orphans_named_by_the_heads_are_marked():
    """Defect 6: the store's newest cycles are those of the chain as it is now."""
    store, chain = MemoryStore(), Chain([])
    made = live(chain, store, range(1, 6))
    chain.blocks = [a_block(n) for n in (1, 2, 3)] + [a_block(4, "b"), a_block(5, "b"), a_block(6, "b")]
    chain.orphaned = (a_block(5), a_block(4))
    assert made.step()
    assert [c.block for c in store.cycles()] == [a_block(6, "b"), a_block(3), a_block(2), a_block(1)]
    assert store.cycle(a_block(5).hash) is not None


@pytest.mark.parametrize("deep", [3, LOOK_BACK + 10])
def test_recover__reorg_while_away__what_was_decided_on_it_is_marked(deep):
    """Defects 6, 16: after a restart the store is compared with the chain, however deep the reorg went."""
    store, chain = MemoryStore(), Chain([])
    live(chain, store, range(1, deep + 3))
    kept = [a_block(1), a_block(2)]
    chain.blocks = kept + [a_block(n, "b") for n in range(3, deep + 10)]
    a_daemon(chain, store)._recover()
    assert [c.block for c in store.cycles(limit=10**6)] == kept[::-1], "6"


def test_reorg_after_a_restart__deeper_than_this_process_remembers__all_marked():
    """Defect 6: the heads can name one block; the others are found in the store."""
    store, chain = MemoryStore(), Chain([])
    live(chain, store, range(1, 11))
    again = a_daemon(chain, store)
    again._recover()
    assert again.step()
    chain.blocks = [a_block(n) for n in range(1, 5)] + [a_block(n, "b") for n in range(5, 13)]
    chain.orphaned = (a_block(10),)
    assert again.step()
    assert [c.block.number for c in store.cycles()] == [12, 4, 3, 2, 1]


def test_orphaned_block__margin_call_and_price__not_kept(monkeypatch):
    """Defect 6: a call made on a block that is gone must not silence the next one; its prices are forgotten."""
    store, chain = MemoryStore(), Chain([])
    live(chain, store, range(1, 4))
    call = MarginCall(account=7, health_ppm=1_010_000, equity=5, mm=4, why="close")
    store.append_notices(a_block(3), [call])
    store.append_prices(a_block(3), 1, [Observation(time=30, price=3)])
    store.append_prices(a_block(2), 1, [Observation(time=20, price=2)])
    assert store.called() == (7,)
    chain.blocks = [a_block(1), a_block(2), a_block(3, "b"), a_block(4, "b")]
    a_daemon(chain, store)._recover()
    assert store.called() == (), "6"
    assert [o.time for o in store.prices(1, since_s=0)] == [20]
    assert [n.call for n in store.notices()] == [call], "it was made, and stays readable"


@pytest.mark.parametrize("known", [True, False])
def test_recover__read_and_not_lived__prices_of_a_block_that_is_gone_are_forgotten(known):
    """A process that ended between reading a block and deciding it leaves prices; a reorg takes them too."""
    store, chain = MemoryStore(), Chain([])
    live(chain, store, range(1, 3))
    stray = a_block(3, "gone")
    store.append_prices(stray, 1, [Observation(time=30, price=3)])
    store.append_prices(a_block(3), 1, [Observation(time=31, price=4)])
    chain.blocks = [a_block(n) for n in range(1, 5)]
    if known:
        chain.others[stray.hash] = stray
    a_daemon(chain, store)._recover()
    assert [o.time for o in store.prices(1, since_s=0)] == [31]


def test_recover__endpoint_behind_what_was_lived__waits_instead_of_marking():
    """Blocks that an endpoint does not have yet are not gone."""
    store, chain = MemoryStore(), Chain([])
    live(chain, store, range(1, 4))

    def behind(_lived):
        raise Retry("no block 3 at the endpoint")

    chain.gone = behind
    with pytest.raises(Retry):
        a_daemon(chain, store)._recover()
    assert len(store.cycles()) == 3


def test_daemon__first_block__its_heart_beats_at_once():
    """Who looks after the store beside us knows from the first block on that somebody lives here."""
    store = MemoryStore()
    block = a_snapshot(an_account(7)).block
    a_daemon(Chain([block]), store).step()
    assert store.heartbeats()["dry"] == (0, block.number)
