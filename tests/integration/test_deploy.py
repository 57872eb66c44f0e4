"""Deployment as a use case: roles end where they belong, the file says where everything is, bad specs are refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.signers import LocalSigner
from keeper.demo.world import FEES
from keeper.deploy import (
    CollateralSpec,
    ExpirySpec,
    FeedSpec,
    Hand,
    HouseSpec,
    UnderlyingSpec,
    asset_id,
    deploy_house,
)
from keeper.deploy.house import ROLES
from keeper.domain import codec
from keeper.errors import BadInput
from keeper.protocols.clearinghouse.deployment import BREAKER, CONTRACTS, load_deployment
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.http_node import HttpNode

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

DAY = 86_400
SCRIPT = Path(__file__).parents[2] / "scripts" / "deploy.py"


@pytest.fixture(scope="module")
def a_hand():
    chain = EmbeddedChain(accounts=5, block_interval_s=1)
    rpc = Rpc([Endpoint(name="embedded", provider=chain.provider)], chain_id=chain.chain_id)
    hand = Hand(rpc, LocalSigner(chain.node.accounts[0]), fees=FEES, poll_interval_s=0.0)
    hand.chain = chain
    return hand


@pytest.fixture(scope="module")
def a_spec(a_hand):
    """The smallest house: one underlying, one expiry, one coin."""
    chain = a_hand.chain
    feed = a_hand.create("MockAggregator", 8, 3_000 * 10**8)
    usdc, weth = a_hand.create("MockERC20", "USDC", "USDC", 6), a_hand.create("MockERC20", "WETH", "WETH", 18)
    a_hand.send("MockERC20", usdc, "mint", a_hand.address, 10**12)
    expiry = ExpirySpec(
        expiry=chain.block().timestamp + 7 * DAY, strikes=(2_800 * 10**8, 3_000 * 10**8), sigma_atm_ppm=700_000
    )
    return HouseSpec(
        feeds=(FeedSpec(asset="ETH", primary=feed),),
        collaterals=(
            CollateralSpec(symbol="USDC", token=usdc, decimals=6, asset="USD"),
            CollateralSpec(symbol="WETH", token=weth, decimals=18, asset="ETH", haircut_ppm=100_000),
        ),
        underlyings=(UnderlyingSpec(asset="ETH", psr_ppm=120_000, expiries=(expiry,)),),
        publisher=chain.accounts[1],
        liquidator=chain.accounts[2],
        guardian=chain.accounts[3],
        fund_seed=10**11,
    )


@pytest.fixture(scope="module")
def a_deployment(a_hand, a_spec):
    steps = []
    now = a_hand.chain.block().timestamp
    deployment = deploy_house(a_spec, a_hand, now_s=now, progress=lambda *step: steps.append(step))
    assert steps[0][1] == 0
    assert steps[-1][1] == steps[-1][2]
    return deployment


def test_deploy__roles__only_the_publisher_publishes(a_hand, a_spec, a_deployment):
    """The deployer listed and published once, and kept neither role; the liquidator never had one."""
    at = a_deployment.addresses["RiskParameters"]

    def has(role, who):
        return a_hand.view("RiskParameters", at, "hasRole", ROLES[role], who)

    assert has("PUBLISHER_ROLE", a_spec.publisher)
    for role in ("PUBLISHER_ROLE", "LISTER_ROLE"):
        assert not has(role, a_hand.address)
        assert not has(role, a_spec.liquidator)


def test_deploy__first_publication__is_live_and_the_fund_has_its_seed(a_hand, a_spec, a_deployment):
    """The file answers at the published scan range, and the seed counts as the fund's."""
    at = a_deployment.addresses
    header = a_hand.view("RiskFile", at["RiskFile"], "header", 0, 0)
    assert header["psrPpm"] == 120_000
    assert header["refSpot"] == 3_000 * 10**18
    assert a_hand.view("InsuranceFund", at["InsuranceFund"], "balance") == 10**11 * 10**12


