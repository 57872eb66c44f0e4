"""Defect 19: each field in range, their combination out of it.  Refused on both sides.

Three combinations: volatilities of two expiries (calendar), of neighbouring strikes (butterfly), and a forward with the
time that is left to it (carry).  Each number below passes its own bounds, its step and its day's budget.
"""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Listing, Usable
from keeper.policy import guard, publish
from keeper.policy.reach import sigma_reach
from keeper.testing.builders import a_snapshot, an_underlying
from tests.defects.frame import defect
from tests.defects.solidity import Mutation
from tests.parity.fenced_market import Market, changed

pytestmark = pytest.mark.chain

STRIKES = (2_950 * 10**8, 3_000 * 10**8, 3_050 * 10**8)
NEAR, FAR = 0, 1
SPOT = 3_000 * 10**18


@pytest.fixture(scope="module")
def quiet():
    """A market in which a publication may come."""
    return a_market()


def a_market():
    market = Market(strikes=STRIKES, days=(2, 3))
    market.wait(3_600)
    return market


def calendar(market):
    """The near volatility up and the far one stays: together, total variance falls from one expiry to the next."""
    return changed(market.in_force(), place=NEAR, sigma=800_000)


def butterfly(market):
    """Each strike within the smile's band and step, and the middle call dearer than its neighbours together allow."""
    target = market.in_force()
    atm = target.expiries[NEAR].params.sigma_atm_ppm
    bent = replace(target.expiries[NEAR], sigmas_ppm=(atm * 86 // 100, atm * 114 // 100, atm * 86 // 100))
    return replace(target, expiries=(bent, target.expiries[FAR]))


def carry(market):
    """A forward two per cent above spot, two days before expiry: an interest of several hundred per cent a year."""
    return changed(market.in_force(), place=NEAR, phi=1_020_000_000)


COMBINATIONS = {"CalendarArbitrage": calendar, "ButterflyArbitrage": butterfly, "OutOfRange": carry}


def each_in_range(market, target):
    """Whether every field by itself passes every fence that is about it alone."""
    state, now = market.state(), market.now()
    vol = state.vol
    for fence, one in zip(state.expiries, target.expiries, strict=True):
        p, m = one.params, one.params.sigma_atm_ppm
        low, high = sigma_reach(fence, vol, p.expiry - now)
        assert low <= p.sigma_atm_ppm <= high
        assert all(m * vol.smile_min_ppm <= s * 10**6 <= m * vol.smile_max_ppm for s in one.sigmas_ppm)
        ratios = [s * 10**6 // m for s in one.sigmas_ppm]
        assert all(abs(r - f.ratio_ppm) <= vol.smile_step_ppm for r, f in zip(ratios, fence.smile, strict=True))
        assert vol.phi_min_ppb <= p.phi_ppb <= vol.phi_max_ppb
        assert abs(p.phi_ppb - fence.phi_ppb) <= min(vol.phi_step_ppb, vol.phi_budget_ppb)
    return True


# --- the mirror -------------------------------------------------------------------------------------------------------


def keeper_publishes(market, target):
    """What the keeper would send if this were its target."""
    underlying = replace(
        an_underlying(spot=Usable(wad=SPOT)),
        underlying=0,
        listings=tuple(Listing(expiry=expiry, strikes=STRIKES) for expiry in market.expiries),
        publication=market.state(),
        live=None,
    )
    snapshot = a_snapshot(underlying=underlying, timestamp=market.now())
    model = SimpleNamespace(
        of=lambda _: SimpleNamespace(target=target, why_untargeted="", quotes=None, fitted=None), risk=RiskKnobs()
    )
    (push,) = publish.publications(snapshot, model, PolicyKnobs())
    return push.params


def each_by_itself(patch):
    """Every expiry's level is clamped into its own fence; what two of them say of each other is nobody's field."""
    patch.setattr(guard, "_calendar_ceilings", lambda reaches: [high for _, high in reaches])
    patch.setattr(guard, "isqrt", lambda _variance: 0)


def bands_are_enough(patch):
    """Every strike's volatility is in its band, so the smile is legal."""
    patch.setattr(publish, "straighten", lambda params, _listings, **_named: params)


def levels_are_enough(patch):
    """A forward has a level, a step and a budget; how much time is left to earn it is not asked."""

    def within(fence, state, _now):
        vol = state.vol
        low = max(vol.phi_min_ppb, fence.phi_ppb - vol.phi_step_ppb, fence.phi_anchor_ppb - vol.phi_budget_ppb)
        high = min(vol.phi_max_ppb, fence.phi_ppb + vol.phi_step_ppb, fence.phi_anchor_ppb + vol.phi_budget_ppb)
        return low, high

    patch.setattr(guard, "phi_reach", within)


def never_sent(market, name):
    target = COMBINATIONS[name](market)
    assert each_in_range(market, target)
    assert market.refusal(target).startswith(name), "else this test tests nothing"
    pushed = keeper_publishes(market, target)
    assert market.refusal(pushed) == "", "PAR-4"
    assert pushed != market.in_force(), "it goes as far as it may"


@defect(19, mutant=each_by_itself)
def test_mirror__two_expiries_out_of_order__never_sent(quiet):
    """PAR-4: what is pushed instead of a falling total variance is in order, and the contract takes it."""
    never_sent(quiet, "CalendarArbitrage")


@defect(19, mutant=bands_are_enough)
def test_mirror__three_strikes_out_of_order__never_sent(quiet):
    """PAR-4: what is pushed instead of a smile with a butterfly is flatter, and the contract takes it."""
    never_sent(quiet, "ButterflyArbitrage")


@defect(19, mutant=levels_are_enough)
def test_mirror__forward_without_the_time_for_it__never_sent(quiet):
    """PAR-4: what is pushed instead of an absurd carry is nearer to spot, and the contract takes it."""
    never_sent(quiet, "OutOfRange")


# --- the contract -----------------------------------------------------------------------------------------------------

#: Every number has its fence, and no fence looks at two of them.
EXPIRY_BY_EXPIRY = Mutation(
    source="src/libraries/CalendarFence.sol",
    into="src/libraries/Publishing.sol",
    edits=(("if ((fresh[i] != 0 ? fresh[i] : old[i]) <= b) continue;", "if (b != 0) continue;"),),
)
LEVEL_BY_LEVEL = Mutation(
    source="src/libraries/ExpiryFence.sol",
    into="src/libraries/Publishing.sol",
    edits=(
        (
            "v.reason = FenceLimits.level(v.what, e.phiPpb, old[1], carry > 1e9 ? 0 : 1e9 - carry, 1e9 + carry);",
            'v.reason = "";',
        ),
    ),
)
#: The rows of a strike are computed from its own volatility, and nobody compares them with its neighbours'.
STRIKE_BY_STRIKE = Mutation(
    source="src/RiskFile.sol",
    edits=(
        (
            "RowFence.follow(chain, expiry, list_[i], _compute(slate, list_[i], sigmaPpm[i]));",
            "_compute(slate, list_[i], sigmaPpm[i]);",
        ),
    ),
)


def in_force(state):
    """Every published number, without what the fences remember of its past."""
    levels = [(e.sigma_ppm, e.phi_ppb, e.df_ppb, *(s.ratio_ppm for s in e.smile)) for e in state.expiries]
    return [f.current for f in state.fences], levels


def never_lands(name):
    market = a_market()
    before, target = in_force(market.state()), COMBINATIONS[name](market)
    assert each_in_range(market, target)
    market.lands(target)  # what is legal of it may
    market.chain.mine(2)
    assert in_force(market.state()) == before, name


@pytest.mark.needs_node
@defect(19, mutant=EXPIRY_BY_EXPIRY.put_in)
def test_contract__two_expiries_out_of_order__reverts():
    """Whoever has the publisher's key sends it past the mirror: nothing moves."""
    never_lands("CalendarArbitrage")


@pytest.mark.needs_node
@defect(19, mutant=LEVEL_BY_LEVEL.put_in)
def test_contract__forward_without_the_time_for_it__reverts():
    """The same of a forward that nobody could earn in the time that is left."""
    never_lands("OutOfRange")


@pytest.mark.needs_node
@defect(19, mutant=STRIKE_BY_STRIKE.put_in)
def test_contract__three_strikes_out_of_order__reverts():
    """The same of three strikes that a butterfly would be paid for holding."""
    never_lands("ButterflyArbitrage")
