"""A proposal through real OpenZeppelin contracts: ids, calldata, and a simulation that foretells what then happens."""

import subprocess
from dataclasses import replace

import pytest
from eth_utils import keccak

from keeper.deploy.handover import OWNED
from keeper.deploy.house import ROLES
from keeper.errors import BadInput
from keeper.governance.fork import Engine, forked
from keeper.governance.items import make_call
from keeper.governance.proposal import load_proposal
from keeper.governance.simulate import simulate
from keeper.governance.steps import ids_of, steps_of
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.testing.anvil import AnvilChain
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.http_node import HttpNode
from keeper.testing.small_house import DAY
from tests.governed import MIN_DELAY_S, Governed

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

STRANGER = "0x000000000000000000000000000000000000bEEF"
PSR = b"psr".ljust(32, b"\0")
BOUNDS = """
[underlying.ETH.fence.psr]
max = "40 %"
budget_abs = 150_000

[collateral.WETH]
haircut_ppm = "12 %"
cap_total = "5000 WETH"
"""
MANY = """
[underlying.ETH.config]
kappa_ppm = 850_000
max_age_s = "3 h"

[underlying.ETH.vol_fences]
atm_budget_ppm = "50 %"

[underlying.ETH.joint_fence]
step_ppm = "35 %"

[underlying.ETH.market]
price_band_ppm = "1.5 %"
max_open_interest_perp = "20000 contracts"

[oracle.ETH]
max_age_s = 7_200

[auction]
fast_s = "10 min"
dust_usd = "1000 USD"

[house.fee]
fee_ppm = 500

[house.interest]
rate_ppm_per_year = "9 %"

[house.min_equity]
min_equity_to_open = "250 USD"

[fund]
cap_per_auction = "200000 USD"

[timelock]
new_delay = "3 d"

[breaker.ETH]
hold_s = "4 min"

[[role]]
role = "PUBLISHER_ROLE"
grant = "0x00000000000000000000000000000000000000aa"

[[frozen]]
underlying = "ETH"
frozen = true
"""


def simulated(governed, proposal):
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        return simulate(proposal, fork)


def test_handover__by_a_real_vote__timelock_owns_everything(governed):
    """Each contract belongs to the timelock, by a proposal that real votes carried; the deployer holds nothing."""
    chain, me = governed.view(), governed.hand.address
    owners = {name: chain.one(name, "owner") for name in OWNED if name in governed.deployment.addresses}
    assert {owner.lower() for owner in owners.values()} == {governed.timelock.lower()}
    assert chain.one("RiskParameters", "hasRole", bytes(32), governed.timelock)
    assert not chain.one("RiskParameters", "hasRole", bytes(32), me)


def test_proposal__ids__are_the_contracts_own(governed):
    """GOV-1: proposal id and operation id equal what Governor and Timelock compute from the same calls."""
    proposal = governed.proposal(BOUNDS)
    targets, values = [c.target for c in proposal.calls], [c.value for c in proposal.calls]
    batch = (targets, values, [c.data for c in proposal.calls])
    chain = governed.view()
    words = bytes.fromhex(proposal.ids.description_hash[2:])
    assert str(chain.one("Governor", "hashProposal", *batch, words)) == proposal.ids.proposal
    tail = (bytes.fromhex(proposal.ids.predecessor[2:]), bytes.fromhex(proposal.ids.salt[2:]))
    operation = chain.one("TimelockController", "hashOperationBatch", *batch, *tail)
    assert "0x" + operation.hex() == proposal.ids.operation
    governed.propose(proposal)
    states = [chain.rpc.call_at(governed.view().block, one.call.target, one.call.data) for one in proposal.views]
    assert [int.from_bytes(state, "big") for state in states] == [1, 0], "active at the governor, unset at the timelock"


