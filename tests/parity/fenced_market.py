"""A house without accounts: one underlying, two expiries, and a publisher who tries things."""

from __future__ import annotations

from dataclasses import replace

from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.sending.fees import FeePolicy
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
from keeper.domain.snapshot import Rules
from keeper.policy.guard import allow
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.fences import publication_state
from keeper.protocols.clearinghouse.views import Views
from keeper.testing.embedded import EmbeddedChain

HOUR, DAY = 3_600, 86_400
#: One strike, whose sigma is the expiry's: the fences on rows and smile never bind.
STRIKES = (3_000 * 10**8,)
FENCE = FenceSpec(
    min=40_000, max=900_000, step_rel_ppm=200_000, step_abs=60_000, budget_rel_ppm=500_000, budget_abs=110_000
)


class Market:
    """The market.

    Args:
        strikes: of both expiries, 1e-8 USD.
        days: until they expire.
    """

    def __init__(self, strikes=STRIKES, days=(7, 60)):
        self.strikes = strikes
        self.chain = EmbeddedChain(accounts=5, block_interval_s=1)
        self.rpc = Rpc([Endpoint("embedded", self.chain.provider)], chain_id=self.chain.chain_id)
        fees = FeePolicy(max_fee_wei=10**13, max_priority_fee_wei=10**9)
        hand = Hand(self.rpc, LocalSigner(self.chain.node.accounts[0]), fees=fees, poll_interval_s=0.0)
        self.hand, self.feed = hand, hand.create("MockAggregator", 8, 3_000 * 10**8)
        now = self.chain.block().timestamp
        self.expiries = tuple(now + day * DAY for day in days)
        token = hand.create("MockERC20", "Dollar", "USDC", 6)
        market = UnderlyingSpec(
            asset="ETH",
            psr_ppm=150_000,
            vsr_up_ppm=400_000,
            psr_fence=replace(FENCE, max=325_000),
            vsr_up_fence=FENCE,
            vsr_down_fence=FENCE,
            slew_ppm_per_hour=200_000,
            vol_fences=VolFenceSpec(min_delay_s=60, phi_step_ppb=20_000_000, phi_budget_ppb=60_000_000),
            expiries=tuple(ExpirySpec(expiry=e, strikes=strikes, sigma_atm_ppm=600_000) for e in self.expiries),
        )
        spec = HouseSpec(
            feeds=(FeedSpec(asset="ETH", primary=self.feed, max_age_s=10 * DAY),),
            collaterals=(CollateralSpec(symbol="USDC", token=token, decimals=6, asset="USD"),),
            underlyings=(market,),
            publisher=self.chain.accounts[1],
            liquidator=self.chain.accounts[2],
            guardian=self.chain.accounts[3],
            breaker=None,
        )
        self.deployment = deploy_house(spec, hand, now_s=now)
        self.views = Views(BlockReads(self.rpc), self.deployment)
        self.at = self.deployment.addresses["RiskParameters"]
        self.abi = self.views.abis["RiskParameters"]

    def now(self):
        """Time of the newest block."""
        return self.chain.block().timestamp

    def state(self):
        """The fences at the newest block."""
        return publication_state(self.views, self.chain.block(), 0)

    def view(self, function, *args):
        """First output of a view of `RiskParameters` at the newest block."""
        data = self.abi.call(function, *args)
        return next(iter(self.abi.result(function, self.rpc.call_at(self.chain.block(), self.at, data)).values()))

    def rules(self):
        """What governance fixed, as far as the fences ask."""
        c = self.view("config", 0)
        return Rules(
            tail_ppm=c["tailPpm"],
            short_min_ppm=c["shortMinPpm"],
            kappa_ppm=c["kappaPpm"],
            flag_fee_ppm=c["flagFeePpm"],
            stale_add_on_ppm=c["staleAddOnPpm"],
            im_add_on_ppm=c["imAddOnPpm"],
            vol_floor_ppm=c["volFloorPpm"],
            max_age_s=c["maxAgeS"],
        )

    def allowed(self, target):
        """The legal publication nearest to a target, as the mirror sees it at the newest block."""
        return allow(target, self.state(), self.now(), self.rules())

    def in_force(self):
        """The publication that changes nothing."""
        state = self.state()
        named = {f.name: f.current for f in state.fences}
        return UnderlyingTarget(
            underlying=0,
            ranges=Ranges(psr_ppm=named["psr"], vsr_up_ppm=named["vsr_up"], vsr_down_ppm=named["vsr_down"]),
            expiries=tuple(
                an_expiry(e.expiry, sigma=e.sigma_ppm, phi=e.phi_ppb, strikes=len(self.strikes)) for e in state.expiries
            ),
            realised_vol=0.6,
            reasons=(),
        )

    def publication(self, target):
        """A target as the contract's argument."""
        flat = [
            (e.params.expiry, e.params.phi_ppb, e.params.df_ppb, e.params.sigma_atm_ppm, list(e.sigmas_ppm))
            for e in target.expiries
        ]
        r = target.ranges
        later, state = self.chain.block().timestamp + DAY, self.state()
        digest = bytes.fromhex(state.digest[2:])
        return (state.last_id + 1, later, b"\1" * 32, digest, r.psr_ppm, r.vsr_up_ppm, r.vsr_down_ppm, flat)

    def refusal(self, target):
        """Name of the error with which the contract refuses a publication at this block; empty if it takes it."""
        data = self.abi.call("checkPublication", 0, self.publication(target))
        answer = self.abi.result("checkPublication", self.rpc.call_at(self.chain.block(), self.at, data))
        return "" if answer["ok"] else explain_revert(answer["reason"], self.views.abis.values())

    def call(self, target):
        """Calldata of a publication."""
        return self.abi.call("publish", 0, self.publication(target))

    def publish(self, target, *, wait_s=60):
        """Publish, then let the notice window and the delay pass."""
        self.chain.receipt(self.chain.send(sender=self.chain.accounts[1], to=self.at, data=self.call(target)))
        self.wait(wait_s)

    def lands(self, target):
        """Publish as somebody with the publisher's key would, past the mirror.  Returns: whether it was taken."""
        tx_hash = self.chain.send(sender=self.chain.accounts[1], to=self.at, data=self.call(target), gas=8_000_000)
        return int(self.chain.request("eth_getTransactionReceipt", tx_hash)["status"], 16) == 1

    def do(self, function, *args, sender=0):
        """One transaction to `RiskParameters`; account 0 is its owner, 1 the publisher, 3 the guardian."""
        data = self.abi.call(function, *args)
        self.chain.receipt(self.chain.send(sender=self.chain.accounts[sender], to=self.at, data=data))

    def wait(self, seconds):
        """Let time pass."""
        self.chain.advance_to(self.chain.block().timestamp + seconds)
        self.chain.mine(2)


def an_expiry(expiry, *, sigma, phi, strikes=1):
    """A flat smile."""
    params = ExpiryParams(expiry=expiry, phi_ppb=phi, df_ppb=10**9, sigma_atm_ppm=sigma)
    return ExpiryTarget(params=params, sigmas_ppm=(sigma,) * strikes)


def changed(target, *, place=None, **fields):
    """A target with one number changed, of the expiry at `place` or of the ranges."""
    if place is None:
        return replace(target, ranges=replace(target.ranges, **fields))
    expiries = list(target.expiries)
    p = expiries[place].params
    expiries[place] = an_expiry(
        p.expiry, strikes=len(expiries[place].sigmas_ppm), **({"sigma": p.sigma_atm_ppm, "phi": p.phi_ppb} | fields)
    )
    return replace(target, expiries=tuple(expiries))
