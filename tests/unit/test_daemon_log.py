"""What the daemon says about a block: every action, and as failed only what came to nothing."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from keeper.cycle import Ports
from keeper.daemon import Daemon, Rhythm
from keeper.domain.block import BlockRef
from keeper.domain.cycle import REHEARSED
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.tx import TxIntent, TxRecord, TxState
from keeper.marketdata.board import NoSource
from keeper.testing.builders import a_snapshot, an_account, an_auction
from keeper.testing.lived import BuiltReader, PlainEncoder, StoringSender
from keeper.testing.memory_store import MemoryStore

EVERY_DAY = 86_400


@dataclass
class OneHead:
    """`Heads` of one block."""

    block: BlockRef

    def head(self) -> BlockRef:
        return self.block

    def gone(self, lived: object) -> tuple[()]:
        return ()

    def follow(self, last: BlockRef | None) -> SimpleNamespace:
        return SimpleNamespace(head=self.block, orphaned=())


@dataclass
class Clock:
    """A clock that stands."""

    def now_s(self) -> int:
        return 0


class Rehearsal(StoringSender):
    """Says of each transaction what it is told to."""

    reason = REHEARSED

    def submit(self, intent: TxIntent) -> TxRecord:
        return TxRecord(intent=intent, state=TxState.DROPPED, reason=self.reason)


def a_daemon(snapshot, store, reason=REHEARSED):
    """One that lives the same block each time it looks."""
    sender = Rehearsal(store)
    sender.reason = reason
    ports = Ports(reader=BuiltReader(snapshot), quotes=NoSource(), encoder=PlainEncoder(), sender=sender, store=store)
    rhythm = Rhythm(
        poll_interval_s=1,
        heartbeat_every_s=EVERY_DAY,
        quotes_every_s=EVERY_DAY,
        reconcile_every_s=EVERY_DAY,
        reconcile_sample=1,
        housekeeping_every_s=EVERY_DAY,
        keep_blocks=1,
    )
    return Daemon(
        heads=OneHead(snapshot.block), ports=ports, clock=Clock(), risk=RiskKnobs(), policy=PolicyKnobs(), rhythm=rhythm
    )


@pytest.mark.parametrize(("reason", "failed"), [(REHEARSED, False), ("dry run: would revert: Paused()", True)])
def test_daemon__dry_block__actions_are_logged_and_rehearsals_are_no_failures(reason, failed):
    daemon = a_daemon(a_snapshot(an_account(7, cash=10, perp=1)), MemoryStore(), reason)
    with capture_logs() as said:
        assert daemon.step()
    actions = [one for one in said if one["event"] == "action"]
    assert actions
    assert {one["reason"] for one in actions} == {reason}
    assert {one["log_level"] for one in actions} == {"warning" if failed else "info"}
    done = next(one for one in said if one["event"] == "cycle.done")
    assert done["failed"] == (len(actions) if failed else 0)


def test_daemon__bid__what_it_takes_over_and_the_hedge_are_logged():
    """TKO-3: whoever reads the running keeper's log knows what a bid brings, and what to trade against it."""
    held, own = an_account(7, cash=-29_000, perp=10, entry=0), an_account(99, cash=1_000_000)
    daemon = a_daemon(
        a_snapshot(held, own, auctions=(an_auction(7, started_s_ago=900),), own_account=99), MemoryStore()
    )
    with capture_logs() as said:
        assert daemon.step()
    (bid,) = [one for one in said if one["event"] == "action" and one["kind"] == "bid"]
    (part,) = bid["takes_over"]
    assert part["delta"] > 0, "TKO-3"
    assert part["hedge_perp"] == -part["delta"], "TKO-3: a perp is all there is to hedge"
    assert part["hedge_cost_usd"] > 0, "TKO-3"
    assert not any("takes_over" in one for one in said if one["event"] == "action" and one["kind"] != "bid")


def test_daemon__alert_that_lasts__logged_once_counted_and_stored_each_time():
    """LOG-1: the log tells of changes; what a block saw stays whole in its record."""
    problem = "ClearingHouse.riskFile cannot be read: no answer within 5 s"
    snapshot, store = replace(a_snapshot(an_account(7, cash=10, perp=1)), problems=(problem,)), MemoryStore()
    daemon = a_daemon(snapshot, store)
    with capture_logs() as said:
        assert all(daemon.step() for _ in range(3))
    assert [one["alert"] for one in said if one["event"] == "cycle.alert"].count(problem) == 1
    stored = store.cycle(snapshot.block.hash).decision.alerts
    assert problem in stored
    assert [one["alerts"] for one in said if one["event"] == "cycle.done"] == [len(stored)] * 3
