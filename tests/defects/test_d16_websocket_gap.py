"""Defect 16: a WebSocket dropped for n blocks, and what happened in them was lost."""

import threading

import pytest

from keeper.chain.asking.websocket import WsProvider
from keeper.chain.following.announcements import PushedHeads
from keeper.chain.following.log_sync import LogSync, _Lived
from keeper.daemon import Daemon, Rhythm
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.testing.small_house import SmallHouse
from keeper.testing.ws_node import WsNode
from tests.defects.frame import defect
from tests.defects.houses import DEPTH, watching

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120)]

NEVER_S = 86_400
#: Longest wait for another thread; a test that passes never waits so long.
PATIENCE_S = 30.0


class Clock:
    """Nobody asks what time it is."""

    def now_s(self):
        return 0


class Life:
    """A daemon that lives what it is told of over a WebSocket, and nothing else: it polls once a day."""

    def __init__(self, house, served):
        self.provider = WsProvider(served.url, timeout_s=20.0)
        self.keeper = watching(house, sources=[PushedHeads("ws", self.provider)])
        self.keeper.heads._announcements._pauses_s = (0.01, 0.1)
        self._lived, self._newest = threading.Condition(), 0
        rhythm = Rhythm(
            poll_interval_s=NEVER_S, heartbeat_every_s=NEVER_S, quotes_every_s=NEVER_S, reconcile_every_s=NEVER_S,
            reconcile_sample=1, housekeeping_every_s=NEVER_S, keep_blocks=100,
        )  # fmt: skip
        self.daemon = Daemon(
            heads=self.keeper.heads, ports=self.keeper.ports, clock=Clock(), risk=RiskKnobs(), policy=PolicyKnobs(),
            rhythm=rhythm, on_cycle=self._note,
        )  # fmt: skip
        self._thread = threading.Thread(target=self.daemon.run)

    def _note(self, record):
        with self._lived:
            self._newest = record.block.number
            self._lived.notify_all()

    def reaches(self, number):
        with self._lived:
            return self._lived.wait_for(lambda: self._newest >= number, PATIENCE_S)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.daemon.stop()
        self._thread.join(PATIENCE_S)
        self.provider.close()


def deposit(house, sub):
    """A new account's first coin.  Returns: its id."""
    account = int(house.hand.address, 16) << 96 | sub
    house.do("MockERC20", "mint", house.hand.address, 10**6, to=house.tokens["USDC"])
    house.do("MockERC20", "approve", house.deployment.addresses["ClearingHouse"], 10**6, to=house.tokens["USDC"])
    house.do("ClearingHouse", "deposit", account, 0, 10**6)
    return account


def only_what_was_announced(patch):
    """Once it is up to date, each announced head brings its own logs; nobody asks what lies between two of them."""
    walk = LogSync._walk

    def on_head(self, target):
        if not self._window:
            walk(self, target)
        elif all(lived.block.hash != target.hash for lived in self._window):
            (logs,) = self._reader.of((target,))
            self._append(_Lived(target, logs))

    patch.setattr(LogSync, "_walk", on_head)


@defect(16, mutant=only_what_was_announced)
def test_ws__dropped_for_n_blocks__backfilled_and_nothing_lost():
    """HEAD-5: two accounts opened while nobody listened, n blocks apart; both are known once the line is back."""
    house = SmallHouse()
    with WsNode(house.chain.node) as served, Life(house, served) as life:
        assert life.reaches(house.chain.block().number)
        house.chain.mine()
        assert life.reaches(house.chain.block().number), "told of a block"
        served.refuse(on=True)
        served.drop()
        accounts = [deposit(house, 1)]
        house.chain.mine(4 * DEPTH)
        accounts.append(deposit(house, 2))
        served.refuse(on=False)
        head = house.chain.block()
        assert life.reaches(head.number), "HEAD-5: told of the newest block again"
        snapshot = life.keeper.reader.read(head)
        assert set(accounts) <= {a.account for a in snapshot.accounts}, "HEAD-5"
        assert life.keeper.reader.reconcile(snapshot, sample=len(snapshot.accounts)) == (), "HEAD-5"
