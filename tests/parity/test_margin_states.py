"""Margins are the contract's to the wei while ranges ramp, IM is widened, and an emergency rises and fades (PAR-10)."""

from dataclasses import replace

import pytest

from keeper.abis import load
from keeper.cycle import think
from keeper.demo.opening import RISK, policy
from keeper.demo.parity import check_parity
from keeper.deploy.house import ROLES
from keeper.domain.cycle import CycleInputs
from keeper.domain.margin import AccountMargin
from keeper.protocols.abi import Abi
from keeper.pytest_plugin.house import opened
from keeper.risk import one_by_one
from keeper.risk.explain import AccountExplanation, explain
from keeper.risk.model import model
from keeper.risk.one_by_one import Under
from tests.onlooker import onlooker
from tests.slews import slow_down

pytestmark = [pytest.mark.chain, pytest.mark.timeout(600)]

ETH, OWNER, PUBLISHER, ANYBODY = 0, 0, 1, 4
HOUR, PPM = 3_600, 10**6


class Lived:
    """A traded market and a keeper that reads it."""

    def __init__(self):
        self.world = opened()
        self.chain, self.at = self.world.chain, self.world.deployment.addresses
        self.abis = {name: Abi(name, load(name).abi) for name in ("RiskParameters", "RiskFile")}
        self.policy = policy(self.world.path.block_s)
        self.keeper = onlooker(self.world.rpc, self.world.deployment, risk=RISK, policy=self.policy)
        self.chain.set_automine(on=False)
        slow_down(self.world, ETH)

    def act(self, contract, function, *args, sender):
        """One transaction in a block of its own; it must succeed."""
        data = self.abis[contract].call(function, *args)
        tx_hash = self.chain.send(sender=self.chain.accounts[sender], to=self.at[contract], data=data)
        self.chain.mine()
        self.chain.receipt(tx_hash)

    def wait(self, seconds):
        """Let time pass at constant prices; the feeds speak."""
        push = Abi("MockAggregator", load("MockAggregator").abi)
        for feed in self.world.feeds.values():
            answer = self.keeper.views.at(self.chain.block(), "AggregatorV3Interface", "latestRoundData", address=feed)
            data = push.call("push", answer["answer"])
            self.chain.send(sender=self.chain.accounts[3], to=feed, data=data, gas=300_000)
        self.chain.advance_to(self.chain.block().timestamp + seconds)
        self.chain.mine()

    def publish(self, factor):
        """The file in force once more, with a scan range changed by a factor."""
        snapshot = self.keeper.reader.read(self.chain.block())
        u = snapshot.underlyings[ETH]
        sigmas = {expiry: [vol.sigma_ppm for vol in vols] for expiry, vols in u.live.strikes}
        r = u.publication.slew.target
        p = (
            u.publication.last_id + 1,
            snapshot.block.timestamp + HOUR,
            b"\1" * 32,
            bytes.fromhex(u.publication.digest[2:]),
            int(r.psr_ppm * factor),
            r.vsr_up_ppm,
            r.vsr_down_ppm,
            [(e.expiry, e.phi_ppb, e.df_ppb, e.sigma_atm_ppm, sigmas[e.expiry]) for e in u.live.expiries],
        )
        self.act("RiskParameters", "publish", ETH, p, sender=PUBLISHER)

    def compare(self):
        """Every account at the newest block: contract, report, slow twin, explained lines.  Returns: the snapshot."""
        block = self.chain.block()
        snapshot = self.keeper.reader.read(block)
        report = think(
            CycleInputs(snapshot=snapshot, quotes=(), in_flight=(), called=(), risk=RISK, policy=self.policy)
        ).report
        found = check_parity(self.world, self.keeper.views, report, block=block, index=0)
        assert found.accounts > 10, "the market is traded"
        assert found.max_wei == 0, f"PAR-10: {found.worst_account}"
        market = model(snapshot, RISK)
        accounts = list(snapshot.accounts)
        slow = one_by_one.margins(accounts, snapshot, market, Under.LIVE, buffer_ppm=self.policy.margin_call_buffer_ppm)
        assert {m.account: m.im for m in slow} == {m.account: m.im for m in report.accounts}
        for account, margin in zip(accounts, slow, strict=True):
            assert isinstance(margin, AccountMargin)
            told = explain(account, margin, snapshot, market)
            assert isinstance(told, AccountExplanation)
            assert sum(line.amount for line in told.im) == margin.im
        return snapshot.underlyings[ETH]


@pytest.fixture(scope="module")
def lived():
    return Lived()


def test_margins__ramping_widened_and_in_an_emergency__python_and_contract_agree(lived):
    """PAR-10: to the wei in every state that tightens without an event, and IM >= MM in all of them."""
    lived.wait(HOUR)
    rest = lived.compare()
    assert rest.live.im_uplift_pct == 0
    lived.publish(1.19)
    tight = lived.compare()
    assert tight.live.im_uplift_pct > 10, "the surcharge binds"
    assert rest.live.ranges.psr_ppm < tight.live.ranges.psr_ppm < tight.publication.slew.target.psr_ppm
    lived.wait(2 * HOUR)
    lived.act("RiskFile", "refresh", ETH, sender=ANYBODY)
    ramping = lived.compare()
    assert ramping.live.im_uplift_pct < tight.live.im_uplift_pct
    now = lived.chain.block().timestamp
    lived.act("RiskParameters", "setStateAddOn", ETH, 120_000, now + HOUR, sender=PUBLISHER)
    owner = lived.chain.accounts[OWNER]
    for role in ("EMERGENCY_ROLE", "BREAKER_ROLE"):
        lived.act("RiskParameters", "grantRole", ROLES[role], owner, sender=OWNER)
    lived.act("RiskParameters", "widen", ETH, lived.chain.block().timestamp + 600, sender=OWNER)
    wide = lived.compare()
    assert wide.rules.im_add_on_ppm == rest.rules.im_add_on_ppm + 120_000 + 250_000
    assert replace(wide.rules, im_add_on_ppm=0) == replace(rest.rules, im_add_on_ppm=0), "IM alone"
    lived.act("RiskParameters", "tighten", ETH, 400_000, sender=OWNER)
    kappas = []
    for seconds in (1_000, 1_000, 2_000, 10 * HOUR, 14 * HOUR):
        lived.wait(seconds)
        state = lived.compare()
        assert PPM + state.rules.im_add_on_ppm >= state.rules.kappa_ppm + state.rules.flag_fee_ppm, "MAR-6"
        kappas.append(state.rules.kappa_ppm)
    assert kappas[0] < kappas[1] < kappas[2] > kappas[3] > kappas[4] == rest.rules.kappa_ppm, "up and gone again"
