"""Every kind of change through every way: told with its units, carried out as told, judged by what was recorded."""

import datetime as dt
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.domain.vols import VolHistory
from keeper.governance.evidence import evidence_of
from keeper.governance.fork import Engine, forked
from keeper.governance.kinds import APART, KINDS
from keeper.governance.route import Way
from keeper.governance.simulate import simulate
from keeper.testing.small_house import DAY
from tests.governed import Governed
from tests.safes import RealSafe

pytestmark = [pytest.mark.chain, pytest.mark.needs_node, pytest.mark.timeout(300)]

SOMEBODY = "0x00000000000000000000000000000000000000AA"
SOURCES = Path(__file__).parents[2] / "contracts" / "src"


@dataclass(frozen=True)
class Row:
    """One kind as a person writes it, and what must be told of it.  Names in braces are the house's own."""

    kind: str
    """Its table, as in `Kind.path` or `APART`."""
    toml: str
    told: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Old and new, by what and key."""


ROWS = (
    Row("oracle.<asset>", '[oracle.ETH]\nmax_age_s = "2 h"\nmax_price = "20000 USD"', {
        ("price feed of ETH", "max_age_s"): ("1 d", "2 h"),
        ("price feed of ETH", "max_price"): ("10,000,000,000 USD", "20,000 USD")}),
    Row("sequencer", '[sequencer]\nfeed = "{sequencer}"\ngrace_s = "1 h"', {
        ("sequencer uptime feed", "feed"): ("none", "{sequencer}"),
        ("sequencer uptime feed", "grace_s"): ("0 s", "1 h")}),
    Row("underlying.<underlying>.config", '[underlying.ETH.config]\nkappa_ppm = "85 %"\nslew_ppm_per_hour = "4 %"\n'
        'vol_floor_ppm = "30 %"\nnotice_blocks = 5\nmax_age_s = "3 h"', {
        ("margin rules of ETH", "kappa_ppm"): ("80 %", "85 %"),
        ("margin rules of ETH", "slew_ppm_per_hour"): ("2.5 %", "4 %"),
        ("margin rules of ETH", "vol_floor_ppm"): ("25 %", "30 %"),
        ("margin rules of ETH", "notice_blocks"): ("1 blocks", "5 blocks"),
        ("margin rules of ETH", "max_age_s"): ("2 h", "3 h")}),
    Row("underlying.<underlying>.fence.<range>", '[underlying.ETH.fence.psr]\nmax = "40 %"\nmin = "3 %"\n'
        'step_rel_ppm = "25 %"\nstep_abs = "4 %"\nbudget_rel_ppm = "250 %"\nbudget_abs = "15 %"\n'
        '[underlying.ETH.fence.vsr_up]\nmax = "160 %"\nbudget_abs = "60 %"', {
        ("fence of scan range of ETH", "max"): ("32.5 %", "40 %"),
        ("fence of scan range of ETH", "min"): ("2 %", "3 %"),
        ("fence of scan range of ETH", "step_rel_ppm"): ("20 %", "25 %"),
        ("fence of scan range of ETH", "step_abs"): ("3 %", "4 %"),
        ("fence of scan range of ETH", "budget_rel_ppm"): ("200 %", "250 %"),
        ("fence of scan range of ETH", "budget_abs"): ("12 %", "15 %"),
        ("fence of volatility range up of ETH", "max"): ("150 %", "160 %"),
        ("fence of volatility range up of ETH", "budget_abs"): ("50 %", "60 %")}),
    Row("underlying.<underlying>.vol_fences", '[underlying.ETH.vol_fences]\nsigma_max_ppm = "400 %"\n'
        'sigma_min_ppm = "15 %"\natm_step_ppm = "25 %"\natm_budget_ppm = "50 %"\nsmile_max_ppm = "190 %"\n'
        'phi_max_ppb = "140 %"\ndf_min_ppb = "60 %"\nmin_delay_s = "20 min"', {
        ("volatility fences of ETH", "sigma_max_ppm"): ("500 %", "400 %"),
        ("volatility fences of ETH", "sigma_min_ppm"): ("10 %", "15 %"),
        ("volatility fences of ETH", "atm_step_ppm"): ("20 %", "25 %"),
        ("volatility fences of ETH", "atm_budget_ppm"): ("45 %", "50 %"),
        ("volatility fences of ETH", "smile_max_ppm"): ("200 %", "190 %"),
        ("volatility fences of ETH", "phi_max_ppb"): ("1.5", "1.4"),
        ("volatility fences of ETH", "df_min_ppb"): ("0.5", "0.6"),
        ("volatility fences of ETH", "min_delay_s"): ("10 min", "20 min")}),
    Row("underlying.<underlying>.joint_fence", '[underlying.ETH.joint_fence]\nstep_ppm = "35 %"\nbudget_ppm = "90 %"', {
        ("joint fence of ETH", "step_ppm"): ("22 %", "35 %"),
        ("joint fence of ETH", "budget_ppm"): ("100 %", "90 %")}),
    Row("underlying.<underlying>.market", '[underlying.ETH.market]\nprice_band_ppm = "1.5 %"\n'
        'max_open_interest_perp = "20000 contracts"\nmax_position_per_account = "500 contracts"', {
        ("market of ETH", "price_band_ppm"): ("1 %", "1.5 %"),
        ("market of ETH", "max_open_interest_perp"): ("10,000,000 contracts", "20,000 contracts"),
        ("market of ETH", "max_position_per_account"): ("1,000,000 contracts", "500 contracts")}),
    Row("breaker.<asset>", '[breaker.ETH]\nk_ppm = "60 %"\nhold_s = "4 min"', {
        ("circuit breaker of ETH", "k_ppm"): ("50 %", "60 %"),
        ("circuit breaker of ETH", "hold_s"): ("5 min", "4 min")}),
    Row("collateral.<collateral>", '[collateral.WETH]\nhaircut_ppm = "12 %"\ncap_total = "5000 WETH"\n'
        'cap_per_account = "50.5 WETH"', {
        ("collateral WETH", "haircut_ppm"): ("10 %", "12 %"),
        ("collateral WETH", "cap_total"): ("1,000,000,000,000 WETH", "5,000 WETH"),
        ("collateral WETH", "cap_per_account"): ("100,000,000,000 WETH", "50.5 WETH")}),
    Row("auction", '[auction]\nfast_s = "10 min"\ndust_usd = "1000 USD"', {
        ("liquidation auction", "fast_s"): ("15 min", "10 min"),
        ("liquidation auction", "dust_usd"): ("500 USD", "1,000 USD")}),
    Row("house.fee", "[house.fee]\nfee_ppm = 500", {("trading fee", "fee_ppm"): ("0 %", "0.05 %")}),
    Row("house.interest", '[house.interest]\nrate_ppm_per_year = "9 %"', {
        ("interest on negative cash", "rate_ppm_per_year"): ("8 %", "9 %")}),
    Row("house.min_equity", '[house.min_equity]\nmin_equity_to_open = "250 USD"', {
        ("least equity to open", "min_equity_to_open"): ("100 USD", "250 USD")}),
    Row("house.guardian", f'[house.guardian]\nguardian = "{SOMEBODY}"', {
        ("guardian of the house", "guardian"): ("{guardian}", SOMEBODY)}),
    Row("house.breaker", '[house.breaker]\nbreaker = "{breaker}"', {
        ("circuit breaker of the house", "breaker"): ("{CircuitBreaker}", "{breaker}")}),
    Row("fund", '[fund]\ncap_per_auction = "200000 USD"', {
        ("insurance fund", "cap_per_auction"): ("100,000 USD", "200,000 USD")}),
    Row("keepers", "[keepers]\nkeepers = [{four}]\npublish_quorum = 3\ntighten_quorum = 4", {
        ("quorum of keepers", "publish_quorum"): ("2", "3"),
        ("quorum of keepers", "tighten_quorum"): ("2", "4"),
        ("quorum of keepers", "keepers"): ("{three_ascending}", "{four_ascending}")}),
    Row("timelock", '[timelock]\nnew_delay = "3 d"', {("timelock", "new_delay"): ("2 d", "3 d")}),
    Row("new_feed", '[[new_feed]]\nasset = "BTC"\nprimary = "{feed}"\nmax_age_s = 604_800', {
        ("price feed of BTC", "primary"): ("none", "{feed}"),
        ("price feed of BTC", "max_age_s"): ("none", "7 d")}),
    Row("new_collateral", '[[new_collateral]]\nsymbol = "WBTC"\ntoken = "{token}"\ndecimals = 8\nasset = "ETH"\n'
        "haircut_ppm = 150_000", {
        ("new collateral WBTC", "token"): ("none", "{token}"),
        ("new collateral WBTC", "haircut_ppm"): ("none", "15 %"),
        ("new collateral WBTC", "id"): ("none", "2")}),
    Row("new_underlying", '[[new_underlying]]\nasset = "BTC"\npsr_ppm = 110_000\n'
        "[[new_underlying.expiries]]\nexpiry = {expiry}\nstrikes = [6000000000000]\nsigma_atm_ppm = 500_000", {
        ("new underlying BTC", "listed"): ("false", "true"),
        ("new underlying BTC", "psr_ppm"): ("none", "11 %"),
        ("new expiry {expiry_day} of BTC", "strikes"): ("none", "60,000 USD"),
        ("new expiry {expiry_day} of BTC", "sigma_atm_ppm"): ("none", "50 %")}),
    Row("new_expiry", '[[new_expiry]]\nunderlying = "ETH"\nexpiry = {later}\nstrikes = ["2900 USD", "3100 USD"]\n'
        "sigma_atm_ppm = 650_000", {
        ("new expiry {later_day} of ETH", "strikes"): ("none", "2,900 USD, 3,100 USD"),
        ("new expiry {later_day} of ETH", "sigma_atm_ppm"): ("none", "65 %")}),
    Row("new_strikes", '[[new_strikes]]\nunderlying = "ETH"\nexpiry = {expiry}\nstrikes = ["3200 USD"]', {
        ("strikes of ETH {expiry_day}", "strikes"): ("2,800 USD, 3,000 USD", "2,800 USD, 3,000 USD, 3,200 USD")}),
    Row("frozen", '[[frozen]]\nunderlying = "ETH"\nfrozen = true', {
        ("parameters of ETH", "frozen"): ("false", "true")}),
    Row("role", f'[[role]]\nrole = "EMERGENCY_ROLE"\ngrant = "{SOMEBODY}"\n'
        '[[role]]\nrole = "PUBLISHER_ROLE"\nrevoke = "{publisher}"', {
        ("EMERGENCY_ROLE of RiskParameters", f"held by {SOMEBODY}"): ("false", "true"),
        ("PUBLISHER_ROLE of RiskParameters", "held by {publisher}"): ("true", "false")}),
    Row("call", '[[call]]\ncontract = "InsuranceFund"\nfunction = "transferOwnership"\nargs = ["{governor}"]', {
        ("InsuranceFund.transferOwnership(newOwner = {governor_raw})", "called"): ("not compared", "once")}),
)  # fmt: skip

#: Functions that only governance calls and that set nothing that could be compared: they go by [[call]].
BY_CALL = {"wire", "settleExpiryByHand", "withdraw"}
#: Those of `keeper.governance.apart` and `listing`.
LISTED = {"freeze", "thaw", "addCollateral", "listUnderlying", "listExpiry", "listStrikes"}


def utc(seconds):
    """As proposals write a moment that is no whole minute."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class Ways:
    """A governed house with everything in it, and one proposal of every kind, simulated through each way."""

    def __init__(self):
        self.governed = g = Governed()
        g.safe = RealSafe(g.chain, (1, 2, 3), threshold=2)
        g.pass_through(g.proposal(
            f'[[role]]\ncontract = "TimelockController"\nrole = "PROPOSER_ROLE"\ngrant = "{g.safe.address}"\n'
        ))  # fmt: skip
        accounts = sorted((g.chain.accounts[i] for i in (1, 2, 3, 4)), key=lambda a: int(a, 16))
        three = [a for a in accounts if a != g.chain.accounts[4]]
        parameters = g.deployment.addresses["RiskParameters"]
        g.deployment.addresses["KeeperQuorum"] = g.hand.create("KeeperQuorum", parameters, g.timelock, three, 2, 2)
        expiry = g.house.spec.underlyings[0].expiries[0].expiry
        house = g.deployment.addresses
        self.names = house | {
            "guardian": g.chain.accounts[3], "publisher": g.chain.accounts[1],
            "governor": g.governor, "governor_raw": g.governor.lower(),
            "four": ", ".join(f'"{one}"' for one in accounts), "four_ascending": ", ".join(accounts),
            "three_ascending": ", ".join(three), "expiry": str(expiry), "later": str(expiry + 7 * DAY),
            "expiry_day": utc(expiry), "later_day": utc(expiry + 7 * DAY),
            "feed": g.hand.create("MockAggregator", 8, 60_000 * 10**8),
            "sequencer": g.hand.create("MockAggregator", 0, 0),
            "token": g.hand.create("MockERC20", "WBTC", "WBTC", 8),
            "breaker": g.hand.create("CircuitBreaker", house["ClearingHouse"], g.timelock),
        }  # fmt: skip
        routes = {Way.GOVERNOR: {}, Way.TIMELOCK: {"timelock": g.timelock}}
        routes[Way.SAFE] = {"safe": g.safe.address, "timelock": g.timelock, "multi_send": g.safe.multi_send}
        text = "\n".join(self.filled(row.toml) for row in ROWS)
        self.proposals = {way: g.proposal(text, **given) for way, given in routes.items()}
        self.simulated = {way: self._simulated(one) for way, one in self.proposals.items()}

    def filled(self, text):
        """The house's own names in the place of braces."""
        return re.sub(r"{(\w+)}", lambda m: self.names[m[1]], text)

    def _simulated(self, proposal):
        g = self.governed
        with forked(g.chain.provider, g.deployment, engine=Engine.EMBEDDED) as fork:
            return simulate(proposal, fork)


