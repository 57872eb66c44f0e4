"""Rate limits, as each provider words them."""

from collections import deque

import pytest

from keeper.chain.errors import RateLimited
from keeper.errors import Refused
from keeper.testing.scripted import ANYBODY, FakeTime, block_at, nodes, rpc_of, says


@pytest.fixture
def time():
    return FakeTime()


# Rate limits

LIMITS = {
    "infura": (-32005, "project ID request rate exceeded", None),
    "infura with a time": (
        -32005,
        "daily request count exceeded, request rate limited",
        {"rate": {"backoff_seconds": 30}},
    ),
    "alchemy": (429, "Your app has exceeded its compute units per second capacity", None),
    "quicknode": (-32007, "50/second request limit reached", None),
    "quicknode credits": (-32012, "credits limited to 6000/sec", None),
    "base": (-32016, "over rate limit", None),
    "ankr": (-32029, "Too many requests", None),
    "another": (-32097, "wait", None),
    "cloudflare": (1015, "error", None),
    "words only": (-32000, "429 Too Many Requests", None),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limit__each_providers_way_of_saying_it__another_is_asked(time, name):
    """Rate limits come as codes, as words, and as both."""
    a, b = nodes(time, 2)
    a.fault = says(*LIMITS[name])
    rpc = rpc_of(time, a, b)
    assert rpc.block() == block_at(100)
    assert rpc.pool.members[0].health.limits == 1
    assert rpc.pool.members[0].health.failures == 0


def test_limit__time_named__nobody_asks_before(time):
    """Infura's backoff_seconds and Retry-After are kept to, by waiting if there is nobody else."""
    (a,) = nodes(time, 1)
    a.faults = deque([says(*LIMITS["infura with a time"])])
    rpc = rpc_of(time, a, retries=3)
    with pytest.raises(RateLimited) as caught:
        rpc.block()  # thirty seconds are past the deadline: the caller gets them told
    assert caught.value.retry_after_s == 30
    with pytest.raises(RateLimited):
        rpc.block()
    assert a.asked.total() == 0
    time.pass_s(30)
    assert rpc.block() == block_at(100)


def test_limit__short_and_alone__waited_for_within_the_call(time):
    (a,) = nodes(time, 1)
    a.faults = deque([says(-32005, "rate limit", {"rate": {"backoff_seconds": 5}})])
    assert rpc_of(time, a, retries=3).block() == block_at(100)
    assert time.waits == [5.0]


def test_limit__in_logs_where_it_means_too_many__narrows_instead(time):
    """The same code -32005 says "fewer logs at once" to eth_getLogs; the words decide."""
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    rpc.block()
    a.largest_batch = 1
    a.fault = lambda method: (
        says(-32005, "query returned more than 10000 results")(method) if "Logs" in method else None
    )
    with pytest.raises(Refused, match="10000"):
        rpc.logs(1, 100, [ANYBODY])
    a.fault = lambda method: says(-32005, "rate limit exceeded")(method) if "Logs" in method else None
    with pytest.raises(RateLimited):
        rpc.logs(1, 100, [ANYBODY])
