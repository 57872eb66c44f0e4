"""An incident on a fork: a keeper liquidates there, and the chain it was forked from never hears of it."""

from dataclasses import replace

import pytest

from keeper.chain.reads import BlockReads
from keeper.chain.rpc import Endpoint, Rpc
from keeper.cycle import cycle
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import World, open_world
from keeper.domain.tx import TxState
from keeper.protocols.clearinghouse.views import Views
from keeper.testing.anvil import AnvilChain
from keeper.testing.evm import GENESIS_TIMESTAMP
from keeper.testing.fork import ForkedChain
from keeper.testing.house import house_outbox
from keeper.testing.memory_store import MemoryStore
from keeper.wiring import assemble

pytestmark = [pytest.mark.needs_anvil, pytest.mark.chain, pytest.mark.timeout(300)]

SEED = 5
#: anvil's default limit is too small for a block of deployments.
GENEROUS = ("--gas-limit", "200000000", "--timestamp", str(GENESIS_TIMESTAMP))


@pytest.fixture(scope="module")
def upstream():
    """A market that is open, on an anvil of its own."""
    with AnvilChain(accounts=6, extra=GENEROUS) as chain:
        yield open_world(stylised_crash(seed=SEED, blocks=12), accounts=24, seed=SEED, chain=chain)


def forked(world: World, kind: str):
    if kind == "anvil":
        return AnvilChain.fork(world.chain.url, accounts=6)
    return ForkedChain.at(world.chain.url, accounts=6)


def crash(world: World) -> MemoryStore:
    """Live the path's prices with a keeper that sends.  Returns: what it remembers."""
    store = MemoryStore()
    keeper = assemble(
        rpc=world.rpc,
        store=store,
        deployment=world.deployment,
        risk=RISK,
        policy=policy(world.path.block_s),
        sender=lambda decode, recheck: house_outbox(world.rpc, store, world.signers, decode, recheck),
    )
    for point in world.path.points[1:]:
        world.reach(point)
        cycle(world.chain.block(), keeper.ports, keeper.risk, keeper.policy)
        cycle(world.mine(), keeper.ports, keeper.risk, keeper.policy)
    return store


def in_auction(world: World, accounts: list[int]) -> list[bool]:
    views, block = Views(BlockReads(world.rpc), world.deployment), world.chain.block()
    return [views.one(block, "LiquidationAuction", "auction", account)["startTime"] > 0 for account in accounts]


@pytest.mark.parametrize("kind", ["eth-tester", "anvil"])
def test_fork__crash_lived_there__liquidates_and_leaves_the_upstream_alone(upstream, kind):
    """The keeper flags on the fork with the real contracts; upstream has no new block and no auction."""
    before = upstream.chain.block()
    chain = forked(upstream, kind)
    rpc = Rpc([Endpoint("fork", chain.provider)], chain_id=chain.chain_id)
    world = replace(upstream, chain=chain, rpc=rpc)
    try:
        store = crash(world)
        flags = [tx for tx in store.txs(limit=1_000) if tx.intent.kind == "flag" and tx.state is TxState.FINAL]
        assert flags, "the crash makes somebody liquidatable"
        accounts = [int(tx.intent.subject.removeprefix("account:"), 16) for tx in flags]
        assert any(in_auction(world, accounts))
    finally:
        if isinstance(chain, AnvilChain):
            chain.close()
    assert upstream.chain.block() == before
    assert not any(in_auction(upstream, accounts))
