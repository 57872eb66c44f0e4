"""The breaker's verdict is the contract's, for any path of two feeds."""

import numpy as np

from keeper.risk.exact.breaker import BreakerRule, Event, Opening, Round, fitted, verdict

T = 1_780_000_000
WAD = 10**18


def a_path(rng):
    """Up to 15 rounds of both feeds, from quiet to wild, some of them in the same second."""
    clock, rounds = T, []
    wild, gap = rng.choice((0.02, 0.1, 0.3)), int(rng.choice((30, 120, 400)))
    for _ in range(rng.integers(16)):
        clock += int(rng.integers(gap))
        price = int(2_000 * WAD * (1 + wild * rng.uniform(-1, 1)))
        rounds.append(Round(time=clock, wad=price, second=bool(rng.random() < 0.35)))
    return rounds


def a_rule(rng):
    hold = int(rng.integers(60, 901))
    return BreakerRule(
        move_ppm=int(rng.choice((5_000, 50_000, 150_000))),
        disagree_ppm=int(rng.choice((0, 5_000, 50_000))),
        window_s=2 * hold + int(rng.integers(600)),
        hold_s=hold,
        confirm_s=int(rng.choice((0, 30, hold))),
    )


def packed(rounds, rule, times, whole):
    path = [(r.time, r.wad, r.second) for r in rounds]
    return path, (rule.move_ppm, rule.disagree_ppm, rule.window_s, rule.hold_s, rule.confirm_s), times, whole


def judged(rounds, rule, now, whole):
    known = [r for r in rounds if r.time <= now]
    return verdict(rounds, rule if whole else fitted(known, rule), now)


def test_verdict__any_path_any_time__same_as_the_contract(harness):
    """PAR-BRK: both languages open for the same round, for the same reason, at the same second."""
    rng = np.random.default_rng(5)
    cases = []
    for _ in range(120):
        rounds = a_path(rng)
        around = [r.time + int(rng.choice((0, 1, 59, 60, 300))) for r in rounds if rng.random() < 0.3]
        cases.append((rounds, a_rule(rng), [*around, T - 1], bool(rng.random() < 0.6)))
    theirs = list(harness.breaker("verdicts", [packed(*case) for case in cases]))
    ours = [judged(rounds, rule, now, whole) for rounds, rule, times, whole in cases for now in times]
    assert len(theirs) == len(ours) > 200
    for mine, answer in zip(ours, theirs, strict=True):
        since, why = (0, b"") if mine is None else (mine.since_s, mine.why.encode())
        assert (answer["since"], answer["why"]) == (since, why.ljust(32, b"\0")), "PAR-BRK"
    assert {None if mine is None else mine.why for mine in ours} == {None, Event.JUMP, Event.FEEDS}


def test_verdict__a_wick_out_of_quiet__opens_until_the_second_round():
    """BRK-4, in Python: the round that jumps opens it, the next one that is late enough settles it."""
    rule = BreakerRule(move_ppm=100_000, disagree_ppm=0, window_s=600, hold_s=300, confirm_s=60)
    rounds = [Round(time=T, wad=2_000 * WAD), Round(time=T + 900, wad=1_700 * WAD)]
    later = [*rounds, Round(time=T + 930, wad=1_650 * WAD), Round(time=T + 970, wad=1_990 * WAD)]
    assert verdict(later, rule, T + 899) is None
    assert verdict(rounds, rule, T + 1_199) == Opening(since_s=T + 900, why=Event.JUMP)
    assert verdict(rounds, rule, T + 1_200) is None
    assert verdict(later, rule, T + 969) == Opening(since_s=T + 900, why=Event.JUMP)
    assert verdict(later, rule, T + 970) is None
