// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {AccountId, InstrumentId} from "../../src/interfaces/Types.sol";
import {BaseTest} from "../BaseTest.sol";

/// @notice Between expiry and settlement an option requires nothing and its price is not known yet: no value leaves the
/// account, and nobody liquidates it, until somebody settles.
contract UnsettledTest is BaseTest {
    InstrumentId private option;

    function setUp() public override {
        super.setUp();
        house.setFee(0);
        give(carol, 400_000);
        give(dave, 400_000);
        give(bob, 10_000_000);
        give(liquidator, 1_000_000);
        give(fund.account(), 100_000);
        option = call_(ETH, near, 2000);
        trade(carol, dave, option, 1000e18);
        trade(dave, carol, perp(ETH), 10e18);
    }

    /// Expired at 2,000, a round before it, none yet after.
    function _expire() private {
        pass(near - block.timestamp - 30);
        vm.warp(near + 1);
        vm.roll(block.number + 1);
    }

    function _settle() private {
        uint80 r = ethFeed.latestRound();
        house.settleExpiry(ETH, near, r, r - 1);
    }

    function _unsettled(AccountId account) private view returns (bytes memory) {
        return abi.encodeWithSelector(IClearingHouse.ExpiryUnsettled.selector, account, near);
    }

    function test_withdraw__unsettled_refused() public {
        _expire();
        vm.expectRevert(_unsettled(acct(dave)));
        vm.prank(dave);
        house.withdraw(acct(dave), USDC_ID, 1, dave);
        give(dave, 1); // a deposit is welcome
        setSpot(ETH, 2020);
        _settle();
        vm.prank(dave);
        house.withdraw(acct(dave), USDC_ID, 1e6, dave);
        assertTrue(fund.balance() >= 100_000e18, "the fund paid for the gap");
    }

    function test_trade__unsettled_onlyShrinks() public {
        _expire();
        (bool ok, bytes memory why) = tryTrade(acct(bob), acct(dave), call_(ETH, far, 2000), 1e18, 100e18);
        assertReverted(ok, why, IClearingHouse.ExpiryUnsettled.selector);
        trade(acct(bob), acct(dave), perp(ETH), 1e18, 1900e18); // frees more than it costs
        setSpot(ETH, 2000);
        _settle();
        trade(acct(bob), acct(dave), call_(ETH, far, 2000), 1e18, fair(call_(ETH, far, 2000)));
    }

    /// A cheap short bought back above its mark frees less than it costs: within IM or not, that waits.
    function test_trade__unsettled_mustReduce() public {
        InstrumentId cheap = call_(ETH, far, 3000);
        trade(acct(bob), acct(dave), cheap, 10e18, fair(cheap));
        _expire();
        (bool ok, bytes memory why) = tryTrade(acct(dave), acct(bob), cheap, 10e18, fair(cheap) + 95e18);
        assertReverted(ok, why, IClearingHouse.NotReducing.selector);
        setSpot(ETH, 2000);
        _settle();
        (ok,) = tryTrade(acct(dave), acct(bob), cheap, 10e18, fair(cheap) + 95e18);
        assertTrue(ok);
    }

    /// Whoever delays the settlement cannot liquidate what the settlement price makes healthy.
    function test_flag__unsettled_refused() public {
        _expire();
        setSpot(ETH, 2000); // the first round: the option is worth nothing
        uint80 r = ethFeed.latestRound();
        pass(60);
        setSpot(ETH, 2500);
        assertTrue(equity(acct(dave)) < 0, "insolvent at live spot");
        vm.expectRevert(_unsettled(acct(dave)));
        vm.prank(liquidator);
        auction.flag(acct(dave), acct(liquidator));
        house.settleExpiry(ETH, near, r, r - 1);
        vm.expectPartialRevert(bytes4(keccak256("Healthy(uint256,int256,uint256)")));
        vm.prank(liquidator);
        auction.flag(acct(dave), acct(liquidator));
    }

    function test_bid__unsettled_refused() public {
        setSpot(ETH, 2600);
        flag(acct(dave));
        uint40[] memory epochs = epochsOf(acct(dave));
        vm.warp(near + 1);
        setSpot(ETH, 2600);
        vm.expectRevert(_unsettled(acct(dave)));
        vm.prank(liquidator);
        auction.bid(acct(dave), acct(liquidator), WAD, epochs, 1e30);
        _settle();
        bid(acct(dave), liquidator, WAD);
        assertFalse(house.inAuction(acct(dave)));
    }

    /// Nor does a bidder carry one: its IM leaves the gap out.
    function test_bid__bidderUnsettled_refused() public {
        give(alice, 4000);
        _expire();
        setSpot(ETH, 2000);
        uint80 r = ethFeed.latestRound();
        trade(alice, bob, perp(ETH), 10e18);
        setSpot(ETH, 1750);
        flag(acct(alice));
        uint40[] memory epochs = epochsOf(acct(alice));
        vm.expectRevert(_unsettled(acct(carol)));
        vm.prank(carol);
        auction.bid(acct(alice), acct(carol), WAD, epochs, 1e30);
        house.settleExpiry(ETH, near, r, r - 1);
        bid(acct(alice), carol, WAD);
    }
}
