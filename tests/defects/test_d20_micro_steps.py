"""Defect 20: micro-steps walked past the bound of a day, each of them legal by itself.  On both sides."""

from dataclasses import replace
from math import log

import pytest

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.policy import guard
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import term_factor
from keeper.testing.builders import EXPIRY, NOW, a_publication
from tests.defects.frame import defect
from tests.defects.solidity import Mutation
from tests.parity.fenced_market import FENCE, Market

#: A day of them.
STEPS, PAUSE_S = 72, 1_200
PPM, PPB = 10**6, 10**9


def limit(fence):
    """How far from its anchor a number may be."""
    return min(fence.anchor * fence.budget_rel_ppm // PPM, fence.budget_abs)


# --- the mirror -------------------------------------------------------------------------------------------------------


def budget_from_where_it_stands(patch):
    """Only the last published value is remembered: the day's budget is counted from there, anew at each step."""
    reach, sigma_reach, phi_reach = guard.reach, guard.sigma_reach, guard.phi_reach
    patch.setattr(guard, "reach", lambda f: reach(replace(f, anchor=f.current)))
    patch.setattr(guard, "sigma_reach", lambda f, *rest: sigma_reach(replace(f, sigma_anchor_ppm=f.sigma_ppm), *rest))
    patch.setattr(guard, "phi_reach", lambda f, *rest: phi_reach(replace(f, phi_anchor_ppb=f.phi_ppb), *rest))


def wild():
    """Far above every fence."""
    params = ExpiryParams(expiry=EXPIRY, phi_ppb=1_400_000_000, df_ppb=PPB, sigma_atm_ppm=4_000_000)
    return UnderlyingTarget(
        underlying=1,
        ranges=Ranges(psr_ppm=900_000, vsr_up_ppm=900_000, vsr_down_ppm=900_000),
        expiries=(ExpiryTarget(params=params, sigmas_ppm=(4_000_000,) * 5),),
        realised_vol=1.0,
        reasons=(),
    )


def published(state, made):
    """The fences after a publication of the same day: values move, anchors stay."""
    values = {"psr": made.ranges.psr_ppm, "vsr_up": made.ranges.vsr_up_ppm, "vsr_down": made.ranges.vsr_down_ppm}
    params = made.expiries[0].params
    return replace(
        state,
        fences=tuple(replace(f, current=values[f.name]) for f in state.fences),
        expiries=(replace(state.expiries[0], sigma_ppm=params.sigma_atm_ppm, phi_ppb=params.phi_ppb),),
    )


@defect(20, mutant=budget_from_where_it_stands)
def test_mirror__72_micro_steps__no_further_than_one_budget():
    """a target far away, pushed towards every twenty minutes of a day; each number stops at its budget."""
    state = a_publication()
    for step in range(STEPS):
        state = published(state, guard.allow(wild(), state, NOW + step * PAUSE_S))
    for fence in state.fences:
        assert fence.anchor < fence.current <= fence.anchor + limit(fence), fence.name
    (expiry,) = state.expiries
    budget = state.vol.atm_budget_ppm / PPM * term_factor(EXPIRY - NOW - STEPS * PAUSE_S) / q64.ONE
    assert 0 < log(expiry.sigma_ppm / expiry.sigma_anchor_ppm) <= budget, "sigma"
    assert 0 < expiry.phi_ppb - expiry.phi_anchor_ppb <= state.vol.phi_budget_ppb, "phi"


# --- the contract -----------------------------------------------------------------------------------------------------

#: "A day's budget is so much from the present value": what one publication may do is bounded, what 72 may do is not.
FROM_THE_PRESENT = Mutation(
    source="src/libraries/Fences.sol",
    into="src/libraries/Publishing.sol",
    edits=(
        (
            "n.anchors[k] = ring.anchor(block.timestamp + 3600 * k);",
            "n.anchors[k] = ring.value;",
        ),
    ),
)


class Thief:
    """Somebody with the publisher's key, who publishes past the mirror."""

    def __init__(self, market):
        self.market = market
        _, _, inputs, _, self.psr, *self.rest = market.publication(market.in_force())
        self.anchor, self.inputs = self.psr, inputs

    def tries(self, psr, *, number):
        """Publish this scan range and nothing else that is new.  What lands is where the next step begins."""
        chain = self.market.chain
        chain.advance_to(self.market.now() + PAUSE_S)
        digest = self.market.view("targetDigest", 0)
        data = self.market.abi.call("publish", 0, (number, 2**40, self.inputs, digest, psr, *self.rest))
        chain.receipt(chain.send(sender=chain.accounts[1], to=self.market.at, data=data, gas=3_000_000))
        # What the fences refuse keeps its value, and the rest of the publication lands.
        self.psr = self.market.view("inForce", 0, 0, b"psr".ljust(32, b"\0"))


@pytest.mark.chain
@pytest.mark.needs_node
@defect(20, mutant=FROM_THE_PRESENT.put_in)
def test_contract__72_micro_steps__no_further_than_one_budget():
    """A stolen publisher key raises the scan range by two per cent of its first value every twenty minutes of a day."""
    market = Market(days=(7,))
    thief = Thief(market)
    for step in range(STEPS):
        thief.tries(thief.psr + thief.anchor * 2 // 100, number=step + 2)
    (fence,) = (f for f in market.state().fences if f.name == "psr")
    assert fence.current == thief.psr
    assert thief.anchor < thief.psr <= thief.anchor + min(thief.anchor * FENCE.budget_rel_ppm // PPM, FENCE.budget_abs)
