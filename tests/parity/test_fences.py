"""What the mirror calls legal passes the contract's fences, and a unit more does not (PAR-4)."""

from dataclasses import replace

import pytest

from keeper.chain.fees import FeePolicy
from keeper.chain.reads import BlockReads
from keeper.chain.rpc import Endpoint, Rpc
from keeper.chain.signers import LocalSigner
from keeper.deploy import (
    CollateralSpec,
    ExpirySpec,
    FeedSpec,
    FenceSpec,
    Hand,
    HouseSpec,
    UnderlyingSpec,
    VolFenceSpec,
    deploy_house,
)
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.policy.guard import CARRY_BASE_PPB, YEAR, allow, phi_reach, reach, sigma_reach
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.fences import publication_state
from keeper.protocols.clearinghouse.views import Views
from keeper.testing.embedded import EmbeddedChain

pytestmark = pytest.mark.chain

HOUR, DAY = 3_600, 86_400
#: One strike, whose sigma is the expiry's: the fences on rows and smile never bind.
STRIKES = (3_000 * 10**8,)
FENCE = FenceSpec(
    min=40_000, max=900_000, step_rel_ppm=200_000, step_abs=60_000, budget_rel_ppm=500_000, budget_abs=110_000
)


class Market:
    """A house without accounts: one underlying, two expiries, and a publisher who tries things."""

    def __init__(self):
        self.chain = EmbeddedChain(accounts=5, block_interval_s=1)
        self.rpc = Rpc([Endpoint("embedded", self.chain.provider)], chain_id=self.chain.chain_id)
        fees = FeePolicy(max_fee_wei=10**13, max_priority_fee_wei=10**9)
        hand = Hand(self.rpc, LocalSigner(self.chain.node.accounts[0]), fees=fees, poll_interval_s=0.0)
        self.feed = hand.create("MockAggregator", 8, 3_000 * 10**8)
        now = self.chain.block().timestamp
        self.expiries = (now + 7 * DAY, now + 60 * DAY)
        token = hand.create("MockERC20", "Dollar", "USDC", 6)
        market = UnderlyingSpec(
            asset="ETH",
            psr_ppm=150_000,
            vsr_up_ppm=400_000,
            psr_fence=replace(FENCE, max=325_000),
            vsr_up_fence=FENCE,
            vsr_down_fence=FENCE,
            vol_fences=VolFenceSpec(min_delay_s=60),
            expiries=tuple(ExpirySpec(expiry=e, strikes=STRIKES, sigma_atm_ppm=600_000) for e in self.expiries),
        )
        spec = HouseSpec(
            feeds=(FeedSpec(asset="ETH", primary=self.feed, max_age_s=10 * DAY),),
            collaterals=(CollateralSpec(symbol="USDC", token=token, decimals=6, asset="USD"),),
            underlyings=(market,),
            publisher=self.chain.accounts[1],
            liquidator=self.chain.accounts[2],
            guardian=self.chain.accounts[3],
        )
        self.deployment = deploy_house(spec, hand, now_s=now)
        self.views = Views(BlockReads(self.rpc), self.deployment)
        self.at = self.deployment.addresses["RiskParameters"]
        self.abi = self.views.abis["RiskParameters"]

    def state(self):
        return publication_state(self.views, self.chain.block(), 0)

    def in_force(self):
        """The publication that changes nothing."""
        state = self.state()
        named = {f.name: f.current for f in state.fences}
        return UnderlyingTarget(
            underlying=0,
            ranges=Ranges(psr_ppm=named["psr"], vsr_up_ppm=named["vsr_up"], vsr_down_ppm=named["vsr_down"]),
            expiries=tuple(an_expiry(e.expiry, sigma=e.sigma_ppm, phi=e.phi_ppb) for e in state.expiries),
            realised_vol=0.6,
            reasons=(),
        )

    def publication(self, target):
        flat = [
            (e.params.expiry, e.params.phi_ppb, e.params.df_ppb, e.params.sigma_atm_ppm, list(e.sigmas_ppm))
            for e in target.expiries
        ]
        r = target.ranges
        later = self.chain.block().timestamp + DAY
        return (self.state().last_id + 1, later, b"\1" * 32, r.psr_ppm, r.vsr_up_ppm, r.vsr_down_ppm, flat)

    def refusal(self, target):
        """Name of the error with which the contract refuses a publication at this block; empty if it takes it."""
        data = self.abi.call("checkPublication", 0, self.publication(target))
        answer = self.abi.result("checkPublication", self.rpc.call_at(self.chain.block(), self.at, data))
        return "" if answer["ok"] else explain_revert(answer["reason"], self.views.abis.values())

    def publish(self, target, *, wait_s=60):
        """Publish, then let the notice window and the delay pass."""
        data = self.abi.call("publish", 0, self.publication(target))
        self.chain.receipt(self.chain.send(sender=self.chain.accounts[1], to=self.at, data=data))
        self.wait(wait_s)

    def wait(self, seconds):
        self.chain.advance_to(self.chain.block().timestamp + seconds)
        self.chain.mine(2)


