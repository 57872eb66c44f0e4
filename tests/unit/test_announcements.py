"""Being told of heads: kept alive, told once more after every drop, and nothing that depends on it (HEAD-1, HEAD-2)."""

import threading
from dataclasses import dataclass, field

import pytest

from keeper.chain.following.announcements import Announcements
from keeper.errors import Retry

#: Longest wait for another thread; a test that passes never waits so long.
PATIENCE_S = 20.0
QUICK = (0.001, 0.002)


@dataclass
class Source:
    """A node whose subscription the test holds in its hands."""

    name: str = "node.example"
    refuses: int = 0
    subscribed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    lines: list = field(default_factory=list)

    def subscribe(self, announced, dropped):
        if self.refuses:
            self.refuses -= 1
            raise Retry("node.example refuses")
        self.lines.append((announced, dropped))
        self.subscribed.release()
        return self.ended.release


@pytest.fixture
def listening():
    ends = []

    def listen(*sources, pauses_s=QUICK):
        woken = threading.Semaphore(0)
        ends.append(Announcements(sources, pauses_s=pauses_s).listen(woken.release))
        return woken

    yield listen
    for end in ends:
        end()


def came(semaphore):
    return semaphore.acquire(timeout=PATIENCE_S)


def test_listen__new_head__wakes(listening):
    """HEAD-1: every announcement wakes, and so does the beginning, as something may have come before it."""
    source = Source()
    woken = listening(source)
    assert came(source.subscribed)
    assert came(woken)
    source.lines[0][0]()
    assert came(woken), "HEAD-1"


def test_listen__subscription_drops__made_again_and_looked(listening):
    """HEAD-2: a dropped subscription is made again, and what was missed in between is a reason to look."""
    source = Source()
    woken = listening(source)
    for drop in range(3):
        assert came(source.subscribed)
        assert came(woken), "HEAD-2"
        source.lines[drop][1]("connection lost")
        assert came(source.ended), "the old subscription is let go of"
    assert came(source.subscribed)
    source.lines[3][0]()
    assert came(woken)


def test_listen__node_refuses__asked_again(listening):
    """HEAD-2: a node that is away at the start is subscribed to when it comes."""
    source = Source(refuses=5)
    woken = listening(source)
    assert came(source.subscribed), "HEAD-2"
    assert came(woken)
    assert source.refuses == 0


def test_listen__two_sources__one_in_trouble_leaves_the_other_alone(listening):
    """Sources have threads of their own."""
    ill, well = Source(refuses=10**9), Source(name="well.example")
    woken = listening(ill, well)
    assert came(well.subscribed)
    assert came(woken)
    well.lines[0][0]()
    assert came(woken)


def test_listen__end__unsubscribed():
    """Who stops listening leaves no subscription behind."""
    source = Source()
    woken = threading.Semaphore(0)
    end = Announcements([source], pauses_s=QUICK).listen(woken.release)
    assert came(source.subscribed)
    assert came(woken)
    end()
    assert came(source.ended)
    end()


def test_listen__nobody_announces__nothing_runs():
    """Without sources there is nothing to end."""
    before = threading.active_count()
    Announcements([]).listen(lambda: None)()
    assert threading.active_count() == before
