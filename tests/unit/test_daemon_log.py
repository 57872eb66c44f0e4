"""What the daemon says about a block: every action, and as failed only what came to nothing."""

from dataclasses import dataclass
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
from keeper.testing.builders import a_snapshot, an_account
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


@pytest.mark.parametrize(("reason", "failed"), [(REHEARSED, False), ("dry run: would revert: Paused()", True)])
def test_daemon__dry_block__actions_are_logged_and_rehearsals_are_no_failures(reason, failed):
    snapshot, store = a_snapshot(an_account(7, cash=10, perp=1)), MemoryStore()
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
    daemon = Daemon(
        heads=OneHead(snapshot.block), ports=ports, clock=Clock(), risk=RiskKnobs(), policy=PolicyKnobs(), rhythm=rhythm
    )
    with capture_logs() as said:
        assert daemon.step()
    actions = [one for one in said if one["event"] == "action"]
    assert actions
    assert {one["reason"] for one in actions} == {reason}
    assert {one["log_level"] for one in actions} == {"warning" if failed else "info"}
    done = next(one for one in said if one["event"] == "cycle.done")
    assert done["failed"] == (len(actions) if failed else 0)
