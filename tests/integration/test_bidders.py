"""Bids by several keys on the real contracts: approved, stuck, revoked, and sharing a margin (DEL-7 … 9)."""

from collections import Counter

import pytest

from keeper.domain.action import Bid
from keeper.domain.tx import TxState
from keeper.protocols.clearinghouse.standing import LIVE
from tests.cases.crowded_auction import PATIENCE, CrowdedAuction, Liquidating

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

TRADERS = 6
#: USD: everybody is below maintenance, solvent, and so small that only all of it can be bid for.
FALLEN = 2_740
#: What taking over one trader uses of the bidder's margin, USD: IM 345.24 less its equity and its discount.
USE = 341


def put_up(own_usd=1_000_000):
    """Everybody is up for auction, and no key but the owner's may bid."""
    market = CrowdedAuction(traders=TRADERS, own_usd=own_usd)
    market.fall(FALLEN)
    keeper = Liquidating(market)
    keeper.live()
    assert {tx.sender for tx in keeper.of("flag", TxState.FINAL)} == {key.address for key in market.keys}
    assert len(keeper.of("flag", TxState.FINAL)) == TRADERS
    return market


@pytest.fixture(scope="module")
def flagged():
    return put_up()


@pytest.fixture
def market(flagged):
    """What is done to the chain in a test is forgotten."""
    snapshot = flagged.chain.snapshot()
    yield flagged
    flagged.chain.revert(snapshot)


def approve_all(market):
    for key in market.keys[1:]:
        market.approve(key.address)


def bids_mined(market, *, stuck):
    """Bids of one block on everybody, except what a stuck key swallows."""
    snapshot = market.chain.snapshot()
    keeper = Liquidating(market, stuck=stuck)
    keeper.live()
    assert not keeper.of("bid", TxState.REVERTED)
    market.chain.revert(snapshot)
    return Counter(tx.sender for tx in keeper.of("bid", TxState.FINAL))


def test_pool__one_of_three_keys_stuck__a_third_of_the_bids_and_no_more(market):
    """TX-6, DEL-8: also for bids, whichever key is stuck, the owner's too."""
    approve_all(market)
    share = TRADERS // 3
    assert bids_mined(market, stuck=None) == {key.address: share for key in market.keys}
    for ill in market.keys[0], market.keys[2]:
        assert bids_mined(market, stuck=ill.address) == {k.address: share for k in market.keys if k is not ill}


def test_pool__the_owner_stuck_and_nobody_approved__no_bid(market):
    """What the law above rests on: one key for all bids is one key to stop them all."""
    owner, _, other = (key.address for key in market.keys)
    assert not bids_mined(market, stuck=owner)
    assert bids_mined(market, stuck=other) == {owner: TRADERS}


def test_pool__stuck_for_good__the_others_finish(market):
    """DEL-8: what the stuck key swallowed is decided again for others once it is given up, and nothing new is its."""
    approve_all(market)
    ill = market.keys[0].address
    keeper = Liquidating(market, stuck=ill)
    keeper.live(blocks=PATIENCE + 4)
    bids = keeper.of("bid", TxState.FINAL)
    assert len({tx.intent.subject for tx in bids}) == len(bids) == TRADERS
    assert ill not in {tx.sender for tx in bids}


def test_keys__not_approved__do_not_bid_and_nothing_fails(market):
    """DEL-9: a key that may not bid is a value: told once, and no bid is tried with it."""
    market.approve(market.keys[1].address)
    keeper = Liquidating(market)
    record = keeper.live()
    (told,) = [alert for alert in record.decision.alerts if "may not bid" in alert]
    assert market.keys[2].address in told
    assert market.keys[1].address not in told
    assert not any(handed.failed for handed in record.handed)
    assert {tx.sender for tx in keeper.of("bid", TxState.FINAL)} == {key.address for key in market.keys[:2]}
    assert not any("may not bid" in alert for alert in keeper.live().decision.alerts)


def test_keys__none_may_bid__each_bid_says_so_until_one_may(market):
    """DEL-9: without a key for it a bid fails with the reason; nothing is sent, nobody is halted."""
    keeper = Liquidating(market, keys=market.keys[1:])
    bids = [handed for handed in keeper.live().handed if isinstance(handed.action, Bid)]
    assert len(bids) == TRADERS
    assert all(one.state == "failed" and "none of our keys may bid" in one.reason for one in bids)
    market.approve(market.keys[2].address)
    record = keeper.live()
    assert f"{market.keys[2].address} may bid from now on" in record.decision.alerts
    assert {tx.sender for tx in keeper.of("bid", TxState.FINAL)} == {market.keys[2].address}


def test_revoked__between_two_blocks__no_bid_by_it_from_the_next_on(market):
    """DEL-9: the block that has the revocation is the first in which the key is not used."""
    approve_all(market)
    ill, revoked, left = (key.address for key in market.keys)
    keeper = Liquidating(market, max_actions_per_block=2, max_standby_per_block=0)
    assert {tx.sender for tx in keeper.live() and keeper.of("bid")} == {ill, revoked}
    market.approve(revoked, approved=False)
    told = keeper.live()
    assert f"{revoked} may not bid any more" in told.decision.alerts
    keeper.live()
    bids = sorted(keeper.of("bid", TxState.FINAL), key=lambda tx: tx.mined.number)
    assert len(bids) == TRADERS
    assert {tx.sender for tx in bids[2:]} == {ill, left}


def test_revoked__while_its_bids_are_in_flight__none_of_them_acts(market):
    """DEL-2, DEL-9: what a revoked key still has under way buys nothing; others bid in its place."""
    approve_all(market)
    gone = market.keys[1].address
    keeper = Liquidating(market, stuck=gone)
    keeper.live()
    swallowed = {tx.intent.subject for tx in keeper.of("bid", TxState.SENT)}
    assert len(swallowed) == TRADERS // 3
    market.approve(gone, approved=False)
    keeper.stuck = None
    keeper.live(blocks=4)
    bids = keeper.of("bid", TxState.FINAL)
    assert gone not in {tx.sender for tx in bids}
    assert swallowed <= {tx.intent.subject for tx in bids}
    assert not keeper.store.open_txs()


def test_margin__shared_by_all_keys__an_open_bid_keeps_its_share():
    """DEL-7: an account that can carry three; what a stuck key has under way is not promised twice."""
    market = put_up(own_usd=3 * USE + 20)
    approve_all(market)
    keeper = Liquidating(market, stuck=market.keys[0].address)
    keeper.live()
    assert len(keeper.of("bid", TxState.SENT)) == 1
    assert len(keeper.of("bid", TxState.FINAL)) == 2
    keeper.live()
    assert len(keeper.of("bid")) == 3, "nothing beside it"
    keeper.stuck = None
    keeper.live(blocks=2)
    assert len(keeper.of("bid", TxState.FINAL)) == 3
    assert not keeper.of("bid", TxState.REVERTED)
    margin = keeper.view("ClearingHouse", "margin", market.own, LIVE)
    assert margin["equity"] >= margin["im"]