@pytest.mark.parametrize("changes", [BOUNDS, MANY], ids=["bounds", "every kind"])
def test_proposal__simulated_and_then_executed__same_end(governed, changes):
    """GOV-2: what the fork foretold, real votes and signatures bring about: no wanted number differs afterwards."""
    proposal = governed.proposal(changes)
    foretold = simulated(governed, proposal)
    assert foretold.holds, foretold
    governed.pass_through(proposal)
    with pytest.raises(BadInput, match="already"):
        governed.proposal(changes)
    assert governed.view().one("Governor", "state", int(proposal.ids.proposal)) == 7


def test_simulation__leaves_the_chain_alone(governed):
    """The chain that is forked never hears of it."""
    before = governed.chain.block()
    assert simulated(governed, governed.proposal(BOUNDS)).holds
    assert governed.chain.block() == before


def test_proposal__differences__old_from_the_chain_and_new_with_units(governed):
    """Every number that moves is told with its unit, from what is in force at a block; those that stay are left out."""
    proposal = governed.proposal(BOUNDS)
    told = {(d.of, d.name): (d.old_shown, d.new_shown) for d in proposal.differences}
    assert told == {
        ("fence of scan range of ETH", "max"): ("32.5 %", "40 %"),
        ("fence of scan range of ETH", "budget_abs"): ("12 %", "15 %"),
        ("collateral WETH", "haircut_ppm"): ("10 %", "12 %"),
        ("collateral WETH", "cap_total"): ("1,000,000,000,000 WETH", "5,000 WETH"),
    }
    assert proposal.block == governed.chain.block().number
    settled = governed.proposal(BOUNDS + "cap_per_account = 100000000000000000000000000000\n")
    assert any("cap_per_account" in line for line in settled.settled)


def test_proposal__file__round_trip(governed, tmp_path):
    """What is written is what the check reads."""
    proposal = governed.proposal(BOUNDS)
    proposal.save(tmp_path / "proposal.json")
    assert load_proposal(tmp_path / "proposal.json") == proposal


#: Calls beside those that the text wants: contract, function, arguments, what is told.
BESIDE = [
    ("RiskParameters", "grantRole", (ROLES["PUBLISHER_ROLE"], STRANGER), f"PUBLISHER_ROLE: {STRANGER}, not nobody"),
    ("RiskParameters", "grantRole", (bytes(32), STRANGER), "DEFAULT_ADMIN_ROLE"),
    ("RiskParameters", "grantRole", (b"\7" * 32, STRANGER), "0x0707"),
    ("RiskParameters", "grantRole", (ROLES["LISTER_ROLE"], ""), "LISTER_ROLE"),
    ("TimelockController", "grantRole", (keccak(text="PROPOSER_ROLE"), STRANGER), "TimelockController, PROPOSER_ROLE"),
    ("PriceOracle", "transferOwnership", (STRANGER,), f"PriceOracle, pendingOwner: {STRANGER}, not 0x"),
    ("InsuranceFund", "renounceOwnership", (), "InsuranceFund, owner"),
    ("ClearingHouse", "setGuardian", (STRANGER,), "ClearingHouse, guardian"),
    ("ClearingHouse", "setBreaker", (STRANGER,), "ClearingHouse, breaker"),
]


@pytest.mark.parametrize("beside", BESIDE, ids=[f"{b[0]}.{b[1]}" for b in BESIDE])
def test_simulation__more_changes_hands_than_the_text_wants__left_behind(governed, beside):
    """GOV-15: roles, owners, guardian and breaker are after execution what the text makes of them, and nothing else."""
    contract, function, args, says = beside
    chain, honest = governed.view(), governed.proposal(BOUNDS)
    args = tuple(governed.timelock if one == "" else one for one in args)
    calls = (*honest.calls, make_call(chain, contract, function, *args))
    ids = ids_of(honest.route, calls, honest.description, chain_id=honest.chain_id)
    steps = steps_of(chain, honest.route, calls, honest.description)
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        told = simulate(replace(honest, calls=calls, ids=ids, steps=steps), fork)
    assert not told.failure
    (wrong,) = [one for one in told.checks if not one.holds]
    assert says in wrong.said


