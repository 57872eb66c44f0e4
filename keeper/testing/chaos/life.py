"""Living a scenario in this process, and the laws that must hold when all is calm again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keeper.chain.asking.health import Fitness
from keeper.chain.asking.members import PoolPolicy
from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.outbox import OutboxPolicy
from keeper.errors import Halt
from keeper.ports import Store
from keeper.testing.chaos.crossings import WRITES, Crossings, Dead, request_name, sign_name, write_name
from keeper.testing.chaos.laws import breaches
from keeper.testing.chaos.scenario import ACCOUNTS, CALM, STORM, Scenario
from keeper.testing.chaos.witness import Watched, Witness
from keeper.testing.faulty import FaultyNode
from keeper.testing.memory_store import MemoryStore
from keeper.testing.plan import Ledger
from keeper.testing.provider import EmbeddedProvider
from keeper.testing.toy import ToyKeeper, ToyWorld

POLICY = OutboxPolicy(
    confirmations=3,
    replace_after_blocks=2,
    stuck_after_blocks=4,
    abandon_after_blocks=8,
    gap_at_most=16,
    daily_cap_wei=10**19,
)
#: Blocks of calm from one comparison with the contract's views to the next.
RECONCILED_EVERY = 4
POOL = PoolPolicy(fitness=Fitness(max_head_lag_blocks=1), retries=1, watch_every_s=0.0, probe_pins=True)


@dataclass
class Outcome:
    """What became of a scenario."""

    scenario: Scenario
    broken: list[str] = field(default_factory=list)
    """Laws that did not hold, one line each."""
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each fault struck, by (fault, method)."""
    deaths: Counter[str] = field(default_factory=Counter)
    """How often a life ended, by boundary."""
    crossed: Counter[str] = field(default_factory=Counter)
    """How often each boundary was crossed."""
    transactions: int = 0
    liquidations: int = 0
    restarts: int = 0
    calm_blocks: int = 0
    """Blocks of calm until everything was at rest."""


