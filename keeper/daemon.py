"""The block loop and the jobs beside it.

    loop            follow the head, live one cycle per new head, back off on Retry
    announcements   wake the loop at a new head; the poll interval is how long it waits where none comes
    heartbeat       APScheduler: writes the loop's last progress, not its own
    quotes          APScheduler: asks the configured venue for newer quotes; a silent one holds up no block
    reconciliation  APScheduler: has the loop compare some accounts with the contract after the next block
    housekeeping    APScheduler: drops old snapshots

A signal only sets an Event that the loop and the waiting share; what is being sent is finished first, so the process
ends between transactions.  Start-up is recovery: what an earlier process left open is adopted before the first cycle,
and what it decided on blocks that a reorg removed since is marked.  Everything a daemon waits on is its own, so that
several run in one process and one in trouble disturbs none of the others.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.background import BackgroundScheduler

from keeper.alert_log import AlertLog
from keeper.cycle import Ports, cycle
from keeper.domain.action import Bid, MarginCall, kind, subject
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.modes import DRY
from keeper.errors import Halt, LawBroken, Retry
from keeper.garbage import Garbage, uncollected
from keeper.orphans import forget_strays, mark_orphans
from keeper.ports import Clock, Heads

log = structlog.get_logger(__name__)

#: Waits between failed attempts double up to this many poll intervals.
MAX_BACKOFF = 16
#: Longest wait for the first look at quotes, seconds.
FIRST_QUOTES_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """How often things happen.  Seconds unless said."""

    poll_interval_s: float
    heartbeat_every_s: float
    quotes_every_s: float
    reconcile_every_s: float
    reconcile_sample: int
    """Accounts per reconciliation."""
    housekeeping_every_s: float
    keep_blocks: int
    """Snapshots kept for replay."""


class Daemon:
    """Lives blocks until it is told to stop.

    Args:
        heads: the tip, followed with reorgs.
        ports: what a cycle needs.
        clock: wall time, for heartbeats only.
        on_cycle: told of every finished cycle (metrics, views).
        mode: what it does, "sending" or "dry": the name of its heartbeat, so that neither passes for the other.
    """

    def __init__(
        self,
        *,
        heads: Heads,
        ports: Ports,
        clock: Clock,
        risk: RiskKnobs,
        policy: PolicyKnobs,
        rhythm: Rhythm,
        on_cycle: Callable[[CycleRecord], None] | None = None,
        mode: str = DRY,
    ) -> None:
        self._mode = mode
        self._heads, self._ports, self._clock = heads, ports, clock
        self._risk, self._policy, self._rhythm = risk, policy, rhythm
        self._on_cycle = on_cycle
        self._stop = threading.Event()
        #: Set by announcements of heads and by `stop`: any number of them is one reason to look.
        self._wake = threading.Event()
        self._reconcile_due = threading.Event()
        self._last: BlockRef | None = None
        self._alerts = AlertLog()
        self._garbage = Garbage()

    def stop(self) -> None:
        """Ask the loop to end after what it is doing."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Live until stopped by `stop`, and in the main thread by SIGTERM or SIGINT too.

        Raises:
            Halt, LawBroken: a person must look; the jobs are shut down first.
        """
        if threading.current_thread() is threading.main_thread():  # elsewhere signals are not ours to answer
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
        scheduler = self._scheduler()
        scheduler.start()
        end_listening = self._heads.listen(self._wake.set)
        try:
            self.loop()
        finally:
            end_listening()
            scheduler.shutdown(wait=True)
            self._beat()
            log.info("daemon.stopped", block=self._last.number if self._last else None)

    def loop(self) -> None:
        """Follow heads until stopped; every error class is answered here and nowhere else."""
        failures = 0
        recovered = False
        while not self._stop.is_set():
            self._wake.clear()  # before looking: what is announced from here on is looked at once more
            try:
                if not recovered:
                    self._recover()
                    recovered = True
                advanced = self.step()
            except Retry as problem:
                failures += 1
                wait = self._rhythm.poll_interval_s * min(2**failures, MAX_BACKOFF)
                log.warning("cycle.retry", error=problem.message, attempt=failures, wait_s=wait, **problem.fields)
                self._stop.wait(self._rhythm.poll_interval_s)  # an ill node is not asked at the pace of announcements
                self._wait(wait - self._rhythm.poll_interval_s)
            except (Halt, LawBroken) as problem:
                # Who called us shows the error once; a traceback here would only repeat it.
                log.error(  # noqa: TRY400 - see above
                    "daemon.halt", error=problem.message, hint=problem.hint, **problem.fields
                )
                raise
            else:
                failures = 0
                if not advanced:
                    self._wait(self._rhythm.poll_interval_s)

    def _wait(self, seconds: float) -> None:
        """Until a head is announced, at most so long."""
        if not self._stop.is_set():  # `stop` may have come before the last `clear`
            self._wake.wait(seconds)

    def step(self) -> bool:
        """Live the newest head, if there is one we have not lived.

        Returns: whether there was.  Blocks between the last head and this one are not lived one by one: their logs
        are applied and only the newest state decides, since acting on an old one would be acting on a past price.
        What can wait is done behind the block, when all that it wanted sent is sent.
        """
        with uncollected():
            lived = self._step()
        if lived:
            self._ports.reader.tidy()
            self._garbage.collect()
        return lived

    def _step(self) -> bool:
        advance = self._heads.follow(self._last)
        if advance.orphaned:
            mark_orphans(self._heads, self._ports.store, advance.orphaned)
        head = advance.head
        if head is None:
            return False
        record = cycle(head, self._ports, self._risk, self._policy)
        first = self._last is None
        self._last = head
        if first:
            self._beat()  # others look for it before they touch what is ours
        self._report(record)
        if self._on_cycle is not None:
            self._on_cycle(record)
        if self._reconcile_due.is_set():
            self._reconcile_due.clear()
            self._reconcile(head)
        return True

    def _recover(self) -> None:
        head = self._heads.head()
        mark_orphans(self._heads, self._ports.store)
        forget_strays(self._heads, self._ports.store)
        adopted = self._ports.sender.recover(head)
        # Once, so that the first block does not publish realised volatilities only because the venue has not been
        # asked yet; a venue that drips its answer, or a resolver that is stuck, must not hold the first block for ever.
        first = threading.Thread(target=self._ports.quotes.refresh, name="first quotes", daemon=True)
        first.start()
        first.join(FIRST_QUOTES_S)
        log.info("daemon.recovered", block=head.number, adopted=len(adopted))

    def _report(self, record: CycleRecord) -> None:
        self._alerts.tell(record.block, record.decision.alerts)
        for action in record.decision.actions:
            if isinstance(action, MarginCall):
                log.warning("margin_call", block=record.block.number, account=f"{action.account:#066x}", why=action.why)
        for one in record.handed:
            if not isinstance(one.action, MarginCall):
                tell = log.warning if one.failed else log.info
                what, on = kind(one.action), subject(one.action)
                became: dict[str, object] = {"state": one.state, "reason": one.reason, "worth": one.worth}
                if isinstance(one.action, Bid) and one.action.taken:  # what is to be hedged, and how
                    became["takes_over"] = [part.figures for part in one.action.taken]
                tell("action", kind=what, on=on, why=one.action.why, **became)
        report = record.decision.report.summary
        bands = {str(band): found.accounts for band, found in report.bands.items() if found.accounts}
        log.info(
            "cycle.done",
            block=record.block.number,
            accounts=report.accounts,
            actions=len(record.decision.actions),
            failed=sum(one.failed for one in record.handed),
            alerts=len(record.decision.alerts),
            **bands,
        )

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def _scheduler(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        scheduler.add_job(self._beat, "interval", seconds=self._rhythm.heartbeat_every_s, id="heartbeat")
        scheduler.add_job(self._ports.quotes.refresh, "interval", seconds=self._rhythm.quotes_every_s, id="quotes")
        scheduler.add_job(
            self._reconcile_due.set, "interval", seconds=self._rhythm.reconcile_every_s, id="reconciliation"
        )
        scheduler.add_job(self._tidy, "interval", seconds=self._rhythm.housekeeping_every_s, id="housekeeping")
        scheduler.add_listener(_on_job_event, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        return scheduler

    def _beat(self) -> None:
        self._ports.store.heartbeat(self._mode, self._clock.now_s(), self._last.number if self._last else 0)

    def _tidy(self) -> None:
        dropped = self._ports.store.prune(keep_blocks=self._rhythm.keep_blocks)
        log.info("housekeeping.done", snapshots_dropped=dropped)

    def _reconcile(self, head: BlockRef) -> None:
        snapshot = self._ports.reader.read(head)
        differences = self._ports.reader.reconcile(snapshot, sample=self._rhythm.reconcile_sample)
        for line in differences:
            log.error("reconcile.differs", block=head.number, difference=line)
        log.info("reconcile.done", block=head.number, sample=self._rhythm.reconcile_sample, differ=len(differences))

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()


def _on_job_event(event: JobEvent) -> None:
    log.error("job.trouble", job=event.job_id, code=event.code, error=str(getattr(event, "exception", "")))
