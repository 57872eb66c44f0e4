"""What the mirror calls legal passes the contract's fences, and a unit more does not (PAR-4)."""

import pytest

from keeper.domain.market import UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.policy.guard import anchored, current
from keeper.policy.joint import joint_of
from keeper.policy.reach import CARRY_BASE_PPB, YEAR, earned, phi_reach, reach, sigma_reach
from tests.parity.fenced_market import FENCE, HOUR, Market, an_expiry, changed

pytestmark = pytest.mark.chain


def wild(sign):
    """Far beyond every fence, up or down."""
    return lambda target: UnderlyingTarget(
        underlying=0,
        ranges=Ranges(**dict.fromkeys(("psr_ppm", "vsr_up_ppm", "vsr_down_ppm"), 900000 if sign > 0 else 1)),
        expiries=tuple(
            an_expiry(
                e.params.expiry,
                sigma=4_000_000 if sign > 0 else 110_000,
                phi=1_400_000_000 if sign > 0 else 710_000_000,
            )
            for e in target.expiries
        ),
        realised_vol=1.0,
        reasons=(),
    )


@pytest.fixture(scope="module")
def market():
    return Market()


@pytest.fixture
def quiet(market):
    """The market as it was listed; whatever a test publishes is forgotten."""
    snapshot = market.chain.snapshot()
    market.wait(60)
    yield market
    market.chain.revert(snapshot)


def at_rest(_):
    """Nothing was published since the listing."""


def one_step_up(market):
    """One step of everything upwards."""
    market.publish(market.allowed(wild(1)(market.in_force())))


def budget_spent(market):
    """Steps upwards until nothing moves any more."""
    for _ in range(4):
        one_step_up(market)


def turned_round(market):
    """Up, up, and down again an hour later."""
    budget_spent(market)
    market.wait(HOUR)
    market.publish(market.allowed(wild(-1)(market.in_force())))


def a_day_later(market):
    """The anchor has followed."""
    budget_spent(market)
    market.wait(26 * HOUR)


STATES = (at_rest, one_step_up, budget_spent, turned_round, a_day_later)


@pytest.mark.parametrize("prepare", STATES, ids=lambda prepare: prepare.__name__)
def test_reach__every_fenced_number__ends_pass_and_beyond_fails(quiet, prepare):
    """Both ends of each reach are legal, the unit beyond is not, for the reason the mirror has in mind."""
    prepare(quiet)
    state, now = quiet.state(), quiet.chain.block().timestamp
    # Carry is the one bound that moves by itself: a forward that stood at it must come in a little.
    here = quiet.allowed(quiet.in_force())
    assert quiet.refusal(here) == "", "PAR-4: staying is legal"
    assert here.ranges == quiet.in_force().ranges
    together = joint_of(quiet.rules(), state.joint, current(state), anchored(state))
    for fence in state.fences:
        low, high = reach(fence)
        assert low <= fence.current <= high
        for value in {low, high}:
            moved = changed(here, **{f"{fence.name}_ppm": value})
            refusal = "" if together(moved.ranges) else "JointMove"
            assert quiet.refusal(moved).split("(")[0] == refusal, f"PAR-4: {fence.name}"
        for value in (low - 1, high + 1):
            refusal = quiet.refusal(changed(here, **{f"{fence.name}_ppm": value}))
            assert refusal.startswith(("OutOfRange", "StepTooLarge", "BudgetExceeded")), f"PAR-4: {fence.name}"
    for place, fence in enumerate(state.expiries):
        seconds = fence.expiry - now
        low, high = sigma_reach(fence, state.vol, seconds)
        for value in {low, high}:
            assert quiet.refusal(changed(here, place=place, sigma=value)) == "", "PAR-4: sigma"
        # The mirror stays a few ppm inside, because ln and exp round; what is clearly outside is refused.
        for value in (low - 5, high + 5):
            refusal = quiet.refusal(changed(here, place=place, sigma=value))
            assert refusal.startswith(("OutOfRange", "StepTooLarge", "BudgetExceeded")), "PAR-4: sigma"
        low, high = phi_reach(fence, state, now)
        # A step grows until an hour has passed, and the contract is asked a block later.
        grows = earned(state.vol.phi_step_ppb, state, now + 2) - earned(state.vol.phi_step_ppb, state, now)
        for value in {low, high}:
            assert quiet.refusal(changed(here, place=place, phi=value)) == "", "PAR-4: phi"
        # Carry shrinks with every second, so the mirror stays inside it; the other bounds are exact.
        by_carry = state.vol.carry_max_ppm * 1_000 * seconds // YEAR + CARRY_BASE_PPB - 1_000
        for value, bound in ((low - 1, 10**9 - by_carry), (high + 1, 10**9 + by_carry)):
            if (fence.phi_ppb - value) * (1 if value > high else -1) >= 0:
                continue  # time left what is in force outside: on its way back anything passes
            beyond = value if abs(value - bound) != 1 else value + 1_001 * (value - bound)
            beyond += grows if value > high else -grows
            refusal = quiet.refusal(changed(here, place=place, phi=beyond))
            assert refusal.startswith(("OutOfRange", "StepTooLarge", "BudgetExceeded")), "PAR-4: phi"


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("prepare", STATES, ids=lambda prepare: prepare.__name__)
def test_allow__wild_targets__the_contract_takes_what_is_left(quiet, prepare, sign):
    """All numbers at once, moved as far as the mirror lets them, are one legal publication."""
    prepare(quiet)
    target = wild(sign)(quiet.in_force())
    legal = quiet.allowed(target)
    assert quiet.refusal(legal) == "", "PAR-4"
    assert quiet.refusal(target) != ""


def test_steps__many_small_ones__no_further_than_the_budget(quiet):
    """Micro-steps cannot exceed the budget: mirror and contract stop at the same number."""
    anchor = {f.name: f.current for f in quiet.state().fences}
    budget_spent(quiet)
    one_step_up(quiet)
    now = {f.name: f.current for f in quiet.state().fences}
    assert now["psr"] == anchor["psr"] + min(anchor["psr"] * FENCE.budget_rel_ppm // 10**6, FENCE.budget_abs)
    assert reach(quiet.state().fences[0])[1] == now["psr"]