class Life:
    """One scenario on one world, which is put back to its first day.

    Args:
        world: where; used by one life at a time.
        scenario: what happens.
    """

    def __init__(self, world: ToyWorld, scenario: Scenario) -> None:
        self.world, self.scenario = world, scenario
        self.outcome = Outcome(scenario)
        self.crossings = Crossings()
        self.store: Store = MemoryStore()
        world.reset()
        self.witness = Witness(world.node, lambda: frozenset(world.state(ACCOUNTS).unhealthy))
        self.ledger = Ledger()
        self.nodes = [
            FaultyNode(self.witness, plan, name=f"node-{place}", ledger=self.ledger)
            for place, plan in enumerate(scenario.plans)
        ]
        self.keeper: ToyKeeper | None = None
        self._publish_every = 3

    def live(self) -> Outcome:
        """Storm, calm, laws."""
        try:
            return self._live()
        finally:
            for node in self.nodes:
                node.close()  # or what it still owes would come into the next life on this world

    def _live(self) -> Outcome:
        rng = self.scenario.rng
        deaths = {block: (what, count) for block, what, count in self.scenario.deaths}
        for block in range(STORM):
            self._weather(rng, block)
            self._mine()
            if block in self.scenario.restarts:
                self._restart()
            if block in deaths:
                self.crossings.appoint(*deaths[block])
            self._look()
        self.crossings.spare()
        self._calm()
        self._judge()
        return self.outcome

    def _weather(self, rng: np.random.Generator, block: int) -> None:
        """Owners come, change and go; the price walks, falls and sometimes comes back at once."""
        world = self.world
        if block == 0:
            for account in ACCOUNTS:
                world.do("setAccount", account, int(rng.integers(20, 60)), int(rng.integers(10, 40)))
            return
        if rng.random() < 0.6:
            step = float(rng.choice([0.6, 0.9, 1.1, 1.5], p=[0.25, 0.3, 0.3, 0.15]))
            price = world.state(()).price
            world.do("setPrice", min(4_000, max(100, int(price * step))))
        if rng.random() < 0.4:
            account = int(rng.choice(np.array(ACCOUNTS)))
            gone = rng.random() < 0.3
            world.do(
                "setAccount", account, *((0, 0) if gone else (int(rng.integers(20, 60)), int(rng.integers(10, 40))))
            )

    def _mine(self) -> None:
        self.nodes[0].request("evm_mine", [])

    # The keeper's lives

    def _restart(self) -> None:
        self.keeper = None
        self.outcome.restarts += 1

    def _look(self) -> None:
        """One look at the chain by whoever lives; the dead are replaced before the next."""
        try:
            if self.keeper is None:
                self.keeper = self._born()
            self.keeper.live()
        except Dead:
            self._restart()
        except Halt as trouble:
            # A person would look, find the cause outside, and start it again.
            self.outcome.deaths[f"halted: {type(trouble).__name__}"] += 1
            self._restart()

    def _born(self) -> ToyKeeper:
        around, world = self.crossings.around, self.world
        store = around(self.store, write_name, *WRITES)
        signers: Mapping[Any, Sequence[Any]] = {
            role: tuple(around(key, sign_name, "sign") for key in keys) for role, keys in world.signers().items()
        }
        return ToyKeeper(
            self._rpc(),
            store,
            signers,
            house=world.house,
            deployed_at=world.deployed_at,
            publish_every=self._publish_every,
            policy=POLICY,
        )

    def _rpc(self) -> Rpc:
        return self.world.rpc(*self.nodes, wrap=self._provider, policy=POOL, quorum=self.scenario.quorum)

    def _provider(self, provider: EmbeddedProvider) -> Any:
        return self.crossings.around(Watched(provider, self.witness), request_name, "make_request", "make_batch")

    # Calm

    def _calm(self) -> None:
        """No faults, no publications, until nothing is left to do.

        Logs that a node withheld in the storm, and no bloom speaks of, are found by the scheduled comparison with the
        contract's views, as in a real keeper.
        """
        for node in self.nodes:
            node.calm = True
        self._publish_every = 0
        self._restart()
        for block in range(CALM):
            self._mine()
            self._look()
            if self.keeper is not None and self.keeper.last is not None and block % RECONCILED_EVERY == 0:
                self.keeper.reconcile(ACCOUNTS)
            if self.keeper is not None and self._at_rest(self.keeper):
                self.outcome.calm_blocks = block + 1
                return

    def _at_rest(self, keeper: ToyKeeper) -> bool:
        if self.store.open_txs() or keeper.last is None or keeper.last.hash != self.world.chain.block().hash:
            return False
        if keeper.index.state.unhealthy or self._may_still_end():
            return False
        return not keeper.reconcile(ACCOUNTS) and not self.world.state(ACCOUNTS).unhealthy

    def _may_still_end(self) -> bool:
        """Whether something given up waits for the block of its nonce to become final."""
        return any((tx.nonce or 0) < self.world.nonce(tx.sender or "") for tx in self.store.abandoned_txs())

    # Laws

    def _judge(self) -> None:
        say, records = self.outcome.broken.append, self.store.txs(limit=10_000)
        self.outcome.broken.extend(breaches(records, self.world, daily_cap_wei=POLICY.daily_cap_wei))
        if self.keeper is None or self.keeper.index.state.accounts != self.world.state(ACCOUNTS).accounts:
            ours = None if self.keeper is None else self.keeper.index.state.accounts
            say(f"monitored {ours}, the chain has {self.world.state(ACCOUNTS).accounts}")
        self.outcome.broken.extend(f"wronged: {line}" for line in self.witness.wronged)
        self.outcome.faults += self.ledger.counts()
        self.outcome.deaths += self.crossings.ended
        self.outcome.crossed += self.crossings.crossed
        self.outcome.transactions = len(records)
        self.outcome.liquidations = self.witness.sent