def test_deployment_file__round_trip(a_deployment, tmp_path):
    """What is written is what every command reads."""
    a_deployment.save(tmp_path / "deployment.json")
    assert load_deployment(tmp_path / "deployment.json") == a_deployment
    assert set(a_deployment.addresses) == {*CONTRACTS, BREAKER}
    assert a_deployment.liquidator_account is not None


def test_deploy__breaker__guards_every_asset_with_a_feed(a_hand, a_spec, a_deployment):
    """The house asks the breaker, whose settings are the spec's; a house without one asks nobody."""
    at = a_deployment.addresses
    assert a_hand.view("ClearingHouse", at["ClearingHouse"], "breaker") == at[BREAKER].lower()
    config = a_hand.view(BREAKER, at[BREAKER], "config", asset_id("ETH"))
    assert (config["windowS"], config["holdS"]) == (a_spec.breaker.window_s, a_spec.breaker.hold_s)
    assert config["hasUnderlying"]
    assert config["disagreePpm"] == 0  # one feed cannot disagree
    now = a_hand.chain.block().timestamp
    bare = deploy_house(replace(a_spec, breaker=None, fund_seed=0), a_hand, now_s=now)
    assert BREAKER not in bare.addresses
    assert int(a_hand.view("ClearingHouse", bare.addresses["ClearingHouse"], "breaker"), 16) == 0


def test_deploy__feeds_may_differ_by_less_than_the_breaker_says__refused(a_hand, a_spec):
    """A disagreement that has no price anyway would never open the breaker: a spec that asks for it is a mistake."""
    second = a_hand.create("MockAggregator", 8, 3_000 * 10**8)
    feed = replace(a_spec.feeds[0], secondary=second, max_deviation_ppm=a_spec.breaker.disagree_ppm)
    with pytest.raises(BadInput, match="disagreement"):
        deploy_house(replace(a_spec, feeds=(feed,)), a_hand)


def test_spec__json__round_trip(a_spec):
    """A spec is a file that people edit: it reads back to itself, and a typo is named."""
    assert codec.loads(HouseSpec, codec.dumps(a_spec)) == a_spec
    with pytest.raises(BadInput, match="feed"):
        codec.loads(HouseSpec, codec.dumps(a_spec).replace(b'"feeds"', b'"feed"'))


def test_deploy__one_key_for_two_roles__refused(a_hand, a_spec):
    """Whoever publishes must not liquidate."""
    for change, says in (({"publisher": a_spec.liquidator}, "is liquidator too"),
                         ({"liquidator": a_hand.address}, "three keys")):  # fmt: skip
        with pytest.raises(BadInput, match=says):
            deploy_house(replace(a_spec, **change), a_hand)


def test_deploy__no_contract_at_the_feed__refused_before_anything_is_sent(a_hand, a_spec):
    """A wrong address is found before gas is spent."""
    height = a_hand.height()
    nobody = FeedSpec(asset="ETH", primary="0x" + "42" * 19 + "43")
    with pytest.raises(BadInput, match="feed of ETH: no contract"):
        deploy_house(replace(a_spec, feeds=(nobody,)), a_hand)
    assert a_hand.height() == height


def test_deploy_script__stdout_is_a_pipe__one_line_a_step(a_hand, a_spec, tmp_path):
    """A log of a deployment is lines, each with how far it was; the file is there at the end."""
    (tmp_path / "spec.json").write_bytes(codec.dumps(a_spec))
    (tmp_path / "key").write_text(a_hand.chain.key(0).hex())
    (tmp_path / "key").chmod(0o600)
    with HttpNode(a_hand.chain.node) as node:
        asked = [
            "--rpc",
            node.url,
            "--chain-id",
            str(a_hand.chain.chain_id),
            "--spec",
            "spec.json",
            "--key-file",
            "key",
        ]
        done = subprocess.run([sys.executable, SCRIPT, *asked], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"\r" not in done.stdout
    *steps, end = done.stdout.decode().splitlines()
    assert steps == [f"deploying contracts {step}/{len(steps) - 1}" for step in range(len(steps))]
    assert end.endswith("deployment.json")
    assert load_deployment(tmp_path / "deployment.json").addresses
