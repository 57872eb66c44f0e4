"""kill -9 between any two lines of the outbox: nothing is sent twice, nothing is lost (TX-1, TX-2).

The chain lives in a process of its own.  A keeper process is forked from this preloaded one, kills itself with SIGKILL
at one point, and a second one recovers from the SQLite file that the first left.  The crash points are in doubles
around the store, the signer and the RPC: the product knows nothing of them.
"""

import os
import signal

import pytest

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.sending.relay import PUBLIC, PublicBroadcast, RelayBroadcast, RelayRules
from keeper.domain.tx import TxState
from keeper.store import open_store
from keeper.testing.chaos.death import die, forked
from keeper.testing.counter_world import COUNTER, an_intent, an_outbox, count, signers_of
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.http_node import HttpNode

pytestmark = pytest.mark.chain


class Dying:
    """Passes everything on, and kills the process before or after one call that matters."""

    def __init__(self, inner, method, *, after, when=lambda *_: True):
        self._inner, self._method, self._after, self._when = inner, method, after, when

    def __getattr__(self, name):
        real = getattr(self._inner, name)
        if name != self._method:
            return real

        def call(*args, **kwargs):
            hit = self._when(*args)
            if hit and not self._after:
                die()
            answer = real(*args, **kwargs)
            if hit:
                die()
            return answer

        return call


def writes(state):
    return lambda record: record.state is state


def asks(method):
    return lambda asked: any(one == method for one, _ in asked)


#: Where the first process dies: (what is wrapped, its method, before or after it, which call).
POINTS = {
    "before the intent is stored": ("store", "put_intent", False, writes(TxState.PLANNED)),
    "after the intent is stored": ("store", "put_intent", True, writes(TxState.PLANNED)),
    "after everything was asked": ("rpc", "batch", True, asks("eth_call")),
    "between sign and record": ("signer", "sign", True, lambda *_: True),
    "between stored and broadcast": ("store", "update_tx", True, writes(TxState.SIGNED)),
    "before broadcast": ("rpc", "send_raw", False, lambda *_: True),
    "between broadcast and record": ("rpc", "send_raw", True, lambda *_: True),
    "after the broadcast is recorded": ("store", "update_tx", True, writes(TxState.SENT)),
    "before the block is recorded": ("store", "update_tx", False, writes(TxState.MINED)),
    "after the block is recorded": ("store", "update_tx", True, writes(TxState.MINED)),
    "before the end is recorded": ("store", "update_tx", False, writes(TxState.FINAL)),
}


def replacing(record):
    return len(record.attempts) == 2


def second():
    """The second different thing it is called with: the first attempt's bytes may go out several times."""
    seen = []

    def hit(what, *_):
        told = str(what)
        if told not in seen:
            seen.append(told)
        return len(seen) == 2

    return hit


#: Where it dies while an attempt is raised or cancelled.
AGAIN = {
    "after the second is signed": lambda: ("signer", "sign", True, second()),
    "before the second is stored": lambda: ("store", "update_tx", False, replacing),
    "after the second is stored": lambda: ("store", "update_tx", True, replacing),
    "before the second is broadcast": lambda: ("rpc", "send_raw", False, second()),
    "after the second is broadcast": lambda: ("rpc", "send_raw", True, second()),
}

#: Where it dies around a relay.
RELAYED = {
    "before the way is written down": ("store", "note_sent", False, lambda *_: True),
    "after the way is written down": ("store", "note_sent", True, lambda *_: True),
    "before the relay is asked": ("rpc", "send_raw", False, lambda *_: True),
    "after the relay is asked": ("rpc", "send_raw", True, lambda *_: True),
    "before the public pool is written down": ("store", "note_sent", False, lambda _key, via, _block: via == PUBLIC),
    "after the public pool is written down": ("store", "note_sent", True, lambda _key, via, _block: via == PUBLIC),
}


class NodeAsRelay:
    """A relay that hands everything to the node."""

    def __init__(self, rpc):
        self._rpc = rpc

    def submit(self, raw, *, last_block):
        self._rpc.send_raw(raw)


def relay_over(store, rpc):
    rules = RelayRules(kinds=frozenset({"poke"}), fallback_after_blocks=2, public_when_down=False)
    return RelayBroadcast(NodeAsRelay(rpc), PublicBroadcast(rpc), store, rules)


