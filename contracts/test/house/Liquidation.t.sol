// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {ILiquidationAuction} from "../../src/interfaces/ILiquidationAuction.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {AccountId, FileVersion, InstrumentId} from "../../src/interfaces/Types.sol";
import {BaseTest} from "../BaseTest.sol";

contract LiquidationTest is BaseTest {
    function setUp() public override {
        super.setUp();
        house.setFee(0);
        give(bob, 10_000_000);
        give(liquidator, 1_000_000);
        give(fund.account(), 100_000);
        give(alice, 4000);
        trade(alice, bob, perp(ETH), 10e18); // MM 2,430 at 2,000
    }

    /// alice below MM, but solvent.
    function _under() private {
        setSpot(ETH, 1750); // equity 1,500, MM 2,126.25
    }

    function _insolvent() private {
        setSpot(ETH, 1500); // equity −1,000, MM 1,822.5
    }

    // --- flag -----------------------------------------------------------------------------------------------------

    function test_flag__healthy_refused() public {
        vm.expectRevert(abi.encodeWithSelector(ILiquidationAuction.Healthy.selector, acct(alice), 4000e18, 2430e18));
        auction.flag(acct(alice), acct(bob));
    }

    function test_flag__atExactlyMm_refused() public {
        // equity = 4,000 − 10·(2,000 − S), MM = 1.215·S: equal at S = 16,000 / 8.785
        IClearingHouse.Margin memory m;
        setSpot(ETH, 1822);
        m = live(acct(alice));
        assertTrue(m.equity >= int256(m.mm));
        vm.expectPartialRevert(ILiquidationAuction.Healthy.selector);
        auction.flag(acct(alice), acct(bob));
        setSpot(ETH, 1821);
        flag(acct(alice));
    }

    /// The fee comes out of the account's equity.
    function test_flag__paysFeeFromEquity() public {
        _under();
        int256 before = equity(acct(alice));
        IClearingHouse.MarginDetail memory d = house.marginDetail(acct(alice), FileVersion.Live);
        assertEq(d.flagFee, 26.25e18); // 1 % of R = 2,625
        flag(acct(alice));
        assertEq(equity(acct(alice)), before - 26.25e18);
        assertEq(house.cashOf(acct(liquidator)), 1_000_026.25e18);
        assertEq(fund.balance(), 100_000e18);
        assertTrue(house.inAuction(acct(alice)));
        vm.expectRevert(abi.encodeWithSelector(ILiquidationAuction.AlreadyInAuction.selector, acct(alice)));
        auction.flag(acct(alice), acct(liquidator));
    }

    /// The fee never exceeds the equity, and an insolvent account pays none.
    function test_flag__feeCappedByEquity() public {
        setSpot(ETH, 1601); // equity 10, fee would be 24
        flag(acct(alice));
        assertEq(equity(acct(alice)), int256(0));
        assertEq(house.cashOf(acct(liquidator)), 1_000_010e18);
    }

    function test_flag__publisher_refused() public {
        _under();
        vm.startPrank(publisher);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationAuction.PublisherMayNotLiquidate.selector, publisher));
        auction.flag(acct(alice), acct(liquidator));
        vm.expectRevert(abi.encodeWithSelector(ILiquidationAuction.PublisherMayNotLiquidate.selector, publisher));
        auction.bid(acct(alice), acct(publisher), WAD, new uint40[](1), 1e30);
        vm.stopPrank();
    }

    /// Law LIQ-4: a stale oracle stops liquidation.
    function test_flag__staleOracle_stops() public {
        _under();
        vm.warp(block.timestamp + 3601);
        vm.expectPartialRevert(IPriceOracle.StalePrice.selector);
        auction.flag(acct(alice), acct(liquidator));
    }

    /// Law LIQ-5: a stale file does not: the flag refreshes it in the same transaction, and only then measures.
    function test_flag__staleFile_refreshes() public {
        trade(bob, alice, call_(ETH, near, 2600), 1e18);
        pass(2 hours);
        _under();
        assertTrue(live(acct(alice)).stale);
        uint40 epoch = file.header(ETH, FileVersion.Live).epoch;
        flag(acct(alice));
        assertEq(uint256(file.header(ETH, FileVersion.Live).epoch), epoch + 1);
        assertFalse(live(acct(alice)).stale);
    }

    /// Law LIQ-6: a publication flags nobody inside its notice window who was healthy under the file before it.
    function test_flag__noticeWindow() public {
        setSpot(ETH, 1822); // healthy: equity 2,220, MM 2,214; unhealthy at PSR 15.15 %, an hour on the way to 18: 2,236
        pass(3600);
        IRiskParameters.Publication memory p = aPublication(ETH);
        p.psrPpm = 180_000;
        publish(ETH, p);
        IClearingHouse.Margin memory m = live(acct(alice));
        assertTrue(m.equity < int256(m.mm), "the new file would flag");
        vm.expectPartialRevert(ILiquidationAuction.HealthyUnderPreviousFile.selector);
        auction.flag(acct(alice), acct(liquidator));
        // A refresh neither ends nor restarts the window.
        file.refresh(ETH);
        vm.expectPartialRevert(ILiquidationAuction.HealthyUnderPreviousFile.selector);
        auction.flag(acct(alice), acct(liquidator));
        vm.roll(block.number + 11);
        flag(acct(alice));
    }

    /// Below MM under both files: the window protects nobody who was unhealthy anyway.
    function test_flag__noticeWindow_unhealthyUnderBoth() public {
        pass(3600);
        publish(ETH);
        _under();
        flag(acct(alice));
    }

    function test_flag__fund_refused() public {
        AccountId f = fund.account();
        vm.expectRevert(abi.encodeWithSelector(ILiquidationAuction.FundAccount.selector, f));
        auction.flag(f, acct(liquidator));
    }

    // --- in auction -----------------------------------------------------------------------------------------------

    function test_inAuction__noTradeNoWithdraw_depositsWelcome() public {
        _under();
        flag(acct(alice));
        (bool ok, bytes memory why) = tryTrade(acct(bob), acct(alice), perp(ETH), 1e18, 1750e18);
        assertReverted(ok, why, IClearingHouse.InAuction.selector);
        vm.expectPartialRevert(IClearingHouse.InAuction.selector);
        vm.prank(alice);
        house.withdraw(acct(alice), USDC_ID, 1, alice);
        vm.expectPartialRevert(ILiquidationAuction.NotRestored.selector);
        auction.unflag(acct(alice));
        give(alice, 10_000);
        auction.unflag(acct(alice));
        assertFalse(house.inAuction(acct(alice)));
        trade(acct(bob), acct(alice), perp(ETH), 1e18, 1750e18);
    }

    /// Law LIQ-1: taking the largest fraction restores health to 1 + b and ends the auction.
    function test_bid__largestFraction_restores() public {
        _under();
        flag(acct(alice));
        (uint256 max, int256 quoted) = auction.quote(acct(alice), WAD);
        assertTrue(max < WAD);
        (uint256 taken, int256 cost) = bid(acct(alice), liquidator, WAD);
        assertEq(taken, max);
        assertEq(cost, quoted);
        assertFalse(house.inAuction(acct(alice)));
        IClearingHouse.Margin memory m = live(acct(alice));
        assertTrue(uint256(m.equity) * 10 >= m.mm * 11);
        assertApproxEqRel(uint256(m.equity) * 10, m.mm * 11, 1e12);
    }

    /// The same for any discount, leverage and mix, and in steps: the closed form with reserved cash is exact.
    function testFuzz_bid__steps_restoreExactly(uint256 spot, uint256 wait, uint256 f1, uint256 f2) public {
        setSpot(ETH, bound(spot, 1605, 1800));
        flag(acct(alice));
        pass(bound(wait, 0, 4000));
        f1 = bound(f1, 1e12, 0.2e18);
        f2 = bound(f2, 1e12, 0.2e18);
        bid(acct(alice), liquidator, f1);
        if (house.inAuction(acct(alice))) bid(acct(alice), liquidator, f2);
        if (house.inAuction(acct(alice))) bid(acct(alice), liquidator, WAD);
        assertFalse(house.inAuction(acct(alice)), "still in auction");
        IClearingHouse.Margin memory m = live(acct(alice));
        assertTrue(m.equity >= 0);
        // Each bid adds a slack of 1e-9 of the account to the fraction; seen from a sliver it is large, so slivers are out.
        if (m.mm > 20e18) assertApproxEqRel(uint256(m.equity) * 10, m.mm * 11, 1e12);
    }

    /// Law LIQ-3: the whole account moves pro rata, hedges stay hedged, and no wei in the bidder's favour.
    function test_bid__sliceOfEverything() public {
        giveUnits(acct(alice), WETH_ID, 1e18);
        trade(bob, alice, call_(ETH, near, 2200), 3e18);
        trade(alice, bob, put_(ETH, far, 1800), 2e18);
        setSpot(ETH, 1550);
        flag(acct(alice));
        int256 before = equity(acct(alice)) + equity(acct(liquidator));
        (uint256 taken,) = bid(acct(alice), liquidator, 0.2e18);
        assertEq(taken, 0.2e18);
        assertEq(sizeOf(acct(liquidator), perp(ETH)), 2e18);
        assertEq(sizeOf(acct(liquidator), call_(ETH, near, 2200)), -0.6e18);
        assertEq(sizeOf(acct(liquidator), put_(ETH, far, 1800)), 0.4e18);
        assertEq(house.accountState(acct(liquidator)).collateral[WETH_ID], 0.2e18);
        assertEq(sizeOf(acct(alice), perp(ETH)), 8e18);
        int256 afterwards = equity(acct(alice)) + equity(acct(liquidator));
        assertTrue(afterwards <= before + 10);
        assertApproxEqAbs(afterwards, before, 100);
    }

    function test_bid__checks() public {
        _under();
        uint40[] memory epochs = epochsOf(acct(alice));
        vm.startPrank(liquidator);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationAuction.NotInAuction.selector, acct(alice)));
        auction.bid(acct(alice), acct(liquidator), WAD, epochs, 1e30);
        auction.flag(acct(alice), acct(liquidator));
        vm.expectPartialRevert(ILiquidationAuction.NotBidder.selector);
        auction.bid(acct(alice), acct(bob), WAD, epochs, 1e30);
        vm.expectPartialRevert(ILiquidationAuction.WrongEpochs.selector);
        auction.bid(acct(alice), acct(liquidator), WAD, new uint40[](0), 1e30);
        vm.expectPartialRevert(ILiquidationAuction.WrongEpoch.selector);
        auction.bid(acct(alice), acct(liquidator), WAD, new uint40[](1), 1e30);
        vm.expectPartialRevert(ILiquidationAuction.PriceTooHigh.selector);
        auction.bid(acct(alice), acct(liquidator), WAD, epochs, 1e18);
        vm.expectPartialRevert(ILiquidationAuction.ZeroFraction.selector);
        auction.bid(acct(alice), acct(liquidator), 0, epochs, 1e30);
        vm.stopPrank();
        vm.expectPartialRevert(ILiquidationAuction.SameOwner.selector);
        vm.prank(alice);
        auction.bid(acct(alice), sub(alice, 1), WAD, epochs, 1e30);
    }

    /// A refresh in between does not make a bid void, or anybody could hold bids off; a publication does.
    function test_bid__refreshed_goesThrough() public {
        _under();
        flag(acct(alice));
        uint40[] memory epochs = epochsOf(acct(alice));
        file.refresh(ETH);
        uint256 snapshot = vm.snapshotState();
        vm.prank(liquidator);
        auction.bid(acct(alice), acct(liquidator), WAD, epochs, 1e30);
        vm.revertToState(snapshot);
        pass(601);
        publish(ETH);
        vm.expectPartialRevert(ILiquidationAuction.WrongEpoch.selector);
        vm.prank(liquidator);
        auction.bid(acct(alice), acct(liquidator), WAD, epochs, 1e30);
    }

    /// Law LIQ-7: the bidder is above IM afterwards.
    function test_bid__bidderBelowInitial_refused() public {
        give(carol, 900);
        _under();
        flag(acct(alice));
        uint40[] memory epochs = epochsOf(acct(alice));
        vm.expectPartialRevert(ILiquidationAuction.BidderBelowInitial.selector);
        vm.prank(carol);
        auction.bid(acct(alice), acct(carol), 0.5e18, epochs, 1e30);
    }

    function test_bid__recovered_refused() public {
        _under();
        flag(acct(alice));
        setSpot(ETH, 2000);
        uint40[] memory epochs = epochsOf(acct(alice));
        vm.expectPartialRevert(ILiquidationAuction.Healthy.selector);
        vm.prank(liquidator);
        auction.bid(acct(alice), acct(liquidator), WAD, epochs, 1e30);
    }

    function test_bid__discountFalls_dustClosedWhole() public {
        _under();
        flag(acct(alice));
        (, int256 first) = auction.quote(acct(alice), 0.1e18);
        pass(600);
        (, int256 second) = auction.quote(acct(alice), 0.1e18);
        pass(1800);
        (, int256 third) = auction.quote(acct(alice), 0.1e18);
        pass(1800);
        (uint256 max, int256 last) = auction.quote(acct(alice), 0.1e18);
        assertApproxEqRel(uint256(second) * 98, uint256(first) * 80, 1e9);
        assertApproxEqRel(uint256(third) * 2, uint256(second), 1e9);
        assertEq(last, 0);
        assertTrue(max == WAD);
        setSpot(ETH, 1603); // worth less than 10 after the fee: whole, whatever was asked
        (uint256 taken,) = bid(acct(alice), liquidator, 0.01e18);
        assertEq(taken, WAD);
        assertEq(house.positions(acct(alice)).length, 0);
    }

    /// Law LIQ-8: un-flagging and flagging again within the cool-off does not restart the clock.
    function test_reflag__keepsClock() public {
        _under();
        uint64 t0 = uint64(block.timestamp);
        flag(acct(alice));
        pass(500);
        setSpot(ETH, 2000);
        auction.unflag(acct(alice));
        pass(600);
        _under();
        int256 before = house.cashOf(acct(alice));
        flag(acct(alice));
        // 500 s had run when it ended; the 600 s in between do not count.
        assertEq(block.timestamp - auction.auction(acct(alice)).startTime, 500);
        assertEq(uint256(auction.auction(acct(alice)).startTime), t0 + 600);
        assertEq(house.cashOf(acct(alice)), before); // and no second fee
        setSpot(ETH, 2000);
        auction.unflag(acct(alice));
        pass(1801);
        _under();
        flag(acct(alice));
        assertEq(uint256(auction.auction(acct(alice)).startTime), block.timestamp);
    }

    // --- insolvent ------------------------------------------------------------------------------------------------

    /// The payout starts at what the account lacks, grows to that plus MM, and the fund pays it.
    function test_insolvent__fundPays() public {
        _insolvent();
        flag(acct(alice));
        (uint256 max, int256 cost) = auction.quote(acct(alice), WAD);
        assertEq(max, WAD);
        assertEq(cost, -1000e18);
        pass(600);
        (, cost) = auction.quote(acct(alice), WAD);
        assertEq(cost, -(1000e18 + 1822.5e18 / 2));
        pass(6000);
        (, cost) = auction.quote(acct(alice), WAD);
        assertEq(cost, -(1000e18 + 1822.5e18));
        int256 rich = equity(acct(liquidator));
        bid(acct(alice), liquidator, WAD);
        assertEq(equity(acct(liquidator)), rich + 1822.5e18);
        assertEq(fund.balance(), 100_000e18 - 2822.5e18);
        assertEq(equity(acct(alice)), int256(0));
        assertFalse(house.inAuction(acct(alice)));
        assertEq(auction.knownDeficit(), 0);
    }

    function test_insolvent__partial_scales() public {
        _insolvent();
        flag(acct(alice));
        bid(acct(alice), liquidator, 0.4e18);
        assertEq(equity(acct(alice)), -600e18);
        assertEq(fund.balance(), 100_000e18 - 400e18);
        assertEq(auction.knownDeficit(), 600e18);
        bid(acct(alice), liquidator, WAD);
        assertEq(equity(acct(alice)), int256(0));
        assertEq(fund.balance(), 99_000e18);
    }

    /// Solvent at the flag, insolvent at the bid: the insolvent clock starts then.
    function test_insolvent__transition() public {
        _under();
        flag(acct(alice));
        pass(3000);
        _insolvent();
        auction.remeasure(acct(alice));
        assertTrue(auction.auction(acct(alice)).insolvent);
        (, int256 cost) = auction.quote(acct(alice), WAD);
        int256 deficit = -equity(acct(alice));
        assertEq(cost, -deficit);
        pass(600);
        setSpot(ETH, 1650);
        auction.remeasure(acct(alice));
        assertFalse(auction.auction(acct(alice)).insolvent);
        assertEq(auction.knownDeficit(), 0);
        _insolvent();
        (, cost) = auction.quote(acct(alice), WAD);
        assertEq(cost, -deficit - 911.25e18); // its clock ran on
        bid(acct(alice), liquidator, WAD);
        assertFalse(house.inAuction(acct(alice)));
    }

    /// Haircuts make it insolvent, the market does not: the bidder starts by paying what the account is worth.
    function test_insolvent__byHaircutOnly_bidderPays() public {
        giveUnits(acct(carol), WETH_ID, 1e18);
        vm.prank(carol);
        house.withdraw(acct(carol), USDC_ID, 1600e6, carol);
        setSpot(ETH, 1800); // equity 1,530 − 1,600 = −70; worth 200
        flag(acct(carol));
        (, int256 cost) = auction.quote(acct(carol), WAD);
        assertEq(cost, 200e18);
        pass(600);
        (, cost) = auction.quote(acct(carol), WAD);
        assertEq(cost, 200e18 - 135e18);
        bid(acct(carol), liquidator, WAD);
        assertEq(equity(acct(carol)), 65e18);
        assertEq(fund.balance(), 100_000e18);
    }

    /// Beyond the cap and the fund, everybody with equity pays pro rata, at the next touch.
    function test_insolvent__socialised() public {
        fund.setCap(300e18);
        give(carol, 50_000);
        give(dave, 100_000);
        _insolvent();
        flag(acct(alice));
        bid(acct(alice), liquidator, WAD);
        assertEq(fund.balance(), 99_700e18);
        IClearingHouse.HouseState memory h = house.houseState();
        assertEq(h.socialReceivable, 700e18);
        assertTrue(h.keepRay < 1e27);
        int256 lossCarol = 50_000e18 - equity(acct(carol));
        int256 lossDave = 100_000e18 - equity(acct(dave));
        assertTrue(lossCarol > 0);
        assertApproxEqAbs(2 * lossCarol, lossDave, 2);
        address[4] memory who = [bob, carol, dave, liquidator];
        for (uint256 i; i < 4; ++i) {
            int256 before = equity(acct(who[i]));
            house.touch(acct(who[i]));
            assertEq(equity(acct(who[i])), before);
        }
        assertEq(house.cashOf(acct(carol)), 50_000e18 - lossCarol);
        // Everybody was touched at the very prices of the event: the loss is collected to the last wei and a few.
        assertApproxEqAbs(house.houseState().socialReceivable, 0, 1e10);
        // A late comer owes nothing.
        give(sub(carol, 9), 1000);
        assertEq(equity(sub(carol, 9)), 1000e18);
    }

    /// A second pull finds nothing.
    function test_socialised__pulledOnce() public {
        test_insolvent__socialised();
        int256 cash = house.cashOf(acct(carol));
        house.touch(acct(carol));
        assertEq(house.cashOf(acct(carol)), cash);
    }

    /// Only debt is left: the fund clears it at the flag.
    function test_flag__onlyDebt_cleared() public {
        give(carol, 3100);
        InstrumentId c = call_(ETH, near, 2000);
        trade(acct(bob), acct(carol), c, 10e18, 60e18);
        vm.warp(near - 60);
        setSpot(ETH, 2000);
        vm.warp(near + 30);
        setSpot(ETH, 2500);
        btcFeed.push(60_000e8);
        uint80 round = ethFeed.latestRound();
        house.settleExpiry(ETH, near, round, round - 1);
        house.touch(acct(carol));
        assertEq(house.cashOf(acct(carol)), 3700e18 - 5000e18);
        flag(acct(carol));
        assertFalse(house.inAuction(acct(carol)));
        assertEq(house.cashOf(acct(carol)), int256(0));
        assertEq(fund.balance(), 98_700e18);
        assertEq(auction.knownDeficit(), 0);
    }

    /// Withdrawals stop while known insolvency exceeds the fund.
    function test_gate__knownInsolvencyAboveFund() public {
        fund.withdraw(99_500e6, address(this));
        _insolvent();
        assertFalse(auction.insolvencyGated());
        flag(acct(alice));
        assertTrue(auction.insolvencyGated());
        vm.expectRevert(IClearingHouse.WithdrawalsGated.selector);
        vm.prank(bob);
        house.withdraw(acct(bob), USDC_ID, 1, bob);
        give(fund.account(), 600);
        assertFalse(auction.insolvencyGated());
        bid(acct(alice), liquidator, WAD);
        vm.prank(bob);
        house.withdraw(acct(bob), USDC_ID, 1, bob);
    }

    function test_cover__onlyAuction() public {
        vm.expectRevert();
        fund.cover(acct(alice), 1, 0);
    }

    /// The cap holds over several bids of one auction.
    function test_cover__capAcrossBids() public {
        fund.setCap(600e18);
        _insolvent();
        flag(acct(alice));
        bid(acct(alice), liquidator, 0.5e18);
        assertEq(fund.balance(), 99_500e18);
        bid(acct(alice), liquidator, WAD);
        assertEq(fund.balance(), 99_400e18);
        assertEq(house.houseState().socialReceivable, 400e18);
    }

    /// An account under a pause is liquidated all the same.
    function test_pause__doesNotStopLiquidation() public {
        vm.prank(guardian);
        house.pause(72 hours);
        _under();
        flag(acct(alice));
        bid(acct(alice), liquidator, WAD);
        assertFalse(house.inAuction(acct(alice)));
    }

    function test_params__fences() public {
        ILiquidationAuction.Params memory p = auctionParams();
        p.startPpm = 1_000_001;
        vm.expectPartialRevert(ILiquidationAuction.BadParams.selector);
        auction.setParams(p);
        p = auctionParams();
        p.cutoffPpm = p.startPpm + 1;
        vm.expectPartialRevert(ILiquidationAuction.BadParams.selector);
        auction.setParams(p);
    }
}
