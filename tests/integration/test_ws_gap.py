"""A keeper over a real WebSocket: subscriptions that break, gaps of many blocks, nothing lost (defect 16, HEAD-5)."""

import threading

import pytest

from keeper.chain.asking.endpoint import Endpoint
from keeper.chain.asking.rpc import Rpc
from keeper.chain.asking.websocket import WsProvider
from keeper.chain.following.announcements import PushedHeads
from keeper.chain.sending.dry import DrySender
from keeper.daemon import Daemon, Rhythm
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from keeper.testing.ws_node import WsNode
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

EVERY_DAY = 86_400
#: Longest wait for another thread; a test that passes never waits so long.
PATIENCE_S = 30.0
DEPTH = 4


class Clock:
    def now_s(self):
        return 0


class Life:
    """A daemon that is told of heads over a WebSocket.

    It reads beside that, and polls once a day: whatever it lives it was told of.  Or it reads over the same connection,
    and then a drop fails reads as well, which are made again after the poll interval.
    """

    def __init__(self, house, served, *, reads_too=False):
        self.house, self.store = house, MemoryStore()
        self.provider = WsProvider(served.url, timeout_s=20.0)
        rpc = Rpc([Endpoint("ws", self.provider)], chain_id=house.chain.chain_id) if reads_too else house.rpc
        self.keeper = assemble(
            rpc=rpc,
            store=self.store,
            deployment=house.deployment,
            risk=RiskKnobs(),
            policy=PolicyKnobs(),
            sender=lambda decode, _recheck: DrySender(rpc, {}, decode_revert=decode),
            reorg_depth=DEPTH,
            sources=[PushedHeads("ws", self.provider)],
        )
        self.keeper.heads._announcements._pauses_s = (0.01, 0.1)
        self.lived, self.newest = threading.Condition(), 0
        self.daemon = Daemon(
            heads=self.keeper.heads,
            ports=self.keeper.ports,
            clock=Clock(),
            risk=RiskKnobs(),
            policy=PolicyKnobs(),
            rhythm=Rhythm(
                poll_interval_s=0.05 if reads_too else EVERY_DAY,
                heartbeat_every_s=EVERY_DAY,
                quotes_every_s=EVERY_DAY,
                reconcile_every_s=EVERY_DAY,
                reconcile_sample=1,
                housekeeping_every_s=EVERY_DAY,
                keep_blocks=100,
            ),
            on_cycle=self.note,
        )
        self.thread = threading.Thread(target=self.daemon.run)

    def note(self, record):
        with self.lived:
            self.newest = record.block.number
            self.lived.notify_all()

    def reaches(self, number):
        with self.lived:
            return self.lived.wait_for(lambda: self.newest >= number, PATIENCE_S)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.daemon.stop()
        self.thread.join(PATIENCE_S)
        self.provider.close()
        assert not self.thread.is_alive()


def deposit(house, sub):
    account = int(house.hand.address, 16) << 96 | sub
    house.do("MockERC20", "mint", house.hand.address, 10**6, to=house.tokens["USDC"])
    house.do("MockERC20", "approve", house.deployment.addresses["ClearingHouse"], 10**6, to=house.tokens["USDC"])
    house.do("ClearingHouse", "deposit", account, 0, 10**6)
    return account


@pytest.mark.parametrize(("missed", "reads_too"), [(1, False), (3 * DEPTH, False), (12 * DEPTH, False), (12, True)])
def test_ws__dropped_for_n_blocks__backfilled_and_nothing_lost(missed, reads_too):
    """HEAD-5: events of blocks that nobody announced are known once the subscription is back, whatever the gap."""
    house = SmallHouse()
    with WsNode(house.chain.node) as served, Life(house, served, reads_too=reads_too) as life:
        assert life.reaches(house.chain.block().number)
        house.chain.mine()
        assert life.reaches(house.chain.block().number), "told of a block"
        served.refuse(on=True)
        served.drop()
        accounts = [deposit(house, 1)]
        house.chain.mine(missed)
        accounts.append(deposit(house, 2))
        served.refuse(on=False)
        head = house.chain.block()
        assert life.reaches(head.number), "HEAD-5: the subscription is back, and what was missed was looked for"
        snapshot = life.keeper.reader.read(head)
        assert set(accounts) <= {a.account for a in snapshot.accounts}, "HEAD-5"
        assert life.keeper.reader.reconcile(snapshot, sample=len(snapshot.accounts)) == (), "HEAD-5"
        house.chain.mine()
        assert life.reaches(head.number + 1), "told again"


def test_ws__reorg_while_dropped__rolled_back_and_marked():
    """HEAD-5: what happened on blocks that are gone is rolled back too, and their decisions are marked."""
    house = SmallHouse()
    with WsNode(house.chain.node) as served, Life(house, served) as life:
        kept = deposit(house, 1)
        lost = deposit(house, 2)
        gone = house.chain.block()
        assert life.reaches(gone.number)
        served.refuse(on=True)
        served.drop()
        house.chain.reorg(1)
        house.chain.mine(2)
        served.refuse(on=False)
        head = house.chain.block()
        assert life.reaches(head.number)
        held = {a.account for a in life.keeper.reader.read(head).accounts}
        assert kept in held
        assert lost not in held, "HEAD-5"
        assert gone.hash not in {c.block.hash for c in life.store.cycles()}, "6"