class World:
    """A chain in another process, a store file, and keeper processes that come and go."""

    def __init__(self, folder):
        self.chain = EmbeddedChain(accounts=4)
        self.counter = self.chain.deploy_code(COUNTER)
        self.start = self.chain.mine(4)
        server = HttpNode(self.chain.node)
        self.url = server.url
        self._pid = os.fork()
        if self._pid == 0:
            server.serve()
        server.close()
        self.database = f"sqlite:///{folder}/keeper.sqlite"

    def rpc(self):
        return Rpc([http_endpoint(self.url)], chain_id=self.chain.chain_id)

    def keeper(self, *, point=None, submit=True, starved=False, relayed=False, **fields):
        """One life of a keeper: recover, submit, and settle until all is final.

        Args:
            point: where it dies.
            submit: whether it decides something.
            starved: whether nothing of its gets into a block.
            relayed: whether it sends by way of a relay first.
            fields: of the intent.
        """

        def live():
            parts = {"store": open_store(self.database), "rpc": self.rpc(), "signer": None}
            signers = signers_of(self.chain)
            if point:
                what, method, after, when = point
                if what == "signer":
                    signers = {
                        role: [Dying(one, method, after=after, when=when) for one in keys]
                        for role, keys in signers.items()
                    }
                else:
                    parts[what] = Dying(parts[what], method, after=after, when=when)
            rpc = parts["rpc"]
            broadcast = relay_over(parts["store"], rpc) if relayed else None
            outbox = an_outbox(self.chain, parts["store"], rpc=rpc, signers=signers, broadcast=broadcast)
            outbox.recover(rpc.block())
            if submit:
                outbox.submit(an_intent(self.counter, self.start, **fields))
            for _ in range(6):
                for record in parts["store"].open_txs() if starved else ():
                    for attempt in record.attempts:
                        rpc.request("anvil_dropTransaction", attempt.tx_hash)
                rpc.request("evm_mine")
                outbox.settle(rpc.block())
            return 0

        return forked(live)

    def pokes(self):
        return int(self.rpc().request("eth_getStorageAt", self.counter, "0x0", "latest"), 16)

    def close(self):
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


@pytest.mark.parametrize("automine", [True, False], ids=["mined-at-once", "waiting-in-the-pool"])
@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_kill__anywhere__acts_exactly_once(world, point, automine):
    """Whatever line was the last one, the next life finishes the work and does not repeat it."""
    world.rpc().request("evm_setAutomine", automine)
    status = world.keeper(point=point)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert world.keeper() == 0  # the next life recovers, and decides the same thing again
    store = open_store(world.database)
    (record,) = store.txs()
    assert record.state is TxState.FINAL
    assert record.nonce == 0
    assert store.open_txs() == ()
    assert world.pokes() == 1
    store.close()


def ended(world):
    """The one record of a world in which everything has ended."""
    store = open_store(world.database)
    (record,) = store.txs()
    assert store.open_txs() == ()
    store.close()
    return record


def killed(status):
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("point", AGAIN.values(), ids=AGAIN.keys())
def test_kill__while_it_is_raised__acts_exactly_once(world, point):
    """Dying around a replacement leaves two attempts at one nonce at most, and one of them acts."""
    world.rpc().request("evm_setAutomine", False)
    assert killed(world.keeper(point=point(), starved=True))
    assert world.keeper(submit=False) == 0
    record = ended(world)
    assert (record.state, record.nonce) == (TxState.FINAL, 0)
    assert world.pokes() == 1


@pytest.mark.parametrize("point", AGAIN.values(), ids=AGAIN.keys())
def test_kill__while_it_is_cancelled__acts_at_most_once_and_says_which(world, point):
    """Dying around a cancellation: either the nonce is used up by nothing, or the original acted and is the success."""
    world.rpc().request("evm_setAutomine", False)
    assert killed(world.keeper(point=point(), starved=True, deadline_s=world.start.timestamp + 30))
    assert world.keeper(submit=False) == 0
    record = ended(world)
    assert record.nonce == 0
    assert record.state in (TxState.FINAL, TxState.REPLACED)
    assert world.pokes() == (record.state is TxState.FINAL)


@pytest.mark.parametrize("point", RELAYED.values(), ids=RELAYED.keys())
def test_kill__around_a_relay__acts_exactly_once(world, point):
    """Dying between writing the way down and handing the bytes over loses nothing and repeats nothing."""
    world.rpc().request("evm_setAutomine", False)
    assert killed(world.keeper(point=point, starved=True, relayed=True))
    assert world.keeper(submit=True, relayed=True) == 0
    record = ended(world)
    assert record.state is TxState.FINAL
    assert world.pokes() == 1


def test_kill__at_every_life__still_drains(world):
    """Dying again and again at different points only costs time."""
    for point in POINTS.values():
        world.keeper(point=point)
    assert world.keeper() == 0
    assert world.pokes() == 1


def test_no_kill__one_life__the_harness_itself_works(world):
    """Without a crash the same world ends the same way, so that the tests above measure the crash."""
    assert world.keeper() == 0
    assert world.pokes() == 1
    assert count(world.chain, world.counter) == 0  # the chain really lives in the other process
