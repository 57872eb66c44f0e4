"""The log of alerts: said when they begin and end, and now and then while they last."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from keeper.alert_log import REMIND_S, AlertLog
from keeper.domain.block import BlockRef

STALE = "ETH: price unusable: {} s old, limit 300"
ACCOUNT = "account 0x{:064x} is unknown: no price"


def at(number, every_s=12):
    return BlockRef(number, f"0x{number:064x}", f"0x{number - 1:064x}", 1_000_000 + every_s * number)


def tell(*blocks, every_s=12):
    """What is logged at each block, as (event, text, since)."""
    alerts, said = AlertLog(), []
    for number, texts in enumerate(blocks, start=1):
        with capture_logs() as logs:
            alerts.tell(at(number, every_s), texts)
        said.append([(one["event"], one["alert"], one.get("since")) for one in logs])
    return said


def test_tell__a_condition_that_lasts__once_and_its_end_once():
    """LOG-1: its numbers move at each block, and it is the same condition."""
    said = tell([], *([STALE.format(age)] for age in range(300, 1_500, 12)), [], [])
    assert said[1] == [("cycle.alert", STALE.format(300), None)]
    assert said[2:101] == [[]] * 99
    assert said[101] == [("cycle.alert_over", STALE.format(1_488), 2)]
    assert said[102] == []


def test_tell__lasts_for_hours__said_again_every_hour():
    """LOG-1: whoever starts to read the log now learns of it within an hour; since when is told."""
    said = tell(*([STALE.format(age)] for age in range(100)), every_s=REMIND_S // 10)
    told = [number for number, lines in enumerate(said, start=1) if lines]
    assert told == list(range(1, 101, 10))
    assert said[10] == [("cycle.alert", STALE.format(10), 1)]


def test_tell__gone_and_back__new_again():
    """LOG-1: the second time is told like the first."""
    one = STALE.format(400)
    assert tell([one], [], [one]) == [
        [("cycle.alert", one, None)],
        [("cycle.alert_over", one, 1)],
        [("cycle.alert", one, None)],
    ]


def test_tell__other_accounts__other_conditions():
    """LOG-1: an address is what is meant, not a number that moves."""
    said = tell([ACCOUNT.format(1)], [ACCOUNT.format(2)])
    assert said[1] == [("cycle.alert_over", ACCOUNT.format(1), 1), ("cycle.alert", ACCOUNT.format(2), None)]


def test_tell__one_more_and_one_less_of_the_same_shape__only_that_one():
    """LOG-1: two expiries in trouble are two."""
    first, second = (f"ETH: expiry {expiry}: no quotes" for expiry in (20260327, 20260626))
    said = tell([first], [first, second], [second])
    assert said[1] == [("cycle.alert", second, None)]
    assert said[2] == [("cycle.alert_over", first, 1)]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("is 1,234.5 wei", "is 7 wei", True),
        ("moved from -3 to 5", "moved from 12 to 0.1", True),
        ("and 12 more accounts", "and 3 more accounts", True),
        ("feed at 0x12ab", "feed at 0x12ac", False),
        ("feed2 is silent", "feed3 is silent", False),
        ("ETH is stale", "BTC is stale", False),
    ],
)
def test_tell__two_texts__one_condition_or_two(a, b, same):
    """LOG-1: what differs in numbers alone is the same."""
    assert (tell([a], [b])[1] == []) is same


def shape(text):
    return text.split()[0]


@given(st.lists(st.lists(st.sampled_from(["a", "b", "n 1", "n 2", "n 3"]), max_size=4), max_size=12))
def test_tell__any_history__what_begun_minus_what_ended_is_what_stands(history):
    """LOG-1: nothing begins or ends unsaid, whatever stands how often; nothing is said that was not so."""
    standing, before = Counter(), []
    for texts, lines in zip(history, tell(*history), strict=True):
        for event, text, _ in lines:
            begun = event == "cycle.alert"
            assert text in (texts if begun else before)
            standing[shape(text)] += 1 if begun else -1
        assert +standing == Counter(map(shape, texts))
        before = texts
