"""One life of one path: prices move, the keeper's cycle runs on each block, its transactions mine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.outbox import Outbox, OutboxPolicy
from keeper.cycle import Ports, cycle, think
from keeper.demo.breakers import Opening, opened, waiting
from keeper.demo.parity import check_parity
from keeper.demo.summary import Life, ParityCheck, RunSummary, mean_margin, percentile
from keeper.demo.tally import Tally
from keeper.demo.venue import DemoVenue
from keeper.demo.view import View
from keeper.demo.watch import Moment, Tap, frame, owed, told
from keeper.demo.world import FEES, World
from keeper.domain.action import Bid, Flag, MarginCall, Remeasure, Unflag
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord, Decision, Handed
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Snapshot
from keeper.domain.tx import TxState
from keeper.ports import QuoteSource, Recheck, Store, TxSender
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.store import open_store

#: Cycles on one point of the path: a keeper on a chain of 12-second blocks has fifty before prices move again; two let
#: it flag and bid at the same prices.
TURNS = 2
#: What is followed up at once; the rest waits for the next prices.
URGENT = (Flag, Bid, Unflag, Remeasure)
#: States of a transaction that mines.
ON_ITS_WAY = (TxState.SIGNED, TxState.SENT, TxState.MINED, TxState.FINAL)
#: After a breaker's release there must be so much time for a flag and a bid before prices move again.
ROOM_S = 60
#: Snapshots kept of a run.
SAMPLES = 10
#: Where parity is checked, parts of the run.
PARITY_AT = (0.0, 0.5, 1.0)


class Keeping(StrEnum):
    """Who looks after the market."""

    NOBODY = "no keeper"
    """Nobody publishes, refreshes, settles or liquidates."""
    STATIC = "static"
    """A keeper that refreshes, settles and liquidates, under parameters that never change."""
    RECALIBRATING = "recalibrating"
    """The keeper."""


class Assembled(Protocol):
    """A keeper put together, as far as a run needs it."""

    @property
    def ports(self) -> Ports:
        """What a cycle needs."""

    @property
    def views(self) -> Any:
        """The contracts' own views."""


class Assemble(Protocol):
    """`keeper.wiring.assemble`: the composition root that production uses, handed in from above."""

    def __call__(
        self,
        *,
        rpc: Rpc,
        store: Store,
        deployment: Deployment,
        risk: RiskKnobs,
        policy: PolicyKnobs,
        sender: Callable[[Callable[[bytes], str], Recheck], TxSender],
        quotes: QuoteSource,
    ) -> Assembled:
        """Put a keeper together from its adapters."""


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """How a life is led."""

    keeping: Keeping
    risk: RiskKnobs
    policy: PolicyKnobs


@dataclass(frozen=True, kw_only=True)
class Lived:
    """A life, and some of the snapshots it went through."""

    life: Life
    samples: tuple[Snapshot, ...]
    """`SAMPLES` of them, evenly spaced, the first included."""


