"""What one new block costs in round trips: the same for one underlying and for many (READ-5)."""

import pytest

from keeper.testing.small_house import SmallHouse
from tests.onlooker import onlooker

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

#: Block, its logs, all views with storage and code, and the rounds before a new one.
MOST = 5


@pytest.mark.parametrize("underlyings", [1, 6])
def test_new_block__every_feed_moved_and_accounts_changed__few_round_trips(underlyings):
    """READ-5: header, logs, views, rounds: at most five, however much there is to read."""
    house = SmallHouse(underlyings=underlyings)
    keeper = onlooker(house.rpc, house.deployment, reorg_depth=8)
    head = keeper.heads.follow(None).head
    keeper.reader.read(head)
    usdc, at = house.tokens["USDC"], house.deployment.addresses["ClearingHouse"]
    house.do("MockERC20", "mint", house.hand.address, 10**9, to=usdc)
    house.do("MockERC20", "approve", at, 10**9, to=usdc)
    head = keeper.heads.follow(head).head
    keeper.reader.read(head)

    owner = house.chain.accounts[0]
    with house.chain.automine_off():
        for feed in house.feeds:
            push = house.hand.abi("MockAggregator").call("push", 3_050 * 10**8)
            house.chain.send(sender=owner, to=feed, data=push, gas=300_000)
        for sub in range(20):
            account = int(owner, 16) << 96 | sub
            data = house.hand.abi("ClearingHouse").call("deposit", account, 0, 10**6)
            house.chain.send(sender=owner, to=at, data=data, gas=300_000)
        house.chain.mine()
    before = house.rpc.round_trips
    head = keeper.heads.follow(head).head
    snapshot = keeper.reader.read(head)
    spent = house.rpc.round_trips - before
    assert spent <= MOST, f"READ-5: {spent} round trips"
    assert {u.spot.wad for u in snapshot.underlyings} == {3_050 * 10**18}
    assert len(snapshot.accounts) == 21
    before = house.rpc.round_trips
    assert keeper.reader.read(head) == snapshot
    assert house.rpc.round_trips == before, "READ-5: a block that was read is not read again"
