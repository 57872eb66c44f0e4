"""The index built from columns equals the one built event by event (IDX-1), however the logs are cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.abis import load
from keeper.chain.following.log_batch import LogBatch
from keeper.domain.snapshot import Kind
from keeper.errors import Retry
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse import fold
from keeper.protocols.clearinghouse.consumer import HouseConsumer
from keeper.protocols.clearinghouse.ids import pack_instrument
from keeper.protocols.clearinghouse.index import HouseIndex
from keeper.testing.builders import a_perp, an_option
from keeper.testing.synthetic.logs import emitted

HOUSE = "0x" + "c0" * 20
ABI = Abi("ClearingHouse", load("ClearingHouse").abi)
ACCOUNTS = [7, 8, (1 << 256) - 1, 0xAB << 96, 0xAB << 96 | 1]
OPTIONS = [
    pack_instrument(an_option(k, kind, underlying=u))
    for u in (1, 2)
    for k in (2_700, 3_000)
    for kind in (Kind.CALL, Kind.PUT)
]
SIZES = st.sampled_from([0, 0, 1, -1, 10**18, 2**127 - 1, -(2**127)])
UNSIGNED = st.sampled_from([0, 1, 10**27, 2**127, 2**128 - 1])
#: What a contract would refuse to store, and an index must survive.
WIDE = st.sampled_from([2**128, 2**200, 2**255, 2**256 - 1])


@st.composite
def transactions(draw):
    """Events of one transaction, in the contract's order: a perp's state follows its size."""
    account = draw(st.sampled_from(ACCOUNTS))
    what = draw(st.sampled_from(["cash", "keep", "auction", "collateral", "option", "perp", "close"]))
    if what == "cash":
        return [("CashChanged", account, draw(SIZES), draw(UNSIGNED))]
    if what == "keep":
        return [("LossPulled", account, 5, draw(UNSIGNED))]
    if what == "auction":
        return [("AuctionSet", account, draw(st.booleans()))]
    if what == "collateral":
        return [("CollateralChanged", account, draw(st.integers(1, 3)), draw(UNSIGNED | WIDE))]
    if what == "option":
        return [("PositionChanged", account, draw(st.sampled_from(OPTIONS)), draw(SIZES), 3, 4)]
    u = draw(st.integers(1, 2))
    size = 0 if what == "close" else draw(SIZES)
    state = (draw(SIZES), draw(SIZES)) if size else (0, 0)
    return [
        ("PositionChanged", account, pack_instrument(a_perp(u)), size, 1, 1),
        ("PerpTouched", account, u, *state),
    ]


def raws(story):
    """The events as a node tells them, two transactions a block."""
    found = []
    for number, events in enumerate(story):
        for event in events:
            name, *values = event
            one = emitted("ClearingHouse", name, *values)
            found.append(
                {
                    "address": HOUSE, "topics": list(one.topics), "data": one.data, "blockNumber": hex(number // 2),
                    "blockHash": f"0x{number // 2:064x}", "transactionHash": f"0x{number:064x}",
                    "logIndex": hex(len(found)), "removed": False,
                }
            )  # fmt: skip
    return found


def consumer():
    index = HouseIndex()
    return index, HouseConsumer(index, {LogBatch.parse(raws([[("AuctionSet", 1, True)]]))[0].address: ABI})


@pytest.mark.parametrize("few", [0, 10**9], ids=["many", "few"])
@settings(deadline=None)
@given(story=st.lists(transactions(), max_size=30), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_bulk__any_story_any_cuts__equals_one_by_one(few, story, cuts):
    """IDX-1: closes, re-opens, zero sizes, several events of one account in a block, numbers beyond 128 bits."""
    logs = raws(story)
    slow = HouseIndex()
    for log in LogBatch.parse(logs):
        slow.apply([ABI.event(log.topics, log.data)])
    fast, feed = consumer()
    kept = fold.FEW
    fold.FEW = few
    try:
        for start, stop in pairwise(sorted({0, *(min(c, len(logs)) for c in cuts), len(logs)})):
            feed.apply(LogBatch.parse(logs[start:stop]))
            assert fast.roster() is fast.roster()
    finally:
        fold.FEW = kept
    assert list(fast.roster()) == list(slow.roster()), "IDX-1"
    assert fast.roster() == slow.roster()
    again, other = consumer()
    other.load(feed.dump(feed.mark()))
    assert list(again.roster()) == list(slow.roster())
    assert other.dump(other.mark()) == feed.dump(feed.mark())


@given(story=st.lists(transactions(), min_size=1, max_size=10), draw=st.data())
@settings(deadline=None)
def test_bulk__one_log_is_damaged__retry_and_nothing_taken(story, draw):
    """A log that is not what its event says is asked for again; half an answer never enters the index."""
    index, feed = consumer()
    feed.apply(LogBatch.parse(raws(story)))
    before = feed.dump(feed.mark())
    logs = raws(story)
    hit = logs[draw.draw(st.integers(0, len(logs) - 1))]
    how = draw.draw(st.sampled_from(["data", "topics", "hex", "spaces"]))
    if how == "data":
        hit["data"] = hit["data"][:-2]
    elif how == "topics":
        hit["topics"] = hit["topics"][:1]
    elif how == "hex":
        hit["data"] = hit["data"][:-1] + "x"
    else:
        hit["data"] = hit["data"][:-2] + "  "
    with pytest.raises(Retry):
        feed.apply(LogBatch.parse(logs))
    assert feed.dump(feed.mark()) == before
    assert index.roster() is index.roster()