def live(world: World, assemble: Assemble, conduct: Conduct, view: View) -> Lived:
    """Live a path from its first point to its last."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="keeper-demo-") as folder, _store(Path(folder)) as store:
        return _Run(world, assemble, conduct, view, store).through(started)


@contextmanager
def _store(folder: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{folder / 'keeper.sqlite'}")
    try:
        yield store
    finally:
        store.close()


class _Run:
    def __init__(self, world: World, assemble: Assemble, conduct: Conduct, view: View, store: Store) -> None:
        self._world, self._conduct, self._view, self._store = world, conduct, view, store
        keeper = assemble(
            rpc=world.rpc,
            store=store,
            deployment=world.deployment,
            risk=conduct.risk,
            policy=conduct.policy,
            sender=self._outbox,
            quotes=DemoVenue(world.seed),
        )
        self._views = keeper.views
        self._tap = Tap(keeper.ports.reader)
        self._ports = replace(keeper.ports, reader=self._tap)
        self._tally = Tally(world.rpc, world.deployment, since=world.chain.block())
        self._before: Snapshot | None = None
        self._calls = self._sent = 0
        self._cycle_ms: list[float] = []
        self._parity: list[ParityCheck] = []

    def _outbox(self, decode: Callable[[bytes], str], recheck: Recheck) -> TxSender:
        return Outbox(
            self._world.rpc,
            self._store,
            {role: (key,) for role, key in self._world.signers.items()},
            fees=FEES,
            # Blocks of this chain are final: nobody else mines.
            policy=OutboxPolicy(confirmations=0, replace_after_blocks=3, daily_cap_wei=10**24),
            decode_revert=decode,
            recheck=recheck,
        )

    def through(self, started: float) -> Lived:
        """All points."""
        world, points = self._world, self._world.path.points
        checked = {round(part * (len(points) - 1)) for part in PARITY_AT}
        frames, samples = [], []
        every = max(1, len(points) // SAMPLES)
        fund_before = self._fund()
        for index, point in enumerate(points):
            block = world.reach(point)
            moment = self._moment(index, block)
            if index in checked and self._conduct.keeping is not Keeping.NOBODY:
                self._check(moment.first, block, index)
            if index % every == 0:
                samples.append(moment.snapshot)
            self._tally.advance(world.chain.block())
            frames.append(frame(world, moment, self._tally))
            self._view.frame(frames[-1])
            if index == len(points) - 1 and self._conduct.keeping is not Keeping.NOBODY:
                frames[-1] = told(frames[-1], moment, risk=self._conduct.risk, policy=self._conduct.policy)
        last = frames[-1]
        summary = RunSummary(
            name=self._conduct.keeping,
            seed=world.seed,
            path=world.path.label,
            blocks=len(frames),
            accounts=len(world.population.members),
            updates_pushed=last.pushes,
            margin_calls=last.margin_calls,
            liquidations=last.liquidations,
            bad_debt=round((self._tally.from_fund + self._tally.socialised + self._owed()) / 10**18, 2),
            fund_before=round(fund_before / 10**18, 2),
            fund_after=round(last.fund, 2),
            socialised=round(self._tally.socialised / 10**18, 2),
            settled=last.settled,
            transactions=self._sent,
            mean_margin=round(mean_margin(frames), 2),
            parity_max_wei=max((c.max_wei for c in self._parity), default=None),
            cycle_ms_p50=round(percentile(self._cycle_ms, 0.5), 1),
            cycle_ms_p99=round(percentile(self._cycle_ms, 0.99), 1),
            took_s=round(time.monotonic() - started, 1),
            parity=tuple(self._parity),
            breaker_openings=sum(len(f.openings) for f in frames),
            flags_deferred=sum(one.waited for f in frames for one in f.openings),
        )
        return Lived(life=Life(summary=summary, frames=tuple(frames)), samples=tuple(samples))

    def _moment(self, index: int, block: BlockRef) -> Moment:
        """One point: a cycle on its block, and on the blocks that its liquidations make."""
        before = self._before
        first, ms = self._cycle(block)
        snapshot = self._before = self._last()
        handed = self._follow_up(first)
        openings = opened(snapshot, before, shift_s=self._world.shift_s)
        if openings and self._conduct.keeping is not Keeping.NOBODY:
            openings, later = self._sit_out(openings, index, first, snapshot)
            handed += later
        self._calls += sum(isinstance(h.action, MarginCall) for h in handed)
        self._sent += sum(h.state in ON_ITS_WAY for h in handed)
        return Moment(
            index=index,
            first=first,
            snapshot=snapshot,
            fund=self._fund(),
            handed=tuple(handed),
            calls=self._calls,
            cycle_ms=ms,
            openings=openings,
        )

    def _follow_up(self, record: CycleRecord) -> list[Handed]:
        """Mine what a cycle sent, and go on with what cannot wait for the next prices.  Returns: all actions."""
        handed = list(record.handed)
        for _ in range(TURNS - 1):
            if not _acted(record.handed):
                break
            block = self._world.mine()
            if not _acted(record.handed, URGENT):
                break
            record, _ = self._cycle(block)
            handed += record.handed
        else:
            if _acted(record.handed):
                self._world.mine()
        return handed

    def _sit_out(
        self, openings: tuple[Opening, ...], index: int, first: CycleRecord, snapshot: Snapshot
    ) -> tuple[tuple[Opening, ...], list[Handed]]:
        """Count whose flags an open breaker holds up, and send them when it releases, if prices do not move before."""
        waits = waiting(snapshot, first.decision.report)
        handed: list[Handed] = []
        world = self._world
        until_s, chain = max(one.until_s for one in openings) + world.shift_s, world.chain
        following = world.path.points[index + 1 :][:1]
        if waits and all(until_s + ROOM_S <= point.time + world.shift_s for point in following):
            chain.advance_to(max(until_s, chain.block().timestamp + 1))
            handed = self._follow_up(self._cycle(chain.mine())[0])
        flagged = {h.action.account for h in handed if isinstance(h.action, Flag) and h.state in ON_ITS_WAY}
        return tuple(
            replace(
                one,
                waited=sum(symbol == one.symbol for symbol in waits.values()),
                flagged=sum(symbol == one.symbol and account in flagged for account, symbol in waits.items()),
            )
            for one in openings
        ), handed

    def _fund(self) -> int:
        return int(self._views.one(self._world.chain.block(), "InsuranceFund", "balance"))

    def _owed(self) -> int:
        """What accounts below zero owe at the very end, wad USD."""
        snapshot = self._tap.read(self._world.chain.block())
        return owed(snapshot, self._think(snapshot).report.accounts)

    def _think(self, snapshot: Snapshot) -> Decision:
        """The pure half, with nothing in flight."""
        conduct = self._conduct
        return think(
            CycleInputs(
                snapshot=snapshot,
                quotes=self._ports.quotes.read(snapshot),
                in_flight=(),
                called=(),
                risk=conduct.risk,
                policy=conduct.policy,
            )
        )

    def _cycle(self, block: BlockRef) -> tuple[CycleRecord, float]:
        began = time.perf_counter()
        conduct = self._conduct
        if conduct.keeping is Keeping.NOBODY:
            # The same thinking, so that the same things are shown; nothing is done about it.
            decision = self._think(self._tap.read(block))
            record = CycleRecord(block=block, decision=decision, handed=())
        else:
            record = cycle(block, self._ports, conduct.risk, conduct.policy)
        ms = (time.perf_counter() - began) * 1000
        self._cycle_ms.append(ms)
        return record, ms

    def _last(self) -> Any:
        return self._tap.last

    def _check(self, record: CycleRecord, block: BlockRef, index: int) -> None:
        found = check_parity(self._world, self._views, record.decision.report, block=block, index=index)
        self._parity.append(found)


def _acted(handed: tuple[Handed, ...], kinds: tuple[type, ...] = (object,)) -> bool:
    """Whether a transaction of one of these kinds is on its way."""
    return any(h.state in ON_ITS_WAY and isinstance(h.action, kinds) for h in handed)
