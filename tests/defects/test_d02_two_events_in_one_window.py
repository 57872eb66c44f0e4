"""Defect 2: two events for one account in one window, and only the first was evaluated."""

from dataclasses import replace

import pytest

from keeper.chain.following.log_batch import LogBatch
from keeper.chain.following.log_columns import LogColumns, Texts
from keeper.chain.following.log_sync import LogSync
from keeper.domain.margin import Band
from tests.defects.frame import defect
from tests.defects.made_up_house import MadeUpHouse

pytestmark = pytest.mark.chain

WAD = 10**18


def one_job_an_account(patch):
    """`if account not in queued: queued[account] = event`: whatever else comes in a window finds it queued."""
    split, sync_to = LogBatch.split, LogSync.sync_to
    queued = set()

    def next_window(self, target):
        queued.clear()
        return sync_to(self, target)

    def first_only(self, wanted):
        columns, others = split(self, wanted)
        firsts = {kind: _first(kind, found, queued) for kind, found in columns.items()}
        return {kind: found for kind, found in firsts.items() if found.data}, others

    patch.setattr(LogSync, "sync_to", next_window)
    patch.setattr(LogBatch, "split", first_only)


def _first(kind, found, queued):
    """The first row of each thing of each account."""
    kept = []
    for at, key in enumerate(zip(*found.topics, strict=True)):
        if (kind, key) not in queued:
            queued.add((kind, key))
            kept.append(at)
    topics = tuple(Texts(column.codes[kept], column.known) for column in found.topics)
    return LogColumns(topics, [found.data[at] for at in kept])


def bands(house, keeper, *accounts):
    margins = house.margins(keeper)
    return [margins[account].band for account in accounts]


@pytest.mark.parametrize("apart", [0, 1, 3], ids=["in one block", "a block apart", "with blocks between"])
@defect(2, mutant=one_job_an_account)
def test_two_events_in_one_window__evaluated_after_the_last(apart):
    """RD-1: who became safe and then short is short, who became short and then safe is safe, however far apart.

    Both are seen in one look of a keeper that was away for the window, and in a next one that starts from its store.
    """
    house = MadeUpHouse()
    keeper = house.keeper()
    sinks, recovers = list(house.truth().values())[:2]
    assert bands(house, keeper, sinks.account, recovers.account) == [Band.HEALTHY, Band.HEALTHY]
    rich, poor = 10**9 * WAD, -(10**7) * WAD
    first = [replace(sinks, cash=rich), replace(recovers, cash=poor)]
    last = [replace(sinks, cash=poor), replace(recovers, cash=rich)]
    if apart:
        house.node.mine(states=first)
        for _ in range(apart - 1):
            house.node.mine(changed=5)
        house.node.mine(states=last)
    else:
        house.node.mine(states=[*first, *last])
    for reader in (keeper, house.keeper()):
        assert bands(house, reader, sinks.account, recovers.account) == [Band.INSOLVENT, Band.HEALTHY]
        assert house.read(reader) == house.truth()
