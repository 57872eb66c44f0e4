// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion} from "../../src/interfaces/Types.sol";
import {BaseTest} from "../BaseTest.sol";

/// @notice FRZ-4: a freeze of the parameters stops their publisher, and nobody else in the house.
contract FrozenTest is BaseTest {
    function setUp() public override {
        super.setUp();
        house.setFee(0);
        give(bob, 10_000_000);
        give(liquidator, 1_000_000);
        give(alice, 4000);
        trade(alice, bob, perp(ETH), 10e18); // MM 2,430 at 2,000
        trade(bob, alice, call_(ETH, near, 2600), 1e18);
        parameters.freeze(ETH);
    }

    /// The other hot path of a publisher is shut too; that of another underlying is open.
    function test_frozen__funding_rate__stands() public {
        pass(2 hours);
        vm.startPrank(publisher);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.Frozen.selector, ETH));
        house.setFundingRate(ETH, 100);
        house.setFundingRate(BTC, 100);
        vm.stopPrank();
        house.accrueFunding(ETH); // anybody, at the rate that stands
    }

    /// A stale file is refreshed by the flag itself, the account is auctioned and restored: all of it while frozen.
    function test_frozen__liquidation__goes_on() public {
        pass(2 hours);
        setSpot(ETH, 1750);
        assertTrue(live(acct(alice)).stale, "FRZ-4 stale before");
        flag(acct(alice));
        assertTrue(house.inAuction(acct(alice)), "FRZ-4 flagged");
        pass(10 minutes);
        uint40[] memory epochs = new uint40[](1);
        epochs[0] = file.header(ETH, FileVersion.Live).epoch;
        vm.prank(liquidator);
        auction.bid(acct(alice), acct(liquidator), 1e18, epochs, type(int256).max);
        assertFalse(house.inAuction(acct(alice)), "FRZ-4 restored");
        assertTrue(parameters.frozen(ETH));
    }

    /// Trading and closing go on at the marks of the last numbers.
    function test_frozen__trading__goes_on() public {
        pass(30 minutes);
        trade(alice, bob, call_(ETH, near, 2600), 1e18);
        assertEq(sizeOf(acct(alice), call_(ETH, near, 2600)), int256(0), "FRZ-4 closed");
    }
}
