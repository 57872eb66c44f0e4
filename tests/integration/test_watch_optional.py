"""Breaker and quorum are watched like the contracts that every house has (WATCH-3, WATCH-5, WATCH-6, defect 18)."""

from dataclasses import replace

import pytest

from keeper.deploy import BreakerSpec, QuorumSpec
from keeper.domain.action import Flag, SyncBreaker
from keeper.errors import Refused
from keeper.protocols.clearinghouse.deployment import BREAKER, CONTRACTS, QUORUM
from keeper.testing.small_house import SmallHouse
from keeper.wiring.site import ConfiguredContracts
from tests.defects.houses import watching

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

A_SYNC, A_FLAG = SyncBreaker(underlying=0, why="test"), Flag(account=7, why="test")
NOBODY = "0x" + "00" * 20


@pytest.fixture(scope="module")
def built():
    keepers = tuple("0x" + f"{number:02x}a1b2c3d4" * 4 for number in (1, 2, 3))
    quorum = QuorumSpec(keepers=keepers, to_tighten=2, to_publish=2)
    return SmallHouse(proxied=(BREAKER,), breaker=BreakerSpec(), quorum=quorum)


@pytest.fixture
def house(built):
    """As it was opened; whatever a test does to it is forgotten."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def of(house, **changed):
    """The house under another deployment file."""
    other = object.__new__(SmallHouse)
    other.__dict__ |= house.__dict__ | {"deployment": replace(house.deployment, **changed)}
    return other


def problems(keeper, house):
    return keeper.reader.read(house.chain.block()).problems


def refused(keeper, house, action):
    try:
        keeper.ports.encoder.encode(action, block=house.chain.block())
    except Refused as error:
        return error.message
    return ""


def checked(house):
    """What `keeper check` says of the contracts."""
    found = ConfiguredContracts(house.rpc, house.deployment).differences(house.chain.block())
    return tuple(one.said for one in found)


@pytest.mark.parametrize("hashes", [True, False])
@pytest.mark.parametrize("name", [*CONTRACTS, QUORUM])
def test_check__another_contract_at_a_configured_address__stops_the_keeper(house, name, hashes):
    """WATCH-7: contracts swapped in the deployment file are found, with hashes of their code and without."""
    wrong = house.deployment.addresses["InsuranceFund" if name != "InsuranceFund" else "PriceOracle"]
    addresses = house.deployment.addresses | {name: wrong}
    swapped = of(house, addresses=addresses, code=house.deployment.code if hashes else {})
    contracts = ConfiguredContracts(swapped.rpc, swapped.deployment)
    assert not contracts.missing(house.chain.block()), "there is code at each of them"
    assert [one.said for one in contracts.differences(house.chain.block()) if one.stops]


def test_check__breaker_that_governance_moved__said_and_no_more(house):
    """The keeper follows the house to its breaker, so an older file keeps nothing from working."""
    another_breaker(house)
    found = ConfiguredContracts(house.rpc, house.deployment).differences(house.chain.block())
    assert [one.stops for one in found if "ClearingHouse.breaker" in one.said] == [False]


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


def another_breaker(house):
    """A second one of ours, which the house names from now on."""
    at = house.hand.hand_made(BREAKER, house.deployment.addresses["ClearingHouse"], house.hand.address)
    house.do("ClearingHouse", "setBreaker", at)
    return at


def test_optional__as_deployed__nothing_said(house):
    """WATCH-2: a breaker behind a proxy and a quorum are no news, in any block."""
    keeper = watching(house)
    for _ in range(2):
        assert problems(keeper, house) == ()
        house.chain.mine()
    assert refused(keeper, house, A_SYNC) == ""
    assert checked(house) == ()
    assert ConfiguredContracts(house.rpc, house.deployment).missing(house.chain.block()) == {}


def test_breaker__upgraded__said_in_that_block_and_nothing_sent_to_it(house):
    """WATCH-3: code that decides whether anybody may be flagged is known or said, and not written to meanwhile."""
    keeper = watching(house)
    problems(keeper, house)
    at = house.deployment.addresses[BREAKER]
    code = bytes.fromhex(house.chain.request("eth_getCode", house.hand._behind[at], "latest")[2:])
    house.do("MockProxy", "upgradeTo", house.chain.deploy_code(code + b"\0"), to=at)
    said = problems(keeper, house)
    assert any(f"{BREAKER} at {at}: its implementation was" in p for p in said), "WATCH-3"
    assert any(BREAKER in p and "nobody has accepted" in p for p in said), "WATCH-3"
    assert BREAKER in refused(keeper, house, A_SYNC), "WATCH-3"
    assert refused(keeper, house, A_FLAG) == "", "the others are as they were"
    assert any("nobody has accepted" in p for p in checked(house)), "keeper check says so too"


def test_breaker__another_one_named__followed_and_said(house):
    """WATCH-5: the house's word on its breaker counts, and the file's is held against it for as long as they differ."""
    keeper = watching(house)
    problems(keeper, house)
    old, new = house.deployment.addresses[BREAKER], another_breaker(house)
    said = problems(keeper, house)
    assert f"{BREAKER} moved from {old} to {new}" in said
    assert f"ClearingHouse.breaker is {new}, the deployment file says {old}" in said, "WATCH-5"
    assert keeper.ports.encoder.encode(A_SYNC, block=house.chain.block()).to == new, "its code is the deployment's"


def test_breaker__set_where_the_file_names_none__said_and_its_code_is_nobodys(house):
    """WATCH-6: what governance adds later is not taken for what was there at first."""
    bare = of(
        house, addresses=without(house.deployment.addresses, BREAKER), code=without(house.deployment.code, BREAKER)
    )
    house.do("ClearingHouse", "setBreaker", NOBODY)
    keeper = watching(bare)
    assert problems(keeper, house) == ()
    at = another_breaker(house)
    said = problems(keeper, house)
    assert f"ClearingHouse.breaker is {at}, the deployment file says none" in said, "WATCH-6"
    assert any(BREAKER in p and "nobody has accepted" in p for p in said), "WATCH-6"
    assert BREAKER in refused(keeper, house, A_SYNC)


def test_breaker__taken_away__said_once_and_for_as_long_as_the_file_names_it(house):
    """WATCH-6: a house without its breaker is a house where a wick flags people: that is never silent."""
    keeper = watching(house)
    problems(keeper, house)
    at = house.deployment.addresses[BREAKER]
    house.do("ClearingHouse", "setBreaker", NOBODY)
    still = f"ClearingHouse.breaker is nobody, the deployment file says {at}"
    assert set(problems(keeper, house)) == {still, f"{BREAKER} at {at} is gone"}, "WATCH-6"
    house.chain.mine()
    assert problems(keeper, house) == (still,)


def test_breaker__of_another_house__said(house):
    """WATCH-5: a breaker that looks at another house's accounts defers the wrong flags."""
    # Answers everything with its own address.
    elsewhere = house.chain.deploy_code(bytes.fromhex("3060005260206000f3"))
    at = house.hand.hand_made(BREAKER, elsewhere, house.hand.address)
    house.do("ClearingHouse", "setBreaker", at)
    assert any(f"{BREAKER}.house is {elsewhere}" in p for p in problems(watching(house), house)), "WATCH-5"


def test_quorum__other_code_than_the_file_says__said(house):
    """WATCH-6: whoever may double everybody's maintenance is the contract that was deployed for it, or it is said."""
    other = of(house, code=house.deployment.code | {QUORUM: "0x" + "11" * 32})
    at = house.deployment.addresses[QUORUM]
    assert any(f"{QUORUM} at {at} runs code" in p for p in problems(watching(other), house)), "WATCH-6"
    assert any(QUORUM in p for p in checked(other))


def test_quorum__without_code__check_names_it(house):
    """`keeper check` looks for the optional contracts that the file names, too."""
    nowhere = "0x" + "77" * 20
    other = of(house, addresses=house.deployment.addresses | {QUORUM: nowhere})
    missing = ConfiguredContracts(other.rpc, other.deployment).missing(house.chain.block())
    assert missing == {QUORUM: nowhere}