def an_expiry(expiry, *, sigma, phi):
    params = ExpiryParams(expiry=expiry, phi_ppb=phi, df_ppb=10**9, sigma_atm_ppm=sigma)
    return ExpiryTarget(params=params, sigmas_ppm=(sigma,) * len(STRIKES))


def changed(target, *, place=None, **fields):
    """A target with one number changed, of the expiry at `place` or of the ranges."""
    if place is None:
        return replace(target, ranges=replace(target.ranges, **fields))
    expiries = list(target.expiries)
    p = expiries[place].params
    expiries[place] = an_expiry(p.expiry, **({"sigma": p.sigma_atm_ppm, "phi": p.phi_ppb} | fields))
    return replace(target, expiries=tuple(expiries))


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
    market.publish(allow(wild(1)(market.in_force()), market.state(), market.chain.block().timestamp))


def budget_spent(market):
    """Steps upwards until nothing moves any more."""
    for _ in range(4):
        one_step_up(market)


def turned_round(market):
    """Up, up, and down again an hour later."""
    budget_spent(market)
    market.wait(HOUR)
    market.publish(allow(wild(-1)(market.in_force()), market.state(), market.chain.block().timestamp))


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
    here = allow(quiet.in_force(), state, now)
    assert quiet.refusal(here) == "", "PAR-4: staying is legal"
    assert here.ranges == quiet.in_force().ranges
    for fence in state.fences:
        low, high = reach(fence)
        assert low <= fence.current <= high
        for value in {low, high}:
            assert quiet.refusal(changed(here, **{f"{fence.name}_ppm": value})) == "", f"PAR-4: {fence.name}"
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
        low, high = phi_reach(fence, state.vol, seconds)
        for value in {low, high}:
            assert quiet.refusal(changed(here, place=place, phi=value)) == "", "PAR-4: phi"
        # Carry shrinks with every second, so the mirror stays inside it; the other bounds are exact.
        by_carry = state.vol.carry_max_ppm * 1_000 * seconds // YEAR + CARRY_BASE_PPB - 1_000
        for value, bound in ((low - 1, 10**9 - by_carry), (high + 1, 10**9 + by_carry)):
            beyond = value if abs(value - bound) != 1 else value + 1_001 * (value - bound)
            refusal = quiet.refusal(changed(here, place=place, phi=beyond))
            assert refusal.startswith(("OutOfRange", "StepTooLarge", "BudgetExceeded")), "PAR-4: phi"


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("prepare", STATES, ids=lambda prepare: prepare.__name__)
def test_allow__wild_targets__the_contract_takes_what_is_left(quiet, prepare, sign):
    """All numbers at once, moved as far as the mirror lets them, are one legal publication."""
    prepare(quiet)
    target = wild(sign)(quiet.in_force())
    legal = allow(target, quiet.state(), quiet.chain.block().timestamp)
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