@pytest.fixture(scope="module")
def ways():
    return Ways()


def test_table__every_kind__has_a_row():
    """GOV-10: no kind is left out below."""
    assert {row.kind for row in ROWS} == {".".join(kind.path) for kind in KINDS} | set(APART)


def test_contracts__every_function_of_governance__can_be_proposed():
    """GOV-10: what the contracts let their owner alone do is a kind with a diff of its own, or known to go by call."""
    ours = {kind.setter for kind in KINDS} | LISTED | BY_CALL
    found = set()
    for path in (*SOURCES.glob("*.sol"), *SOURCES.glob("house/*.sol")):
        heads = re.findall(r"function (\w+)\(([^{;]*)\{", path.read_text())
        only = re.compile(r"\bonlyOwner\b|onlyRole\((?:DEFAULT_ADMIN|LISTER)_ROLE\)")
        found |= {name for name, head in heads if only.search(head)}
    assert "setFence" in found
    assert found - ours == set()


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_kind__through_each_way__told_with_units_and_there_afterwards(ways, row, way):
    """GOV-10: old and new as a person reads them, and after the whole way the fork has the new one."""
    proposal, simulation = ways.proposals[way], ways.simulated[way]
    assert simulation.holds, simulation.failure
    told = {(d.of, d.name): (d.old_shown, d.new_shown) for d in proposal.differences}
    checked = {check.what: check.holds for check in simulation.checks}
    for what, values in row.told.items():
        of, key = map(ways.filled, what)
        assert told[of, key] == tuple(map(ways.filled, values))
        assert key == "called" or checked[f"{of}: {key}"]