def test_simulation__hands_that_the_text_wants__hold(governed):
    """GOV-15: what is wanted is not called left behind: roles given and taken, an owner offered, another guardian."""
    wanted = (
        f'[house.guardian]\nguardian = "{STRANGER}"\n'
        f'[[role]]\nrole = "EMERGENCY_ROLE"\ngrant = "{STRANGER}"\n'
        f'[[role]]\nrole = "GUARDIAN_ROLE"\nrevoke = "{governed.house.spec.guardian}"\n'
        f'[[call]]\ncontract = "PriceOracle"\nfunction = "transferOwnership"\nargs = ["{STRANGER}"]\n'
    )
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        told = simulate(governed.proposal(wanted), fork)
    assert told.holds, told


def test_new_instruments__lister_for_the_length_of_one_transaction(governed):
    """Expiry, strikes and collateral are new afterwards, and the executor that had to be lister is none any more."""
    chain = governed.view()
    expiry = governed.house.spec.underlyings[0].expiries[0].expiry
    token = governed.hand.create("MockERC20", "WBTC", "WBTC", 8)
    proposal = governed.proposal(f"""
[[new_collateral]]
symbol = "WBTC"
token = "{token}"
decimals = 8
asset = "ETH"
haircut_ppm = 150_000

[[new_expiry]]
underlying = "ETH"
expiry = {expiry + 7 * DAY}
strikes = [{2_900 * 10**8}, {3_100 * 10**8}]
sigma_atm_ppm = 650_000

[[new_strikes]]
underlying = "ETH"
expiry = {expiry}
strikes = ["3200 USD"]
""")
    assert any("revokeRole" in call.signature for call in proposal.calls)
    assert simulated(governed, proposal).holds
    governed.pass_through(proposal)
    after = governed.view()
    assert after.one("ClearingHouse", "collateralCount") == chain.one("ClearingHouse", "collateralCount") + 1
    assert list(after.one("RiskParameters", "listedStrikes", 0, expiry))[-1] == 3_200 * 10**8
    assert len(after.one("RiskParameters", "listedExpiries", 0)) == 2
    lister = after.one("RiskParameters", "LISTER_ROLE")
    assert not after.one("RiskParameters", "hasRole", lister, governed.timelock)


def test_keepers__list_and_quorums__set_whole(governed):
    """The keepers that speak as one are governance's too: a list, told ascending as the contract wants it."""
    keepers = sorted((governed.chain.accounts[i] for i in (1, 2, 3)), key=lambda a: int(a, 16))
    parameters = governed.deployment.addresses["RiskParameters"]
    at = governed.hand.create("KeeperQuorum", parameters, governed.timelock, keepers, 2, 2)
    governed.deployment.addresses["KeeperQuorum"] = at
    try:
        more = [governed.chain.accounts[4], *keepers]
        proposal = governed.proposal(f"[keepers]\nkeepers = {more}\ntighten_quorum = 3\n")
        assert simulated(governed, proposal).holds
        governed.pass_through(proposal)
        assert len(governed.view().one("KeeperQuorum", "keepers")) == 4
        assert governed.view().one("KeeperQuorum", "tightenQuorum") == 3
    finally:
        del governed.deployment.addresses["KeeperQuorum"]


def test_new_underlying__with_its_market_and_first_expiry(governed):
    """A market that was not there is there, with fences and an expiry, in one proposal with its feed."""
    feed = governed.hand.create("MockAggregator", 8, 60_000 * 10**8)
    expiry = governed.house.spec.underlyings[0].expiries[0].expiry
    proposal = governed.proposal(f"""
[[new_feed]]
asset = "BTC"
primary = "{feed}"
max_age_s = 604_800

[[new_underlying]]
asset = "BTC"
psr_ppm = 110_000

[[new_underlying.expiries]]
expiry = {expiry}
strikes = [{60_000 * 10**8}]
sigma_atm_ppm = 500_000
""")
    foretold = simulated(governed, proposal)
    assert foretold.holds, foretold
    governed.pass_through(proposal)
    assert governed.view().one("RiskParameters", "config", 1)["listed"]
    assert governed.view().one("ClearingHouse", "marketState", 1)["market"]["listed"]


