"""Batches of logs, blooms and the width of questions: what an answer may look like, and what is believed of it."""

import pytest
from eth_bloom.bloom import BloomFilter
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.following import log_columns
from keeper.chain.following.blooms import Interest
from keeper.chain.following.log_batch import LogBatch
from keeper.chain.following.log_columns import coded
from keeper.chain.following.log_ranges import LAST_PATIENCE, RangeWidth, suggestion
from keeper.chain.following.log_reader import CHANCE, LogReader
from keeper.errors import Halt, Retry
from keeper.testing.builders import a_block

HOUSE, OTHER = "0x" + "c0" * 20, "0x" + "0e" * 20
TOPIC, ANOTHER = b"\1" * 32, b"\2" * 32


def raw(number, index, *, address=HOUSE, topics=(TOPIC,), data=b"", **more):
    return {
        "address": address, "topics": ["0x" + topic.hex() for topic in topics], "data": "0x" + data.hex(),
        "blockNumber": hex(number), "blockHash": f"0x{number:064x}", "transactionHash": f"0x{number:064x}",
        "logIndex": hex(index), **more,
    }  # fmt: skip


@given(st.permutations([(1, 0), (1, 1), (1, 7), (2, 0), (3, 4)]), st.lists(st.integers(0, 4), max_size=3))
def test_parse__out_of_order_and_told_twice__in_order_and_once(places, again):
    """However an endpoint shuffles or repeats its answer, each log counts once, in the chain's order."""
    logs = [raw(*place) for place in places]
    batch = LogBatch.parse(logs + [dict(logs[i]) for i in again])
    assert [(log.block_number, log.index) for log in batch] == sorted(places)
    assert list(LogBatch.load(batch.dump())) == list(batch)
    assert list(LogBatch.joined([batch[:2], batch[2:]])) == list(batch)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"logs": []},
        [None],
        [raw(1, 0) | {"blockNumber": None}],
        [raw(1, 0) | {"topics": None}],
        [raw(1, 0) | {"data": None}],
        [raw(1, 0, removed=True)],
        [raw(1, 0), raw(1, 1, removed=True)],
        [raw(1, 0) | {"topics": [5]}],
        [raw(1, 0, topics=(TOPIC,) * 5)],
        [raw(1, 0) | {"address": None}],
        [raw(1, 0), raw(1, 0, data=b"x")],
        [raw(1, 0) | {"blockNumber": "0x" + "f" * 20}],
        [{k: v for k, v in raw(1, 0).items() if k != "logIndex"}],
    ],
    ids=str,
)
def test_parse__no_answer_of_logs__raises(answer):
    """What is no list of logs, speaks of removed ones or contradicts itself is no answer."""
    with pytest.raises((KeyError, ValueError, TypeError, OverflowError, AttributeError)):
        LogBatch.parse(answer)


@pytest.fixture(scope="module")
def few_near():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_columns, "_NEAR", 5)
        yield


