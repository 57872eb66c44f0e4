"""Nothing is sent while the endpoints disagree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.asking.health import Fitness
from keeper.chain.asking.quorum import Tally, Word, tally
from keeper.chain.errors import Disagreement
from keeper.errors import BadInput
from keeper.testing.scripted import ANYBODY, FakeTime, block_at, dead, nodes, rpc_of, says, silent


@pytest.fixture
def time():
    return FakeTime()


def test_agree__one_endpoint__nothing_is_asked(time):
    (a,) = nodes(time, 1)
    rpc = rpc_of(time, a)
    rpc.agree(block_at(100))
    assert rpc.round_trips == 0


@pytest.mark.parametrize("quorum", [0, 1, 2])
def test_agree__both_have_the_block__asked_once_for_many_sends(time, quorum):
    a, b = nodes(time, 2)
    rpc = rpc_of(time, a, b, quorum=quorum)
    head = rpc.block()
    rpc.agree(head)
    before = rpc.round_trips
    rpc.agree(head)
    rpc.agree(head)
    assert rpc.round_trips == before


@pytest.mark.parametrize("quorum", [0, 1, 2])
def test_agree__one_of_two_lies__no_send_and_both_are_quoted(time, quorum):
    """Defect 15, second half.  Which one lies cannot be known, so neither is sent on."""
    a, b = nodes(time, 2)
    b.forked_at = 95
    rpc = rpc_of(time, a, b, quorum=quorum)
    with pytest.raises(Disagreement) as caught:
        rpc.agree(rpc.block())
    assert caught.value.fields["agree"] == ["a"]
    assert caught.value.fields["contradict"] == {"b": f"has {b.block(100).hash} at 100"}
    b.forked_at = None
    rpc.agree(rpc.block())


def test_agree__other_lags_a_little__a_quorum_waits_and_no_quorum_looks_at_its_ancestors(time):
    """One block behind is how the network is; on our own chain it is no contradiction, and no agreement either."""
    a, b = nodes(time, 2)
    b.head = 99
    rpc_of(time, a, b).agree(block_at(100))
    with pytest.raises(Disagreement) as caught:
        rpc_of(time, a, b, quorum=2).agree(block_at(100))
    assert caught.value.fields["behind"] == ["b"]
    b.forked_at = 99
    with pytest.raises(Disagreement):
        rpc_of(time, a, b).agree(block_at(100))


@pytest.mark.parametrize("quorum", [0, 2])
def test_agree__other_lags_more_than_a_lag__no_send_while_it_claims_to_be_of_the_present(time, quorum):
    """Two endpoints, one far ahead: either runs ahead of the truth or the other behind it."""
    a, b = nodes(time, 2)
    b.head = 96
    with pytest.raises(Disagreement):
        rpc_of(time, a, b, quorum=quorum).agree(block_at(100))


def test_agree__other_is_of_the_past__has_no_say_unless_it_is_needed(time):
    """An endpoint that is rotated out does not stop the house; with a quorum of two it is missed."""
    a, b = nodes(time, 2)
    b.head = 50
    rpc_of(time, a, b).agree(block_at(100))
    with pytest.raises(Disagreement, match="600 s old"):
        rpc_of(time, a, b, quorum=2).agree(block_at(100))


@pytest.mark.parametrize("fault", [dead, says(-32005, "rate limit"), says(-32000, "internal error")])
def test_agree__other_is_silent__only_a_quorum_minds(time, fault):
    a, b = nodes(time, 2)
    b.fault = fault
    rpc_of(time, a, b).agree(block_at(100))
    with pytest.raises(Disagreement) as caught:
        rpc_of(time, a, b, quorum=2).agree(block_at(100))
    assert set(caught.value.fields["silent"]) == {"b"}


def test_agree__two_of_three__one_liar_is_outvoted_reported_and_rested(time):
    a, b, c = nodes(time, 3)
    a.forked_at = 95
    rpc = rpc_of(time, a, b, c, quorum=2)
    with pytest.raises(Disagreement):
        rpc.agree(rpc.block())  # the preferred one lies: its head has one vote
    head = rpc.block()
    assert head == block_at(100)  # so it is not asked for a while
    rpc.agree(head)
    assert rpc.balance(ANYBODY, head)
    assert a.asked["eth_getBalance"] == 0


def test_agree__one_lies_one_is_stale_one_is_limited__no_send(time):
    """A pool of three with nobody sound: reads may still find the liar's head, sending finds nobody to vouch for it."""
    a, b, c = nodes(time, 3)
    a.forked_at, b.head, c.fault = 95, 40, says(429, "too many requests")
    rpc = rpc_of(time, a, b, c, quorum=2)
    with pytest.raises(Disagreement) as caught:
        rpc.agree(rpc.block())
    fields = caught.value.fields
    assert (fields["agree"], set(fields["silent"])) == (["a"], {"b", "c"})
    c.fault = None
    time.pass_s(10)
    for node in (a, c):
        node.head = 101
    with pytest.raises(Disagreement):
        rpc.agree(rpc.block())


