"""A price that cannot be used: whoever depends on it is unknown with an alert, never safe and never liquidated."""

from collections.abc import Callable

import pytest

from keeper.abis import load
from keeper.cycle import cycle
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import World, open_world
from keeper.domain.action import Bid, Flag
from keeper.domain.cycle import CycleRecord
from keeper.domain.margin import AccountMargin, Unpriced
from keeper.protocols.abi import Abi
from keeper.testing.house import ALONE, house_outbox
from keeper.testing.memory_store import MemoryStore
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

SEED = 5
FEED = Abi("MockAggregator", load("MockAggregator").abi)


@pytest.fixture(scope="module")
def opened() -> World:
    world = open_world(stylised_crash(seed=SEED, blocks=12), accounts=24, seed=SEED)
    world.chain.set_automine(on=False)
    return world


@pytest.fixture
def world(opened):
    """The market as it was opened; whatever a test does to it is forgotten."""
    snapshot = opened.chain.snapshot()
    yield opened
    opened.chain.revert(snapshot)


def push(world: World, symbol: str, answer: int) -> None:
    data = FEED.call("push", answer)
    world.chain.send(sender=world.chain.accounts[3], to=world.feeds[symbol], data=data, gas=400_000)


def live(world: World) -> CycleRecord:
    """One cycle of a keeper that sends, at the head."""
    store = MemoryStore()
    keeper = assemble(
        rpc=world.rpc,
        store=store,
        deployment=world.deployment,
        risk=RISK,
        policy=policy(world.path.block_s),
        sender=lambda decode, recheck: house_outbox(world.rpc, store, world.signers, decode, recheck, policy=ALONE),
    )
    return cycle(world.chain.block(), keeper.ports, keeper.risk, keeper.policy)


def zero(world: World) -> None:
    push(world, "ETH", 0)


def negative(world: World) -> None:
    push(world, "ETH", -1)


def absurd(world: World) -> None:
    push(world, "ETH", 10**20)


@pytest.mark.parametrize(("spoil", "named"), [(zero, "BadPrice"), (negative, "BadPrice"), (absurd, "PriceOutOfBounds")])
def test_cycle__unusable_price__unknown_and_the_others_go_on(
    world: World, spoil: Callable[[World], None], named: str
) -> None:
    """Accounts that need ETH are unknown; those that need only BTC are priced; nobody is flagged for it."""
    spoil(world)
    push(world, "BTC", 64_000 * 10**8)
    world.chain.mine()
    record = live(world)
    eth = next(u for u, symbol in world.deployment.symbols.items() if symbol == "ETH")
    held = {m.account: m for m in record.decision.report.accounts}
    unknown = [m for m in held.values() if isinstance(m, Unpriced)]
    priced = [m for m in held.values() if isinstance(m, AccountMargin)]
    assert unknown
    assert any(m.underlyings for m in priced), "accounts that need only BTC go on"
    assert not any(part.underlying == eth for m in priced for part in m.underlyings)
    assert not any(isinstance(a, Flag | Bid) for a in record.decision.actions)
    assert any("ETH" in alert and named in alert for alert in record.decision.alerts)


def test_cycle__every_feed_stale__all_holders_unknown(world: World) -> None:
    """A feed that fell silent is no price, however old the last one."""
    world.chain.advance_to(world.chain.block().timestamp + 7 * 86_400)
    world.chain.mine()
    record = live(world)
    priced = [m for m in record.decision.report.accounts if isinstance(m, AccountMargin)]
    assert not any(part.grid for m in priced for part in m.underlyings)
    assert not any(isinstance(a, Flag | Bid) for a in record.decision.actions)
    assert any("StalePrice" in alert for alert in record.decision.alerts)