@given(
    st.lists(
        st.tuples(st.sampled_from([HOUSE, OTHER]), st.lists(st.sampled_from([TOPIC, ANOTHER]), max_size=4)),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
)
@pytest.mark.usefixtures("few_near")
def test_coded__whatever_is_near__equals_log_by_log(logs, says_removed):
    """The columns are what each log says, wherever the answer is cut, whether or not a node says "removed"."""
    more = {"removed": False} if says_removed else {}
    raws = [raw(1 + i // 3, i, address=a, topics=t, data=bytes([i]), **more) for i, (a, t) in enumerate(logs)]
    columns = coded(raws)
    assert columns.numbers.tolist() == [int(one["blockNumber"], 16) for one in raws]
    assert columns.places.tolist() == [int(one["logIndex"], 16) for one in raws]
    assert list(columns.emitters) == [one["address"] for one in raws]
    assert columns.topics_each.tolist() == [len(one["topics"]) for one in raws]
    assert columns.data == [one["data"] for one in raws]
    for place, column in enumerate(columns.topics):
        assert list(column) == [(*one["topics"], "", "", "", "")[place] for one in raws]


def test_split__one_event_with_differing_topics__raises():
    """An event has as many indexed arguments every time, so that none is taken for another."""
    batch = LogBatch.parse([raw(1, 0, topics=(TOPIC, ANOTHER)), raw(1, 1, topics=(TOPIC,))])
    with pytest.raises(ValueError, match="differing numbers"):
        batch.split({(batch[0].address, "0x" + TOPIC.hex())})


def test_split__spelled_like_a_checksum_or_not__wanted_events_apart_from_the_rest():
    """Columns of what is wanted; everything else one by one, in order; anonymous logs too."""
    batch = LogBatch.parse(
        [
            raw(1, 0, topics=(TOPIC, ANOTHER), data=b"a"),
            raw(1, 1, address=OTHER),
            raw(1, 2, topics=()),
            raw(2, 0, topics=(TOPIC, TOPIC), data=b"b"),
            raw(2, 1, topics=(ANOTHER,)),
        ]
    )
    key = batch[0].address, "0x" + TOPIC.hex()
    columns, rest = batch.split({key})
    assert list(columns) == [key]
    assert [list(topics) for topics in columns[key].topics] == [["0x" + ANOTHER.hex(), "0x" + TOPIC.hex()]]
    assert list(columns[key].data) == ["0x61", "0x62"]
    assert [(log.block_number, log.index) for log in rest] == [(1, 1), (1, 2), (2, 1)]


@given(st.lists(st.binary(min_size=20, max_size=32), max_size=40))
def test_interest__whatever_else_a_block_logged__our_log_is_never_denied(others):
    """A header's bloom may suggest what is not there; it never hides what is."""
    house = bytes.fromhex(HOUSE[2:])
    bloom = int(BloomFilter.from_iterable([house, TOPIC, *others]))
    assert Interest([OTHER, HOUSE], [ANOTHER, TOPIC]).suspects(bloom)
    assert Interest([HOUSE], []).suspects(bloom)
    assert not Interest([HOUSE], [TOPIC]).suspects(0)
    assert 0 <= Interest([HOUSE], [TOPIC]).chance(bloom) <= 1


def test_interest__sparse_and_crowded_blocks__chance_tells_them_apart():
    """A quiet block's suspicion means something, that of a block with a thousand items hardly anything."""
    interest = Interest([HOUSE], [])
    few = int(BloomFilter.from_iterable([n.to_bytes(20, "big") for n in range(8)]))
    many = int(BloomFilter.from_iterable([n.to_bytes(20, "big") for n in range(1_500)]))
    assert interest.chance(few) < CHANCE
    assert interest.chance(many) > 100 * CHANCE


class Node:
    """Says that a block has no logs; its header and its receipts may say otherwise."""

    def __init__(self, bloom, receipts):
        self.bloom, self.receipts = bloom, receipts

    def request(self, method, *_):
        if self.receipts is None:
            raise Halt(f"the endpoint lacks {method}")
        return self.receipts

    def batch(self, asked):
        header = {"hash": BLOCK.hash, "logsBloom": hex(self.bloom)}
        return tuple([] if method == "eth_getLogs" else header for method, _ in asked)


BLOCK = a_block(5)
SPARSE = int(BloomFilter.from_iterable([bytes.fromhex(HOUSE[2:]), TOPIC]))
CROWDED = SPARSE | int(BloomFilter.from_iterable([n.to_bytes(20, "big") for n in range(1_500)]))


@pytest.mark.parametrize(
    ("bloom", "receipts", "believed"),
    [
        (0, None, True),
        (SPARSE, None, False),
        (CROWDED, None, True),
        (CROWDED, [], True),
        (SPARSE, [], True),
        (CROWDED, [{"logs": [raw(5, 0)]}], False),
        (CROWDED, [{"logs": [raw(5, 0, topics=(ANOTHER,))]}, {"logs": [raw(5, 1, address=OTHER)]}], True),
    ],
)
def test_of__block_said_to_be_empty__believed_unless_header_and_receipts_contradict(bloom, receipts, believed):
    """Receipts decide; without them the bloom does where it could hardly err (12)."""
    reader = LogReader(Node(bloom, receipts), [HOUSE], [TOPIC])
    if believed:
        assert [len(batch) for batch in reader.of([BLOCK])] == [0]
    else:
        with pytest.raises(Retry):
            reader.of([BLOCK])


@pytest.mark.parametrize("limit", [1, 7, 100, 9_999])
def test_width__fixed_limit__near_it_and_rarely_refused(limit):
    """Against any limit a provider may have: soon near it, and hardly a question in vain after that."""
    width = RangeWidth(10_000)
    asked, refused = [], 0
    for _ in range(600):
        if width.blocks > limit:
            refused += 1
            assert width.refused(width.blocks)
        else:
            asked.append(width.blocks)
            width.answered()
    assert refused < 40
    assert max(asked) > limit // 2
    assert sum(asked[100:]) / len(asked[100:]) > limit / 2


def test_width__limit_is_lifted__grows_back():
    """A quiet stretch of the chain, or a better endpoint, is noticed."""
    width = RangeWidth(10_000)
    while width.blocks > 3:
        width.refused(width.blocks)
    for _ in range(60 * LAST_PATIENCE):
        width.answered()
    assert width.blocks == 10_000
    assert not RangeWidth(1).refused(1)


def test_suggestion__other_range_or_none__not_taken():
    """Only a range that begins where we asked is one that we can use."""
    assert suggestion("try with this block range [0x10, 0x1f]", 16) == 16
    assert suggestion("retry with the range 16-31", 16) == 16
    assert suggestion("retry with the range 16-31", 17) == 0
    assert suggestion("query returned more than 10000 results", 16) == 0
