"""Heads of a real anvil: told over a WebSocket, missed while it is down, replaced by `anvil_reorg`."""

import pytest

from keeper.domain.tx import TxState
from keeper.testing.tunnel import Tunnel
from tests.cases.anvil_life import CRASH, Life, flagged, hold_laws, open_market, push_prices

pytestmark = [pytest.mark.needs_anvil, pytest.mark.chain, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return open_market(tmp_path_factory.mktemp("market"))


@pytest.fixture
def world(market):
    """The market on an anvil that mines when told."""
    with market.on_anvil() as world:
        world.chain.set_automine(on=False)
        yield world


def test_subscription__poll_of_ten_minutes__each_block_lived_when_it_comes(world, tmp_path):
    """The daemon polls after the test is over: whatever it lives, anvil's newHeads told it of."""
    chain = world.chain
    with Life(world, tmp_path, [chain.ws_url, chain.url]) as life:
        for _ in range(4):
            assert life.reaches(chain.block())
            chain.mine()
        push_prices(world, CRASH)
        assert life.reaches(chain.mine())
        hold_laws(life, life.drain())
        assert flagged(world)


def test_socket_cut__blocks_missed__subscribed_again_and_caught_up(world, tmp_path):
    """While the socket is down prices fall and blocks pass; the new subscription finds all of it, and is told more."""
    chain = world.chain
    with Tunnel(chain.url) as tunnel, Life(world, tmp_path, [tunnel.ws_url, chain.url]) as life:
        assert life.reaches(chain.block())
        taken = tunnel.taken
        with tunnel.refusing():
            push_prices(world, CRASH)
            missed = chain.mine(5)
        assert life.reaches(missed), "looked once when it was back"
        assert life.reaches(chain.mine()), "told again"
        assert life.waits_for(lambda: tunnel.taken > taken)
        hold_laws(life, life.drain())
        assert flagged(world)


def test_socket_down_for_good__polls_over_http(world, tmp_path):
    """No subscription ever comes: every block is lived all the same, by asking."""
    chain = world.chain
    with (
        Tunnel(chain.url) as tunnel,
        tunnel.refusing(),
        Life(world, tmp_path, [tunnel.ws_url, chain.url], poll_interval_s=0.1) as life,
    ):
        assert life.reaches(chain.block())
        assert tunnel.taken == 0
        push_prices(world, CRASH)
        assert life.reaches(chain.mine())
        hold_laws(life, life.drain())
        assert flagged(world)


@pytest.mark.parametrize(("depth", "kept"), [(1, False), (2, True), (5, False), (5, True)])
def test_reorg__flags_mined__orphaned_found_again_and_acted_once(world, tmp_path, depth, kept):
    """anvil tells of the new blocks only, never that the old ones are gone: the parent hash says it.

    Blocks with the keeper's flags are replaced by others, empty or with the same flags.  What was decided there is
    marked; each account is flagged once on the chain that stands.
    """
    chain = world.chain
    with Life(world, tmp_path, [chain.ws_url, chain.url], confirmations=8) as life:
        push_prices(world, CRASH)
        assert life.reaches(chain.mine())
        replaced = []
        for _ in range(depth):
            replaced.append(chain.mine())
            assert life.reaches(replaced[-1])
        mined = life.of_kind("flag", TxState.MINED)
        assert mined, "flags are in a block that a reorg takes"
        before = set(flagged(world))
        raws = [[f"0x{tx.attempt(tx.mined_hash).raw.hex()}", 0] for tx in sorted(mined, key=lambda tx: tx.nonce)]
        chain.request("anvil_reorg", depth, raws if kept else [])
        assert set(flagged(world)) == (before if kept else set())
        new = chain.block()
        assert new.hash not in {one.hash for one in replaced}
        assert life.reaches(new), "re-tracked without being told what went"
        assert {one.hash for one in replaced}.isdisjoint(one.block.hash for one in life.store.cycles())
        head = life.drain()
        hold_laws(life, head)
        assert set(flagged(world)) >= before
        assert set(flagged(world).values()) == {1}, "each acted once"