def test_agree__two_against_two__no_send(time):
    """A quorum that both sides reach decides nothing."""
    members = nodes(time, 4)
    members[0].forked_at = members[1].forked_at = 95
    rpc = rpc_of(time, *members, quorum=2)
    with pytest.raises(Disagreement):
        rpc.agree(members[0].block(100))
    with pytest.raises(Disagreement):
        rpc.agree(block_at(100))


def test_agree__wrong_chain__no_vote(time):
    a, b = nodes(time, 2)
    b.chain_id = 8
    rpc_of(time, a, b).agree(block_at(100))
    with pytest.raises(Disagreement, match="serves chain 8"):
        rpc_of(time, a, b, quorum=2).agree(block_at(100))


def test_agree__slow_ones__waited_for_together(time):
    """Three endpoints that time out cost one time-out, and no more than the look at the side may take."""
    members = nodes(time, 4)
    for node in members[1:]:
        node.fault = silent(time, timeout_s=10)
    with pytest.raises(Disagreement):
        rpc_of(time, *members, quorum=2).agree(block_at(100))
    assert time.now_s <= 2


def test_agree__two_of_three_agree__the_slow_third_is_not_waited_for(time):
    """Whatever it says, it cannot outvote them; with no quorum its contradiction would count, and it is heard."""
    a, b, c = nodes(time, 3)
    c.takes_s = 1.5
    rpc_of(time, a, b, c, quorum=2).agree(block_at(100))
    assert time.now_s == 0
    rpc_of(time, a, b, c).agree(block_at(100))
    assert time.now_s == 1.5


def test_quorum__more_than_there_are__bad_input(time):
    with pytest.raises(BadInput, match="quorum of 3"):
        rpc_of(time, *nodes(time, 2), quorum=3)


def test_agree__heads_demand_nothing__lag_alone_is_no_contradiction(time):
    """A test chain without limits: only another block contradicts."""
    a, b = nodes(time, 2)
    b.head = 5
    rpc_of(time, a, b, fitness=Fitness()).agree(block_at(100))


WORDS = {
    "agrees": Word(at=block_at(100), head=block_at(100)),
    "agrees and is ahead": Word(at=block_at(100), head=block_at(101)),
    "another block": Word(at=block_at(100, forked_at=90), head=block_at(100, forked_at=90)),
    "a third block": Word(at=block_at(100, forked_at=80), head=block_at(100, forked_at=80)),
    "behind": Word(head=block_at(98)),
    "behind on a fork": Word(head=block_at(98, forked_at=90)),
    "silent": Word(silent="TimeoutError"),
    "a hole": Word(head=block_at(105)),
}


@given(st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=7), st.integers(0, 7))
def test_tally__any_words__enough_means_k_for_it_and_no_rival_with_k(said, quorum):
    """QRM-1: at least k endpoints have the block, and fewer than k any one other; silence and lag count for nobody."""
    found = tally(
        block_at(100),
        {f"e{at}": WORDS[what] for at, what in enumerate(said)},
        {98: block_at(98).hash},
        max_lag_blocks=3,
    )
    needed = max(1, quorum)
    votes = sum(what.startswith("agrees") for what in said)
    rivals = max(said.count(what) for what in ("another block", "a third block", "behind on a fork"))
    assert found.enough(quorum) == (votes >= needed and rivals < needed)
    parts = [found.agree, found.contradict, found.behind, found.silent]
    assert sum(map(len, parts)) == len(said)
    assert all(f"e{at}" in found.sentence() for at in range(len(said)))


def test_tally__nobody_said_anything__not_enough():
    assert not Tally(agree=(), contradict={}, behind=(), silent={}).enough(0)
