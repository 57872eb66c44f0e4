"""On a chain: the mirror, the contract's preview and what a publication then does are the same (PRV-1)."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import FileState, Usable
from keeper.policy.judge import Update, judge
from keeper.protocols.abi import explain_revert
from tests.parity.fenced_market import DAY, HOUR, Market
from tests.parity.guard_fuzz import differences

pytestmark = pytest.mark.chain

#: Near enough to each other for the fence on call marks to bind.
STRIKES = tuple(k * 10**8 for k in (2_900, 3_000, 3_050, 3_200))
LIVE = 0
ROWS = b"rows".ljust(32, b"\0")


class Watched(Market):
    """The market, and what the keeper reads of it to judge a publication."""

    def spot(self):
        """The oracle's, wad USD; 0 where it has none."""
        asset = self.views.one(self.chain.block(), "RiskFile", "assetOf", 0)
        found = self.views.price(self.chain.block(), asset)
        return found.wad if isinstance(found, Usable) else 0

    def live(self):
        """The file in force, as far as a judgement needs it; None before the first."""
        h = self.views.one(self.chain.block(), "RiskFile", "header", 0, LIVE)
        if not h["epoch"]:
            return None
        ranges = Ranges(psr_ppm=h["psrPpm"], vsr_up_ppm=h["vsrUpPpm"], vsr_down_ppm=h["vsrDownPpm"])
        return FileState(
            epoch=h["epoch"], ref_spot=h["refSpot"], time=h["time"], ranges=ranges, expiries=(), strikes=()
        )

    def judged(self, target):
        """What the mirror says at the newest block."""
        state, now = self.state(), self.now()
        update = Update(id=state.last_id + 1, valid_until_s=now + DAY, expected_old=state.digest, target=target)
        return judge(update, state, self.rules(), now, self.live(), spot=self.spot())

    def previewed(self, target):
        """What the contract says at the newest block."""
        return self.view("preview", 0, self.publication(target))

    def sent(self, target):
        """Publish: the items refused, in their order, or None if all of it was."""
        tx = self.chain.send(sender=self.chain.accounts[1], to=self.at, data=self.call(target), gas=12_000_000)
        receipt = self.chain.request("eth_getTransactionReceipt", tx)
        if int(receipt["status"], 16) != 1:
            return None
        number = self.chain.block().number
        found = (self.abi.event(log.topics, log.data) for log in self.rpc.logs(number, number, [self.at]))
        return self.items(e.args for e in found if e is not None and e.name == "ItemRefused")

    def items(self, refused):
        """Expiry, what and error of each item; a block later m(dte), and so the limits in an error, are others."""
        return [
            (i["expiry"], i["what"], i["reason"] if i["what"] == ROWS else self.words(i["reason"])) for i in refused
        ]

    def push(self, answer):
        """The feed's next answer."""
        self.hand.send("MockAggregator", self.feed, "push", answer)

    def words(self, reason):
        """Name of an error."""
        return explain_revert(reason, self.views.abis.values()).partition("(")[0]


@pytest.fixture
def market():
    return Watched(strikes=STRIKES, days=(5, 40))


def drawn(market, rng):
    """A publication: smiles from flat to torn, numbers that stay or go too far, new strikes in or left out."""
    state = market.state()
    by_name = {f.name: f.current for f in state.fences}
    expiries = []
    for fence in state.expiries:
        sigma = int(fence.sigma_ppm * rng.choice([1, 1, 1, 1.1, 1.5]))
        wild = rng.choice([0, 0.001, 0.02])
        ratios = 1 + rng.uniform(-wild, wild, len(STRIKES))
        sigmas = [int(sigma * r) for r in ratios]
        if fence.smile[2].ratio_ppm == 0 and rng.random() < 0.7:
            sigmas[2] = 0
        params = ExpiryParams(expiry=fence.expiry, phi_ppb=fence.phi_ppb, df_ppb=fence.df_ppb, sigma_atm_ppm=sigma)
        expiries.append(ExpiryTarget(params=params, sigmas_ppm=tuple(sigmas)))
    ranges = Ranges(
        psr_ppm=int(by_name["psr"] * rng.choice([1, 1, 1.05, 1.5])),
        vsr_up_ppm=by_name["vsr_up"],
        vsr_down_ppm=int(by_name["vsr_down"] * rng.choice([1, 0.95])),
    )
    return UnderlyingTarget(underlying=0, ranges=ranges, expiries=tuple(expiries), realised_vol=0.6, reasons=())


def test_preview__walk_on_a_chain__mirror_contract_and_publication_agree(market):
    """PRV-1: from what the keeper reads, its mirror says item by item what the contract does at the same block."""
    rng, met, spot = np.random.default_rng(13), Counter(), 3_000
    for step in range(10):
        market.wait(int(rng.integers(60, 2 * HOUR)))
        spot *= rng.uniform(0.97, 1.03)
        broken = step in (3, 6)
        market.push(-1 if broken else round(spot * 10**8))
        target = drawn(market, rng)
        verdict, ours = market.previewed(target), market.judged(target)
        found = list(differences(SimpleNamespace(now=market.now()), ours, verdict)) if not broken else []
        assert found == [], "PRV-1 the mirror"
        assert ours.ok == verdict["ok"], "PRV-1 ok"
        reasons = market.sent(target)
        if broken:
            assert (reasons, market.words(verdict["reason"]), ours.refusal.error) == (None, "BadPrice", "BadSpot"), (
                "PRV-1"
            )
        else:
            assert reasons == market.items(i for i in verdict["items"] if i["reason"]), "PRV-1 the publication"
        met["broken" if broken else "ok" if verdict["ok"] else "in part"] += 1
        met.update("rows" if what == ROWS else error for _, what, error in reasons or ())
    assert min(met[kind] for kind in ("broken", "ok", "in part", "rows", "StepTooLarge")) > 1, met
