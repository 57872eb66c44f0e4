"""The pool: whom it asks, when it turns to another, when it gives up.  Time is the test's; nothing sleeps."""

from collections import deque

import pytest

from keeper.chain.asking.health import Fitness
from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import Reverted, StaleBlock, StaleHead, Unreachable, WrongChain
from keeper.errors import BadInput, Halt, Retry
from keeper.testing.scripted import (
    ANYBODY,
    CHAIN_ID,
    DEADLINE_S,
    TIMEOUT_S,
    FakeTime,
    block_at,
    dead,
    endpoints_of,
    nodes,
    rpc_of,
    says,
    silent,
)


@pytest.fixture
def time():
    return FakeTime()


def asked_last(rpc):
    """Who answered best last, by the pool's own preference."""
    return rpc.pool.members.by_preference()[0].name


# Heads


def test_block__preferred_is_of_the_past__rotated_out_though_it_answers_200(time):
    """Defect 15: an old head with a good answer is no head; the other endpoint's is."""
    a, b = nodes(time, 2)
    a.head = 90
    assert rpc_of(time, a, b).block() == block_at(100)


def test_block__preferred_lags__rotated_out_until_it_catches_up(time):
    """Too far behind the others, if still recent: out; level again: back in its place."""
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b, fitness=Fitness(max_head_lag_blocks=3))
    a.head = 96
    assert rpc.block() == block_at(100)
    assert asked_last(rpc) == "b"
    a.head = b.head = 101
    time.pass_s(12)
    assert rpc.block() == block_at(101)
    assert asked_last(rpc) == "a"
    before = b.asked["eth_getBalance"]
    rpc.balance(ANYBODY, block_at(101))
    assert b.asked["eth_getBalance"] == before


def test_block__everybody_of_the_past__retry_with_the_ages(time):
    """A chain that stands still, or a wrong clock of ours: nothing is decided, and the words say which to look at."""
    a, b = nodes(time, 2, head=50)
    with pytest.raises(StaleHead, match="600 s old") as caught:
        rpc_of(time, a, b).block()
    assert "timedatectl" in caught.value.hint
    assert time.waits == []


def test_block__head_of_the_future__no_head(time):
    a, b = nodes(time, 2)
    a.head = 200
    assert rpc_of(time, a, b).block() == block_at(100)


def test_read__stale_endpoint_preferred__not_asked(time):
    """Not only heads: no answer of a stale endpoint is used."""
    a, b = nodes(time, 2)
    a.head = 90
    rpc = rpc_of(time, a, b)
    assert rpc.next_nonce(ANYBODY) == 100
    assert a.asked["eth_getTransactionCount"] == 0


def test_read__endpoint_gone_stale_since_it_was_last_asked__looked_at_again_first(time):
    """An endpoint that was fit a minute ago is not fit for that."""
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b)
    rpc.block()
    time.pass_s(120)
    b.head = 110
    assert rpc.next_nonce(ANYBODY) == 110


# Failures and rests


def test_ask__first_is_dead__the_second_answers_and_goes_first_from_then_on(time):
    a, b = nodes(time, 2)
    a.fault = dead
    rpc = rpc_of(time, a, b)
    assert rpc.block() == block_at(100)
    assert asked_last(rpc) == "b"
    assert time.waits == []


def test_watch__dead_endpoint_recovers__comes_back_by_a_look_at_the_side(time):
    """The trial after a rest is never made with a question that somebody waits for."""
    a, b = nodes(time, 2)
    a.fault = dead
    rpc = rpc_of(time, a, b)
    rpc.block()
    a.fault = None
    time.pass_s(0.5)
    rpc.next_nonce(ANYBODY)
    assert a.asked["eth_getTransactionCount"] == 0
    for _ in range(6):
        time.pass_s(6)
        rpc.block()
    rpc.next_nonce(ANYBODY)
    assert a.asked["eth_getTransactionCount"] == 1


def test_watch__dead_for_long__looked_at_ever_less(time):
    """Rests double: ten minutes of polling cost a handful of looks."""
    a, b = nodes(time, 2)
    looks = []
    a.fault = lambda _method: (looks.append(time.now_s), dead(""))
    rpc = rpc_of(time, a, b)
    for _ in range(300):
        b.head = 100 + int(time.now_s) // 12
        rpc.block()
        time.pass_s(2)
    assert len(looks) < 15


def test_watch__slow_endpoint_at_the_side__nobody_waits_for_it(time):
    """A look costs a quarter of a second once; after that it is known to be slow, and looked at without waiting."""
    a, b = nodes(time, 2)
    b.takes_s = 3.0
    rpc = rpc_of(time, a, b)
    rpc.block()
    assert time.now_s == 0.25
    for _ in range(5):
        time.pass_s(6)
        began = time.now_s
        rpc.block()
        assert time.now_s == began
    assert b.asked["eth_chainId"] >= 3


def test_ask__all_dead__retry_after_pauses_that_double_within_the_deadline(time):
    """Full jitter: each pause is a random part of a length that doubles."""
    a, b = nodes(time, 2)
    a.fault = b.fault = dead
    with pytest.raises(Unreachable):
        rpc_of(time, a, b, retries=4).block()
    assert time.waits == [0.125, 0.25, 0.5, 1.0]


