"""Code behind proxies and addresses held elsewhere are watched, every block (WATCH-2 … WATCH-5, defect 18)."""

from dataclasses import replace

import pytest

from keeper.chain.sending.dry import DrySender
from keeper.deploy import structs
from keeper.domain.action import Flag, Refresh
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Unusable
from keeper.errors import Refused, Retry
from keeper.protocols.clearinghouse import watch
from keeper.protocols.clearinghouse.deployment import load_deployment
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

ETH = structs.asset_id("ETH")
PROXIED = ("PriceOracle", "LiquidationAuction", "InsuranceFund")


@pytest.fixture(scope="module")
def built():
    return SmallHouse(proxied=PROXIED)


@pytest.fixture
def house(built):
    """As it was opened; whatever a test does to it is forgotten."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def a_keeper(house, *, deployment=None, accepted=()):
    return assemble(
        rpc=house.rpc,
        store=MemoryStore(),
        deployment=deployment or house.deployment,
        risk=RiskKnobs(),
        policy=PolicyKnobs(),
        sender=lambda decode, _recheck: DrySender(house.rpc, {}, decode_revert=decode),
        reorg_depth=8,
        accepted_code=accepted,
    )


def read(keeper, house):
    return keeper.reader.read(house.chain.block())


def same_code_longer(house, contract):
    """The same behaviour under another hash: the contract's code, and a byte that is never reached."""
    implementation = house.hand._behind[house.deployment.addresses[contract]]
    code = bytes.fromhex(house.chain.request("eth_getCode", implementation, "latest")[2:])
    return house.chain.deploy_code(code + b"\0")


def upgrade(house, contract, implementation):
    house.do("MockProxy", "upgradeTo", implementation, to=house.deployment.addresses[contract])


def refused(keeper, house, action):
    try:
        keeper.ports.encoder.encode(action, block=house.chain.block())
    except Refused as error:
        return error.message
    return ""


def pointer(house):
    """A contract that answers everything with the word in its slot 0, and stores there what it is sent 32 bytes of."""
    return house.chain.deploy_code(bytes.fromhex("6020361460125760005460005260206000f35b60003560005500"))


def set_to(house, where, address):
    data = bytes(12) + bytes.fromhex(address[2:])
    house.chain.receipt(house.chain.send(sender=house.chain.accounts[0], to=where, data=data))


A_FLAG, A_REFRESH = Flag(account=7, why="test"), Refresh(underlying=0, why="test")


def test_watch__nothing_changes__nothing_said(house):
    """WATCH-2: proxies whose code is the deployment's are no news, in any block."""
    keeper = a_keeper(house)
    for _ in range(3):
        assert read(keeper, house).problems == ()
        house.chain.mine()
    assert refused(keeper, house, A_FLAG) == ""


def test_upgrade__unknown_code__said_and_read_and_nothing_sent(house):
    """WATCH-3: the block that upgrades a contract names it; views go on, sending to it alone stops, until accepted."""
    keeper = a_keeper(house)
    read(keeper, house)
    other = same_code_longer(house, "LiquidationAuction")
    upgrade(house, "LiquidationAuction", other)
    snapshot = read(keeper, house)
    at = house.deployment.addresses["LiquidationAuction"]
    assert any(f"LiquidationAuction at {at}: its implementation was" in p and other in p for p in snapshot.problems)
    assert any("runs code" in p and "nothing is sent to it" in p for p in snapshot.problems), "WATCH-3"
    assert snapshot.auction_rules is not None
    assert "LiquidationAuction" in refused(keeper, house, A_FLAG), "WATCH-3"
    assert refused(keeper, house, A_REFRESH) == "", "the other contracts are as they were"
    house.chain.mine()
    assert len(read(keeper, house).problems) == 1, "the change is said once, that nobody accepted it in every block"

    again = a_keeper(house)
    read(again, house)
    assert "LiquidationAuction" in refused(again, house, A_FLAG), "WATCH-3: a restart accepts nothing"
    code = house.hand.code_hash(other)
    accepting = a_keeper(house, accepted=[code.upper().replace("0X", "0x")])
    assert read(accepting, house).problems == ()
    assert refused(accepting, house, A_FLAG) == ""


