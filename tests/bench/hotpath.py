"""From a new head to a signed liquidation, over every account of a large house.

The node is a process of its own behind loopback HTTP (`keeper.testing.synthetic`), ten positions an account.
Everything else is the keeper as it runs: heads, index, views, model, margins, decisions, a store on disk, the outbox
and a key, lived by the daemon's own step.
Each block changes 100 accounts and moves the price, so that every account's margin is new and somebody is short.

    python -m tests.bench.hotpath ACCOUNTS BLOCKS     prints where the time of a block goes
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import requests
import structlog

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.clock import SystemClock
from keeper.chain.following.announcements import HeadSource
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.outbox import Outbox, OutboxPolicy
from keeper.chain.signers import Signer
from keeper.chain.signers.local import from_key
from keeper.cycle import Ports, think
from keeper.daemon import Daemon, Rhythm
from keeper.domain.account import AccountState
from keeper.domain.codec import dumps
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.snapshot import Usable
from keeper.domain.tx import SignerRole
from keeper.ports import Store
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.protocols.clearinghouse.ids import account_id
from keeper.replay import replay
from keeper.risk import one_by_one
from keeper.risk.model import model
from keeper.risk.one_by_one import Under
from keeper.store import open_store
from keeper.wiring import Keeper, assemble
from tests.bench import gating
from tests.bench.stages import Stages
from tests.bench.timing import Row, best

#: Least ratio that passes.  Well under what a quiet machine shows: a floor catches a lost algorithm, not noise.
FLOORS = {
    "hot path: think, all accounts": 10.0,
    "hot path: think, 2,000 newly short or called": 5.0,
    "hot path: think, files stale and just published": 5.0,
    "hot path: a push shortened by the gate": 8.0,
    "hot path: head seen to liquidation signed": 2.5,
    "hot path: the slowest of a hundred": 2.0,
}
#: Changed accounts of a block, blocks that are timed, and blocks before that, which find everything cold.
CHANGED, BLOCKS, WARM = 100, 200, 3
#: Accounts that fall in one block.
FALLING = 2_000
#: Accounts that the slow twin is timed on; its cost is the same for each.
SAMPLED = 1_000
#: Round trips of reading a new block: the logs, the block, the views, and what only the views made known.
ROUND_TRIPS = 5
#: Prices that the blocks go through, USD: around the one at which the accounts were opened.
SPOTS = (3_000, 3_004, 2_997, 3_001, 2_995, 3_003)
ETHER = 10**18
#: Nothing beside the loop.
NEVER = Rhythm(
    poll_interval_s=1,
    heartbeat_every_s=10**6,
    quotes_every_s=10**6,
    reconcile_every_s=10**6,
    reconcile_sample=0,
    housekeeping_every_s=10**6,
    keep_blocks=10**6,
)
RISK = RiskKnobs()
#: What is published stays as it is: here no publication takes effect, and one would be proposed at every block.
POLICY = PolicyKnobs(
    hysteresis_ppm=10**8, forward_hysteresis_ppm=10**8, heartbeat_s=10**9, loss_budget_usd_per_day=10**6
)


def rows(accounts: int) -> Iterator[Row]:
    """Thinking alone, and a whole block; times are printed, ratios and counts are asserted."""
    with served(accounts) as house, tempfile.TemporaryDirectory() as folder:
        blocks = max(20, min(BLOCKS, accounts // 500))
        run = live(house, folder, blocks)
        inputs = run.inputs
        assert inputs is not None
        roster = inputs.snapshot.accounts
        part = roster[:: max(1, len(roster) // SAMPLED)]
        market = model(inputs.snapshot, RISK)
        slow = best(1, lambda: one_by_one.margins(part, inputs.snapshot, market, Under.LIVE, buffer_ppm=0))
        slow *= len(roster) / len(part)
        yield Row(
            name="hot path: think, all accounts",
            baseline_s=slow,
            ours_s=best(5, lambda: think(inputs)),
            note=f"{len(roster):,} accounts, {len(roster.position_size):,} positions",
        )
        for name, of in (("2,000 newly short or called", many_fall), ("files stale and just published", stale)):
            seen = of(inputs)
            found = think(seen)
            bands = found.report.summary.bands
            yield Row(
                name=f"hot path: think, {name}",
                baseline_s=slow,
                ours_s=best(3, lambda seen=seen: dumps(think(seen))),  # type: ignore[misc]
                note=(
                    f"{bands[Band.LIQUIDATABLE].accounts + bands[Band.INSOLVENT].accounts:,} short, "
                    f"{len(found.report.refreshed) + len(found.report.previous):,} judged again; the record included"
                ),
            )
        near = many_fall(inputs)
        found = gating.shortened(near)
        yield Row(
            name="hot path: a push shortened by the gate",
            baseline_s=slow * gating.REPLAYS,
            ours_s=best(2, lambda: gating.shortened(near)),
            note=(
                f"of {len(roster):,} accounts the whole would bring {found.whole.worst.below_mm:,} down, "
                f"{found.kept_ppm / 10_000:g} % of it is kept; in the block of a push that is due, and in no other"
            ),
        )
        signed = np.sort(run.signed_s)
        assert len(signed) == blocks, f"{blocks - len(signed)} blocks ended without a signed liquidation"
        assert max(run.round_trips) <= ROUND_TRIPS, f"{max(run.round_trips)} round trips to read a block"
        assert run.replays, "REP-1: a stored block replays to the same bytes"
        p50, p99 = (float(np.quantile(signed, q)) for q in (0.5, 0.99))
        yield Row(
            name="hot path: head seen to liquidation signed",
            baseline_s=slow,
            ours_s=p50,
            note=(
                f"p50 {p50 * 1e3:.0f} ms (the ratio's) over {blocks} blocks, "
                f"{np.median(run.stages.total_s()[0]) * 1e3:.0f} ms of the processor; "
                f"{max(run.round_trips)} round trips a block, {run.bytes_per_block / 1e3:.0f} kB stored of each"
            ),
        )
        # A hundred thousand accounts come with as many blocks as hold the index's being written anew.
        behind = np.array(run.behind_s)
        yield Row(
            name="hot path: the slowest of a hundred",
            baseline_s=slow,
            ours_s=p99,
            note=(
                f"p99 {p99 * 1e3:.0f} ms; behind the block, with everything sent, {np.median(behind) * 1e3:.0f} ms of "
                f"upkeep, at most {behind.max() * 1e3:.0f} ms: there the stored index is written anew, now and then"
            ),
        )


def many_fall(inputs: CycleInputs) -> CycleInputs:
    """The same block in which up to `FALLING` healthy accounts fell below maintenance, or just above it, by turns."""
    snapshot, table = inputs.snapshot, think(inputs).report.accounts
    healthy = np.flatnonzero(table.in_bands(Band.HEALTHY) & table.mm.nonzero)
    rows = healthy[:: max(1, len(healthy) // FALLING)][:FALLING].astype(np.int64)
    changed: dict[int, AccountState | None] = {}
    for i, (account, margin) in enumerate(zip(snapshot.accounts.only(rows), table.only(rows), strict=True)):
        assert isinstance(margin, AccountMargin)
        wanted = margin.mm * (98 + 4 * (i % 2)) // 100
        changed[account.account] = replace(account, cash=account.cash - (margin.equity - wanted))
    return replace(inputs, snapshot=replace(snapshot, accounts=snapshot.accounts.replaced(changed)))


def stale(inputs: CycleInputs) -> CycleInputs:
    """The same block after a jump of the price, in the notice window of a publication: every file is judged again."""
    snapshot = inputs.snapshot
    states = []
    for u in snapshot.underlyings:
        assert isinstance(u.spot, Usable)
        states.append(
            replace(
                u,
                spot=Usable(wad=u.spot.wad * 11 // 10),
                previous=u.live,
                publication=replace(u.publication, in_notice=True) if u.publication is not None else None,
            )
        )
    return replace(inputs, snapshot=replace(snapshot, underlyings=tuple(states)))


@dataclass
class Run:
    """What was measured."""

    signed_s: list[float] = field(default_factory=list)
    """From the head to the first liquidation signed, of each block that had one."""
    steps_s: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each step, by block."""
    stages: Stages = field(default_factory=Stages)
    """Where the time up to the first signature goes."""
    round_trips: list[int] = field(default_factory=list)
    """Of reading each block."""
    bytes_per_block: float = 0.0
    inputs: CycleInputs | None = None
    replays: bool = False
    behind_s: list[float] = field(default_factory=list)
    """Of each block, what the daemon does behind it."""


