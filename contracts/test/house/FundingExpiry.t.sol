// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {AccountId, InstrumentId} from "../../src/interfaces/Types.sol";
import {BaseTest} from "../BaseTest.sol";

contract FundingExpiryTest is BaseTest {
    function setUp() public override {
        super.setUp();
        give(alice, 1_000_000);
        give(bob, 1_000_000);
        give(carol, 1_000_000);
    }

    function _rate(int32 ppm) private {
        vm.prank(publisher);
        house.setFundingRate(ETH, ppm);
    }

    // --- funding --------------------------------------------------------------------------------------------------

    function test_funding__longsPayShorts() public {
        house.setFee(0);
        trade(alice, bob, perp(ETH), 10e18);
        _rate(1000); // 0.1 % a day of 2,000
        pass(1 days);
        assertEq(house.marketState(ETH).fundingIndex, 2e18);
        assertEq(equity(acct(alice)), 1_000_000e18 - 20e18);
        assertEq(equity(acct(bob)), 1_000_000e18 + 20e18);
        house.touch(acct(alice));
        assertEq(house.cashOf(acct(alice)), 1_000_000e18 - 20e18);
        house.touch(acct(bob));
        assertEq(house.cashOf(acct(bob)), 1_000_000e18 + 20e18);
    }

    function test_funding__fences() public {
        vm.expectPartialRevert(IClearingHouse.NotPublisher.selector);
        house.setFundingRate(ETH, 1);
        vm.startPrank(publisher);
        vm.expectPartialRevert(IClearingHouse.FundingOutOfRange.selector);
        house.setFundingRate(ETH, 3001);
        house.setFundingRate(ETH, -3000); // no step and no budget further than the bound
        vm.expectPartialRevert(IClearingHouse.FundingTooEarly.selector);
        house.setFundingRate(ETH, -2999);
        vm.warp(block.timestamp + 3600);
        ethFeed.push(2000e8);
        vm.expectPartialRevert(IClearingHouse.FundingStepTooLarge.selector);
        house.setFundingRate(ETH, 1);
        house.setFundingRate(ETH, 0);
        vm.stopPrank();
    }

    /// FUND-2: in a rolling day the rate moves by no more than its bound, in however many steps; the way back is open.
    function test_funding__netDisplacement_withinTheBoundADay() public {
        _rate(-3000);
        pass(25 hours);
        assertEq(house.fundingAnchor(ETH), int32(-3000));
        _rate(-1500);
        pass(1 hours);
        _rate(0);
        pass(1 hours);
        vm.prank(publisher);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.FundingBudgetSpent.selector, int32(-3000), int32(1), uint24(3000))
        );
        house.setFundingRate(ETH, 1);
        _rate(-2999); // back
        pass(1 hours);
        _rate(0);
        pass(23 hours); // the rate of a day ago is −1,500 by now
        _rate(1500);
        pass(25 hours);
        _rate(3000);
    }

    int256[] private _rates;
    uint256[] private _times;

    /// FUND-2: against a plain list of rates, whatever steps are tried and however long the silences.
    function testFuzz_funding__anyStory_withinTheBoundADay(uint256 seed) public {
        _rates.push(0); // for ever
        _times.push(0);
        for (uint256 i; i < 60; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            pass(3600 + (dice % 4 == 0 ? dice >> 16 & 0xffff : dice >> 16 & 0xfff));
            int256 old = _rates[_rates.length - 1];
            int256 step = int256((dice >> 64) % 3001);
            int256 next = dice % 3 == 0 ? old - step : old + step;
            vm.prank(publisher);
            (bool ok,) = address(house).call(abi.encodeCall(house.setFundingRate, (ETH, int32(next))));
            assertEq(ok, _may(old, next), "FUND-2");
            if (!ok) continue;
            _rates.push(next);
            _times.push(block.timestamp);
        }
        assertGt(_rates.length, 5, "FUND-2 rates landed");
    }

    function _may(int256 old, int256 next) private view returns (bool) {
        if (next > 3000 || next < -3000) return false;
        uint256 until = (block.timestamp / 3600 - 24) * 3600;
        uint256 k = _rates.length - 1;
        while (k > 0 && _times[k] >= until) --k;
        int256 from = _rates[k];
        if (next - from <= 3000 && from - next <= 3000) return true;
        return next > from ? old > from && next <= old : old < from && next >= old;
    }

    /// FUND-2: a bound that governance lowers below the rate in force is no deadlock: it may stay, and come nearer.
    function test_funding__boundLowered_staysOrComesNearer() public {
        _rate(3000);
        pass(2 hours);
        IClearingHouse.UnderlyingMarket memory m = house.marketState(ETH).market;
        (m.maxFundingPpmPerDay, m.maxFundingStepPpm) = (500, 1000);
        house.setMarket(ETH, m);
        _rate(3000);
        pass(2 hours);
        vm.startPrank(publisher);
        vm.expectPartialRevert(IClearingHouse.FundingOutOfRange.selector);
        house.setFundingRate(ETH, 3001);
        vm.expectPartialRevert(IClearingHouse.FundingStepTooLarge.selector);
        house.setFundingRate(ETH, 1999);
        vm.stopPrank();
        for (int32 rate = 2000; rate > 500; rate -= 1000) {
            _rate(rate);
            pass(1 hours);
        }
        _rate(500);
    }

    /// PAU-3: a guardian's pause stops the funding rate as it stops publications, and ends by itself.
    function test_funding__guardianPaused_stands() public {
        parameters.grantRole(parameters.GUARDIAN_ROLE(), address(0x6a));
        _rate(100);
        vm.prank(address(0x6a));
        parameters.pause(ETH);
        uint256 until = block.timestamp + 72 hours;
        pass(2 hours);
        vm.prank(publisher);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.Paused.selector, ETH, until));
        house.setFundingRate(ETH, 101);
        vm.prank(publisher);
        house.setFundingRate(BTC, 101); // of this underlying alone
        house.accrueFunding(ETH); // anybody, at the rate that stands
        assertEq(house.marketState(ETH).ratePpmPerDay, int32(100));
        vm.warp(until);
        pass(0);
        _rate(101);
    }

    /// The index runs on the spot of the last accrual, so a view needs no oracle; anyone may accrue.
    function test_funding__accrual_takesSpot() public {
        _rate(1000);
        pass(12 hours);
        setSpot(ETH, 1000);
        house.accrueFunding(ETH);
        pass(12 hours);
        assertEq(house.marketState(ETH).fundingIndex, 1.5e18);
    }

    /// Law FUND-1: funding is zero-sum; what rounding leaves is the fund's.
    function testFuzz_funding__zeroSum(uint256 q1, uint256 q2, int32 rate, uint256 t1, uint256 t2) public {
        house.setFee(0);
        trade(alice, bob, perp(ETH), bound(q1, 1, 100e18));
        _rate(int32(bound(int256(rate), -3000, 3000)));
        pass(bound(t1, 1, 3 days));
        house.touch(acct(alice));
        trade(carol, alice, perp(ETH), bound(q2, 1, 100e18));
        pass(bound(t2, 1, 3 days));
        house.touch(acct(carol));
        house.touch(acct(bob));
        house.touch(acct(alice));
        house.sweepDust();
        int256 all;
        address[3] memory who = [alice, bob, carol];
        for (uint256 i; i < 3; ++i) {
            all += house.cashOf(acct(who[i]));
            IClearingHouse.PerpState[] memory p = house.accountState(acct(who[i])).perps;
            if (p.length != 0) all -= p[0].openNotional;
        }
        assertTrue(all <= 3_000_000e18, "accounts gained");
        assertEq(all + fund.balance(), 3_000_000e18);
        assertTrue(house.houseState().dustE36 < 1e18);
    }

    // --- expiry ---------------------------------------------------------------------------------------------------

    function _expire(uint256 settleUsd) private {
        vm.warp(near - 60);
        setSpot(ETH, settleUsd - 7);
        vm.warp(near + 30);
        setSpot(ETH, settleUsd);
        btcFeed.push(60_000e8);
    }

    function _settle() private {
        uint80 round = ethFeed.latestRound();
        house.settleExpiry(ETH, near, round, round - 1);
    }

    /// Between expiry and settlement options are worth intrinsic at live spot, then at the settlement price.
    function test_expiry__intrinsic_thenSettled_thenPaid() public {
        house.setFee(0);
        InstrumentId c = call_(ETH, near, 2000);
        trade(acct(alice), acct(bob), c, 10e18, 50e18);
        _expire(2300);
        assertEq(equity(acct(alice)), 1_000_000e18 - 500e18 + 3000e18);
        assertEq(equity(acct(bob)), 1_000_000e18 + 500e18 - 3000e18);
        assertEq(live(acct(bob)).mm, 0);
        _settle();
        pass(600);
        setSpot(ETH, 1500);
        assertEq(equity(acct(alice)), 1_002_500e18);
        house.touch(acct(alice));
        assertEq(house.cashOf(acct(alice)), 1_002_500e18);
        assertEq(house.positions(acct(alice)).length, 0);
        assertEq(house.openInterest(c), 0);
        assertEq(house.expiryOpenInterest(ETH, near), 0);
        house.touch(acct(bob));
        assertEq(house.cashOf(acct(bob)), 997_500e18);
    }

    function test_expiry__needsProof_once_andAfterExpiry() public {
        vm.expectPartialRevert(IClearingHouse.NotExpired.selector);
        house.settleExpiry(ETH, near, 1, 1);
        _expire(2300);
        uint80 round = ethFeed.latestRound();
        setSpot(ETH, 2400);
        vm.expectRevert();
        house.settleExpiry(ETH, near, round + 1, round); // not the first round after expiry
        house.settleExpiry(ETH, near, round, round - 1);
        vm.expectPartialRevert(IClearingHouse.AlreadySettled.selector);
        house.settleExpiry(ETH, near, round, round - 1);
    }

    function test_expiry__byHand_onlyAfterTimeout() public {
        _expire(2300);
        vm.expectPartialRevert(IClearingHouse.TooEarlyByHand.selector);
        house.settleExpiryByHand(ETH, near, 2200e18);
        pass(3 days);
        house.settleExpiryByHand(ETH, near, 2200e18);
        (bool settled, uint256 price) = house.settlement(ETH, near);
        assertTrue(settled);
        assertEq(price, 2200e18);
    }

    /// Touch removes the expired in the middle of the list and keeps the order of the rest.
    function test_expiry__touch_keepsOthers() public {
        trade(alice, bob, perp(ETH), 1e18);
        trade(alice, bob, call_(ETH, near, 2000), 1e18);
        trade(bob, alice, put_(ETH, near, 1800), 1e18);
        trade(alice, bob, call_(ETH, far, 2200), 2e18);
        trade(alice, bob, perp(BTC), 1e18);
        _expire(2100);
        _settle();
        file.refresh(ETH);
        int256 before = equity(acct(alice));
        house.touch(acct(alice));
        assertEq(equity(acct(alice)), before);
        assertEq(house.positions(acct(alice)).length, 3);
        assertEq(sizeOf(acct(alice), perp(ETH)), 1e18);
        assertEq(sizeOf(acct(alice), call_(ETH, far, 2200)), 2e18);
        assertEq(sizeOf(acct(alice), perp(BTC)), 1e18);
    }

    /// Law EXP-1: payouts round down for each, and sum to zero with the dust.
    function testFuzz_expiry__payoutsSumToZero(uint256 q1, uint256 q2, uint256 settleUsd, bool isCall) public {
        house.setFee(0);
        InstrumentId i = isCall ? call_(ETH, near, 2000) : put_(ETH, near, 2000);
        (q1, q2) = (bound(q1, 1, 50e18), bound(q2, 1, 50e18));
        trade(acct(alice), acct(bob), i, q1, 50e18);
        trade(acct(carol), acct(bob), i, q2, 50e18);
        _expire(bound(settleUsd, 1800, 2200));
        _settle();
        house.touch(acct(bob));
        house.touch(acct(alice));
        house.touch(acct(carol));
        house.sweepDust();
        assertEq(
            house.cashOf(acct(alice)) + house.cashOf(acct(bob)) + house.cashOf(acct(carol)) + fund.balance(),
            3_000_000e18
        );
    }
}