def test_upgrade__same_code_elsewhere__said_once_and_sent(house):
    """A new address of code that is known changes nothing that we rely on."""
    keeper = a_keeper(house)
    read(keeper, house)
    upgrade(house, "PriceOracle", house.hand.hand_made("PriceOracle", house.hand.address))
    (said,) = read(keeper, house).problems
    assert said.startswith("PriceOracle at ")
    house.chain.mine()
    assert read(keeper, house).problems == ()


def test_upgrade__file_without_hashes__what_was_found_first_is_known(house):
    """A deployment file from before hashes were written: the first look counts for as long as the process lives."""
    keeper = a_keeper(house, deployment=replace(house.deployment, code={}))
    assert read(keeper, house).problems == ()
    assert refused(keeper, house, A_FLAG) == ""
    upgrade(house, "LiquidationAuction", same_code_longer(house, "LiquidationAuction"))
    read(keeper, house)
    assert "LiquidationAuction" in refused(keeper, house, A_FLAG)


def test_upgrade__oracle_becomes_nonsense__price_unknown_with_a_reason(house):
    """Code that answers nothing we understand is no price (25): unknown, said, and no crash."""
    keeper = a_keeper(house)
    read(keeper, house)
    upgrade(house, "PriceOracle", house.feeds[0])
    snapshot = read(keeper, house)
    assert isinstance(snapshot.underlyings[0].spot, Unusable)
    assert all(isinstance(c.price, Unusable) for c in snapshot.collaterals)
    upgrade(house, "PriceOracle", house.chain.deploy_code(bytes.fromhex("60003560005260206000f3")))
    snapshot = read(keeper, house)
    assert isinstance(snapshot.underlyings[0].spot, Unusable) or snapshot.problems


def test_upgrade__core_contract_gone__retry_with_a_hint(house):
    """What everything rests on has no stand-in: the block is not read, and it is said why."""
    keeper = a_keeper(house)
    read(keeper, house)
    upgrade(house, "InsuranceFund", house.feeds[0])
    with pytest.raises(Retry, match="cannot be read") as caught:
        read(keeper, house)
    assert "deployment file" in caught.value.hint


def test_proxy__named_by_a_beacon__its_implementation_is_the_code(house):
    """WATCH-4: a beacon proxy runs what its beacon names, and the beacon's change is seen."""
    at = house.deployment.addresses["PriceOracle"]
    behind = house.hand._behind[at]
    beacon = pointer(house)
    set_to(house, beacon, behind)
    keeper = a_keeper(house)
    read(keeper, house)
    # Our proxy delegates to its own slot; only what the watch believes is tested here.
    word = bytes(12) + bytes.fromhex(beacon[2:])
    house.do("MockProxy", "setSlot", watch.BEACON_SLOT.to_bytes(32, "big"), word, to=at)
    house.do("MockProxy", "setSlot", watch.IMPLEMENTATION.to_bytes(32, "big"), bytes(32), to=at)
    problems = "\n".join(a_keeper(house).reader._watch.look(house.chain.block(), feeds={}, tokens={}))
    assert problems == "", "WATCH-4: the beacon names the code that the file names"
    set_to(house, beacon, same_code_longer(house, "PriceOracle"))
    problems = "\n".join(a_keeper(house).reader._watch.look(house.chain.block(), feeds={}, tokens={}))
    assert "PriceOracle" in problems
    assert "nobody has accepted" in problems, "WATCH-4"


def test_pointer__file_names_another_address__the_house_is_believed_and_it_is_said(house):
    """WATCH-5: what the house itself names is read and sent to, whatever the file says, for as long as they differ."""
    at = house.deployment.addresses["ClearingHouse"]
    elsewhere = house.hand.hand_made("InsuranceFund", at, house.hand.address, 1)
    wrong = replace(house.deployment, addresses=house.deployment.addresses | {"InsuranceFund": elsewhere})
    keeper = a_keeper(house, deployment=wrong)
    for _ in range(2):
        snapshot = read(keeper, house)
        assert snapshot.fund.balance == 10**23, "WATCH-5"
        assert any("ClearingHouse.fund is" in p and elsewhere in p for p in snapshot.problems), "WATCH-5"
        house.chain.mine()


