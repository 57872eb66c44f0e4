"""Reads at one block, and many at once, of nodes that know neither."""

import pytest

from keeper.chain.errors import StaleBlock
from keeper.errors import Halt, Retry
from keeper.testing.scripted import ANYBODY, FakeTime, balance_at, block_at, dead, nodes, rpc_of, says


@pytest.fixture
def time():
    return FakeTime()


# Blocks named by hash


@pytest.mark.parametrize(("how", "probe"), [("refuses", False), ("refuses", True), ("ignores", True)])
def test_pins__node_without_them__numbers_and_a_hash_check(time, how, probe):
    """A refusal is noticed; a node that quietly ignores the hash is found out by a hash that nobody has."""
    (a,) = nodes(time, 1, pins=how)
    rpc = rpc_of(time, a, probe_pins=probe)
    rpc.block()
    assert rpc.balance(ANYBODY, block_at(98)) == balance_at(block_at(98))
    assert rpc.pool.members[0].endpoint.pins is False
    assert rpc.logs_in(block_at(97), [ANYBODY])[0].block_hash == block_at(97).hash


@pytest.mark.parametrize("how", ["heeds", "refuses", "ignores"])
def test_pins__reorg_before_the_read__stale_block_never_the_other_branch(time, how):
    """POOL-3: whatever the node can do, a read is of the block meant or is an error."""
    (a,) = nodes(time, 1, pins=how)
    rpc = rpc_of(time, a, probe_pins=True)
    meant = rpc.block()
    a.forked_at = 99
    with pytest.raises(StaleBlock):
        rpc.balance(ANYBODY, meant)
    with pytest.raises(StaleBlock):
        rpc.nonces([ANYBODY, ANYBODY], meant)
    with pytest.raises(StaleBlock):
        rpc.logs_in(meant, [ANYBODY])


def test_pins__reorg_between_read_and_check__stale_block(time):
    """The check comes after the reads, at the same node: a branch that came in between shows."""
    (a,) = nodes(time, 1, pins="refuses")
    rpc = rpc_of(time, a, probe_pins=True)
    meant = rpc.block()

    def fork(method):
        if method == "eth_getBalance":
            a.forked_at = 99

    a.fault = fork
    with pytest.raises(StaleBlock):
        rpc.balance(ANYBODY, meant)


def test_pins__bad_parameters_of_another_kind__hashes_are_not_given_up(time):
    """An error that the number brings too says nothing about hashes."""
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    rpc.block()
    a.fault = lambda method: says(-32602, "invalid argument 0: bad address")(method) if "Balance" in method else None
    with pytest.raises(Retry):
        rpc.balance("0x12", block_at(100))
    assert rpc.pool.members[0].endpoint.pins is not False


def test_rotation__in_the_middle_of_a_decision__same_block_or_stale_block(time):
    """A node that does not have the block yet is no help; one that has it on a fork neither."""
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b)
    meant = rpc.block()
    a.fault, b.head = dead, 99
    with pytest.raises(StaleBlock):
        rpc.balance(ANYBODY, meant)
    b.head, b.forked_at = 100, 100
    with pytest.raises(StaleBlock):
        rpc.balance(ANYBODY, meant)
    b.forked_at = None
    assert rpc.balance(ANYBODY, meant) == balance_at(meant)


def test_block__missing_at_one__the_other_has_it(time):
    """A lagging node's null is not the chain's."""
    a, b = nodes(time, 2)
    a.head = 99
    rpc = rpc_of(time, a, b)
    assert rpc.block_by_hash(block_at(100).hash) == block_at(100)
    assert rpc.block(100) == block_at(100)
    with pytest.raises(StaleBlock):
        rpc.block(101)


def test_logs__endpoint_is_behind_the_range__not_taken_for_no_logs(time):
    """A node that has not seen the last block would answer with the logs so far: silence that reads like absence."""
    a, b = nodes(time, 2)
    a.head = 99
    rpc = rpc_of(time, a, b)
    assert [log.block_number for log in rpc.logs(98, 100, [ANYBODY])] == [98, 99, 100]
    b.fault = dead
    with pytest.raises(StaleBlock):
        rpc.logs(98, 100, [ANYBODY])


# Batches


def test_batch__one_array__one_round_trip_in_the_order_of_asking(time):
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    rpc.block()
    before = rpc.round_trips
    assert rpc.blocks([5, 3, 200, 4]) == (block_at(5), block_at(3), None, block_at(4))
    assert rpc.round_trips == before + 1


@pytest.mark.parametrize(("largest", "trips"), [(None, 1), (50, 3), (1, 101)])
def test_batch__provider_takes_fewer_or_none__found_out_once_and_remembered(time, largest, trips):
    """Refused whole: halves, or one by one; the second time it is known."""
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    rpc.block()
    a.largest_batch = largest
    expected = tuple(block_at(height) for height in range(100))
    assert rpc.blocks(range(100)) == expected
    before = rpc.round_trips
    assert rpc.blocks(range(100)) == expected
    assert rpc.round_trips - before == {None: 1, 50: 2, 1: 100}[largest]


def test_batch__partial_errors__each_item_its_own(time):
    """One question's refusal does not spoil its neighbours."""
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    rpc.block()
    good, bad = ("eth_getBlockByNumber", ["0x5", False]), ("eth_getUncleCount", [])
    first, second, third = rpc.batch([good, bad, good])
    assert first == third
    assert isinstance(second, Halt)


def test_batch__items_limited__only_those_asked_elsewhere(time):
    """Some providers count each item of an array, and limit the rest of it."""
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b)
    rpc.block()
    plain = a.make_batch

    def limited(asked):
        return [*plain(asked)[:2], *[says(429, "capacity")("")] * (len(asked) - 2)]

    a.make_batch = limited
    assert rpc.blocks([1, 2, 3, 4]) == tuple(map(block_at, [1, 2, 3, 4]))
    assert b.asked["eth_getBlockByNumber"] == 2 + 1  # the rest, and the look at its head


def test_batch__item_missing_from_the_answer__asked_again_or_retry(time):
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a, retries=1)
    rpc.block()
    plain = a.make_batch
    a.make_batch = lambda asked: [*plain(asked)[:-1], None]
    assert rpc.blocks([1, 2]) == (block_at(1), block_at(2))  # the last one alone is no array
    with pytest.raises(Retry):
        rpc_of(time, a).blocks([1, 2, 3])


def test_batch__empty__no_question():
    time = FakeTime()
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    assert rpc.batch([]) == rpc.nonces([], block_at(1)) == ()
    assert rpc.round_trips == 0
