"""Garbage is looked for behind a block, never in the middle of one."""

import gc
import weakref

import pytest

from keeper import daemon as daemon_module
from keeper.garbage import YOUNG, Garbage, uncollected


@pytest.fixture(autouse=True)
def thawed():
    """Whatever was frozen is walked again by the tests that follow."""
    yield
    gc.unfreeze()


class Node:
    """Something that may point at itself."""


def a_cycle():
    one = Node()
    one.self = one
    return weakref.ref(one)


def test_uncollected__nested_or_failing__as_it_was_before():
    """Inside nothing is looked for; behind it things are as they were, whatever happened."""
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():  # noqa: PT012 - what is inside is the point
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the inner one did not end the outer one"
        raise ZeroDivisionError
    assert gc.isenabled()


def test_collect__cycles_of_each_age__freed():
    """What dies in a cycle is freed at the next call, and what had grown old before it died, within some."""
    garbage = Garbage()
    with uncollected():
        garbage.collect()
        young = a_cycle()
        old = Node()
        old.self = old
        ref = weakref.ref(old)
        garbage.collect()
        assert young() is None
        del old  # it survived a look: the young are looked at without it
        for _ in range(YOUNG):
            garbage.collect()
        assert ref() is None


class Ports:
    """Just what `step` hands on, noting when."""

    def __init__(self):
        self.seen = []
        self.reader = self
        self.store = None

    def tidy(self):
        self.seen.append(("tidy", gc.isenabled()))


def test_step__a_block__tidied_and_collected_behind_it(monkeypatch):
    """Everything of a block happens before anything that can wait, and without a look for garbage."""
    ports = Ports()
    made = daemon_module.Daemon(heads=None, ports=ports, clock=None, risk=None, policy=None, rhythm=None)
    monkeypatch.setattr(made, "_step", lambda: bool(ports.seen.append(("block", gc.isenabled()))) or not ports.seen[3:])
    monkeypatch.setattr(made, "_garbage", type("G", (), {"collect": lambda _: ports.seen.append(("garbage", True))})())
    assert made.step()
    assert ports.seen == [("block", False), ("tidy", True), ("garbage", True)]
    assert not made.step(), "no new head"
    assert ports.seen[3:] == [("block", False)]