def test_pointer__another_contract_than_the_file_says__its_logs_are_read_in_the_same_block(house):
    """WATCH-5: what the house's own parameters and file emitted is known, though the file names other contracts."""
    right = read(a_keeper(house), house)
    at, owner = house.deployment.addresses, house.hand.address
    file = house.hand.linked("RiskFile", at["PriceOracle"])
    decoys = {"RiskFile": file, "RiskParameters": house.hand.linked("RiskParameters", file, owner)}
    keeper = a_keeper(house, deployment=replace(house.deployment, addresses=at | decoys))
    snapshot = read(keeper, house)
    assert snapshot.underlyings == replace_times(right, snapshot).underlyings, "WATCH-5"
    assert len(snapshot.problems) == 2, "said for as long as the file is wrong"
    house.do("RiskParameters", "setConfig", 0, wider(house))
    (underlying,) = read(keeper, house).underlyings
    assert underlying.rules.kappa_ppm == 810_000, "WATCH-5: and followed from there on"


def wider(house):
    config = list(structs.config(house.spec.underlyings[0]))
    config[2] = 810_000
    return tuple(config)


def replace_times(right, later):
    """A snapshot as it would be a few blocks later: what accrues, accrued."""
    moved = zip(right.underlyings, later.underlyings, strict=True)
    return replace(right, underlyings=tuple(replace(a, funding_index=b.funding_index) for a, b in moved))


def test_feed__another_aggregator_behind_it__said_in_that_block(house):
    """WATCH-4: a feed that passes on what another contract answers is seen to change its mind about which."""
    feed, first, second = pointer(house), *house.chain.accounts[4:6]
    set_to(house, feed, first)
    house.do("PriceOracle", "setFeed", ETH, structs.feed(replace(house.spec.feeds[0], primary=feed)))
    keeper = a_keeper(house)
    snapshot = read(keeper, house)
    assert isinstance(snapshot.underlyings[0].spot, Unusable), "it answers with an address whatever it is asked"
    set_to(house, feed, second)
    assert f"feed of ETH at {feed}: its aggregator was {first}, is {second}" in read(keeper, house).problems, "WATCH-4"


def test_feed__behind_a_proxy__upgrade_said_in_that_block(house):
    """WATCH-4: feeds and tokens that are proxies are followed as the house's own contracts are."""
    feed = house.hand.create("MockProxy", house.feeds[0])
    house.do("MockAggregator", "push", 3_100 * 10**8, to=feed)
    house.do("PriceOracle", "setFeed", ETH, structs.feed(replace(house.spec.feeds[0], primary=feed)))
    keeper = a_keeper(house)
    assert read(keeper, house).underlyings[0].spot.wad == 3_100 * 10**18
    house.do("MockProxy", "upgradeTo", house.hand.create("MockAggregator", 8, 1), to=feed)
    (said,) = read(keeper, house).problems
    assert said.startswith(f"feed of ETH at {feed}: its implementation was {house.feeds[0]}"), "WATCH-4"


def test_feed__new_phase_between_two_looks__rounds_of_the_phase_before_are_joined(house):
    """RD-5: history does not depend on how often the keeper looked, where a feed begins a new phase neither."""
    feed = house.hand.create("MockPhaseAggregator", 8, 3_000 * 10**8)
    house.do("PriceOracle", "setFeed", ETH, structs.feed(replace(house.spec.feeds[0], primary=feed)))
    keeper = a_keeper(house)
    before = read(keeper, house)
    for step in range(1, 4):
        house.do("MockAggregator", "push", (3_000 + step) * 10**8, to=feed)
    house.do("MockPhaseAggregator", "startPhase", 3_010 * 10**8, to=feed)
    house.do("MockAggregator", "push", 3_011 * 10**8, to=feed)
    after = read(keeper, house)
    gained = {o.price // 10**18 for o in after.underlyings[0].history} - {
        o.price // 10**18 for o in before.underlyings[0].history
    }
    assert gained == {3_001, 3_002, 3_003, 3_010, 3_011}, "RD-5"


def test_deployment_file__code__round_trip(house, tmp_path):
    """The hashes are in the file that `deploy` writes, and a file without them still reads."""
    path = tmp_path / "deployment.json"
    house.deployment.save(path)
    assert load_deployment(path) == house.deployment
    assert set(house.deployment.code) >= set(PROXIED)
    path.write_text(path.read_text().replace('"code"', '"codes"'))
    assert load_deployment(path).code == {}


def test_watch__known_slots__are_those_of_erc1967():
    """The constants are the standard's."""
    assert watch.IMPLEMENTATION == 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC
    assert watch.BEACON_SLOT == 0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50
