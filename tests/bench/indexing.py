"""The index of a large house: from nothing, after a restart, and from block to block.

The node is a process of its own behind loopback HTTP (`keeper.testing.synthetic`), with ten positions an account.
The baseline of a cold index is one view call an account, through the keeper's own views over the same wire at the same
block; it is timed on a sample and scaled, since each call costs the same.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.following.log_sync import LogSync
from keeper.chain.following.sync_plan import SyncPlan
from keeper.domain.block import BlockRef
from keeper.domain.roster import Roster
from keeper.protocols.clearinghouse.consumer import HouseConsumer
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment
from keeper.protocols.clearinghouse.index import HouseIndex
from keeper.protocols.clearinghouse.views import Views
from keeper.store import open_store
from tests.bench.timing import Row

#: Least ratio that passes.
FLOORS = {
    "index: cold, all accounts": 10.0,
    "index: warm start against cold": 2.0,
    "index: a block with 100 changed accounts": 1.5,
}
#: Accounts whose view calls are timed.
SAMPLED = 400
#: Changed accounts of a block, and most blocks lived between the cold start and the warm one.
CHANGED, BLOCKS = 100, 150
#: Most round trips that the index may need for a block.
ROUND_TRIPS = 2


def rows(accounts: int) -> Iterator[Row]:
    """Cold, warm and incremental; how often the node was asked is asserted, times are not."""
    with served(accounts) as house, tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'keeper.sqlite'}"
        a_call = one_call(house)
        before = house.counts()
        keeper = Following(house, url)
        started = time.perf_counter()
        roster = keeper.at(house.head)
        cold_s = time.perf_counter() - started
        counts = house.counts()
        assert len(roster) >= accounts, "the index has every account"
        assert counts["views"] == before["views"], "nobody was asked about a single account"
        positions = f"{len(roster.position_size):,} positions, {house.logs:,} logs"
        asked = counts["methods"]["eth_getLogs"] - before["methods"].get("eth_getLogs", 0)
        yield Row(
            name="index: cold, all accounts",
            baseline_s=a_call * len(roster),
            ours_s=cold_s,
            note=f"{len(roster):,} accounts, {positions}, {asked} questions about logs",
        )
        times, trips = [], []
        blocks = max(5, min(BLOCKS, accounts // 600))
        for _ in range(blocks):
            head = house.mine(changed=CHANGED)
            counted, started = keeper.rpc.round_trips, time.perf_counter()
            keeper.at(head)
            times.append(time.perf_counter() - started)
            trips.append(keeper.rpc.round_trips - counted)
        assert max(trips) <= ROUND_TRIPS, f"{max(trips)} round trips for a block"
        assert house.counts()["views"] == before["views"], (
            "nothing is read of an unchanged account, nor of a changed one"
        )
        block_s, worst_s = sorted(times)[len(times) // 2], max(times)
        started = time.perf_counter()
        again = Following(house, url)
        roster = again.at(head)
        warm_s = time.perf_counter() - started
        assert roster == keeper.at(head), "a restart knows what the process knew that never stopped"
        kept = sum(file.stat().st_size for file in Path(folder).iterdir())
        yield Row(
            name="index: warm start against cold",
            baseline_s=cold_s,
            ours_s=warm_s,
            note=f"{again.rpc.round_trips} round trips, {kept / 1e6:.0f} MB kept",
        )
        yield Row(
            name="index: a block with 100 changed accounts",
            baseline_s=a_call * CHANGED,
            ours_s=block_s,
            note=f"worst of {blocks}: {worst_s * 1e3:.0f} ms; {max(trips)} round trips",
        )


@dataclass
class House:
    """A served house."""

    url: str
    deployment: Deployment
    head: BlockRef
    logs: int

    def ask(self, method: str, *params: Any) -> Any:
        """What the node offers its tests."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return requests.post(self.url, json=body, timeout=60).json()["result"]

    def mine(self, **what: int) -> BlockRef:
        return BlockRef(**self.ask("synthetic_mine", what))

    def counts(self) -> dict[str, Any]:
        return self.ask("synthetic_counts")

    def rpc(self) -> Rpc:
        return Rpc([http_endpoint(self.url)], chain_id=self.deployment.chain_id)


@contextmanager
def served(accounts: int) -> Iterator[House]:
    """A house in a process of its own; building it is not timed."""
    command = [sys.executable, "-m", "keeper.testing.synthetic", "--accounts", str(accounts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            about = json.loads(process.stdout.readline())
            told = about["deployment"]
            for name in ("symbols", "collaterals"):
                told[name] = {int(k): v for k, v in told[name].items()}
            yield House(about["url"], Deployment(**told), BlockRef(**about["head"]), about["logs"])
        finally:
            process.kill()


class Following:
    """An index over HTTP and a database, as the keeper puts them together."""

    def __init__(self, house: House, url: str) -> None:
        self.rpc, self.index = house.rpc(), HouseIndex()
        addresses = {
            house.deployment.addresses[name]: Views(BlockReads(self.rpc), house.deployment).abis[name]
            for name in CONTRACTS
        }
        consumer = HouseConsumer(self.index, addresses)
        plan = SyncPlan(addresses=tuple(addresses), topics=consumer.topics, deployed_at=house.deployment.block)
        self._sync = LogSync(self.rpc, open_store(url), consumer, plan)

    def at(self, block: BlockRef) -> Roster:
        self._sync.sync_to(block)
        return self.index.open_accounts()


def one_call(house: House) -> float:
    """Seconds to read one account by its view, one after the other."""
    rpc = house.rpc()
    views = Views(BlockReads(rpc), house.deployment)
    ids = house.ask("synthetic_accounts", SAMPLED)
    views.one(house.head, "ClearingHouse", "accountState", int(ids[0], 16))
    started = time.perf_counter()
    for account in ids[1:]:
        views.one(house.head, "ClearingHouse", "accountState", int(account, 16))
    return (time.perf_counter() - started) / (len(ids) - 1)
