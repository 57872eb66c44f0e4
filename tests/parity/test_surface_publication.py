"""Surfaces with smile and carry go on-chain, and Python computes the same rows from them, to the wei (PAR-9)."""

from dataclasses import replace

import numpy as np
import pytest

from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import LocalSigner
from keeper.demo.venue import quote
from keeper.deploy import (
    CollateralSpec,
    ExpirySpec,
    FeedSpec,
    Hand,
    HouseSpec,
    UnderlyingSpec,
    VolFenceSpec,
    deploy_house,
)
from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import Listing, Observation
from keeper.policy.guard import allow
from keeper.policy.smile import MOVES_PPM, straighten
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.fences import publication_state
from keeper.protocols.clearinghouse.views import Views
from keeper.risk.calibration.implied import see
from keeper.risk.calibration.targets import target
from keeper.risk.exact.riskfile import strike_array
from keeper.testing.builders import an_underlying
from keeper.testing.embedded import EmbeddedChain

pytestmark = pytest.mark.chain

HOUR, DAY, WAD, PPB = 3_600, 86_400, 10**18, 10**9
SPOT_USD = 3_000
#: Near enough to each other for the fence on call marks to bind.
STRIKES = tuple(k * 10**8 for k in (2_400, 2_600, 2_800, 2_900, 3_000, 3_100, 3_200, 3_400, 3_800))
LIVES_S = (6 * HOUR, 7 * DAY, 60 * DAY)
LIVE = 0
KNOBS = RiskKnobs()
#: Of the market below, as far as the fences ask.
RULES = replace(an_underlying().rules, tail_ppm=UnderlyingSpec.tail_ppm, vol_floor_ppm=UnderlyingSpec.vol_floor_ppm)


class Market:
    """A house without accounts: one underlying, three expiries, nine strikes each, and a publisher."""

    def __init__(self):
        self.chain = EmbeddedChain(accounts=5, block_interval_s=1)
        self.rpc = Rpc([Endpoint("embedded", self.chain.provider)], chain_id=self.chain.chain_id)
        fees = FeePolicy(max_fee_wei=10**13, max_priority_fee_wei=10**9)
        hand = Hand(self.rpc, LocalSigner(self.chain.node.accounts[0]), fees=fees, poll_interval_s=0.0)
        self.hand, self.feed = hand, hand.create("MockAggregator", 8, SPOT_USD * 10**8)
        now = self.chain.block().timestamp
        self.listings = tuple(Listing(expiry=now + life, strikes=STRIKES) for life in LIVES_S)
        self.spec = UnderlyingSpec(
            asset="ETH",
            psr_ppm=150_000,
            # Forwards go from spot to where they are quoted in one publication.
            slew_ppm_per_hour=200_000,
            vol_fences=VolFenceSpec(min_delay_s=60, phi_step_ppb=20_000_000, phi_budget_ppb=60_000_000),
            expiries=tuple(
                ExpirySpec(expiry=one.expiry, strikes=STRIKES, sigma_atm_ppm=600_000) for one in self.listings
            ),
        )
        token = hand.create("MockERC20", "Dollar", "USDC", 6)
        house = HouseSpec(
            feeds=(FeedSpec(asset="ETH", primary=self.feed, max_age_s=10 * DAY),),
            collaterals=(CollateralSpec(symbol="USDC", token=token, decimals=6, asset="USD"),),
            underlyings=(self.spec,),
            publisher=self.chain.accounts[1],
            liquidator=self.chain.accounts[2],
            guardian=self.chain.accounts[3],
            breaker=None,
        )
        self.deployment = deploy_house(house, hand, now_s=now)
        self.views = Views(BlockReads(self.rpc), self.deployment)
        self.at = self.deployment.addresses["RiskParameters"]
        self.abi = self.views.abis["RiskParameters"]
        self.wait(60)

    @property
    def now(self):
        return self.chain.block().timestamp

    def state(self):
        return publication_state(self.views, self.chain.block(), 0)

    def wait(self, seconds):
        self.chain.advance_to(self.now + seconds)
        self.chain.mine(2)

    def move(self, spot_usd):
        self.hand.send("MockAggregator", self.feed, "push", round(spot_usd * 10**8))

    def publication(self, params):
        flat = [
            (e.params.expiry, e.params.phi_ppb, e.params.df_ppb, e.params.sigma_atm_ppm, list(e.sigmas_ppm))
            for e in params.expiries
        ]
        r = params.ranges
        state = self.state()
        digest = bytes.fromhex(state.digest[2:])
        return (state.last_id + 1, self.now + DAY, b"\1" * 32, digest, r.psr_ppm, r.vsr_up_ppm, r.vsr_down_ppm, flat)

    def refusal(self, params):
        """Name of the error with which the contract refuses a publication at this block; empty if it takes it."""
        data = self.abi.call("checkPublication", 0, self.publication(params))
        answer = self.abi.result("checkPublication", self.rpc.call_at(self.chain.block(), self.at, data))
        return "" if answer["ok"] else explain_revert(answer["reason"], self.views.abis.values())

    def publish(self, params):
        data = self.abi.call("publish", 0, self.publication(params))
        self.chain.receipt(self.chain.send(sender=self.chain.accounts[1], to=self.at, data=data))

    def legal(self, wanted, *, spot_usd=SPOT_USD):
        now = self.now
        allowed = allow(wanted, self.state(), now, RULES)
        return straighten(allowed, self.listings, spot=round(spot_usd * WAD), now=now, latest_s=now + 600)

    def rows(self):
        """The live file's rows as the contract holds them, and as the twin computes them.  Yields pairs."""
        block = self.chain.block()
        header = self.views.one(block, "RiskFile", "header", 0, LIVE)
        ranges = Ranges(**{f"{n}_ppm": header[t] for n, t in
                           (("psr", "psrPpm"), ("vsr_up", "vsrUpPpm"), ("vsr_down", "vsrDownPpm"))})  # fmt: skip
        for listing in self.listings:
            stored = self.views.one(block, "RiskFile", "expiryParams", 0, listing.expiry, LIVE)
            params = ExpiryParams(
                expiry=listing.expiry,
                phi_ppb=stored["phiPpb"],
                df_ppb=stored["dfPpb"],
                sigma_atm_ppm=stored["sigmaAtmPpm"],
            )
            for strike in STRIKES:
                theirs = self.views.at(block, "RiskFile", "strikeArray", 0, listing.expiry, strike, LIVE)
                ours = strike_array(
                    strike=strike,
                    sigma_ppm=theirs["sigmaPpm"],
                    expiry=params,
                    ranges=ranges,
                    vol_floor_ppm=self.spec.vol_floor_ppm,
                    ref_spot=header["refSpot"],
                    now=header["time"],
                )
                yield (params, theirs["sigmaPpm"], tuple(theirs["values"])), ours.values