class Watched:
    """A key that notes when it signs."""

    def __init__(self, inner: Signer, noticed: Callable[[], None]) -> None:
        self._inner, self._noticed = inner, noticed
        self.address = inner.address
        self.at: list[float] = []

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)
        if not name.startswith("sign"):
            return found

        def signing(*args: object, **named: object) -> object:
            done = found(*args, **named)
            self.at.append(time.perf_counter())
            self._noticed()
            return done

        return signing


def live(house: House, folder: str, blocks: int) -> Run:
    """Live blocks as the daemon does, and time them from the head on."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    run = Run()
    liquidator = Watched(from_key(bytes([17]) * 32), run.stages.end)
    store = open_store(f"sqlite:///{Path(folder) / 'keeper.sqlite'}")
    rpc = Rpc([http_endpoint(house.url)], chain_id=house.deployment.chain_id)
    keys: dict[SignerRole, Sequence[Signer]] = {
        SignerRole.LIQUIDATOR: (liquidator,), SignerRole.PUBLISHER: (from_key(bytes([18]) * 32),)
    }  # fmt: skip
    keeper = assembled(rpc, store, house.deployment, keys, policy=POLICY)
    for step, of in (("read", keeper.ports.reader), ("settle", keeper.ports.sender), ("append_lived", store)):
        trips = run.round_trips if step == "read" else []
        _timed(of, step, run.steps_s.setdefault(step, []), lambda: rpc.round_trips, trips)
    watch(run.stages, keeper.ports, keeper.reader)
    records: list[CycleRecord] = []
    ended: list[float] = []

    def on_cycle(record: CycleRecord) -> None:
        records[:] = [record]
        ended[:] = [time.perf_counter()]

    daemon = Daemon(
        heads=keeper.heads,
        ports=keeper.ports,
        clock=SystemClock(),
        risk=RISK,
        policy=POLICY,
        rhythm=NEVER,
        on_cycle=on_cycle,
    )
    stored_before = 0
    for number in range(WARM + blocks):
        house.mine(changed=CHANGED, spot_usd=SPOTS[number % len(SPOTS)])
        if number == WARM:
            for times in (run.signed_s, run.behind_s, run.round_trips, *run.steps_s.values()):
                times.clear()
            run.stages.blocks.clear()
            stored_before = _size(folder)
        liquidator.at.clear()
        started = time.perf_counter()
        run.stages.begin()
        assert daemon.step(), "the block that was just mined is lived"
        run.behind_s.append(time.perf_counter() - ended[0])
        run.steps_s.setdefault("whole cycle", []).append(ended[0] - started)
        if liquidator.at:
            run.signed_s.append(liquidator.at[0] - started)
    (record,) = records
    run.bytes_per_block = (_size(folder) - stored_before) / blocks
    run.inputs = store.inputs(record.block.hash)
    run.replays = replay(store, record.block.hash).same
    run.stages.stop()
    store.close()
    return run


def assembled(
    rpc: Rpc,
    store: Store,
    deployment: Deployment,
    keys: Mapping[SignerRole, Sequence[Signer]],
    *,
    policy: PolicyKnobs,
    sources: Sequence[HeadSource] = (),
) -> Keeper:
    """A keeper as it runs, with these keys; what it may spend never ends."""
    fees = FeePolicy(max_fee_wei=10**13, max_priority_fee_wei=10**11, default_priority_fee_wei=10**9)
    return assemble(
        rpc=rpc,
        store=store,
        deployment=replace(deployment, liquidator_account=account_id(keys[SignerRole.LIQUIDATOR][0].address)),
        risk=RISK,
        policy=policy,
        sender=lambda decode, recheck: Outbox(
            rpc,
            store,
            keys,
            fees=fees,
            policy=OutboxPolicy(confirmations=2, daily_cap_wei=10**6 * ETHER),
            decode_revert=decode,
            recheck=recheck,
        ),
        sources=sources,
    )


def watch(stages: Stages, ports: Ports, reader: object) -> None:
    """Name the steps between a head and a signature."""
    whole = import_module("keeper.cycle")  # the module: `keeper.cycle.cycle` is a function
    for name in ("measure", "model", "shock", "worst", "choose", "economics", "encoded"):
        stages.watch(whole, name, name)
    for owner, names in (
        (ports.sender, ("settle", "submit")),
        (ports.reader, ("read", "_advance")),
        (reader._markets, ("underlyings",)),
        (reader._watch, ("look",)),
        (reader._views, ("gather",)),
        (reader._index, ("open_accounts",)),
        (ports.recheck, ("expect", "standing")),
        (ports.store, ("append_lived", "put_intent", "open_txs", "called", "refusals")),
    ):
        for name in names:
            stages.watch(owner, name, name.strip("_"))


def _timed(of: object, name: str, times: list[float], asked: Callable[[], int], trips: list[int]) -> None:
    """Note how long each call of a method takes, and how many round trips."""
    inner = getattr(of, name)

    def timed(*args: object, **named: object) -> object:
        before, started = asked(), time.perf_counter()
        found = inner(*args, **named)
        times.append(time.perf_counter() - started)
        trips.append(asked() - before)
        return found

    setattr(of, name, timed)


def _size(folder: str) -> int:
    return sum(file.stat().st_size for file in Path(folder).iterdir())


@dataclass
class House:
    """A served house."""

    url: str
    deployment: Deployment

    def mine(self, **what: int) -> None:
        """Append a block."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "synthetic_mine", "params": [what]}
        requests.post(self.url, json=body, timeout=60).raise_for_status()


