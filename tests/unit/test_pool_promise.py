"""What the pool promises, whatever happens to its endpoints."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.errors import WrongChain
from keeper.errors import KeeperError, Retry
from keeper.testing.scripted import (
    ANYBODY,
    CHAIN_ID,
    DEADLINE_S,
    TIMEOUT_S,
    FakeTime,
    answers,
    block_at,
    dead,
    nodes,
    rpc_of,
    says,
    silent,
)

FAULTS = (
    "dead",
    "silent",
    "limited",
    "limited for 4 s",
    "garbage",
    "empty",
    "stale",
    "lagging",
    "wrong chain",
    "recover",
)


def apply(time, node, fault):
    """Let something happen to a node; it stays that way until it recovers."""
    node.fault, node.chain_id, node.head = None, CHAIN_ID, 100 + int(time.now_s) // 12
    match fault:
        case "dead":
            node.fault = dead
        case "silent":
            node.fault = silent(time, timeout_s=TIMEOUT_S)
        case "limited":
            node.fault = says(-32005, "rate limit")
        case "limited for 4 s":
            node.fault = says(-32005, "rate limit", {"rate": {"backoff_seconds": 4}})
        case "garbage":
            node.fault = answers("nonsense")
        case "empty":
            node.fault = lambda _method: {}
        case "stale":
            node.head -= 20
        case "lagging":
            node.head -= 4
        case "wrong chain":
            node.chain_id = 8


@given(
    count=st.integers(1, 3),
    story=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(FAULTS), st.floats(0, 40)), max_size=12),
    retries=st.integers(0, 3),
    seed=st.integers(0, 2**32),
)
def test_pool__whatever_happens__answers_are_right_or_retry_comes_in_time(count, story, retries, seed):
    """POOL-1, POOL-2: an answer is of an endpoint of our chain with a present head; else Retry, within the deadline."""
    time = FakeTime()
    members = nodes(time, count)
    rpc = rpc_of(time, *members, retries=retries, jitter=np.random.default_rng(seed).random)
    flipped = {}
    for which, fault, pause_s in story:
        time.pass_s(pause_s)
        if fault == "wrong chain":
            flipped[id(members[which % count])] = time.now_s
        apply(time, members[which % count], fault)
        for node in members:
            if node.fault is None and node.chain_id == CHAIN_ID and node.head >= 97 + int(time.now_s) // 12:
                node.head = 100 + int(time.now_s) // 12
        for ask in (rpc.block, lambda: rpc.next_nonce(ANYBODY)):
            began = time.now_s
            try:
                found = ask()
            except WrongChain:
                assert all(node.chain_id != CHAIN_ID for node in members)
                return
            except Retry:
                assert time.now_s - began <= DEADLINE_S + TIMEOUT_S + 2  # the last is the look at the side
                continue
            except KeeperError as error:
                raise AssertionError(f"{error!r} says nothing that a story told") from error
            height = found if isinstance(found, int) else found.number
            # Of the present by the wall's clock, and of a node that served our chain when asked within the last minute.
            assert abs(time.wall_s() - block_at(height).timestamp) <= 60 + TIMEOUT_S
            ours = [node for node in members if node.chain_id == CHAIN_ID or time.now_s - flipped[id(node)] <= 60]
            assert any(node.fault is None for node in ours)
