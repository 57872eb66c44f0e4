"""Defect 12: the first fetch came back empty, or failed half-way, and the keeper watched a house without accounts."""

import pytest

from keeper.chain.following.log_batch import LogBatch
from keeper.chain.following.log_reader import LogReader
from keeper.errors import Retry
from tests.defects.frame import defect
from tests.defects.made_up_house import MadeUpHouse, no_answer, tried

pytestmark = pytest.mark.chain

#: Blocks in which the house was filled, and the widest question the node takes: a boot asks many times.
HISTORY, WIDEST = 60, 7


def first_block(params):
    """Where a question about logs begins; beyond all ranges for one about a single block."""
    return int(params[0].get("fromBlock", hex(10**9)), 16)


def nothing_at_all(method, _params):
    """A node without a log index: 200, and no logs."""
    return [] if method == "eth_getLogs" else None


def nothing_after(method, params):
    """An index that ends after the first blocks: the markets are there, the accounts are not."""
    return [] if method == "eth_getLogs" and first_block(params) > 2 * WIDEST else None


def fails_after(method, params):
    """Everything goes well until it does not."""
    if method == "eth_getLogs" and first_block(params) > 2 * WIDEST:
        no_answer(method)


class FailsOnce:
    """One question in the middle has no answer; all others have."""

    def __init__(self, at):
        self.left = at

    def __call__(self, method, _params):
        if method == "eth_getLogs":
            self.left -= 1
            if self.left == 0:
                no_answer(method)


def believes_an_empty_answer(patch):
    """`for log in node.get_logs(...)`: no logs, no accounts, and the block is done."""
    patch.setattr(LogReader, "_doubt", lambda *_: None)
    patch.setattr(LogReader, "_check_empty", lambda *_: None)


def takes_a_failure_for_nothing(patch):
    """`get_logs(...).catch(() => [])`: one that failed must not stop the boot."""
    ask = LogReader.range

    def or_nothing(self, first, last):
        try:
            return ask(self, first, last)
        except Retry:
            return LogBatch.parse([])

    patch.setattr(LogReader, "range", or_nothing)


def law(meddle):
    """While the fetch is not whole there is no answer; then everybody is there, in this process and in the next."""
    house = MadeUpHouse(blocks=HISTORY, range_cap=WIDEST)
    everybody = house.truth()
    assert len(everybody) > 50
    keeper = house.keeper()
    house.line.meddle = meddle
    for _ in range(3):
        assert tried(house.read, keeper) in (None, everybody)
        assert tried(house.read, house.keeper()) in (None, everybody), "nor after a restart"
    house.line.meddle = lambda *_: None
    assert house.read(keeper) == everybody
    assert house.read(house.keeper()) == everybody


@defect(12, mutant=believes_an_empty_answer)
def test_boot__empty_answers__are_not_no_accounts():
    """RD-4: what the headers say is there and the node does not show is waited for."""
    law(nothing_after)


def test_boot__no_answer_has_a_log__is_not_no_accounts():
    """RD-4: contracts log when they are made, so that nothing at all is a lie, whatever the headers say."""
    law(nothing_at_all)


@pytest.mark.parametrize("meddle", [lambda: fails_after, lambda: FailsOnce(4)], ids=["for a while", "once"])
@defect(12, mutant=takes_a_failure_for_nothing)
def test_boot__failed_half_way__is_not_half_the_accounts(meddle):
    """RD-4: a boot that failed is not over; it goes on where it stopped."""
    law(meddle())