SERVE = """
import json, sys
from dataclasses import asdict, replace
from keeper.testing.synthetic import HousePlan, SyntheticNode, SyntheticServer
# Few blocks of history: the files of the opening are not yet stale when the last block is lived.
node = SyntheticNode(HousePlan(accounts=int(sys.argv[1]), blocks=240))
# One account in two hundred owes more than it may.
some = [account for i, account in enumerate(node.chain.accounts()) if i % 200 == 0]
node.mine(states=[replace(node.chain.account(account, node.head().number), cash=-20_000 * 10**18) for account in some])
server = SyntheticServer(node)
print(json.dumps({"url": server.url, "deployment": asdict(node.deployment)}), flush=True)
server.serve()
"""


@contextmanager
def served(accounts: int) -> Iterator[House]:
    """A house in a process of its own; building it is not timed."""
    with subprocess.Popen([sys.executable, "-c", SERVE, str(accounts)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            about = json.loads(process.stdout.readline())
            told = about["deployment"]
            for name in ("symbols", "collaterals"):
                told[name] = {int(k): v for k, v in told[name].items()}
            yield House(about["url"], Deployment(**told))
        finally:
            process.kill()


def main() -> None:
    """Print where the time of a block goes."""
    with served(int(sys.argv[1])) as house, tempfile.TemporaryDirectory() as folder:
        run = live(house, folder, int(sys.argv[2]))
    for name, times in {"head to signed": run.signed_s, **run.steps_s, "behind the block": run.behind_s}.items():
        if times:
            p50, p99 = np.quantile(times, (0.5, 0.99)) * 1e3
            sys.stdout.write(f"{name:16} {len(times):5} times   p50 {p50:7.1f} ms   p99 {p99:7.1f} ms\n")
    sys.stdout.write("\n".join(run.stages.lines()) + "\n")
    sys.stdout.write(f"round trips {max(run.round_trips)}, {run.bytes_per_block / 1e3:.0f} kB a block\n")


if __name__ == "__main__":
    main()
