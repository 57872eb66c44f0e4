"""The house and its keeper, as fixtures hand them to a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from keeper.daemon import Daemon, Rhythm
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.venue import DemoVenue
from keeper.demo.world import World, open_world
from keeper.domain.action import kind
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleRecord
from keeper.errors import Retry
from keeper.ports import Store
from keeper.testing.answers import Node
from keeper.testing.embedded import LocalChain
from keeper.testing.faulty import FaultyNode
from keeper.testing.house import feed_abi, house_outbox, rpc_over, rpc_to
from keeper.testing.plan import FaultPlan
from keeper.testing.wire import hexed, octets
from keeper.wiring import Keeper, assemble

#: Traders of the market, and oracle rounds before it opens: the fewest that it opens with.
TRADERS, WARMUP = 20, 40
SEED: Final = 1
#: Account that sets prices; the first three are the owner's, the publisher's and the liquidator's.
PRICE_SETTER: Final = 3
#: A test steps by hand: nothing happens by itself.
RHYTHM = Rhythm(
    poll_interval_s=0.1,
    heartbeat_every_s=60,
    quotes_every_s=60,
    reconcile_every_s=3_600,
    reconcile_sample=10,
    housekeeping_every_s=3_600,
    keep_blocks=100,
)


def opened() -> World:
    """The smallest market that the demo opens, at its first prices."""
    path = stylised_crash(seed=SEED, blocks=20)
    world = open_world(replace(path, warmup=path.warmup[-WARMUP:]), accounts=TRADERS, seed=SEED)
    world.reach(world.path.points[0])
    return world


@dataclass(frozen=True)
class DeployedProtocol:
    """The house on a chain, open for trade.  Blocks are mined when you say so."""

    world: World
    """Everything that was set up: deployment, members by name, listings, feeds."""

    @property
    def chain(self) -> LocalChain:
        """Where it is."""
        return self.world.chain

    @property
    def symbols(self) -> tuple[str, ...]:
        """The underlyings, by id."""
        return self.world.plan.symbols

    def price(self, symbol: str) -> float:
        """The newest round of a feed, USD."""
        call = {"to": self.world.feeds[symbol], "data": hexed(feed_abi().call("latestRoundData"))}
        answer = octets(self.chain.request("eth_call", call, "latest"))
        _, usd, *_ = feed_abi().result("latestRoundData", answer).values()
        return float(usd) / 10**8

    def set_price(self, symbol: str, usd: float) -> None:
        """Push a round of a feed into the pool; the next block has it."""
        data = feed_abi().call("push", round(usd * 10**8))
        self.chain.send(sender=self.chain.accounts[PRICE_SETTER], to=self.world.feeds[symbol], data=data, gas=300_000)

    def mine(self, blocks: int = 1) -> BlockRef:
        """Append blocks.  Returns: the last."""
        return self.chain.mine(blocks)

    def on(self, fork: LocalChain) -> DeployedProtocol:
        """The same house on a fork of its chain.  Like here, blocks are mined when you say so."""
        fork.set_automine(on=False)
        return DeployedProtocol(replace(self.world, chain=fork, rpc=rpc_to(fork)))

    @contextmanager
    def behind(self, plan: str) -> Iterator[FaultyNode]:
        """A node before this chain that plays a plan (`keeper.testing.plan`)."""
        chain: Any = self.chain
        node = FaultyNode(chain.node, FaultPlan.parse(plan))
        try:
            yield node
        finally:
            node.close()


class KeeperUnderTest:
    """A keeper that lives when it is told to.

    Args:
        protocol: what it keeps.
        store: its memory; it outlives `restart`.
        nodes: its endpoints.
    """

    def __init__(self, protocol: DeployedProtocol, store: Store, nodes: Sequence[Node]) -> None:
        self.protocol, self.store, self.nodes = protocol, store, tuple(nodes)
        self.records: list[CycleRecord] = []
        """What it lived, oldest first."""
        self.restart()

    def restart(self) -> None:
        """End this life without a word, if there was one, and begin the next over the same store."""
        world, store = self.protocol.world, self.store
        clock = _BlockClock(world)
        rpc = rpc_over(self.nodes, chain_id=world.chain.chain_id, now_s=clock.now_s)
        self.keeper: Keeper = assemble(
            rpc=rpc,
            store=store,
            deployment=world.deployment,
            risk=RISK,
            policy=policy(world.path.block_s),
            sender=lambda decode, recheck: house_outbox(rpc, store, world.signers, decode, recheck),
            quotes=DemoVenue(world.seed),
        )
        self._daemon = Daemon(
            heads=self.keeper.heads,
            ports=self.keeper.ports,
            clock=clock,
            risk=RISK,
            policy=self.keeper.policy,
            rhythm=RHYTHM,
            on_cycle=self.records.append,
        )
        self._recovered = False

    def live(self) -> CycleRecord | None:
        """Look at the chain once and live its newest block.

        Returns: what was decided and handed over; None if there was nothing new.
        Raises: as the daemon's step; `Retry` is an ill node and means "ask again".
        """
        if not self._recovered:
            self.keeper.ports.sender.recover(self.keeper.heads.head())
            self._recovered = True
        return self.records[-1] if self._daemon.step() else None

    def advance(self, blocks: int = 1) -> Sequence[CycleRecord]:
        """Mine and live, again and again.  An ill node costs a block, as it would in production.

        Blocks are mined through the first node, so that its chain faults strike.  Returns: what was lived.
        """
        first = len(self.records)
        for _ in range(blocks):
            self.nodes[0].request("evm_mine", [])
            with suppress(Retry):
                self.live()
        return self.records[first:]

    @property
    def handed(self) -> tuple[str, ...]:
        """Kinds of everything it handed over, in order."""
        return tuple(kind(one.action) for record in self.records for one in record.handed)

    @property
    def faults(self) -> tuple[FaultyNode, ...]:
        """Those of its nodes that play a plan; each has a `ledger`."""
        return tuple(node for node in self.nodes if isinstance(node, FaultyNode))


class _BlockClock:
    """Wall time that is the chain's."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now_s(self) -> int:
        return self._world.chain.block().timestamp
