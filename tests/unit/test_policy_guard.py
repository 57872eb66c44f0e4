"""The mirror of the fences keeps every publication legal."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.policy.guard import allow
from keeper.policy.reach import reach, sigma_reach
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import term_factor
from keeper.testing.builders import EXPIRY, NOW, PPB, STRIKES_USD, a_fence, a_publication

SIGMAS = st.integers(60_000, 3_900_000)


def a_target(*, psr_ppm: int, sigma_ppm: int) -> UnderlyingTarget:
    params = ExpiryParams(expiry=EXPIRY, phi_ppb=PPB, df_ppb=PPB, sigma_atm_ppm=sigma_ppm)
    return UnderlyingTarget(
        underlying=1,
        ranges=Ranges(psr_ppm=psr_ppm, vsr_up_ppm=450_000, vsr_down_ppm=300_000),
        expiries=(ExpiryTarget(params=params, sigmas_ppm=(sigma_ppm,) * len(STRIKES_USD)),),
        realised_vol=0.7,
        reasons=(),
    )


def test_reach__at_rest__tighter_of_step_and_budget() -> None:
    """20 % of 150 000 binds before the absolute step and before the day's budget."""
    assert reach(a_fence(current=150_000)) == (120_000, 180_000)


def test_reach__budget_spent__no_further_but_back() -> None:
    """After a day's displacement is used up only the way back is open."""
    spent = a_fence(current=225_000, anchor=150_000)
    assert reach(spent) == (180_000, 225_000)


def test_reach__anchor_moved_away__never_a_deadlock() -> None:
    """A value that finds itself beyond its budget may stay and may go back."""
    low, high = reach(a_fence(current=400_000, anchor=150_000))
    assert low < 400_000 == high


@given(now=SIGMAS, anchor=SIGMAS, days=st.integers(1, 300))
def test_sigma_reach__any_state__contains_the_present_and_respects_the_step(now: int, anchor: int, days: int) -> None:
    """Staying is always legal, and neither end is further than one step in ln σ."""
    state = a_publication()
    fence = replace(state.expiries[0], sigma_ppm=now, sigma_anchor_ppm=anchor)
    low, high = sigma_reach(fence, state.vol, days * 86_400)
    assert low <= now <= high
    step = state.vol.atm_step_ppm * term_factor(days * 86_400) // 1_000_000
    for end in (low, high):
        assert abs(q64.ln((end << 64) // now)) <= step


@given(psr=st.integers(1, 10**6), sigma=SIGMAS)
def test_allow__any_target__inside_every_fence(psr: int, sigma: int) -> None:
    """However wild the estimate, what is published is within reach and its smile within its band."""
    state = a_publication()
    got = allow(a_target(psr_ppm=psr, sigma_ppm=sigma), state, NOW)
    low, high = reach(state.fences[0])
    assert low <= got.ranges.psr_ppm <= high
    (expiry,) = got.expiries
    low, high = sigma_reach(state.expiries[0], state.vol, EXPIRY - NOW)
    assert low <= expiry.params.sigma_atm_ppm <= high
    assert all(
        expiry.params.sigma_atm_ppm * 7 <= s * 10 and s <= expiry.params.sigma_atm_ppm * 2 for s in expiry.sigmas_ppm
    )
