"""A plan is one line, and the same line over the same requests strikes the same way."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.errors import Unreachable
from keeper.errors import BadInput
from keeper.testing.counter_world import COUNTER
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.faults import CATALOGUE, Boundary
from keeper.testing.faulty import FaultyNode
from keeper.testing.plan import FaultPlan, Ledger, Rule
from keeper.testing.provider import EmbeddedProvider

pytestmark = pytest.mark.chain

PLAN = "7: timeout%0.2; stale_head@4-9%0.5*1+2; nonce_too_high%0.3{by=9}; reorg@8{depth=2,keep=none}; null_blocks%0.1"


@pytest.fixture(scope="module")
def base():
    chain = EmbeddedChain(accounts=2)
    chain.deploy_code(COUNTER)
    return chain, chain.snapshot()


def played(base, text):
    """What struck in ten blocks of questions."""
    chain, start = base
    chain.revert(start)
    node = FaultyNode(chain.node, FaultPlan.parse(text))
    provider = EmbeddedProvider(node)
    for _ in range(10):
        for method, params in (
            ("eth_blockNumber", []),
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_getTransactionCount", [chain.accounts[0], "latest"]),
        ):
            with suppress(Unreachable):  # the ledger says what struck
                provider.make_request(method, params)
        node.request("evm_mine", [])
    node.close()
    return node.ledger.firings


def rules():
    names = st.sampled_from(sorted(CATALOGUE))
    optional = st.none() | st.integers(0, 99)
    windows = st.tuples(st.integers(0, 50), optional).map(lambda w: (w[0], None if w[1] is None else w[0] + w[1]))
    return st.builds(
        lambda name, window, chance, times, blocks, methods: Rule(
            fault=name,
            methods=tuple(methods),
            first_block=window[0],
            last_block=window[1],
            probability=chance,
            times=times,
            blocks=blocks,
            options=dict(CATALOGUE[name].defaults),
        ),
        names,
        windows,
        st.integers(1, 1000).map(lambda thousandths: thousandths / 1000),
        optional,
        optional,
        st.lists(st.sampled_from(["eth_call", "eth_getLogs", "eth_sendRawTransaction"]), unique=True, max_size=2),
    )


@given(seed=st.integers(0, 2**32), script=st.lists(rules(), max_size=4))
def test_plan__written_and_read__is_the_same(seed, script):
    """A plan survives its own line, so that the line of a failing run is enough to run it again."""
    plan = FaultPlan(seed=seed, rules=tuple(script))
    assert FaultPlan.parse(str(plan)) == plan


def test_rule__parts_in_another_order__the_same_rule():
    """Nobody remembers an order of parts."""
    assert Rule.parse("reorg{depth=3}*1%0.5@4-9") == Rule.parse("reorg@4-9%0.5*1{depth=3}")


def test_plan__played_twice__strikes_the_same(base):
    """Same seed, same ledger; another seed, another one."""
    once = played(base, PLAN)
    assert played(base, PLAN) == once
    assert {one.fault for one in once} >= {"timeout", "stale_head", "nonce_too_high", "reorg"}
    assert played(base, PLAN.replace("7:", "8:")) != once


def test_plan__one_more_rule__does_not_shift_the_others(base):
    """Each rule draws from its own stream."""
    alone = [one for one in played(base, "7: nonce_too_high%0.4") if one.fault == "nonce_too_high"]
    beside = played(base, "7: nonce_too_high%0.4; slow%0.3")
    assert [one for one in beside if one.fault == "nonce_too_high"] == alone
    assert len(beside) > len(alone)


@pytest.mark.parametrize(
    "text", ["no_such_fault", "timeout{by=3}", "x: timeout", "timeout@", "timeout%2%3", "time out", "*3"]
)
def test_plan__unreadable__refused_with_a_hint(text):
    """A plan that would not do what it seems to say is refused when it is read."""
    with pytest.raises(BadInput) as found:
        FaultPlan.parse(text)
    assert found.value.hint


def test_rule__window_times_and_spell__kept(base):
    """A rule strikes within its blocks, as often as it may, for as long as it says."""
    blocks = [one.block for one in played(base, "internal_error[eth_blockNumber]@3-8*2")]
    assert blocks == [3, 4]
    blocks = [one.block for one in played(base, "internal_error[eth_blockNumber]@3-8*2+2")]
    assert blocks == [3, 4, 5, 6]
    assert [one.block for one in played(base, "internal_error[eth_blockNumber]@4")] == [4]


def test_node__calm__strikes_no_more(base):
    """A calm node is the truth, so that a run can end in quiescence."""
    chain, start = base
    chain.revert(start)
    node = FaultyNode(chain.node, FaultPlan.of("timeout", "empty_logs", "reorg"))
    node.calm = True
    before = chain.block()
    node.request("evm_mine", [])
    assert chain.block().parent_hash == before.hash
    assert node.request("eth_blockNumber", []) == hex(before.number + 1)
    assert node.ledger.firings == []


def test_drawn__many_seeds__legal_and_different():
    """Plans drawn by a seed are plans: readable, within their blocks, and not all the same."""
    plans = [
        FaultPlan.drawn(seed, faults=sorted(CATALOGUE), count=5, first_block=3, last_block=9) for seed in range(40)
    ]
    assert len({str(plan).partition(":")[2] for plan in plans}) == 40
    for plan in plans:
        assert FaultPlan.parse(str(plan)) == plan
        assert len(plan.rules) == 5
        for rule in plan.rules:
            assert 3 <= rule.first_block <= rule.last_block <= 9
            spec = CATALOGUE[rule.fault]
            assert (rule.probability == 1) == (spec.standing or spec.boundary is Boundary.CHAIN)


def test_ledger__silent_faults__named():
    """A fault that never struck is found out."""
    assert Ledger().silent(["reorg", "timeout"]) == ("reorg", "timeout")
