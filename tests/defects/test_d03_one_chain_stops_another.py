"""Defect 3: several chains in one process, and the one whose node was away took the others with it."""

import queue
import threading
from types import SimpleNamespace

import pytest

import keeper.chain.asking.members
from keeper.chain.asking.health import Health
from keeper.chain.asking.members import Member
from keeper.chain.errors import WrongChain
from keeper.chain.following.heads import ChainHeads
from keeper.cycle import Ports
from keeper.daemon import Daemon, Rhythm
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.errors import Halt
from keeper.marketdata.board import NoSource
from keeper.testing.builders import a_snapshot, an_account
from keeper.testing.faulty import FaultyNode
from keeper.testing.lived import BuiltReader, PlainEncoder, StoringSender
from keeper.testing.memory_store import MemoryStore
from keeper.testing.plan import FaultPlan
from keeper.testing.toy import ToyWorld
from tests.defects.frame import defect
from tests.defects.made_up_house import tried

pytestmark = pytest.mark.chain

RARELY_S = 86_400
#: Longest wait for another thread; what passes never waits so long.
PATIENCE_S = 20.0
#: Told in place of a height by a daemon that ended.
OVER = -1


class Chain:
    """A chain of its own, the endpoint in front of it (of one name everywhere: one provider serves all), a daemon."""

    def __init__(self, plan=""):
        self.world = ToyWorld.fast()
        self.node = FaultyNode(self.world.node, FaultPlan.parse(plan))
        self.node.calm = True
        self.store, self.lived = MemoryStore(), queue.Queue()
        rhythm = Rhythm(
            poll_interval_s=0.005,
            heartbeat_every_s=RARELY_S,
            quotes_every_s=RARELY_S,
            reconcile_every_s=RARELY_S,
            reconcile_sample=1,
            housekeeping_every_s=RARELY_S,
            keep_blocks=100,
        )
        ports = Ports(
            reader=BuiltReader(a_snapshot(an_account(7))),
            quotes=NoSource(),
            encoder=PlainEncoder(),
            sender=StoringSender(self.store),
            store=self.store,
        )
        self.daemon = Daemon(
            heads=ChainHeads(self.world.rpc(self.node), depth=8),
            ports=ports,
            clock=SimpleNamespace(now_s=lambda: 0),
            risk=RiskKnobs(),
            policy=PolicyKnobs(),
            rhythm=rhythm,
            on_cycle=lambda record: self.lived.put(record.block.number),
        )

    def fail(self):
        """From here on the plan's faults strike."""
        self.node.calm = False

    def close(self):
        self.node.close()


def one_record_a_host(patch):
    """`health = {}` at module level, by host name: what one chain did to a provider counts for all of them."""
    by_host = {}
    patch.setattr(
        keeper.chain.asking.members,
        "Member",
        lambda endpoint: Member(endpoint, by_host.setdefault(endpoint.name, Health())),
    )


@defect(3, mutant=one_record_a_host)
def test_one_chain_is_refused__the_others_live_every_block():
    """A provider that wants to be left alone about one chain is left alone about that one, and no other."""
    ill, well = Chain("1: rate_limited{retry_after_s=3600}"), Chain()
    for chain in (ill, well):
        assert chain.daemon.step()
    ill.fail()
    for _ in range(5):
        for chain in (ill, well):
            chain.world.chain.mine()
        assert tried(ill.daemon.step) is None
        assert tried(well.daemon.step) is True
    ill.node.calm = True
    ill.world.chain.mine(400)  # an hour later
    assert tried(ill.daemon.step) is True
    for chain in (ill, well):
        chain.close()


def one_end_for_all(patch):
    """`shutdown = Event()` at module level, set in the `finally` of whatever worker ends."""
    shutdown, make, run = threading.Event(), Daemon.__init__, Daemon.run

    def made(self, **given):
        make(self, **given)
        self._stop = shutdown

    def ending(self):
        try:
            run(self)
        finally:
            shutdown.set()

    patch.setattr(Daemon, "__init__", made)
    patch.setattr(Daemon, "run", ending)


@pytest.mark.parametrize("error", [WrongChain, KeyError], ids=["told to stop", "of a kind nobody expected"])
@defect(3, mutant=one_end_for_all)
def test_one_chain_ends_with_an_error__the_others_live_on(error):
    """A daemon that ends, told to or by accident, ends alone; beside it one whose node is silent goes on."""
    ended, silent, well = Chain("1: wrong_chain_id"), Chain("1: timeout"), Chain()
    for chain in (ended, silent):
        chain.fail()
    if error is KeyError:
        ended.daemon._heads = SimpleNamespace(head=lambda: {}["head"], listen=lambda _wake: lambda: None)
    problems = []

    def run(chain):
        try:
            chain.daemon.run()
        except (Halt, KeyError) as problem:
            problems.append(problem)
        finally:
            chain.lived.put(OVER)

    threads = [threading.Thread(target=run, args=(chain,)) for chain in (ended, silent, well)]
    try:
        threads[0].start()
        threads[0].join(PATIENCE_S)
        assert [type(problem) for problem in problems] == [error]
        for thread in threads[1:]:
            thread.start()
        for _ in range(5):
            number = well.world.chain.mine().number
            lived = 0
            while lived < number:
                lived = well.lived.get(timeout=PATIENCE_S)
                assert lived != OVER
        silent.node.calm = True
        silent.world.chain.mine(20)
        assert silent.lived.get(timeout=PATIENCE_S) != OVER
    finally:
        for chain, thread in zip((ended, silent, well), threads, strict=True):
            chain.daemon.stop()
            if thread.ident is not None:
                thread.join(PATIENCE_S)
            chain.close()
    assert len(problems) == 1