def judged(ways, prices, vols):
    differences = ways.proposals[Way.GOVERNOR].differences
    return evidence_of(differences, prices, RiskKnobs(), ways.governed.view(), rounds=prices, vol_histories=vols)


@pytest.fixture(scope="module")
def evidence(ways):
    return judged(ways, recorded(), volatilities())


def test_evidence__every_number_that_moves__counted_or_told_why_not(ways, evidence):
    """GOV-11: each is in exactly one of counted over a record, limit in use, and no record for a reason."""
    differences = ways.proposals[Way.GOVERNOR].differences
    for found in (judged(ways, {}, {}), evidence):
        told = [(one.of, one.name) for one in (*found.held, *found.used, *found.missing)]
        assert sorted(told) == sorted((d.of, d.name) for d in differences)
        assert all(one.why for one in found.missing)
        assert bool(found.held) == (found is evidence)


def recorded():
    """Two years of daily prices with a crash: enough to estimate the scan range anew each day."""
    moves = np.random.default_rng(5).normal(0.0, 0.03, 800)
    moves[600] = -0.45
    times = 1_600_000_000 + 86_400 * np.arange(800, dtype=np.int64)
    close = 3_000.0 * np.exp(np.cumsum(moves))
    return dict.fromkeys(("ETH", "WETH", "WBTC", "BTC"), PriceHistory(name="ETH", time_s=times, close=close))


