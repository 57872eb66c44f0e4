"""The daemon and its venue: asked once at the start, then beside the loop; a venue in trouble stops nothing."""

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

from keeper.cycle import Ports
from keeper.daemon import Daemon, Rhythm
from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.quotes import Unquoted
from keeper.errors import Retry
from keeper.marketdata.board import QuoteBoard
from keeper.testing.builders import a_block, a_snapshot, an_account
from keeper.testing.lived import BuiltReader, PlainEncoder, StoringSender
from keeper.testing.memory_store import MemoryStore

EVERY_DAY = 86_400


@dataclass
class SilentVenue:
    """Never answers, and remembers how often it was asked."""

    name: str = "venue.example"
    asked: int = 0

    def fetch(self, underlying):
        self.asked += 1
        raise Retry("venue.example did not answer: ReadTimeout")


@dataclass
class Heads:
    """Blocks that follow each other; the daemon is stopped after the last."""

    blocks: list[BlockRef]
    stop: list = field(default_factory=list)

    def head(self):
        return self.blocks[0]

    def gone(self, lived):
        return ()

    def follow(self, last):
        if not self.blocks:
            self.stop[0]()
            return SimpleNamespace(head=None, orphaned=())
        return SimpleNamespace(head=self.blocks.pop(0), orphaned=())


def a_daemon(quotes, heads, store, *, on_cycle=None):
    ports = Ports(
        reader=BuiltReader(a_snapshot(an_account(7))),
        quotes=quotes,
        encoder=PlainEncoder(),
        sender=StoringSender(store),
        store=store,
    )
    rhythm = Rhythm(
        poll_interval_s=0.001,
        heartbeat_every_s=EVERY_DAY,
        quotes_every_s=45,
        reconcile_every_s=EVERY_DAY,
        reconcile_sample=1,
        housekeeping_every_s=EVERY_DAY,
        keep_blocks=10,
    )
    clock = SimpleNamespace(now_s=lambda: 0)
    made = Daemon(
        heads=heads, ports=ports, clock=clock, risk=RiskKnobs(), policy=PolicyKnobs(), rhythm=rhythm, on_cycle=on_cycle
    )
    heads.stop.append(made.stop)
    return made


def test_loop__venue_silent__every_block_lived_and_the_venue_asked_once():
    """The loop reads from memory: blocks are lived at their own pace, and the venue's silence is an alert."""
    venue, store, lived = SilentVenue(), MemoryStore(), []
    board = QuoteBoard(venue, {"ETH": "ETH"}, poll_every_s=30, max_per_expiry=16)
    heads = Heads([a_block(100), a_block(101), a_block(102)])
    a_daemon(board, heads, store, on_cycle=lived.append).loop()
    assert [record.block.number for record in lived] == [100, 101, 102]
    assert venue.asked == 1, "at the start, and then only by the scheduler's job"
    quoted = board.read(a_snapshot(an_account(7)))
    assert quoted == (Unquoted(underlying=1, reason="venue.example did not answer: ReadTimeout"),)


def test_loop__venue_that_never_ends_its_answer__blocks_lived_all_the_same(monkeypatch):
    """The start waits for quotes so long and no longer: liquidations come before volatilities."""
    monkeypatch.setattr("keeper.daemon.FIRST_QUOTES_S", 0.05)
    leave, lived = threading.Event(), []

    class EndlessVenue:
        name = "venue.example"

        def fetch(self, underlying):
            leave.wait(30)
            raise Retry("it ended")

    board = QuoteBoard(EndlessVenue(), {"ETH": "ETH"}, poll_every_s=30, max_per_expiry=16)
    try:
        a_daemon(board, Heads([a_block(100)]), MemoryStore(), on_cycle=lived.append).loop()
    finally:
        leave.set()
    assert [record.block.number for record in lived] == [100]


def test_scheduler__venue__polled_at_its_interval():
    """A job of its own: it runs beside the loop, in another thread."""
    board = QuoteBoard(SilentVenue(), {"ETH": "ETH"}, poll_every_s=30, max_per_expiry=16)
    scheduler = a_daemon(board, Heads([]), MemoryStore())._scheduler()
    job = scheduler.get_job("quotes")
    assert job.func == board.refresh
    assert job.trigger.interval.total_seconds() == 45
