"""The outbox behind a private relay, on a chain: private until block n, included either way, across restarts."""

import pytest

from keeper.chain.sending.relay import PublicBroadcast, RelayBroadcast, RelayRules
from keeper.domain.tx import TxState
from keeper.domain.worth import PRIVATE, PUBLIC
from keeper.errors import Retry
from keeper.store import open_store
from keeper.testing.counter_world import COUNTER, an_intent, an_outbox, count, rpc_of
from keeper.testing.embedded import EmbeddedChain

pytestmark = pytest.mark.chain

AFTER = 4


class Builder:
    """A relay whose builder includes what it was handed only when it is told to."""

    def __init__(self, chain):
        self.chain, self.held, self.down = chain, [], False

    def submit(self, raw, *, last_block):
        if self.down:
            raise Retry("the relay is down")
        if raw not in self.held:
            self.held.append(raw)

    def include(self):
        """Put the newest into the next block, past the public pool's eyes."""
        self.chain.request("eth_sendRawTransaction", "0x" + self.held[-1].hex())
        return self.chain.mine()


@pytest.fixture
def chain():
    chain = EmbeddedChain(accounts=4)
    chain.set_automine(on=False)
    return chain


@pytest.fixture
def counter(chain):
    chain.set_automine(on=True)
    address = chain.deploy_code(COUNTER)
    chain.set_automine(on=False)
    return address


class World:
    """One outbox after another over one database."""

    def __init__(self, chain, folder):
        self.chain, self.relay, self._url = chain, Builder(chain), f"sqlite:///{folder}/keeper.sqlite"
        self.store = None
        self.restart()

    def restart(self):
        if self.store is not None:
            self.store.close()
        self.store, rpc = open_store(self._url), rpc_of(self.chain)
        rules = RelayRules(kinds=frozenset({"flag"}), fallback_after_blocks=AFTER, public_when_down=False)
        broadcast = RelayBroadcast(self.relay, PublicBroadcast(rpc), self.store, rules)
        self.outbox = an_outbox(self.chain, self.store, broadcast=broadcast)

    def pending(self):
        """Hashes of ours that everybody sees."""
        hashes = [attempt.tx_hash for tx in self.store.txs() for attempt in tx.attempts]
        return [one for one in hashes if self.chain.request("eth_getTransactionByHash", one) is not None]


def only(world):
    (record,) = world.store.txs()
    return record


@pytest.mark.parametrize("restarts", [False, True])
def test_outbox__relay_never_includes__public_from_block_n_and_mined(chain, counter, tmp_path, restarts):
    """REL-1, REL-2, REL-3: replacements stay private too until block n; then it is public, and mines."""
    world = World(chain, tmp_path)
    world.outbox.submit(an_intent(counter, chain.block(), kind="flag", gas_limit=200_000))
    start = chain.block().number
    for _ in range(AFTER - 1):
        if restarts:
            world.restart()
        head = chain.mine()
        world.outbox.settle(head)
        assert world.pending() == [], "REL-1"
    assert count(chain, counter) == 0
    assert len(world.relay.held) >= 2, "a replacement went where the first attempt went"
    head = chain.mine()
    assert head.number - start == AFTER
    world.outbox.settle(head)
    assert world.pending(), "REL-2"
    for _ in range(5):
        world.outbox.settle(chain.mine())
    assert only(world).state is TxState.FINAL
    assert count(chain, counter) == 1
    assert set(world.store.sent(only(world).intent.key)) == {PRIVATE, PUBLIC}
    world.store.close()


def test_outbox__builder_includes_it__final_and_never_public(chain, counter, tmp_path):
    """REL-1: what the relay got included was in nobody's pool, and nothing of it is kept as public."""
    world = World(chain, tmp_path)
    world.outbox.submit(an_intent(counter, chain.block(), kind="flag", gas_limit=200_000))
    world.outbox.settle(chain.mine())
    assert world.pending() == []
    world.outbox.settle(world.relay.include())
    world.outbox.settle(chain.mine(4))
    assert only(world).state is TxState.FINAL
    assert set(world.store.sent(only(world).intent.key)) == {PRIVATE}, "REL-1"
    world.store.close()


def test_outbox__relay_down_and_told_to_wait__tries_again_then_public(chain, counter, tmp_path):
    """REL-5: the bytes are signed and stored; each block asks the relay again, and block n ends the waiting."""
    world = World(chain, tmp_path)
    world.relay.down = True
    assert (
        world.outbox.submit(an_intent(counter, chain.block(), kind="flag", gas_limit=200_000)).state is TxState.SIGNED
    )
    for _ in range(AFTER - 1):
        world.outbox.settle(chain.mine())
        assert world.pending() == [], "REL-5"
    world.outbox.settle(chain.mine())
    for _ in range(5):
        world.outbox.settle(chain.mine())
    assert only(world).state is TxState.FINAL
    assert count(chain, counter) == 1
    world.store.close()


def test_outbox__publishing_beside_it__public_at_once(chain, counter, tmp_path):
    """REL-4: one key, two ways; a public transaction mines while a private one of another kind waits its turn."""
    world = World(chain, tmp_path)
    world.outbox.submit(an_intent(counter, chain.block(), kind="refresh", key="r", gas_limit=200_000))
    assert len(world.pending()) == 1
    world.store.close()
