"""An endpoint's record: what keeps it out, for how long, and what brings it back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.asking.health import LONGEST_LIMIT_S, REST_S, WRONG_CHAIN_REST_S, Fitness, Health
from keeper.domain.block import BlockRef

WALL_S = 1_700_000_000
LIMITS = Fitness(max_head_age_s=60, max_head_lag_blocks=3)


def head(number, *, age_s=0):
    return BlockRef(number, f"0x{number:064x}", "0x", WALL_S - age_s)


def stale(number, *others, age_s=0, fitness=LIMITS):
    return fitness.stale(head(number, age_s=age_s), [head(other) for other in others], wall_s=WALL_S)


def test_failed__again_and_again__rests_twice_as_long_up_to_a_limit():
    """A dead endpoint costs less and less."""
    health, rests = Health(), []
    for _ in range(40):
        health.failed(now_s=1_000.0)
        rests.append(health.rests_until_s - 1_000.0)
    first, longest = REST_S
    assert rests[:4] == [first, 2 * first, 4 * first, 8 * first]
    assert rests[-1] == longest
    assert 0.99 < health.error_rate <= 1


def test_answered__after_failures__as_good_as_new_but_remembered():
    """One answer ends the rest; the share of errors fades slowly, so that one who flickers costs more."""
    health = Health()
    health.failed(now_s=0.0)
    health.failed(now_s=0.0)
    health.answered(took_s=0.5)
    assert (health.failures, health.rests_until_s) == (0, float("-inf"))
    assert 0 < health.error_rate < 0.4
    assert health.cost_s > 0.5


def test_latency__newest_counts_most__and_the_first_counts_whole():
    health = Health()
    health.answered(took_s=1.0)
    assert health.latency_s == 1.0
    for _ in range(50):
        health.answered(took_s=0.1)
    assert health.latency_s == pytest.approx(0.1, abs=1e-3)


def test_limited__time_named__kept_to_and_bounded():
    """Retry-After is an appointment; one of a year is looked at again after an hour."""
    health = Health()
    health.limited(now_s=10.0, retry_after_s=30.0)
    assert health.limited_until_s == 40.0
    health.limited(now_s=10.0, retry_after_s=5.0)
    assert health.limited_until_s == 40.0
    health.limited(now_s=10.0, retry_after_s=1e9)
    assert health.limited_until_s == 10.0 + LONGEST_LIMIT_S


def test_limited__no_time_named__rests_longer_each_time_and_may_still_be_asked():
    """Without an appointment others go first; a pool without others asks it."""
    health = Health()
    health.limited(now_s=0.0, retry_after_s=None)
    health.limited(now_s=0.0, retry_after_s=None)
    assert health.rests_until_s == 2 * REST_S[0]
    assert health.limited_until_s == float("-inf")


def test_serves__another_chain__rests_and_its_head_says_nothing():
    health = Health()
    health.saw(head(5), now_s=0.0)
    health.serves(8, ours=7, now_s=1.0)
    assert (health.wrong_chain, health.head, health.rests_until_s) == (8, None, 1.0 + WRONG_CHAIN_REST_S)
    health.serves(7, ours=7, now_s=2.0)
    assert (health.wrong_chain, health.checked_s) == (None, 2.0)


@pytest.mark.parametrize(("age_s", "fit"), [(0, True), (60, True), (61, False), (-60, True), (-61, False)])
def test_stale__age_by_the_wall__counts_both_ways(age_s, fit):
    """A block of the future is as little the present as an old one."""
    assert (stale(100, age_s=age_s) == "") is fit


@pytest.mark.parametrize(("number", "fit"), [(100, True), (97, True), (96, False), (150, True)])
def test_stale__lag_behind_the_other__limit_included(number, fit):
    assert (stale(number, 100) == "") is fit


def test_stale__one_runs_ahead_by_itself__does_not_push_out_the_others():
    """A node that invents a height would otherwise make every honest one stale."""
    assert stale(100, 101, 1_000_000) == ""
    assert stale(100, 102, 1_000_000) == ""
    assert stale(96, 100, 1_000_000) != ""


def test_stale__one_runs_ahead_and_nothing_shows_the_others_are_recent__they_are_behind():
    """Without an age limit nobody can tell a liar from the only one that is not stuck; the best one counts."""
    assert stale(100, 100, 120, fitness=Fitness(max_head_lag_blocks=3)) != ""


def test_stale__others_stuck_in_the_past__no_measure():
    """An old head is nobody's reference, however high."""
    old = [head(500, age_s=600)]
    assert LIMITS.stale(head(100), old, wall_s=WALL_S) == ""


def test_stale__nothing_demanded__nothing_is_stale():
    assert stale(1, 10**9, age_s=10**6, fitness=Fitness()) == ""


@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.integers(0, 10))
def test_stale__whatever_the_heights__the_best_are_never_all_out(heights, lag):
    """POOL-4: among endpoints of the present, somebody is always fit: staleness is relative, and cannot stop a pool."""
    fitness = Fitness(max_head_age_s=60, max_head_lag_blocks=lag)
    fit = [
        at
        for at, number in enumerate(heights)
        if not fitness.stale(head(number), [head(h) for o, h in enumerate(heights) if o != at], wall_s=WALL_S)
    ]
    assert fit
