"""`keeper bidders` as an operator uses it: the real program, the real contracts behind HTTP (DEL-11)."""

import json

import pytest

from keeper.testing.http_node import HttpNode
from keeper.testing.small_house import SmallHouse
from tests.sites import ask, key_file, settings_in

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]

OWNER, OTHER, STRANGER = 2, 4, 5


@pytest.fixture(scope="module")
def house():
    return SmallHouse()


@pytest.fixture
def site(house, tmp_path):
    """Asks the program about a house; the keys of these accounts are configured."""
    snapshot = house.chain.snapshot()
    node = HttpNode(house.chain.node).start()

    def asked(*args, keys=(OWNER, OTHER)):
        sections = [f'[store]\nurl = "sqlite:///{tmp_path}/keeper.sqlite"']
        for place, index in enumerate(keys):
            name = "keys.liquidator" if place == 0 else f"keys.more_liquidators.k{index}"
            file = key_file(tmp_path / f"key{index}", house.chain.key(index))
            sections.append(f'[{name}]\nsecret_file = "{file}"')
        return ask("bidders", *args, "-c", settings_in(tmp_path, node.url, house.deployment, *sections))

    yield asked
    node.close()
    house.chain.revert(snapshot)


def rights(found):
    return [one["right"] for one in json.loads(found.stdout)["keys"]]


def test_approve__dry_then_sent_then_revoked__show_follows(house, site):
    """Dry by default and the exact call is shown; sent by the owner's key; what is so already is left alone."""
    other = house.chain.accounts[OTHER]
    shown = site("show", "--json")
    assert (shown.exit_code, rights(shown)) == (2, ["owner", "none"])
    dry = site("approve", "--json")
    assert dry.exit_code == 0, dry.output
    (change,) = json.loads(dry.stdout)["changes"]
    abi = house.hand.abi("LiquidationAuction")
    data = abi.call("approveBidder", house.deployment.liquidator_account, other, True)
    assert change["data"] == f"0x{data.hex()}"
    assert change["to"] == house.deployment.addresses["LiquidationAuction"]
    assert change["by"] == house.chain.accounts[OWNER]
    assert change["state"] is None
    assert rights(site("show", "--json")) == ["owner", "none"], "dry"
    assert "--send sends it" in site("approve").stdout
    sent = site("approve", "--send")
    assert sent.exit_code == 0, sent.output
    house.chain.mine()
    shown = site("show", "--json")
    assert (shown.exit_code, rights(shown)) == (0, ["owner", "approved"])
    assert "nothing to change" in site("approve").stdout
    assert site("revoke", other, "--send").exit_code == 0
    house.chain.mine()
    assert rights(site("show", "--json")) == ["owner", "none"]


def test_approve__owner_not_configured__the_call_is_for_its_holder(house, site):
    """A cold owner: nothing is sent, the call is shown, exit 2; a key that has an approval gives it up by itself."""
    keys = (OTHER, STRANGER)
    shown = site("approve", "--send", "--json", keys=keys)
    assert shown.exit_code == 2
    changes = json.loads(shown.stdout)["changes"]
    assert [one["by"] for one in changes] == [house.chain.accounts[OWNER]] * 2
    assert all(one["hash"] is None and "have its holder send the call" in one["reason"] for one in changes)
    account, other = house.deployment.liquidator_account, house.chain.accounts[OTHER]
    house.do("LiquidationAuction", "approveBidder", account, other, True, sender=OWNER)
    assert rights(site("show", "--json", keys=keys)) == ["approved", "none"]
    assert site("revoke", other, "--send", keys=keys).exit_code == 0
    house.chain.mine()
    assert rights(site("show", "--json", keys=keys)) == ["none", "none"]


def test_show__approved_outsider__listed_until_it_is_revoked(house, site):
    """DEL-12: an approval of a key that nobody configured is read from the chain; one taken back is not."""
    account, auction = house.deployment.liquidator_account, "LiquidationAuction"
    stranger, gone = house.chain.accounts[STRANGER], house.chain.accounts[3]
    house.do(auction, "approveBidder", account, house.chain.accounts[OTHER], True, sender=OWNER)
    assert site("show").exit_code == 0
    house.do(auction, "approveBidder", account, gone, True, sender=OWNER)
    house.do(auction, "approveBidder", account, gone, False, sender=OWNER)
    assert site("approve", stranger, "--send").exit_code == 0
    house.chain.mine()
    shown = site("show", "--json")
    assert shown.exit_code == 2
    keys = json.loads(shown.stdout)["keys"]
    assert [(one["address"], one["right"], one["configured"]) for one in keys] == [
        (house.chain.accounts[OWNER], "owner", True),
        (house.chain.accounts[OTHER], "approved", True),
        (stranger, "approved", False),
    ]
    read = " ".join(site("show").stdout.split())
    assert f"{stranger} approved, and no key that is configured here" in read
    assert gone not in read
    assert site("revoke", stranger, "--send").exit_code == 0
    house.chain.mine()
    assert site("show").exit_code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("approve", "0x12"), "no address"),
        (("approve", "0x" + "0" * 40, "--send"), "nobody's address"),
        (("approve", "0x70997970C51812dc3A010C7d01b50e0d17dc79c8", "--send"), "fails its checksum"),
        (("revoke",), "name the key"),
        (("revoke", "OWNER"), "owns"),
    ],
)
def test_bidders__unusable_input__exit_2_with_a_sentence(house, site, args, said):
    found = site(*(house.chain.accounts[OWNER] if one == "OWNER" else one for one in args))
    assert found.exit_code == 2
    assert said in found.output
    assert "Traceback" not in found.output
