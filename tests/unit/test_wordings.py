"""How nodes and providers word what they refuse, and what each wording means."""

import pytest

from keeper.chain.asking.endpoint import Endpoint
from keeper.chain.asking.wire import BatchRefused
from keeper.chain.errors import RangeTooWide, RateLimited, Reverted, Unreachable, translate
from keeper.testing.faults import words
from keeper.testing.scripted import ANYBODY, FakeTime, ScriptedProvider, balance_at, block_at, rpc_of, says


@pytest.mark.parametrize("name", words.LOG_RANGES)
def test_log_range__every_wording__narrower_please(name):
    error = words.LOG_RANGES[name](1, 5_000, 2_000)
    assert type(translate(error.as_json(), method="eth_getLogs")) is RangeTooWide


@pytest.mark.parametrize("method", ["eth_getLogs", "eth_call", "eth_sendRawTransaction"])
@pytest.mark.parametrize("name", words.RATES)
def test_rate__every_wording__left_alone_for_a_while(name, method):
    assert type(translate(words.RATES[name].as_json(), method=method)) is RateLimited


@pytest.mark.parametrize("name", words.BATCHES)
def test_batch__every_wording__all_answers_all_the_same(name):
    time = FakeTime()
    node = ScriptedProvider(time)
    plain = node.make_batch

    def refuse(asked):
        if len(asked) > 1:
            refusal = translate(words.BATCHES[name].as_json(), method="batch")
            raise BatchRefused(refusal.message)
        return plain(asked)

    node.make_batch = refuse
    assert Endpoint("a", node).ask_batch([("eth_chainId", [])] * 9) == ["0x7"] * 9


@pytest.mark.parametrize("name", words.BY_HASH)
def test_by_hash__every_wording__the_number_and_a_look_at_its_hash(name):
    time = FakeTime()
    node = ScriptedProvider(time)
    error = words.BY_HASH[name]
    heeded = node._pinned

    def refuse(where):
        heeded(where)
        raise error

    node._pinned = refuse
    rpc = rpc_of(time, node)
    assert rpc.balance(ANYBODY, block_at(99)) == balance_at(block_at(99))
    assert rpc.pool.members[0].endpoint.pins is False


@pytest.mark.parametrize("said", ["rate limit of this vault", "capacity reached", "too many requests", "quota"])
def test_revert__in_the_words_of_a_rate_limit__is_the_contracts_no(said):
    """A contract may say anything; it is no reason to leave the endpoint alone."""
    for error in ({"code": 3, "message": said}, {"code": -32000, "message": f"execution reverted: {said}"}):
        assert type(translate(error, method="eth_call")) is Reverted


def test_unknown_words__nothing_is_decided_from_them():
    assert type(translate({"code": -32000, "message": "flux capacitor"}, method="eth_call")) is Unreachable
    assert type(translate("just text", method="eth_call")) is Unreachable
    assert type(translate({"code": -32005, "message": "?"}, method="eth_call")) is RateLimited


@pytest.mark.parametrize("data", [None, 5, "x", [], {"rate": 5}, {"rate": {"backoff_seconds": "soon"}}])
def test_rate__data_of_any_shape__no_appointment(data):
    error = translate({"code": 429, "message": "?", "data": data}, method="eth_call")
    assert isinstance(error, RateLimited)
    assert error.retry_after_s is None


def test_rate__said_by_the_scripted_node__same_as_by_the_wire():
    answer = says(429, "slow down", {"rate": {"backoff_seconds": 3}})("eth_call")
    error = translate(answer["error"], method="eth_call")
    assert error.retry_after_s == 3
