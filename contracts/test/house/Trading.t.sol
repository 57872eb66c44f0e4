// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IClearingHouse} from "../../src/interfaces/IClearingHouse.sol";
import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {AccountId, FileVersion, InstrumentId} from "../../src/interfaces/Types.sol";
import {InstrumentIds} from "../../src/libraries/InstrumentIds.sol";
import {BaseTest} from "../BaseTest.sol";

/// Signs what its owner approved.
contract Wallet is IERC1271 {
    mapping(bytes32 => bool) public approved;

    function approve(bytes32 hash) external {
        approved[hash] = true;
    }

    function isValidSignature(bytes32 hash, bytes calldata) external view returns (bytes4) {
        return approved[hash] ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

contract TradingTest is BaseTest {
    function setUp() public override {
        super.setUp();
        give(alice, 100_000);
        give(bob, 100_000);
        give(carol, 100_000);
    }

    /// The premium moves, both pay the fee, positions mirror each other, money is conserved.
    function test_trade__option_movesPremiumAndFee() public {
        InstrumentId c = call_(ETH, near, 2000);
        uint256 price = fair(c);
        trade(alice, bob, c, 10e18);
        uint256 fee = 10 * 2000e18 * uint256(FEE_PPM) / 1e6;
        assertEq(sizeOf(acct(alice), c), 10e18);
        assertEq(sizeOf(acct(bob), c), -10e18);
        assertEq(house.cashOf(acct(alice)), 100_000e18 - int256(10 * price + fee));
        assertEq(house.cashOf(acct(bob)), 100_000e18 + int256(10 * price) - int256(fee));
        assertEq(fund.balance(), int256(2 * fee));
        assertEq(house.openInterest(c), 10e18);
        assertEq(house.expiryOpenInterest(ETH, near), 10e18);
    }

    /// A perp moves no cash when it opens; what a trade closes is realised.
    function test_trade__perp_realisesOnReduction() public {
        house.setFee(0);
        trade(alice, bob, perp(ETH), 10e18);
        assertEq(house.cashOf(acct(alice)), 100_000e18);
        setSpot(ETH, 2100);
        assertEq(equity(acct(alice)), 101_000e18);
        assertEq(equity(acct(bob)), 99_000e18);
        trade(acct(bob), acct(alice), perp(ETH), 4e18, 2100e18);
        assertEq(house.cashOf(acct(alice)), 100_400e18);
        assertEq(house.cashOf(acct(bob)), 99_600e18);
        trade(acct(bob), acct(alice), perp(ETH), 8e18, 2100e18); // flips both
        assertEq(house.cashOf(acct(alice)), 101_000e18);
        assertEq(sizeOf(acct(alice), perp(ETH)), -2e18);
        assertEq(equity(acct(alice)), 101_000e18);
        assertEq(equity(acct(bob)), 99_000e18);
        trade(acct(alice), acct(bob), perp(ETH), 2e18, 2100e18);
        assertEq(house.positions(acct(alice)).length, 0);
        assertEq(house.accountState(acct(alice)).perps.length, 0);
    }

    function test_trade__partialFills_upToAmount() public {
        IClearingHouse.Order memory b = order(acct(alice), perp(ETH), true, 10e18, 2000e18);
        IClearingHouse.Order memory s = order(acct(bob), perp(ETH), false, 100e18, 2000e18);
        bytes memory bs = sign(b);
        bytes memory ss = sign(s);
        house.trade(b, bs, s, ss, 4e18, 2000e18);
        house.trade(b, bs, s, ss, 6e18, 2000e18);
        assertEq(house.filled(house.hashOrder(b)), 10e18);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.OrderOverfilled.selector, 10e18 + 1, 10e18));
        house.trade(b, bs, s, ss, 1, 2000e18);
    }

    function test_trade__cancelled_refused() public {
        IClearingHouse.Order memory b = order(acct(alice), perp(ETH), true, 10e18, 2000e18);
        IClearingHouse.Order memory s = order(acct(bob), perp(ETH), false, 10e18, 2000e18);
        (bytes memory bs, bytes memory ss) = (sign(b), sign(s));
        vm.expectPartialRevert(IClearingHouse.NotOwner.selector);
        house.cancel(b);
        vm.prank(alice);
        house.cancel(b);
        vm.expectPartialRevert(IClearingHouse.OrderOverfilled.selector);
        house.trade(b, bs, s, ss, 1e18, 2000e18);

        b = order(acct(alice), perp(ETH), true, 10e18, 2000e18);
        bs = sign(b);
        vm.prank(alice);
        house.raiseNonce(b.nonce + 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.OrderCancelled.selector, b.nonce, b.nonce + 1));
        house.trade(b, bs, s, ss, 1e18, 2000e18);
    }

    function test_trade__wrongSignature_refused() public {
        IClearingHouse.Order memory b = order(acct(alice), perp(ETH), true, 10e18, 2000e18);
        IClearingHouse.Order memory s = order(acct(bob), perp(ETH), false, 10e18, 2000e18);
        (bytes memory bs, bytes memory ss) = (sign(b), sign(s));
        vm.expectPartialRevert(IClearingHouse.BadSignature.selector);
        house.trade(b, ss, s, bs, 1e18, 2000e18);
        b.amount += 1;
        vm.expectPartialRevert(IClearingHouse.BadSignature.selector);
        house.trade(b, bs, s, ss, 1e18, 2000e18);
    }

    function test_trade__contractWallet_signsByErc1271() public {
        Wallet wallet = new Wallet();
        AccountId account = sub(address(wallet), 7);
        give(account, 50_000);
        IClearingHouse.Order memory b = order(account, perp(ETH), true, 1e18, 2000e18);
        IClearingHouse.Order memory s = order(acct(bob), perp(ETH), false, 1e18, 2000e18);
        bytes memory ss = sign(s);
        vm.expectPartialRevert(IClearingHouse.BadSignature.selector);
        house.trade(b, "", s, ss, 1e18, 2000e18);
        wallet.approve(house.hashOrder(b));
        house.trade(b, "", s, ss, 1e18, 2000e18);
        assertEq(sizeOf(account, perp(ETH)), 1e18);
    }

    function test_trade__orderTerms() public {
        IClearingHouse.Order memory b = order(acct(alice), perp(ETH), true, 10e18, 2000e18);
        IClearingHouse.Order memory s = order(acct(bob), perp(ETH), false, 10e18, 2000e18);
        _refused(b, s, 2000e18 + 1, IClearingHouse.PriceBeyondLimit.selector);
        _refused(b, s, 2000e18 - 1, IClearingHouse.PriceBeyondLimit.selector);
        _refused(s, b, 2000e18, IClearingHouse.WrongSide.selector);
        s.instrument = perp(BTC);
        _refused(b, s, 2000e18, IClearingHouse.WrongInstrument.selector);
        s.instrument = perp(ETH);
        s.account = sub(alice, 5);
        _refused(b, s, 2000e18, IClearingHouse.SameOwner.selector);
        s.account = acct(bob);
        s.submitter = carol;
        _refused(b, s, 2000e18, IClearingHouse.WrongSubmitter.selector);
        s.submitter = address(this);
        s.maxFee = 0.5e18;
        _refused(b, s, 2000e18, IClearingHouse.FeeAboveMaximum.selector);
        s.maxFee = 0.6e18;
        (bool ok,) = _try(b, s, 2000e18);
        assertTrue(ok);
        s.expiry = uint64(block.timestamp - 1);
        _refused(b, s, 2000e18, IClearingHouse.OrderExpired.selector);
    }

    function _try(IClearingHouse.Order memory b, IClearingHouse.Order memory s, uint128 price)
        private
        returns (bool, bytes memory)
    {
        return address(house).call(abi.encodeCall(house.trade, (b, sign(b), s, sign(s), 1e18, price)));
    }

    function _refused(IClearingHouse.Order memory b, IClearingHouse.Order memory s, uint128 price, bytes4 why) private {
        (bool ok, bytes memory reason) = _try(b, s, price);
        assertReverted(ok, reason, why);
    }

    function test_trade__malformedAndUnlistedInstruments_refused() public {
        (bool ok, bytes memory why) = tryTrade(acct(alice), acct(bob), call_(ETH, near, 2001), 1e18, 1e18);
        assertReverted(ok, why, IRiskFile.StrikeNotInFile.selector);
        (ok, why) = tryTrade(acct(alice), acct(bob), perp(9), 1e18, 1e18);
        assertReverted(ok, why, IClearingHouse.UnknownMarket.selector);
        InstrumentId bad = InstrumentId.wrap(InstrumentId.unwrap(perp(ETH)) | 3);
        (ok, why) = tryTrade(acct(alice), acct(bob), bad, 1e18, 2000e18);
        assertReverted(ok, why, IClearingHouse.WrongInstrument.selector);
        vm.warp(near);
        setSpot(ETH, 2000);
        (ok, why) = tryTrade(acct(alice), acct(bob), call_(ETH, near, 2000), 1e18, 1e18);
        assertReverted(ok, why, IClearingHouse.InstrumentExpired.selector);
    }

    /// Prices stay inside the shocked marks ± the band.
    function test_trade__priceBand() public {
        InstrumentId c = call_(ETH, near, 2000);
        (, int256 up, int256 down) = file.marks(ETH, near, 2000e8, true, 2000e18);
        (bool ok, bytes memory why) = tryTrade(acct(alice), acct(bob), c, 1e18, uint256(up) + 100e18 + 1);
        assertReverted(ok, why, IClearingHouse.PriceOutsideBand.selector);
        (ok,) = tryTrade(acct(alice), acct(bob), c, 1e18, uint256(up) + 100e18);
        assertTrue(ok);
        // down − band is below zero here: any price down to 0 is inside.
        assertTrue(down < 100e18);
        (ok, why) = tryTrade(acct(alice), acct(bob), perp(ETH), 1e18, 2100e18 + 1);
        assertReverted(ok, why, IClearingHouse.PriceOutsideBand.selector);
        (ok, why) = tryTrade(acct(alice), acct(bob), perp(ETH), 1e18, 1900e18 - 1);
        assertReverted(ok, why, IClearingHouse.PriceOutsideBand.selector);
    }

    function test_trade__caps() public {
        IClearingHouse.UnderlyingMarket memory m = market("ETH");
        (m.maxPositionPerAccount, m.maxOpenInterestInstrument, m.maxOpenInterestExpiry, m.maxOpenInterestPerp) =
        (5e18, 8e18, 12e18, 9e18);
        house.setMarket(ETH, m);
        InstrumentId c = call_(ETH, near, 2000);
        (bool ok, bytes memory why) = tryTrade(acct(alice), acct(bob), c, 5e18 + 1, fair(c));
        assertReverted(ok, why, IClearingHouse.CapExceeded.selector);
        trade(alice, bob, c, 5e18);
        (ok, why) = tryTrade(acct(carol), sub(bob, 1), c, 1, 0);
        give(sub(bob, 1), 100_000);
        (ok, why) = tryTrade(acct(carol), sub(bob, 1), c, 3e18 + 1, fair(c));
        assertReverted(ok, why, IClearingHouse.CapExceeded.selector);
        trade(acct(carol), sub(bob, 1), c, 3e18 - 1, fair(c));
        InstrumentId p = put_(ETH, near, 2000);
        (ok, why) = tryTrade(acct(carol), acct(bob), p, 4e18 + 2, fair(p));
        assertReverted(ok, why, IClearingHouse.CapExceeded.selector);
        trade(carol, bob, p, 4e18);
        trade(alice, bob, perp(ETH), 5e18);
        (ok, why) = tryTrade(acct(carol), sub(bob, 1), perp(ETH), 4e18 + 1, 2000e18);
        assertReverted(ok, why, IClearingHouse.CapExceeded.selector);
    }

    function test_trade__minEquityToOpen() public {
        house.setMinEquity(500e18);
        give(dave, 400);
        (bool ok, bytes memory why) = tryTrade(acct(dave), acct(bob), perp(ETH), 0.1e18, 2000e18);
        assertReverted(ok, why, IClearingHouse.EquityTooSmallToOpen.selector);
        give(dave, 200);
        (ok,) = tryTrade(acct(dave), acct(bob), perp(ETH), 0.1e18, 2000e18);
        assertTrue(ok);
    }

    function test_trade__belowInitial_refused() public {
        give(dave, 1000);
        (bool ok, bytes memory why) = tryTrade(acct(dave), acct(bob), perp(ETH), 10e18, 2000e18);
        assertReverted(ok, why, IClearingHouse.BelowInitial.selector);
    }

    function test_trade__delistedMarket_onlyShrinks() public {
        trade(alice, bob, perp(ETH), 10e18);
        IClearingHouse.UnderlyingMarket memory m = market("ETH");
        m.listed = false;
        house.setMarket(ETH, m);
        (bool ok, bytes memory why) = tryTrade(acct(alice), acct(bob), perp(ETH), 1e18, 2000e18);
        assertReverted(ok, why, IClearingHouse.UnknownMarket.selector);
        trade(bob, alice, perp(ETH), 4e18);
        assertEq(sizeOf(acct(alice), perp(ETH)), 6e18);
    }

    /// Below IM an account may only reduce, at a price that does not lower equity − MM.
    function test_trade__belowInitial_mayReduceAtFairPrice() public {
        give(dave, 4500);
        trade(dave, bob, perp(ETH), 10e18);
        setSpot(ETH, 1800); // equity about 2,500, MM 2,190, IM 2,700
        IClearingHouse.Margin memory m = live(acct(dave));
        assertTrue(m.equity < int256(m.im) && m.equity > int256(m.mm));
        (bool ok, bytes memory why) = tryTrade(acct(dave), acct(bob), perp(ETH), 1e18, 1800e18);
        assertReverted(ok, why, IClearingHouse.BelowInitial.selector);
        // At the bottom of the band the close gives away more than the MM it frees.
        IClearingHouse.UnderlyingMarket memory wide = market("ETH");
        wide.priceBandPpm = 300_000;
        house.setMarket(ETH, wide);
        (ok, why) = tryTrade(acct(bob), acct(dave), perp(ETH), 5e18, 1500e18);
        assertReverted(ok, why, IClearingHouse.NotReducing.selector);
        trade(bob, dave, perp(ETH), 1e18);
        assertEq(sizeOf(acct(dave), perp(ETH)), 9e18);
    }

    /// Law WASH-1: closing at a bad price frees MM, but must not take equity below zero: what would then be missing
    /// the fund would pay to the counterparty.
    function test_trade__closeBelowInitial_cannotTurnInsolvent() public {
        IClearingHouse.UnderlyingMarket memory wide = market("ETH");
        wide.priceBandPpm = 300_000;
        house.setMarket(ETH, wide);
        house.setFee(0);
        give(dave, 4500);
        trade(dave, bob, perp(ETH), 10e18);
        setSpot(ETH, 1600); // equity 500, MM 1,944
        // 100 a contract below the mark frees 194 of MM and pays 100 away: equity − MM rises, equity goes to −500.
        (bool ok, bytes memory why) = tryTrade(acct(bob), acct(dave), perp(ETH), 10e18, 1500e18);
        assertReverted(ok, why, IClearingHouse.NotReducing.selector);
        trade(acct(bob), acct(dave), perp(ETH), 10e18, 1550e18);
        assertEq(equity(acct(dave)), int256(0));
    }

    function test_trade__sixtyFourPositions_andNoMore() public {
        uint32 expiry = uint32(block.timestamp + 60 days);
        parameters.listExpiry(ETH, expiry, strikes(1000, 50, 40), 600_000, 1e9, 1e9);
        pass(601);
        publish(ETH);
        house.setFee(0);
        give(alice, 10_000_000);
        give(bob, 10_000_000);
        uint256 n;
        for (uint256 k; n < 64; ++k) {
            trade(alice, bob, call_(ETH, expiry, 1000 + 50 * k), 1e18);
            if (++n < 64) trade(alice, bob, put_(ETH, expiry, 1000 + 50 * k), 1e18);
            ++n;
        }
        assertEq(house.positions(acct(alice)).length, 64);
        InstrumentId one = perp(ETH);
        (bool ok, bytes memory why) = tryTrade(acct(alice), acct(bob), one, 1e18, 2000e18);
        assertReverted(ok, why, IClearingHouse.TooManyPositions.selector);
        assertTrue(live(acct(bob)).mm > 0);
    }

    // --- pause ----------------------------------------------------------------------------------------------------

    /// Law PAUSE-1: a pause ends by itself within 72 h, and another may not follow within a day.
    function test_pause__bounds() public {
        vm.expectPartialRevert(IClearingHouse.NotGuardian.selector);
        house.pause(1);
        vm.startPrank(guardian);
        vm.expectPartialRevert(IClearingHouse.PauseTooLong.selector);
        house.pause(72 hours + 1);
        house.pause(72 hours);
        vm.expectPartialRevert(IClearingHouse.PauseTooSoon.selector);
        house.pause(1);
        vm.stopPrank();
        pass(72 hours);
        vm.prank(alice);
        house.withdraw(acct(alice), USDC_ID, 1, alice);
        vm.startPrank(guardian);
        vm.expectPartialRevert(IClearingHouse.PauseTooSoon.selector);
        house.pause(1);
        vm.warp(block.timestamp + 24 hours);
        house.pause(1 hours);
        house.unpause();
        vm.expectPartialRevert(IClearingHouse.PauseTooSoon.selector);
        house.pause(1);
        vm.stopPrank();
    }

    /// Law PAUSE-2: a pause stops growth and withdrawals, and nothing else.
    function test_pause__blocksGrowthOnly() public {
        trade(alice, bob, perp(ETH), 10e18);
        vm.prank(guardian);
        house.pause(72 hours);
        (bool ok, bytes memory why) = tryTrade(acct(alice), acct(bob), perp(ETH), 1e18, 2000e18);
        assertReverted(ok, why, IClearingHouse.Paused.selector);
        // A third party cannot take over: for it the trade is growth.
        (ok, why) = tryTrade(acct(carol), acct(alice), perp(ETH), 1e18, 2000e18);
        assertReverted(ok, why, IClearingHouse.Paused.selector);
        vm.expectPartialRevert(IClearingHouse.Paused.selector);
        vm.prank(alice);
        house.withdraw(acct(alice), USDC_ID, 1, alice);
        trade(bob, alice, perp(ETH), 4e18);
        give(alice, 10);
        house.touch(acct(alice));
        file.refresh(ETH);
        give(dave, 1);
    }

    // --- the margin of trades -------------------------------------------------------------------------------------

    /// Law MAR-6: IM ≥ MM, whatever is held.
    function testFuzz_margin__imAtLeastMm(int256 a, int256 b, int256 c, uint256 spotUsd) public {
        (InstrumentId x, InstrumentId y) = (call_(ETH, near, 2200), put_(ETH, far, 1800));
        _tradeSigned(x, bound(a, -5e18, 5e18));
        _tradeSigned(y, bound(b, -5e18, 5e18));
        _tradeSigned(perp(BTC), bound(c, -1e18, 1e18));
        setSpot(ETH, bound(spotUsd, 1000, 4000));
        IClearingHouse.Margin memory m = live(acct(alice));
        assertTrue(m.im >= m.mm);
        m = live(acct(bob));
        assertTrue(m.im >= m.mm);
    }

    function _tradeSigned(InstrumentId instrument, int256 size) private {
        if (size > 0) trade(acct(alice), acct(bob), instrument, uint256(size), fair(instrument));
        if (size < 0) trade(acct(bob), acct(alice), instrument, uint256(-size), fair(instrument));
    }

    /// Law ROUND-1: a round trip never leaves the two accounts with a wei more than they had; the rest is the fund's.
    function testFuzz_trade__roundTrip_neverGains(uint256 amount, uint256 price, uint256 back, bool option) public {
        house.setFee(0);
        InstrumentId i = option ? call_(ETH, near, 2000) : perp(ETH);
        amount = bound(amount, 1, 5e18);
        (uint256 low, uint256 high) =
            option ? (uint256(0), uint256(fair(i)) + 90e18) : (uint256(1901e18), uint256(2099e18));
        trade(acct(alice), acct(bob), i, amount, bound(price, low, high));
        uint256 out = bound(back, 1, amount);
        trade(acct(bob), acct(alice), i, out, bound(uint256(keccak256(abi.encode(back))), low, high));
        if (out < amount) trade(acct(bob), acct(alice), i, amount - out, bound(price >> 3, low, high));
        assertEq(house.positions(acct(alice)).length, 0);
        int256 both = house.cashOf(acct(alice)) + house.cashOf(acct(bob));
        assertTrue(both <= 200_000e18);
        assertEq(both + fund.balance(), 200_000e18);
    }

    /// Law ROUND-3: the buyer pays rounded up, the seller receives rounded down, the fund has the wei between.
    function test_trade__roundings_goToTheFund() public {
        house.setFee(0);
        trade(acct(alice), acct(bob), call_(ETH, near, 2000), 1, 50e18 + 1); // 50 + 1e-18 wei exactly
        assertEq(house.cashOf(acct(alice)), 100_000e18 - 51);
        assertEq(house.cashOf(acct(bob)), 100_000e18 + 50);
        assertEq(fund.balance(), int256(1));
        trade(acct(alice), acct(bob), perp(ETH), 1, 2000e18 + 1);
        assertEq(int256(house.accountState(acct(alice)).perps[0].openNotional), 2001);
        assertEq(int256(house.accountState(acct(bob)).perps[0].openNotional), -2000);
        assertEq(fund.balance(), int256(2));
    }
}
