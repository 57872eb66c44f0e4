// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {CircuitBreaker} from "../../src/CircuitBreaker.sol";
import {ICircuitBreaker} from "../../src/interfaces/ICircuitBreaker.sol";
import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {ILiquidationAuction} from "../../src/interfaces/ILiquidationAuction.sol";
import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {AccountId} from "../../src/interfaces/Types.sol";
import {MockAggregator} from "../../src/mocks/MockAggregator.sol";
import {BaseTest} from "../BaseTest.sol";

/// @notice What an open breaker does to flags, trades, withdrawals and margins, and what it leaves alone (BRK-5 … BRK-9,
/// BRK-11, BRK-14, BRK-17).
contract BreakerTest is BaseTest {
    uint256 private constant HOLD = 300;
    uint256 private constant WINDOW = 600;
    CircuitBreaker internal breaker;

    function setUp() public override {
        super.setUp();
        breaker = new CircuitBreaker(house, address(this));
        breaker.setConfig("ETH", settings(ETH));
        breaker.setConfig("BTC", settings(BTC));
        house.setBreaker(address(breaker));
        parameters.grantRole(parameters.BREAKER_ROLE(), address(breaker));
        house.setFee(0);
        give(bob, 10_000_000);
        give(liquidator, 1_000_000);
        give(fund.account(), 100_000);
        give(alice, 4000);
        trade(alice, bob, perp(ETH), 10e18); // MM 2,430 at 2,000
        pass(2 * WINDOW + HOLD);
    }

    /// PSR is 15 %: beyond it a move is a jump.
    function settings(uint16 u) internal pure returns (ICircuitBreaker.Config memory) {
        return ICircuitBreaker.Config({
            underlying: u,
            hasUnderlying: true,
            kPpm: 1_000_000,
            minMovePpm: 50_000,
            disagreePpm: 0,
            windowS: uint32(WINDOW),
            holdS: uint32(HOLD),
            confirmS: 0,
            maxRounds: 50
        });
    }

    /// alice insolvent by a wick: equity −1,000.
    function _wick() private {
        setSpot(ETH, 1500);
    }

    function _deferred(bytes32 asset, uint256 untilS) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ILiquidationAuction.Deferred.selector, asset, untilS);
    }

    // --- flags ----------------------------------------------------------------------------------------------------

    /// BRK-5: a wick alone gets nobody flagged inside the hold; taken back, nobody ever was in danger.
    function test_flag__wick_deferred_andTakenBack() public {
        _wick();
        uint256 untilS = block.timestamp + HOLD;
        vm.expectRevert(_deferred("ETH", untilS));
        flag(acct(alice));
        vm.warp(untilS - 1);
        vm.expectRevert(_deferred("ETH", untilS));
        flag(acct(alice));
        setSpot(ETH, 2000);
        vm.expectPartialRevert(ILiquidationAuction.Healthy.selector);
        flag(acct(alice));
    }

    /// BRK-6: a second round that confirms releases the flag in its own block.
    function test_flag__confirmed_goesThrough() public {
        _wick();
        vm.warp(block.timestamp + 12);
        vm.expectPartialRevert(ILiquidationAuction.Deferred.selector);
        flag(acct(alice));
        setSpot(ETH, 1520);
        flag(acct(alice));
        assertTrue(house.inAuction(acct(alice)));
    }

    /// BRK-6: it releases by itself, whatever nobody does.
    function test_flag__noSecondRound_releasesByItself() public {
        _wick();
        vm.warp(block.timestamp + HOLD);
        flag(acct(alice));
    }

    /// A move inside the scan range is what margin is for: nothing waits.
    function test_flag__ordinaryMove_goesThrough() public {
        setSpot(ETH, 1701); // −14.95 %
        flag(acct(alice));
    }

    function test_flag__healthy_saysSo() public {
        give(alice, 100_000);
        _wick();
        vm.expectPartialRevert(ILiquidationAuction.Healthy.selector);
        flag(acct(alice));
    }

    /// An account waits for every asset it depends on, and for no other.
    function test_flag__ofWhatTheAccountHolds() public {
        setSpot(ETH, 1701); // under, without a jump
        setSpot(BTC, 40_000); // a jump of what alice has nothing of
        giveUnits(acct(carol), WBTC_ID, 1e8);
        (bytes32 asset, uint256 untilS) = breaker.deferral(acct(carol));
        assertEq(asset, "BTC");
        assertEq(untilS, block.timestamp + HOLD);
        (asset, untilS) = breaker.deferral(acct(alice));
        assertEq(asset, bytes32(0));
        assertEq(untilS, 0);
        uint256 snapshot = vm.snapshotState();
        flag(acct(alice));
        vm.revertToState(snapshot);
        giveUnits(acct(alice), WBTC_ID, 1); // a collateral of hers now
        vm.expectRevert(_deferred("BTC", block.timestamp + HOLD));
        flag(acct(alice));
    }

    /// BRK-7: an auction that runs goes on: bids, remeasure and un-flag do not ask the breaker.
    function test_auction__running_goesOn() public {
        setSpot(ETH, 1701);
        flag(acct(alice));
        vm.warp(block.timestamp + 12);
        setSpot(ETH, 1400);
        assertTrue(breaker.state("ETH").open);
        auction.remeasure(acct(alice));
        bid(acct(alice), liquidator, 0.5e18);
        give(alice, 100_000);
        auction.unflag(acct(alice));
    }

    // --- trades ---------------------------------------------------------------------------------------------------

    /// BRK-8: while open, positions of that market may only shrink; of other markets they may do anything.
    function test_trade__open_reduceOnly() public {
        give(alice, 100_000);
        give(carol, 100_000);
        trade(carol, bob, perp(ETH), 5e18);
        _wick();
        uint256 untilS = block.timestamp + HOLD;
        (bool ok, bytes memory reason) = tryTrade(acct(alice), acct(carol), perp(ETH), 1e18, 1500e18);
        assertReverted(ok, reason, IClearingHouse.ReduceOnly.selector);
        assertEq(keccak256(reason), keccak256(abi.encodeWithSelector(IClearingHouse.ReduceOnly.selector, ETH, untilS)));
        (ok, reason) = tryTrade(acct(bob), acct(alice), perp(ETH), 11e18, 1500e18); // a flip of alice's
        assertReverted(ok, reason, IClearingHouse.ReduceOnly.selector);
        trade(acct(bob), acct(alice), perp(ETH), 4e18, 1500e18); // both close
        assertEq(sizeOf(acct(alice), perp(ETH)), int256(6e18));
        trade(alice, bob, perp(BTC), 1e17);
        setSpot(ETH, 1500); // confirmed
        trade(alice, carol, perp(ETH), 1e18);
    }

    /// Whoever closes into somebody who opens waits too.
    function test_trade__closingIntoAnOpening_waits() public {
        give(carol, 100_000);
        _wick();
        (bool ok, bytes memory reason) = tryTrade(acct(carol), acct(alice), perp(ETH), 1e18, 1500e18);
        assertReverted(ok, reason, IClearingHouse.ReduceOnly.selector);
    }

    function test_sync__tellsOnce() public {
        assertEq(breaker.sync("ETH"), 0);
        _wick();
        uint256 since = block.timestamp;
        vm.expectEmit(address(breaker));
        emit ICircuitBreaker.Tripped("ETH", since, since + HOLD, "jump");
        assertEq(breaker.sync("ETH"), since + HOLD);
        assertTrue(breaker.state("ETH").told);
        vm.recordLogs();
        vm.warp(since + 10);
        assertEq(breaker.sync("ETH"), since + HOLD);
        assertEq(vm.getRecordedLogs().length, 0);
    }

    /// BRK-11: the first who trades or tells widens IM; MM stays; a round that releases does not narrow it.
    function test_sync__widensIm_toTheEndOfTheHold() public {
        _wick();
        uint256 untilS = block.timestamp + HOLD;
        (uint256 im, uint256 mm) = (live(acct(bob)).im, live(acct(bob)).mm);
        breaker.sync("ETH");
        assertEq(live(acct(bob)).im, im * 125 / 100, "BRK-11 a quarter");
        assertEq(live(acct(bob)).mm, mm, "BRK-11 MM");
        setSpot(ETH, 1500);
        assertFalse(breaker.state("ETH").open);
        assertEq(live(acct(bob)).im, im * 125 / 100, "BRK-11 to the end");
        vm.warp(untilS);
        assertEq(live(acct(bob)).im, im, "BRK-11 lapses by itself");
    }

    // --- withdrawals ----------------------------------------------------------------------------------------------

    function _withdraw(address who, uint256 usd) private {
        vm.prank(who);
        house.withdraw(acct(who), USDC_ID, usd * 1e6, who);
    }

    function _withdrawWaits(address who, uint256 usd, bytes32 asset, uint256 untilS) private {
        vm.prank(who);
        vm.expectRevert(_deferred(asset, untilS));
        house.withdraw(acct(who), USDC_ID, usd * 1e6, who);
    }

    /// BRK-17: the profit that a wick shows is paid out to nobody before it is confirmed; then it is.
    function test_withdraw__open_waits_andPaysOnceConfirmed() public {
        setSpot(ETH, 2400); // equity 8,000, IM 3,600
        uint256 untilS = block.timestamp + HOLD;
        _withdrawWaits(alice, 4000, "ETH", untilS);
        _withdrawWaits(alice, 1, "ETH", untilS);
        vm.warp(untilS - 1);
        _withdrawWaits(alice, 1, "ETH", untilS);
        setSpot(ETH, 2400); // the second round
        _withdraw(alice, 4000);
        assertEq(equity(acct(alice)), 4000e18);
    }

    /// BRK-17: so is a collateral's: cash borrowed against a wick would be gone when it is taken back.
    function test_withdraw__collateralOfADoubtfulPrice_waits() public {
        giveUnits(acct(carol), WETH_ID, 10e18);
        setSpot(ETH, 3000);
        uint256 untilS = block.timestamp + HOLD;
        _withdrawWaits(carol, 25_000, "ETH", untilS);
        setSpot(ETH, 2000); // taken back
        vm.prank(carol);
        vm.expectPartialRevert(IClearingHouse.BelowInitial.selector);
        house.withdraw(acct(carol), USDC_ID, 25_000e6, carol);
    }

    /// BRK-17: what owes nothing at any price may go at once: cash, and the doubtful collateral itself.
    function test_withdraw__neitherPositionNorDebtRemains_goes() public {
        give(carol, 1000);
        giveUnits(acct(carol), WETH_ID, 10e18);
        setSpot(ETH, 3000);
        _withdraw(carol, 1000);
        vm.prank(carol);
        house.withdraw(acct(carol), WETH_ID, 10e18, carol);
        assertEq(equity(acct(carol)), 0);
    }

    /// BRK-17: an account waits for what it depends on and for nothing else.
    function test_withdraw__openElsewhere_goes() public {
        setSpot(BTC, 40_000);
        _withdraw(alice, 500);
    }

    /// BRK-17: whatever wick comes and is taken back, nobody who withdrew at it is below IM at the price that stands.
    function testFuzz_withdraw__wickTakenBack_nobodyShort(uint256 usd, uint256 amount, uint256 wait) public {
        giveUnits(acct(carol), WETH_ID, 10e18);
        amount = bound(amount, 1, 60_000);
        setSpot(ETH, bound(usd, 2301, 9000));
        vm.warp(block.timestamp + bound(wait, 0, HOLD - 1));
        address[2] memory who = [alice, carol];
        for (uint256 i; i < 2; ++i) {
            vm.prank(who[i]);
            try house.withdraw(acct(who[i]), USDC_ID, amount * 1e6, who[i]) {} catch {}
        }
        setSpot(ETH, 2000);
        for (uint256 i; i < 2; ++i) {
            IClearingHouse.Margin memory m = live(acct(who[i]));
            assertGe(m.equity, int256(m.im), "BRK-17 paid out against a wick");
        }
    }

    /// Without its role the breaker widens nothing, and holds nobody up who closes.
    function test_sync__withoutTheRole_closingPasses() public {
        parameters.revokeRole(parameters.BREAKER_ROLE(), address(breaker));
        give(alice, 100_000);
        _wick();
        uint256 im = live(acct(bob)).im;
        assertEq(breaker.sync("ETH"), block.timestamp + HOLD);
        assertEq(live(acct(bob)).im, im);
        assertFalse(breaker.state("ETH").told);
        trade(acct(bob), acct(alice), perp(ETH), 4e18, 1500e18);
    }

    // --- what opens it --------------------------------------------------------------------------------------------

    /// BRK-14: a feed with more rounds than are looked at does not switch the breaker off.
    function test_flag__denseFeed_wick_deferred() public {
        ICircuitBreaker.Config memory c = settings(ETH);
        c.maxRounds = 64;
        breaker.setConfig("ETH", c);
        for (uint256 i; i < 80; ++i) {
            vm.warp(block.timestamp + 15);
            vm.roll(block.number + 1);
            setSpot(ETH, 2000 + i % 2);
        }
        vm.warp(block.timestamp + 15);
        _wick();
        ICircuitBreaker.State memory s = breaker.state("ETH");
        assertTrue(s.open, "BRK-14 seen");
        uint256 hold = uint256(63 * 15) * c.holdS / (2 * uint256(c.windowS) + c.holdS);
        assertEq(s.untilS, block.timestamp + hold, "BRK-14 for its share");
        vm.expectRevert(_deferred("ETH", s.untilS));
        flag(acct(alice));
        vm.warp(s.untilS);
        assertFalse(breaker.state("ETH").open, "BRK-14 and no longer");
    }

    function test_state__noConfig_hardlyAnyPath_closed() public {
        ICircuitBreaker.Config memory c = settings(ETH);
        _wick();
        c.maxRounds = 3; // the wick, the round before it, and the one in force before that
        breaker.setConfig("ETH", c);
        assertTrue(breaker.state("ETH").open);
        c.maxRounds = 2;
        breaker.setConfig("ETH", c);
        assertFalse(breaker.state("ETH").open);
        c.maxRounds = 50;
        c.windowS = 0;
        breaker.setConfig("ETH", c);
        assertFalse(breaker.state("ETH").open);
        assertFalse(breaker.state("XYZ").open);
    }

    /// The scan range in force measures the move, but never below the least move.
    function test_state__moveIsMeasuredInScanRanges() public {
        ICircuitBreaker.Config memory c = settings(ETH);
        c.kPpm = 500_000;
        breaker.setConfig("ETH", c);
        setSpot(ETH, 1849); // 7.55 % > 0.5 · 15 %
        assertTrue(breaker.state("ETH").open);
        c.minMovePpm = 80_000;
        breaker.setConfig("ETH", c);
        assertFalse(breaker.state("ETH").open);
        (c.minMovePpm, c.hasUnderlying) = (50_000, false);
        breaker.setConfig("ETH", c);
        assertTrue(breaker.state("ETH").open);
        assertEq(breaker.state("ETH").why, "jump");
    }

    function test_feeds__disagree_defers() public {
        MockAggregator second = new MockAggregator(8, 2000e8);
        oracle.setFeed("ETH", IPriceOracle.Feed(address(ethFeed), address(second), 3600, 200_000, 1e18, 1e24));
        ICircuitBreaker.Config memory c = settings(ETH);
        c.disagreePpm = 100_000;
        breaker.setConfig("ETH", c);
        pass(2 * WINDOW + HOLD);
        setSpot(ETH, 1720); // 14 %: no jump, but the other feed says 2,000
        assertEq(breaker.state("ETH").why, "feeds");
        vm.expectRevert(_deferred("ETH", block.timestamp + HOLD));
        flag(acct(alice));
        second.push(1730e8);
        flag(acct(alice));
    }

    // --- settings -------------------------------------------------------------------------------------------------

    function _refused(ICircuitBreaker.Config memory c, bytes32 what, uint256 value, uint256 limit) private {
        vm.expectRevert(abi.encodeWithSelector(ICircuitBreaker.BadConfig.selector, bytes32("ETH"), what, value, limit));
        breaker.setConfig("ETH", c);
    }

    function test_config__outsideItsBounds_refused() public {
        ICircuitBreaker.Config memory c = settings(ETH);
        c.holdS = 59;
        _refused(c, "hold", 59, 60);
        (c.holdS, c.windowS) = (901, 1802);
        _refused(c, "hold", 901, 900);
        (c.holdS, c.windowS) = (300, 599);
        _refused(c, "window", 599, 600);
        c.windowS = 3601;
        _refused(c, "window", 3601, 3600);
        (c.windowS, c.confirmS) = (600, 301);
        _refused(c, "confirm", 301, 300);
        (c.confirmS, c.minMovePpm) = (0, 4999);
        _refused(c, "min move", 4999, 5000);
        c.minMovePpm = 1_000_001;
        _refused(c, "min move", 1_000_001, 1_000_000);
        (c.minMovePpm, c.maxRounds) = (50_000, 1);
        _refused(c, "rounds", 1, 2);
        (c.maxRounds, c.disagreePpm) = (50, 10_000);
        _refused(c, "disagree", 10_000, 0); // one feed cannot disagree
        (c.disagreePpm, c.underlying) = (0, BTC);
        _refused(c, "underlying", BTC, 0);
    }

    function test_owner__only() public {
        vm.startPrank(alice);
        bytes memory refused = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, alice);
        vm.expectRevert(refused);
        breaker.setConfig("ETH", settings(ETH));
        vm.expectRevert(refused);
        house.setBreaker(address(0));
        vm.stopPrank();
        house.setBreaker(address(0));
        _wick();
        flag(acct(alice)); // without a breaker nothing waits
    }

    // --- laws -----------------------------------------------------------------------------------------------------

    /// BRK-5: from any quiet, a wick of one round gets nobody flagged before it is taken back inside the hold.
    function testFuzz_wick__flagsNobody(uint256 usd, uint256 quietS, uint256 backS, uint256 equityUsd) public {
        usd = bound(usd, 600, 1699);
        quietS = bound(quietS, 0, 3000);
        backS = bound(backS, 0, HOLD - 1);
        give(alice, bound(equityUsd, 1, 20_000));
        vm.warp(block.timestamp + quietS);
        setSpot(ETH, usd);
        for (uint256 k; k < 3; ++k) {
            vm.prank(liquidator);
            (bool ok,) = address(auction).call(abi.encodeCall(auction.flag, (acct(alice), acct(liquidator))));
            assertFalse(ok, "BRK-5 flagged on a wick");
            vm.warp(block.timestamp + backS / 2);
        }
        setSpot(ETH, 2000);
        vm.expectPartialRevert(ILiquidationAuction.Healthy.selector);
        flag(acct(alice));
    }

    /// BRK-9: whatever rounds come, an account below MM is never deferred for longer than the hold in a row, and in a
    /// window never longer than the hold altogether.
    function testFuzz_flag__neverDeferredForLong(uint256 seed) public {
        uint256 openSamples;
        uint256 inARow;
        bool[] memory open = new bool[](40);
        for (uint256 i; i < 40; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            if (dice % 3 == 0) setSpot(ETH, 400 + (dice >> 8) % 1200); // alice is insolvent at any of them
            (, uint256 untilS) = breaker.deferral(acct(alice));
            assertTrue(untilS <= block.timestamp + HOLD, "BRK-9 bounded");
            open[i] = untilS != 0;
            openSamples += open[i] ? 1 : 0;
            inARow = open[i] ? inARow + 1 : 0;
            uint256 k = WINDOW / 50; // samples of a window
            if (i >= k) openSamples -= open[i - k] ? 1 : 0;
            assertTrue(inARow * 50 <= HOLD, "BRK-9 in a row");
            assertTrue(openSamples * 50 <= HOLD + 50, "BRK-9 in a window");
            vm.warp(block.timestamp + 50);
        }
    }
}