def test_simulation__contract_refuses__says_where_and_in_its_words(governed):
    """A proposal that cannot be executed is told so with the contract's own reason: that is an answer, no error."""
    proposal = governed.proposal("[underlying.ETH.config]\nkappa_ppm = 995_000")
    told = simulated(governed, proposal)
    assert not told.holds
    assert "kappaPpm" in told.failure
    assert any(acted.what == "the delay is over" for acted in told.acted), "as far as it went"


@pytest.mark.needs_anvil
def test_simulation__on_anvil__as_in_this_process():
    """The same proposal on a fork of a node, by the engine that long votes need: same steps, same checks."""
    with AnvilChain(accounts=6) as chain:
        governed = Governed(chain=chain)
        proposal = governed.proposal(BOUNDS)
        ended = []
        for engine in (Engine.ANVIL, Engine.EMBEDDED):
            with forked(chain.url, governed.deployment, engine=engine) as fork:
                ended.append(simulate(proposal, fork))
        assert all(one.holds for one in ended), ended
        assert ended[0].checks == ended[1].checks
        assert [a.what for a in ended[0].acted] == [a.what for a in ended[1].acted]


@pytest.mark.needs_anvil
def test_fork__url_with_a_key__not_in_what_anvil_is_given(monkeypatch):
    """A provider's URL often holds a key; what a program is started with is seen by everybody on the machine."""
    given = []
    started = subprocess.Popen
    monkeypatch.setattr("keeper.testing.anvil.subprocess.Popen", lambda *a, **k: given.append(a) or started(*a, **k))
    chain = EmbeddedChain(accounts=1)
    nothing = Deployment(chain_id=1, block=0, addresses={}, symbols={}, collaterals={}, liquidator_account=None)
    with HttpNode(chain.node) as node, forked(f"{node.url}/v2/secret-key", nothing, engine=Engine.ANVIL) as fork:
        assert fork.view().block.number == chain.block().number
    assert given
    assert "secret-key" not in str(given)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ("[underlying.BTC.fence.psr]\nmax = 1", "no underlying BTC"),
        ("[underlying.ETH.fence.vsr]\nmax = 1", "no range vsr"),
        ("[underlying.ETH.fence.psr]\nmaximum = 1", "no key maximum"),
        ("[underlying.ETH.fences.psr]\nmax = 1", "no change that is known"),
        ('[underlying.ETH.fence.psr]\nmax = "40 percent"', "cannot be read"),
        ("[underlying.ETH.fence.psr]\nmax = -1", "beyond what the contract can hold"),
        ('[underlying.ETH.fence.psr]\nmax = "0.00001 %"', "no whole number"),
        ('[[role]]\nrole = "PUBLISHER"\ngrant = "0x00000000000000000000000000000000000000aa"', "has no role PUBLISHER"),
        ('[[call]]\ncontract = "ClearingHouse"\nfunction = "close"', "no function close"),
        ("[[new_collateral]]\nsymbol = 1", "symbol"),
        ("[collateral.WETH]\nhaircut_ppm = 100_000", "already"),
        ('[house.guardian]\nguardian = "0x12"', "not an address"),
    ],
)
def test_changes__wrong__named(governed, changes, says):
    """Whoever writes a proposal is told what is wrong with it, by key and by what there is."""
    with pytest.raises(BadInput, match=says):
        governed.proposal(changes)


def test_delay__of_the_route__not_below_the_timelocks(governed):
    """A proposal never asks for a shorter delay than the timelock has."""
    proposal = governed.proposal(BOUNDS, timelock=governed.timelock, delay_s=60)
    assert proposal.route.delay_s == MIN_DELAY_S