def test_ask__fails_twice__a_later_round_answers(time):
    (a,) = nodes(time, 1)
    a.faults = deque([dead, dead])
    assert rpc_of(time, a, retries=3).block() == block_at(100)
    assert len(time.waits) == 2


def test_ask__slow_failures__nobody_is_turned_to_after_the_deadline(time):
    """The call ends at the latest one time-out after its deadline."""
    members = nodes(time, 4)
    for member in members:
        member.fault = silent(time, timeout_s=TIMEOUT_S)
    with pytest.raises(Retry):
        rpc_of(time, *members, retries=10).block()
    assert time.now_s <= DEADLINE_S + TIMEOUT_S


def test_ask__refusal__returned_by_the_first_that_says_so(time):
    """A contract's no is an answer: asking elsewhere would cost time and say the same."""
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b)
    rpc.block()
    a.fault = b.fault = says(3, "execution reverted: rate limit of the vault, capacity 0", "0xdeadbeef")
    with pytest.raises(Reverted):
        rpc.call_at(block_at(100), ANYBODY, b"")
    assert rpc.pool.members[1].health.failures == 0


def test_ask__slow_but_sound__a_much_faster_one_goes_first(time):
    """Preference bends to a difference that matters, not to a small one."""
    a, b = nodes(time, 2)
    a.takes_s, b.takes_s = 0.1, 0.05
    rpc = rpc_of(time, a, b)
    for _ in range(3):
        rpc.block()
        time.pass_s(6)
    assert asked_last(rpc) == "a"
    a.takes_s = 3.0
    for _ in range(6):
        b.head = a.head = 100 + int(time.now_s) // 12
        rpc.block()
        time.pass_s(6)
    assert asked_last(rpc) == "b"


# Chain ids


def test_chain_id__only_endpoint_is_wrong_from_the_start__halts(time):
    (a,) = nodes(time, 1, chain_id=8)
    with pytest.raises(WrongChain, match="serves chain 8, configured is 7"):
        rpc_of(time, a, retries=3).block()
    assert set(a.asked) == {"eth_chainId"}


def test_chain_id__one_of_two_is_wrong__never_asked_and_the_other_goes_on(time):
    a, b = nodes(time, 2)
    a.chain_id = 8
    rpc = rpc_of(time, a, b)
    assert rpc.block() == block_at(100)
    assert set(a.asked) == {"eth_chainId"}
    assert rpc.pool.members[0].health.wrong_chain == 8


def test_chain_id__one_is_wrong_and_the_other_silent__retry_not_halt(time):
    """The silent one may be right: only when nobody can be right is a person needed."""
    a, b = nodes(time, 2)
    a.chain_id, b.fault = 8, dead
    with pytest.raises(Retry):
        rpc_of(time, a, b).block()
    b.fault, b.chain_id = None, 9
    rpc = rpc_of(time, a, b)
    with pytest.raises(WrongChain):
        rpc.block()


def test_chain_id__flips_while_running__nothing_read_there_until_it_is_right_again(time):
    """A provider's mix-up: found within a minute without any error, told, and waited out."""
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    rpc.block()
    a.chain_id = 8
    time.pass_s(61)
    a.head = 105
    with pytest.raises(Retry):
        rpc.block()
    a.chain_id = CHAIN_ID
    assert rpc.block() == block_at(105)


def test_chain_id__after_a_broken_connection__asked_for_again(time):
    """Another node may answer under the same name now."""
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    rpc.block()
    a.faults = deque([dead])
    with pytest.raises(Unreachable):
        rpc.block()
    a.chain_id = 8
    with pytest.raises(Retry):
        rpc.balance(ANYBODY, block_at(100))
    assert a.asked["eth_getBalance"] == 0


# Halting on one endpoint's word


def test_halt__one_lacks_the_method__the_other_answers(time):
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b)
    rpc.block()
    a.fault = says(-32601, "the method does not exist")
    assert rpc.next_nonce(ANYBODY) == 100
    b.fault = a.fault
    with pytest.raises(Halt, match="lacks"):
        rpc.next_nonce(ANYBODY)


def test_halt__one_wants_to_stop_and_the_other_merely_lacks_the_block__retry(time):
    """Who may have another opinion in a moment is waited for."""
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b)
    rpc.block()
    a.fault, b.head = says(-32000, "insufficient funds for gas * price + value"), 99
    with pytest.raises(StaleBlock):
        rpc.balance(ANYBODY, block_at(100))


# Sending


def test_send__first_times_out_after_taking_it__same_bytes_elsewhere_and_known_is_success(time):
    """Repeating a raw transaction is safe: same bytes, same hash."""
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b)
    rpc.block()
    a.takes_s = 0
    plain = a.make_request

    def swallow(method, params):
        answer = plain(method, params)
        if method == "eth_sendRawTransaction":
            raise TimeoutError
        return answer

    a.make_request = swallow
    rpc.send_raw(b"\x02\x01")
    rpc.send_raw(b"\x02\x01")
    assert (a.raw_sent, b.raw_sent) == (["0x0201"], ["0x0201"])


# Configuration


def test_pool__no_endpoints__bad_input(time):
    with pytest.raises(BadInput):
        rpc_of(time)


def test_pool__two_endpoints_at_one_host__told_apart(time):
    endpoints = endpoints_of(*nodes(time, 2))
    endpoints[1].name = endpoints[0].name
    assert [m.name for m in Rpc(endpoints, chain_id=CHAIN_ID).pool.members] == ["a", "a #2"]
