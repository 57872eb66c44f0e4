"""An incident on a fork: a keeper liquidates there, and the chain it was forked from never hears of it."""

from dataclasses import dataclass, replace

import pytest

from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.cycle import cycle
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import World, open_world
from keeper.domain.block import BlockRef
from keeper.domain.tx import TxState
from keeper.protocols.clearinghouse.views import Views
from keeper.testing.anvil import AnvilChain
from keeper.testing.evm import GENESIS_TIMESTAMP
from keeper.testing.fork import ForkedChain
from keeper.testing.house import house_outbox
from keeper.testing.memory_store import MemoryStore
from keeper.testing.tunnel import Tunnel
from keeper.wiring import assemble

pytestmark = [pytest.mark.needs_anvil, pytest.mark.chain, pytest.mark.timeout(300)]

SEED = 5
#: anvil's default limit is too small for a block of deployments.
GENEROUS = ("--gas-limit", "200000000", "--timestamp", str(GENESIS_TIMESTAMP))


#: What is left of prices when somebody is under water, and how many blocks the keeper then has: py-evm is slow.
LEFT, BLOCKS = 0.9, 4


@pytest.fixture(scope="module")
def upstream():
    """A market that is open, on an anvil of its own."""
    with AnvilChain(accounts=6, extra=GENEROUS) as chain:
        path = stylised_crash(seed=SEED, blocks=12)
        yield open_world(replace(path, warmup=path.warmup[-40:]), accounts=24, seed=SEED, chain=chain)


@dataclass(frozen=True)
class Lived:
    """A crash that was lived on a fork."""

    world: World
    blocks: tuple[BlockRef, ...]
    flagged: list[int]
    in_auction: list[bool]


def live(upstream: World, chain) -> Lived:
    """Let prices fall on a fork, with a keeper that sends."""
    world = replace(upstream, chain=chain, rpc=Rpc([Endpoint("fork", chain.provider)], chain_id=chain.chain_id))
    store = MemoryStore()
    keeper = assemble(
        rpc=world.rpc,
        store=store,
        deployment=world.deployment,
        risk=RISK,
        policy=policy(world.path.block_s),
        sender=lambda decode, recheck: house_outbox(world.rpc, store, world.signers, decode, recheck),
    )
    opening, then = world.path.points[:2]
    blocks = [world.reach(replace(then, prices={symbol: LEFT * usd for symbol, usd in opening.prices.items()}))]
    for _ in range(BLOCKS):
        cycle(blocks[-1], keeper.ports, keeper.risk, keeper.policy)
        blocks.append(world.mine())
    cycle(blocks[-1], keeper.ports, keeper.risk, keeper.policy)
    flags = [tx for tx in store.txs(limit=1_000) if tx.intent.kind == "flag" and tx.state is TxState.FINAL]
    accounts = sorted(int(tx.intent.subject.removeprefix("account:"), 16) for tx in flags)
    return Lived(world, tuple(blocks), accounts, in_auction(world, accounts))


def in_auction(world: World, accounts: list[int]) -> list[bool]:
    views, block = Views(BlockReads(world.rpc), world.deployment), world.chain.block()
    return [views.one(block, "LiquidationAuction", "auction", account)["startTime"] > 0 for account in accounts]


def untouched(upstream: World, before: BlockRef, lived: Lived) -> bool:
    """Whether the other chain has no new block and no auction, though the fork has."""
    assert lived.flagged, "the crash makes somebody liquidatable"
    assert all(lived.in_auction)
    return upstream.chain.block() == before and not any(in_auction(upstream, lived.flagged))


def test_anvil_fork__crash_lived_there__liquidates_and_leaves_the_upstream_alone(upstream):
    """The keeper flags on the fork with the real contracts; upstream has no new block and no auction."""
    before = upstream.chain.block()
    with AnvilChain.fork(upstream.chain.url, accounts=6) as chain:
        assert untouched(upstream, before, live(upstream, chain))


def test_eth_tester_fork__crash_lived_recorded_replayed_offline__same_blocks(upstream, tmp_path):
    """Likewise on eth-tester; and what was read is enough to live it all again, to the same hashes, with no node."""
    before, path = upstream.chain.block(), tmp_path / "crash.fork.json"
    with Tunnel(upstream.chain.url) as tunnel:
        chain = ForkedChain.at(tunnel.url, accounts=6)
        lived = live(upstream, chain)
        assert untouched(upstream, before, lived)
        chain.save(path)
        with tunnel.refusing():
            offline = ForkedChain.replayed(path, accounts=6)
            again = live(upstream, offline)
    assert again.blocks == lived.blocks
    assert (again.flagged, again.in_auction) == (lived.flagged, lived.in_auction)
    assert offline.upstream.asked == 0
