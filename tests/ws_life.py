"""A keeper that is told of heads over a real WebSocket, and a line that can be cut: for HEAD-5 and defect 16."""

import threading
from contextlib import contextmanager

from keeper.chain.asking.endpoint import Endpoint
from keeper.chain.asking.rpc import Rpc
from keeper.chain.asking.websocket import WsProvider
from keeper.chain.following.announcements import PushedHeads
from keeper.daemon import Daemon, Rhythm
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from keeper.testing.ws_node import WsNode
from tests.onlooker import onlooker

EVERY_DAY = 86_400
#: Longest wait for another thread; a test that passes never waits so long.
PATIENCE_S = 30.0
#: Blocks that a reorg may replace; the base of the index moves within a short test.
DEPTH = 4


class Clock:
    """Nobody asks what time it is."""

    def now_s(self):
        return 0


class Life:
    """A daemon that is told of heads over a WebSocket.

    It reads beside that, and polls once a day: whatever it lives it was told of.  Or it reads over the same connection,
    and then a drop fails reads as well, which are made again after the poll interval.
    """

    def __init__(self, house, served, *, reads_too=False):
        self.house, self.served, self.store = house, served, MemoryStore()
        self.provider = WsProvider(served.url, timeout_s=20.0)
        rpc = Rpc([Endpoint("ws", self.provider)], chain_id=house.chain.chain_id) if reads_too else house.rpc
        self.keeper = onlooker(
            rpc,
            house.deployment,
            store=self.store,
            reorg_depth=DEPTH,
            sources=[PushedHeads("ws", self.provider)],
        )
        self.keeper.heads._announcements._pauses_s = (0.01, 0.1)
        self._lived, self._newest = threading.Condition(), 0
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
            on_cycle=self._note,
        )
        self._thread = threading.Thread(target=self.daemon.run)

    def _note(self, record):
        with self._lived:
            self._newest = record.block.number
            self._lived.notify_all()

    def reaches(self, number):
        """Whether it lives a block of that height or a higher one."""
        with self._lived:
            return self._lived.wait_for(lambda: self._newest >= number, PATIENCE_S)

    @contextmanager
    def cut_off(self):
        """The line is down, and does not come back inside."""
        self.served.refuse(on=True)
        self.served.drop()
        yield
        self.served.refuse(on=False)

    def snapshot(self, head):
        """The house at a block, as the keeper has it; the contract's own views agree to the last account."""
        found = self.keeper.reader.read(head)
        assert self.keeper.reader.reconcile(found, sample=len(found.accounts)) == (), "HEAD-5"
        return found

    def deposit(self, sub):
        """A new account's first coin.  Returns: its id."""
        house = self.house
        account = int(house.hand.address, 16) << 96 | sub
        house.do("MockERC20", "mint", house.hand.address, 10**6, to=house.tokens["USDC"])
        house.do("MockERC20", "approve", house.deployment.addresses["ClearingHouse"], 10**6, to=house.tokens["USDC"])
        house.do("ClearingHouse", "deposit", account, 0, 10**6)
        return account

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.daemon.stop()
        self._thread.join(PATIENCE_S)
        self.provider.close()
        assert not self._thread.is_alive()


@contextmanager
def living(*, reads_too=False):
    """A small house, and a keeper that has been told of its newest block."""
    house = SmallHouse()
    with WsNode(house.chain.node) as served, Life(house, served, reads_too=reads_too) as life:
        assert life.reaches(house.chain.block().number)
        house.chain.mine()
        assert life.reaches(house.chain.block().number), "told of a block"
        yield life


def missed(life, blocks):
    """Two accounts open so many blocks apart while nobody listens; then the line is back.

    Returns: the head, and the accounts that the keeper does not know of then.
    """
    with life.cut_off():
        accounts = [life.deposit(1)]
        life.house.chain.mine(blocks)
        accounts.append(life.deposit(2))
    head = life.house.chain.block()
    assert life.reaches(head.number), "HEAD-5: the subscription is back, and what was missed was looked for"
    return head, set(accounts) - {one.account for one in life.snapshot(head).accounts}
