"""The mirror of the contract's verdict, by itself; `tests/parity/test_guard.py` holds it against the contract."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import JointFence, PublicationState, SmileFence
from keeper.policy.guard import allow, current
from keeper.policy.judge import Update, judge
from keeper.policy.ring import HOUR_S, advanced, on_lattice, seen_at
from keeper.policy.verdict import NEVER, Judgement
from keeper.risk.exact.probes import requirements
from keeper.testing.builders import EXPIRY, NOW, PPB, STRIKES_USD, a_file, a_publication, an_underlying, strike

RULES = an_underlying().rules
SPOT = a_file().ref_spot
DIGEST = "0x" + "00" * 32


def a_state() -> PublicationState:
    """A house with every fence, at rest."""
    smile = tuple(
        SmileFence(strike=strike(k), ratio_ppm=1_000_000, anchor_ppm=on_lattice(1_000_000)) for k in STRIKES_USD
    )
    state = a_publication(last_time=NOW - 3_600)
    return replace(
        state,
        expiries=tuple(replace(e, smile=smile) for e in state.expiries),
        vol=replace(
            state.vol,
            smile_step_ppm=150_000,
            smile_budget_ppm=350_000,
            df_step_ppb=5_000_000,
            df_budget_ppb=20_000_000,
            min_delay_s=600,
        ),
        joint=JointFence(step_ppm=220_000, budget_ppm=1_000_000),
    )


def a_target(
    *, psr: int = 150_000, up: int = 450_000, down: int = 300_000, sigma: int = 700_000, smile: int = 1_000_000
) -> UnderlyingTarget:
    params = ExpiryParams(expiry=EXPIRY, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=sigma)
    return UnderlyingTarget(
        underlying=1,
        ranges=Ranges(psr_ppm=psr, vsr_up_ppm=up, vsr_down_ppm=down),
        expiries=(ExpiryTarget(params=params, sigmas_ppm=(sigma * smile // 1_000_000,) * len(STRIKES_USD)),),
        realised_vol=0.7,
        reasons=(),
    )


def say(target: UnderlyingTarget, state: PublicationState, now: int = NOW) -> Judgement:
    update = Update(id=state.last_id + 1, valid_until_s=now + 60, expected_old=DIGEST, target=target)
    return judge(update, state, RULES, now, a_file(), spot=SPOT)


@given(
    psr=st.integers(1, 10**6),
    up=st.integers(1, 10**6),
    down=st.integers(1, 10**6),
    sigma=st.integers(60_000, 3_900_000),
    smile=st.integers(100_000, 4_000_000),
)
def test_allow__any_target__judged_ok(psr: int, up: int, down: int, sigma: int, smile: int) -> None:
    """However wild the target, what the guard makes of it passes every fence, the joint one and the smile's too."""
    state = a_state()
    got = allow(a_target(psr=psr, up=up, down=down, sigma=sigma, smile=smile), state, NOW, RULES)
    assert say(got, state).ok


@given(steps=st.lists(st.tuples(st.integers(0, 7_200), st.integers(20_000, 900_000)), min_size=1, max_size=60))
def test_advanced__any_walk__no_further_than_a_day_allows(steps: list[tuple[int, int]]) -> None:
    """Whatever is wanted and however often, a range never leaves the budget around the value of a day before."""
    state, now, then = a_state(), NOW, NOW
    for wait, wanted in steps:
        now += 600 + wait
        state = seen_at(state, then=then, now=now)
        then = now
        applied = allow(a_target(psr=wanted), state, now, RULES)
        psr = next(f for f in state.fences if f.name == "psr")
        if abs(applied.ranges.psr_ppm - psr.anchor) > min(psr.anchor // 2, 200_000):
            assert abs(applied.ranges.psr_ppm - psr.anchor) <= abs(psr.current - psr.anchor)
        state = advanced(state, applied, now)


def test_judge__each_in_range_and_together_too_far__ranges_stay() -> None:
    """Two ranges a full step up: each passes by itself, and both together are refused by what a straddle would need."""
    state = a_state()
    low = tuple(replace(f, current=80_000, anchor=80_000) if f.name == "psr" else f for f in state.fences)
    state = replace(state, fences=low)
    assert say(a_target(psr=96_000), state).ok
    assert say(a_target(psr=80_000, up=540_000), state).ok
    got = say(a_target(psr=96_000, up=540_000), state)
    (joint,) = [v for v in got.items if v.refusal is not None]
    assert joint.what == "joint"
    assert joint.refusal is not None
    assert joint.refusal.error == "JointMove"
    assert got.applied is not None
    assert got.applied.ranges == current(state)
    probe, since, new, limit = joint.refusal.numbers
    old = requirements(current(state), tail_ppm=RULES.tail_ppm, vol_floor_ppm=RULES.vol_floor_ppm)
    assert (old[probe], limit) == (since, 220_000)
    assert new * 100 > since * 122


def test_judge__an_expiry_refused__keeps_what_is_in_force() -> None:
    """A volatility beyond its step is refused by itself; the scan range beside it is taken."""
    got = say(a_target(psr=160_000, sigma=1_400_000), a_state())
    assert [v.what for v in got.items if v.refusal is not None] == ["expiry"]
    assert got.applied is not None
    assert got.applied.ranges.psr_ppm == 160_000
    assert got.applied.expiries[0].params.sigma_atm_ppm == 700_000


def test_judge__budget_spent__next_allowed_when_the_anchor_moves() -> None:
    """A move that the day's budget refuses passes in the hour in which its anchor has come near enough, not before."""
    state = a_state()
    fences = tuple(
        replace(f, current=225_000, anchor=150_000, later=(*(150_000,) * 6, *(225_000,) * 19)) if f.name == "psr" else f
        for f in state.fences
    )
    state = replace(state, fences=fences, joint=None)
    got = say(a_target(psr=240_000), state)
    refusal = got.items[0].refusal
    assert refusal is not None
    assert refusal.error == "BudgetExceeded"
    at = (NOW // HOUR_S + 7) * HOUR_S
    assert refusal.next_allowed_s == at == got.next_allowed_s
    for when, passes in ((at - 1, False), (at, True)):
        assert say(a_target(psr=240_000), seen_at(state, then=NOW, now=when), when).ok is passes


@pytest.mark.parametrize(
    ("changed", "error", "free"),
    [
        ({"frozen": True}, "Frozen", NEVER),
        ({"paused_until_s": NOW + 50}, "Paused", NOW + 50),
        ({"next_allowed_s": NOW + 9}, "TooEarly", NOW + 9),
        ({"digest": "0x" + "11" * 32}, "UnexpectedOld", NEVER),
    ],
)
def test_judge__whole_refused__nothing_applies(changed: dict[str, object], error: str, free: int) -> None:
    """Who may not speak now is refused whole, with the time from which it helps to come back."""
    got = say(a_target(), replace(a_state(), **changed))
    assert got.refusal is not None
    assert (got.applied, got.items) == (None, ())
    assert (got.refusal.error, got.refusal.next_allowed_s) == (error, free)


def test_judge__vetoed__no_lower_until_then() -> None:
    """After a veto a range may rise or stay, and falls only once the veto is over."""
    state = replace(a_state(), no_loosening_until_s=NOW + 500)
    assert say(a_target(psr=155_000), state).ok
    refusal = say(a_target(psr=145_000), state).items[0].refusal
    assert refusal is not None
    assert (refusal.error, refusal.next_allowed_s) == ("Vetoed", NOW + 500)