@pytest.fixture(scope="module")
def market():
    return Market()


@pytest.fixture
def quiet(market):
    """The market as it was listed; whatever a test publishes is forgotten."""
    snapshot = market.chain.snapshot()
    yield market
    market.chain.revert(snapshot)


def quoted_target(market):
    """What the keeper would publish from the demo's venue: smile, term structure and carry."""
    history = tuple(
        Observation(time=market.now - 3_600 * (100 - i), price=round(3_000 * (1 - 0.0012 * i + 0.02 * (i % 2)) * WAD))
        for i in range(101)
    )
    spot = history[-1].price
    u = replace(an_underlying(spot=spot / WAD, history=history), listings=market.listings)
    view = see(quote(u, market.now, seed=3), spot=spot, now=market.now, knobs=KNOBS.implied)
    return target(u, market.now, KNOBS, view)


def test_publication__quoted_surface__lands_and_both_compute_the_same_rows(quiet):
    """PAR-9: a target with smile, term structure and carry lands step by step, and each row agrees to the unit."""
    wanted = quoted_target(quiet)
    assert len({e.params.phi_ppb for e in wanted.expiries}) == 3
    for step in range(2):
        params = quiet.legal(wanted)
        assert quiet.refusal(params) == "", f"PAR-9: step {step}"
        quiet.publish(params)
        got = list(quiet.rows())
        assert [theirs[2] for theirs, _ in got] == [ours for _, ours in got], "PAR-9"
        assert [theirs[1] for theirs, _ in got] == [s for e in params.expiries for s in e.sigmas_ppm], "PAR-9"
        quiet.wait(3_600)
    live = {e.params.expiry: e for e in params.expiries}
    for one in wanted.expiries:
        assert live[one.params.expiry].params.phi_ppb == one.params.phi_ppb, "the forward is reached"
        assert len(set(live[one.params.expiry].sigmas_ppm)) > 3, "and it is a smile"


def wild(chance, listings, sigma):
    """A surface that nobody would fit."""
    return UnderlyingTarget(
        underlying=0,
        ranges=Ranges(psr_ppm=150_000, vsr_up_ppm=450_000, vsr_down_ppm=300_000),
        expiries=tuple(
            ExpiryTarget(
                params=ExpiryParams(
                    expiry=one.expiry,
                    phi_ppb=int(chance.integers(992_000_000, 1_008_000_000)),
                    df_ppb=int(chance.integers(900_000_000, PPB)),
                    sigma_atm_ppm=sigma,
                ),
                sigmas_ppm=tuple(int(sigma * x) for x in chance.uniform(0.5, 2.2, len(one.strikes))),
            )
            for one in listings
        ),
        realised_vol=0.6,
        reasons=(),
    )


def test_straighten__wild_surfaces__the_contract_takes_them_and_no_steeper(quiet):
    """PAR-9: what `allow` and `straighten` leave of any surface is legal, also where spot moves before it is mined."""
    chance = np.random.default_rng(4)
    refused = 0
    for _ in range(4):
        wanted = wild(chance, quiet.listings, 600_000)
        allowed = allow(wanted, quiet.state(), quiet.now, RULES)
        refusal = quiet.refusal(allowed)
        assert refusal == "" or refusal.startswith("ButterflyArbitrage"), "nothing else is left to fence"
        refused += refusal != ""
        assert quiet.refusal(quiet.legal(wanted)) == "", "PAR-9"
    assert refused >= 2, "the surfaces were tame"


@pytest.mark.parametrize("move_ppm", [m for m in MOVES_PPM if m])
def test_straighten__spot_moved_before_it_is_mined__still_taken(quiet, move_ppm):
    """A publication decided at one spot is mined at another."""
    chance = np.random.default_rng(9)
    params = [quiet.legal(wild(chance, quiet.listings, 600_000)) for _ in range(2)]
    quiet.move(SPOT_USD * (1 + move_ppm / 10**6))
    quiet.wait(300)
    assert [quiet.refusal(one) for one in params] == [""] * 2, "PAR-9"
