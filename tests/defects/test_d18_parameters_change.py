"""Defect 18: the protocol changed its own parameters, or the code behind a proxy, and nobody noticed."""

from dataclasses import replace

import pytest

from keeper.deploy import structs
from keeper.domain.action import Flag, Refresh
from keeper.errors import Refused
from keeper.protocols.clearinghouse.index import HouseIndex
from keeper.protocols.clearinghouse.views import Views
from keeper.protocols.clearinghouse.watch import Watch
from keeper.testing.small_house import SmallHouse
from tests.defects.frame import defect
from tests.defects.houses import watching

pytestmark = pytest.mark.chain

ETH, PSR = structs.asset_id("ETH"), b"psr".ljust(32, b"\0")


@pytest.fixture(scope="module")
def built():
    house = SmallHouse(proxied=("LiquidationAuction",))
    house.spare_feed = house.hand.create("MockAggregator", 8, 150 * 10**8)
    return house


@pytest.fixture
def house(built):
    """As it was opened; whatever a test does to it is forgotten."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def with_(values, place, value):
    changed = list(values)
    changed[place] = value
    return tuple(changed)


def read(keeper, house):
    return keeper.reader.read(house.chain.block())


# --- settings ---------------------------------------------------------------------------------------------------------


def read_once_at_the_start(patch):
    """Configuration is what was there when the process began: a later event of the same kind changes nothing."""
    take = HouseIndex._set

    def first_one_stays(self, event):
        before = dict(self.settings)
        take(self, event)
        self.settings.update(before)

    patch.setattr(HouseIndex, "_set", first_one_stays)


def fences_kept_in_memory(patch):
    """What a view said once is remembered by its arguments, for ever: fences and feeds hardly change."""
    ask, kept = Views.at, {}

    def once(self, block, contract, function, *args, address=""):
        if contract == "ClearingHouse":
            return ask(self, block, contract, function, *args, address=address)
        key = (contract, function, args, address)
        if key not in kept:
            kept[key] = ask(self, block, contract, function, *args, address=address)
        return kept[key]

    patch.setattr(Views, "at", once)


def noticed(house):
    """Governance changes one thing a block; the snapshot of that block has it, and nothing was restarted."""
    keeper, spec = watching(house), house.spec.underlyings[0]
    read(keeper, house)
    house.do("RiskParameters", "setConfig", 0, with_(structs.config(spec), 2, 810_000))
    assert read(keeper, house).underlyings[0].rules.kappa_ppm == 810_000, "WATCH-1"
    house.do("RiskParameters", "setFence", 0, PSR, with_(structs.fence(spec.psr_fence), 0, 21_000))
    fences = {f.name: f for f in read(keeper, house).underlyings[0].publication.fences}
    assert fences["psr"].min == 21_000, "WATCH-1"
    house.do("ClearingHouse", "setCollateral", 1, 150_000, 10**20, 10**21)
    assert read(keeper, house).collaterals[0].haircut_ppm == 150_000, "WATCH-1"
    house.do("LiquidationAuction", "setParams", with_(structs.auction(house.spec), 0, 600))
    assert read(keeper, house).auction_rules.fast_s == 600, "WATCH-1"
    house.do("InsuranceFund", "setCap", 7 * 10**18)
    assert read(keeper, house).fund.cap_per_auction == 7 * 10**18, "WATCH-1"
    house.do("PriceOracle", "setFeed", ETH, structs.feed(replace(house.spec.feeds[0], primary=house.spare_feed)))
    assert read(keeper, house).underlyings[0].spot.wad == 150 * 10**18, "WATCH-1"


@defect(18, mutant=read_once_at_the_start)
def test_settings_in_events__changed__noticed_in_that_block(house):
    """WATCH-1: configuration, fences, haircut, auction, fund and feed, each in the very block that changes it."""
    noticed(house)


@defect(18, mutant=fences_kept_in_memory)
def test_settings_in_views__changed__noticed_in_that_block(house):
    """WATCH-1: the same, of what only a view tells."""
    noticed(house)


# --- code -------------------------------------------------------------------------------------------------------------


def addresses_are_constants(patch):
    """A contract is its address, and that was checked when the keeper was deployed."""
    patch.setattr(Watch, "look", lambda *_args, **_named: ())


def refused(keeper, house, action):
    try:
        keeper.ports.encoder.encode(action, block=house.chain.block())
    except Refused as error:
        return error.message
    return ""


@defect(18, mutant=addresses_are_constants)
def test_code_behind_a_proxy__changed__said_and_nothing_sent_to_it_from_that_block(house):
    """WATCH-3: one block after the upgrade nothing is sent to the new code, and a person is told; the rest goes on."""
    keeper = watching(house)
    read(keeper, house)
    flag = Flag(account=7, why="test")
    assert refused(keeper, house, flag) == ""
    at = house.deployment.addresses["LiquidationAuction"]
    code = bytes.fromhex(house.chain.request("eth_getCode", house.hand._behind[at], "latest")[2:])
    house.do("MockProxy", "upgradeTo", house.chain.deploy_code(code + b"\0"), to=at)
    assert any(f"LiquidationAuction at {at}" in problem for problem in read(keeper, house).problems), "WATCH-3"
    assert "LiquidationAuction" in refused(keeper, house, flag), "WATCH-3"
    assert refused(keeper, house, Refresh(underlying=0, why="test")) == ""