def volatilities():
    moves = np.random.default_rng(6).normal(0.0, 0.1, 400)
    vol = 0.6 * np.exp(np.cumsum(moves) - np.arange(400) * 0.002)
    times = 1_600_000_000 + 86_400 * np.arange(400, dtype=np.int64)
    return {
        "ETH": VolHistory(name="ETH", time_s=times, expiry_s=np.zeros(400, dtype=np.int64), vol=np.clip(vol, 0.1, 6))
    }


def test_evidence__kinds_that_prices_judge__counts_by_hand(evidence):
    """GOV-11: counts are those of a plain loop over the record, and a looser bound is never beaten more often."""
    prices, vols, found = recorded(), volatilities(), evidence
    held = {(one.of, one.name): one for one in found.held}
    close = prices["ETH"].close.tolist()
    moves = [b / a - 1.0 for a, b in pairwise(close)]
    psr = held["fence of scan range of ETH", "max"]
    assert (psr.old_breaches, psr.new_breaches) == tuple(sum(abs(m) > x for m in moves) for x in (0.325, 0.40))
    assert psr.windows == len(moves)
    cut = held["collateral WETH", "haircut_ppm"]
    assert (cut.old_breaches, cut.new_breaches) == tuple(sum(m < -x for m in moves) for x in (0.10, 0.12))
    assert cut.p_new is not None
    assert cut.p_old < 0.05, "a tenth is far too little at one day in a hundred"
    kappa = held["margin rules of ETH", "kappa_ppm"]
    assert kappa.old_breaches == sum(abs(m) > 0.81 * 0.12 for m in moves)
    sigma = held["volatility fences of ETH", "sigma_min_ppm"]
    assert sigma.new_breaches == sum(v < 0.15 for v in vols["ETH"].vol.tolist())
    level = held["volatility fences of ETH", "atm_step_ppm"]
    steps = np.abs(np.diff(np.log(vols["ETH"].vol))).tolist()
    assert (level.old_breaches, level.new_breaches) == tuple(sum(s > x for s in steps) for x in (0.20, 0.25))
    budget = held["fence of scan range of ETH", "budget_abs"]
    assert budget.asked.startswith("days on which the scan range")
    assert budget.new_breaches <= budget.old_breaches
    assert held["price feed of ETH", "max_age_s"].new_breaches == len(moves), "a day apart, two hours allowed"
    assert found.used[0].in_use
