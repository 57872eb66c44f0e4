"""Real deaths: a keeper process is forked, ends itself with SIGKILL at a boundary, and a second one recovers.

The chain lives in a third process, behind loopback HTTP; the store is a SQLite file.  Whatever the first life left in
that file and on that chain is all that the second one has.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from eth_account import Account

from keeper.chain.asking.health import Fitness
from keeper.chain.asking.members import PoolPolicy
from keeper.chain.asking.rpc import Endpoint, Rpc, http_endpoint
from keeper.errors import KeeperError
from keeper.store import open_store
from keeper.testing.chaos.crossings import BOUNDARIES, WRITES, Crossings, request_name, sign_name, write_name
from keeper.testing.chaos.death import die, forked
from keeper.testing.chaos.laws import breaches
from keeper.testing.chaos.life import POLICY
from keeper.testing.chaos.scenario import ACCOUNTS
from keeper.testing.embedded import EmbeddedChain, known_key
from keeper.testing.forwarding import ForwardingNode
from keeper.testing.http_node import HttpNode
from keeper.testing.toy import ToyKeeper, ToyWorld

#: Blocks of the first life, which should die, and at most of the second, which must come to rest.
FIRST, SECOND = 9, 40
#: How the second life ends: at rest with the chain's own set, or not.
AT_REST, RESTLESS = 0, 3
#: Base fee that makes the first life raise its offers, gwei, and the block of it.
SPIKE_GWEI, SPIKE_AT = 60, 2


@dataclass
class Killed:
    """What became of one kill."""

    number: int
    boundary: str
    times: int
    died: bool = False
    """Whether the boundary was reached: a life that never gets there is not a kill."""
    broken: list[str] = field(default_factory=list)


class _Remote(ForwardingNode):
    """A chain in another process, as `EmbeddedChain` wants its node."""

    evm = None

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.accounts = [Account.from_key(known_key(index)) for index in range(6)]


class Graveyard:
    """A chain in a process of its own, and keepers that are killed beside it, one after the other."""

    def __init__(self) -> None:
        served = ToyWorld.fast()
        server = HttpNode(served.node)
        self.url = server.url
        self._pid = os.fork()
        if self._pid == 0:
            server.serve()
            os._exit(0)
        server.close()
        self._folder = Path(tempfile.mkdtemp(prefix="keeper-chaos-"))
        self._template = self._folder / "template.sqlite"
        open_store(f"sqlite:///{self._template}").close()
        node: Any = _Remote(self.url)
        self.chain_id = served.chain.chain_id
        self.world = ToyWorld(EmbeddedChain(node=node), served.house, served.deployed_at)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self, seed: int, number: int) -> Killed:
        """One life that dies at the appointed crossing of a boundary, and one that goes on from there."""
        boundary, times = appointment(seed, number)
        found = Killed(number, boundary, times)
        rng = np.random.default_rng([seed, number, 3])
        self.world.reset()
        for account in ACCOUNTS:
            self.world.do("setAccount", account, int(rng.integers(20, 40)), int(rng.integers(10, 20)))
        self.world.do("setAccount", 1, 30, 20)
        self.world.chain.mine()
        self.world.do("setPrice", 600)  # account 1 is under water now, and most others
        database = self._folder / "keeper.sqlite"
        for path in self._folder.glob("keeper.sqlite*"):
            path.unlink()
        shutil.copy(self._template, database)
        hard = "again" in boundary
        status = forked(lambda: self._first(database, boundary, times, hard=hard))
        found.died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not found.died and os.WEXITSTATUS(status):
            found.broken.append(f"the first life ended by itself with {os.WEXITSTATUS(status)}")
        status = forked(lambda: self._second(database))
        if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != AT_REST:
            found.broken.append(f"the second life did not come to rest in {SECOND} blocks (status {status})")
        found.broken += self._laws(database)
        return found

    def _keeper(self, database: Path, crossings: Crossings, *, publish_every: int) -> ToyKeeper:
        around = crossings.around
        plain = http_endpoint(self.url)
        rpc = Rpc(
            [Endpoint(plain.name, around(plain.provider, request_name, "make_request", "make_batch"))],
            chain_id=self.chain_id,
            policy=PoolPolicy(fitness=Fitness(max_head_lag_blocks=1)),
        )
        signers = {
            role: tuple(around(key, sign_name, "sign") for key in keys) for role, keys in self.world.signers().items()
        }
        store = around(open_store(f"sqlite:///{database}"), write_name, *WRITES)
        return ToyKeeper(
            rpc,
            store,
            signers,
            house=self.world.house,
            deployed_at=self.world.deployed_at,
            publish_every=publish_every,
            policy=POLICY,
        )

    def _first(self, database: Path, boundary: str, times: int, *, hard: bool) -> int:
        crossings = Crossings(die)
        keeper = self._keeper(database, crossings, publish_every=2)
        crossings.appoint(boundary, times)
        for block in range(FIRST):
            if hard and block == SPIKE_AT:
                keeper.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(SPIKE_GWEI * 10**9))
            keeper.rpc.request("evm_mine")
            keeper.live()
        return 0

    def _second(self, database: Path) -> int:
        keeper = self._keeper(database, Crossings(die), publish_every=0)
        for _ in range(SECOND):
            keeper.rpc.request("evm_mine")
            trouble = keeper.live()
            if not trouble and not keeper.store.open_txs() and not keeper.index.state.unhealthy:
                return AT_REST if keeper.index.state.accounts == self.world.state(ACCOUNTS).accounts else RESTLESS
        return RESTLESS

    def _laws(self, database: Path) -> list[str]:
        store = open_store(f"sqlite:///{database}")
        broken: list[str] = []
        try:
            records = store.txs(limit=10_000)
            broken += breaches(records, self.world, daily_cap_wei=POLICY.daily_cap_wei)
        except KeeperError as error:
            broken.append(f"the store cannot be read: {error.message}")
        finally:
            store.close()
        return broken


#: Where a real life is ended: all but what takes a foreign or a lost transaction, which the lives in one process have.
KILLABLE: Final = tuple(
    boundary
    for boundary in BOUNDARIES
    if not any(word in boundary for word in ("dropped", "abandoned", "replaced", "signed again"))
)


def appointment(seed: int, number: int) -> tuple[str, int]:
    """Kill `number` of `seed`: every boundary in turn, at its first to third crossing."""
    rng = np.random.default_rng([seed, number, 2])
    boundary = KILLABLE[number % len(KILLABLE)]
    rare = any(word in boundary for word in ("again", "_sync", "head", "receipts"))
    return boundary, int(rng.integers(1, 2 if rare else 4))
