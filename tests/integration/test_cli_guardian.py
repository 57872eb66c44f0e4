"""guardian as whoever holds the brake uses it: what is shown, what is written, and that it stops what it says."""

import json
from types import SimpleNamespace

import pytest

from keeper.deploy.house import ROLES
from keeper.governance import safe
from keeper.governance.items import Call
from keeper.governance.safe import builder_checksum
from keeper.testing.http_node import HttpNode
from keeper.testing.small_house import DAY, SmallHouse
from tests.governed import Governed
from tests.safes import RealSafe
from tests.sites import ask, settings_in, tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]

PUBLISHER, GUARDIAN = 1, 3
HOUR = 3_600


@pytest.fixture(scope="module")
def a_served_house(tmp_path_factory):
    """Two underlyings, one of them with a scan range on its way down; no key is anywhere in the settings."""
    house = SmallHouse(underlyings=2)
    house.chain.advance_to(house.chain.block().timestamp + DAY // 2)
    ranges = [house.hand.view("RiskFile", house.deployment.addresses["RiskFile"], "header", 0, 0)[k]
              for k in ("psrPpm", "vsrUpPpm", "vsrDownPpm")]  # fmt: skip
    old = house.hand.view("RiskParameters", house.deployment.addresses["RiskParameters"], "targetDigest", 0)
    lower = (ranges[0] * 97 // 100, *ranges[1:])
    deadline = house.chain.block().timestamp + DAY
    first = [
        (e.expiry, e.phi_ppb, e.df_ppb, e.sigma_atm_ppm, list(e.smile)) for e in house.spec.underlyings[0].expiries
    ]
    house.do("RiskParameters", "publish", 0, (2, deadline, bytes(32), old, *lower, first), sender=PUBLISHER)
    folder = tmp_path_factory.mktemp("house")
    with HttpNode(house.chain.node) as node:
        house.settings = settings_in(folder, node.url, house.deployment)
        house.psr = (ranges[0], lower[0])
        yield house


@pytest.fixture
def house(a_served_house):
    before = a_served_house.chain.snapshot()
    yield a_served_house
    a_served_house.chain.revert(before)


def asked(house, *args):
    return ask("guardian", *args, "-c", house.settings)


def told(house, *args, code=0):
    return tree_of("guardian", *args, "-c", house.settings, code=code)


def send(house, tree, *, sender=GUARDIAN):
    """What the answer says, byte by byte, from the guardian's own wallet."""
    for call in tree["calls"]:
        data = bytes.fromhex(call["data"][2:])
        house.chain.receipt(house.chain.send(sender=house.chain.accounts[sender], to=call["to"], data=data))


def controls(house, number=0):
    return house.hand.view("RiskParameters", house.deployment.addresses["RiskParameters"], "controls", number)


def test_guardian__pause__the_call_that_is_shown_stops_publications_and_rests(house):
    """GRD-1: the call goes through, pauses that underlying for 72 hours, and cannot be had again a day after it."""
    tree = told(house, "pause", "ETH")
    assert (tree["by"], tree["holds"]) == (house.chain.accounts[GUARDIAN], True)
    (call,) = tree["calls"]
    assert (call["function"], call["arguments"]) == ("pause(uint16)", ["underlying = 0"])
    send(house, tree)
    now = house.chain.block().timestamp
    assert controls(house)["pausedUntil"] == now + 72 * HOUR
    assert controls(house, 1)["pausedUntil"] == 0, "the other one goes on"
    again = told(house, "pause", "ETH", code=6)
    assert "GuardianRests" in again["calls"][0]["refused"]
    standing = {one["underlying"]: one for one in told(house, "show")["underlyings"]}
    assert standing["ETH"]["paused_until_s"] == now + 72 * HOUR
    assert [call["arguments"] for call in told(house, "pause", code=6)["calls"]] == [
        ["underlying = 0"], ["underlying = 1"]
    ], "without a name, all of them"  # fmt: skip


def test_guardian__veto__says_what_stays_and_stops_exactly_that(house):
    """GRD-1: what is on its way down is named with both numbers; after the call that is where it stays."""
    high, low = house.psr
    (eth, other) = told(house, "show")["underlyings"]
    assert other["falling"] == []
    assert [(row["name"], row["target_ppm"]) for row in eth["falling"]] == [("scan_range", low)]
    tree = told(house, "veto", "ETH")
    assert f"on its way to {low / 1e4:g} %" in tree["calls"][0]["says"]
    send(house, tree)
    assert told(house, "show")["underlyings"][0]["falling"] == []
    assert house.hand.views("RiskFile", house.deployment.addresses["RiskFile"], "slew", 0)["target"]["psrPpm"] > low
    assert low < high
    refused = told(house, "veto", "ETH1", code=6)
    assert "NothingToVeto" in refused["calls"][0]["refused"]


def test_guardian__halt_and_resume__of_the_whole_house(house):
    """GRD-1: growth and withdrawals stop for as long as was asked, and are let go early."""
    tree = told(house, "halt", "--hours", "6")
    send(house, tree)
    now = house.chain.block().timestamp
    assert told(house, "show")["halted_until_s"] == now + 6 * HOUR
    send(house, told(house, "resume"))
    assert told(house, "show")["halted_until_s"] <= house.chain.block().timestamp
    assert "PauseTooSoon" in told(house, "halt", code=6)["calls"][0]["refused"]
    result = asked(house, "halt", "--hours", "73")
    assert (result.exit_code, "at most 72 hours" in result.output) == (2, True)


def test_guardian__words_that_do_not_fit__refused(house, tmp_path):
    """A name that is not listed, a name where none belongs, a file that cannot be written: exit 2, and why."""
    for args, says in (
        (("pause", "SOL"), "no underlying SOL"),
        (("halt", "ETH"), "name no underlying"),
        (("show", "--out", str(tmp_path / "x")), "writes no file"),
        (("pause", "ETH", "--out", str(tmp_path / "no" / "x")), "cannot be written"),
    ):
        result = asked(house, *args)
        assert result.exit_code == 2, result.output
        assert says in " ".join(result.output.split())


def test_guardian__nobody_holds_the_role__told(house):
    """A brake that nobody holds is an answer, not silence; another holder than the house's guardian is found."""
    at, guardian = house.deployment.addresses["RiskParameters"], house.chain.accounts[GUARDIAN]
    house.hand.send("RiskParameters", at, "grantRole", ROLES["GUARDIAN_ROLE"], house.chain.accounts[5])
    house.hand.send("RiskParameters", at, "revokeRole", ROLES["GUARDIAN_ROLE"], guardian)
    assert told(house, "pause", "ETH")["by"] == house.chain.accounts[5]
    house.hand.send("RiskParameters", at, "revokeRole", ROLES["GUARDIAN_ROLE"], house.chain.accounts[5])
    tree = told(house, "pause", "ETH", code=6)
    assert (tree["by"], tree["calls"][0]["refused"]) == (None, "nobody holds the role")
    assert told(house, "show")["guardians"] | {"halt": ""} == {
        "pause": None, "veto": None, "halt": "", "resume": guardian,
        "freeze": house.hand.address, "thaw": house.hand.address,
    }  # fmt: skip


def test_guardian__person_at_a_terminal__sees_call_sender_and_what_to_do(house):
    """The same in words, with what to do next; nothing is sent."""
    before = house.chain.block().number
    said = " ".join(asked(house, "pause", "ETH").output.split())
    for words in ("RiskParameters.pause(underlying = 0)", house.chain.accounts[GUARDIAN], "data 0x", "goes through",
                  "nothing was sent"):  # fmt: skip
        assert words in said
    assert "a veto stops it" in asked(house, "show").output
    assert house.chain.block().number == before


@pytest.mark.needs_node
def test_guardian__a_safe__its_file_and_hash_are_what_its_owners_sign(house, tmp_path):
    """GRD-2: where a Safe holds the brake the file carries the builder's checksum, and the hash its owners' signatures
    over which the Safe executes."""
    wallet = RealSafe(house.chain, (1, 2, 4), threshold=2)
    at = house.deployment.addresses["RiskParameters"]
    house.do("ClearingHouse", "setGuardian", wallet.address)
    house.hand.send("RiskParameters", at, "grantRole", ROLES["GUARDIAN_ROLE"], wallet.address)
    path = tmp_path / "veto.json"
    tree = told(house, "veto", "ETH", "--out", str(path))
    assert (tree["by"], tree["safe_nonce"]) == (wallet.address, 0)
    batch = json.loads(path.read_text())
    assert batch["meta"]["checksum"] == builder_checksum(batch)
    assert batch["meta"]["createdFromSafeAddress"] == wallet.address
    (transaction,) = batch["transactions"]
    assert (transaction["to"], transaction["data"]) == (at, tree["calls"][0]["data"])
    call = Call(
        target=at, value=0, data=bytes.fromhex(transaction["data"][2:]), contract="", signature="", arguments=()
    )
    signatures = wallet.signatures(bytes.fromhex(tree["safe_tx_hash"][2:]))
    wallet.send(safe.exec_arguments(safe.safe_tx([call], nonce=0), signatures))
    assert controls(house)["noLooseningUntil"] == house.chain.block().timestamp + DAY
    assert "transaction builder" in asked(house, "pause", "ETH").output


def test_guardian__freeze__is_governances_and_its_file_passes_through_it(tmp_path):
    """GRD-3: the guardian cannot freeze: the file is a proposal, which the governor's whole way makes so."""
    governed = Governed()
    with HttpNode(governed.chain.node) as node:
        house = SimpleNamespace(settings=settings_in(tmp_path, node.url, governed.deployment))
        path = tmp_path / "CHANGES.toml"
        tree = told(house, "freeze", "ETH", "--out", str(path))
        assert (tree["by"], tree["by_timelock"]) == (governed.timelock, True)
        said = " ".join(asked(house, "freeze", "ETH").output.split())
        assert "the timelock decides" in said
        governed.pass_through(governed.proposal(path.read_text().partition("\n\n")[2]))
        assert told(house, "show")["underlyings"][0]["frozen"] is True
        assert told(house, "thaw", "ETH")["holds"] is True
