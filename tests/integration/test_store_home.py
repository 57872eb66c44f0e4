"""One store, two live houses on one chain: the second keeper refuses, and the first goes on where it was (HOME-3)."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from keeper.chain.sending.dry import DrySender
from keeper.cli.root import app
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.errors import BadInput
from keeper.store import open_store
from keeper.testing.http_node import HttpNode
from keeper.testing.node import EmbeddedNode
from keeper.testing.small_house import SmallHouse
from keeper.wiring import assemble

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def houses():
    one = SmallHouse()
    return one, SmallHouse(chain=one.chain)


def a_keeper(house, store, deployment=None):
    return assemble(
        rpc=house.rpc,
        store=store,
        deployment=deployment or house.deployment,
        risk=RiskKnobs(),
        policy=PolicyKnobs(),
        sender=lambda decode, _recheck: DrySender(house.rpc, {}, decode_revert=decode),
        reorg_depth=4,
    )


@pytest.fixture
def asked(monkeypatch):
    """First blocks of the queries for logs."""
    first, request = [], EmbeddedNode.request

    def seen(self, method, params):
        if method == "eth_getLogs":
            first.append(params[0].get("fromBlock", "by hash"))
        return request(self, method, params)

    monkeypatch.setattr(EmbeddedNode, "request", seen)
    return first


def test_assemble__store_of_another_live_house__refused_and_nothing_is_lost(houses, tmp_path, asked):
    """HOME-3: going back costs no log that was read before."""
    one, other = houses
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    store = open_store(url)
    one.chain.mine(10)
    a_keeper(one, store).reader.read(one.chain.block())
    before = store.load_sync()
    assert before is not None
    with pytest.raises(BadInput) as refused:
        a_keeper(other, store)
    at, there = (house.deployment.addresses["ClearingHouse"] for house in houses)
    assert at in refused.value.message, "HOME-3: both are named"
    assert there in refused.value.message, "HOME-3"
    assert "[store] url" in refused.value.hint
    assert store.load_sync() == before, "HOME-3"
    store.close()

    asked.clear()
    store = open_store(url)
    one.chain.mine()
    a_keeper(one, store).reader.read(one.chain.block())
    assert asked, "the new block's logs"
    assert all(where == "by hash" or int(where, 16) > before[0].number for where in asked), "HOME-3"
    store.close()


def test_assemble__same_house_with_another_contract__goes_on(houses, tmp_path):
    """HOME-3: governance may replace any contract but the house."""
    one, other = houses
    store = open_store(f"sqlite:///{tmp_path}/keeper.sqlite")
    a_keeper(one, store).reader.read(one.chain.block())
    moved = one.deployment.addresses | {"PriceOracle": other.deployment.addresses["PriceOracle"]}
    a_keeper(one, store, replace(one.deployment, addresses=moved))
    store.close()


@pytest.mark.parametrize(
    "command", [("once",), ("recalibrate",), ("impact",), ("check",), ("override", "list")], ids=lambda c: c[0]
)
def test_commands__store_of_another_house__exit_2_and_both_are_named(houses, tmp_path, command):
    """HOME-3: whoever would read or write what the store has of the house, and the check beforehand."""
    one, other = houses
    folder, url = tmp_path, f"sqlite:///{tmp_path}/keeper.sqlite"
    store = open_store(url)
    a_keeper(one, store)
    store.close()
    other.deployment.save(folder / "other.json")
    with HttpNode(other.chain.node) as node:
        lines = [
            "[chain]", f'rpc_urls = ["{node.url}"]', f"chain_id = {other.chain.chain_id}",
            "[protocol]", f'deployment_file = "{folder}/other.json"', "[store]", f'url = "{url}"',
        ]  # fmt: skip
        config = folder / "keeper.toml"
        config.write_text("\n".join(lines) + "\n")
        result = CliRunner().invoke(app, [*command, "-c", str(config), "--json"])
    assert result.exit_code == 2, result.stdout
    said = json.dumps(json.loads(result.stdout))
    for house in houses:
        assert f"the house at {house.deployment.addresses['ClearingHouse']}" in said, "HOME-3"
