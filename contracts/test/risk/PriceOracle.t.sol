// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {MockAggregator} from "../../src/mocks/MockAggregator.sol";
import {MockPhaseAggregator} from "../../src/mocks/MockPhaseAggregator.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @notice What is a price, and what settles (ORA-1 … ORA-8).
contract PriceOracleTest is OracleFixture {
    /// ORA-1: decimals become wad, exactly.
    function test_price__decimals__wad() public {
        assertEq(oracle.price(ETH), 2000e18, "ORA-1 8 decimals");
        setFeeds(new MockAggregator(0, 2000), address(0));
        assertEq(oracle.price(ETH), 2000e18, "ORA-1 0 decimals");
        setFeeds(new MockAggregator(20, 2000e20 + 99), address(0));
        assertEq(oracle.price(ETH), 2000e18, "ORA-1 20 decimals, rounded down");
    }

    /// ORA-2: an unusable price is a revert, never a number.
    function test_price__unusable__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.UnknownAsset.selector, bytes32("BTC")));
        oracle.price("BTC");
        feed.push(0);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.BadPrice.selector, ETH, int256(0)));
        oracle.price(ETH);
        feed.push(-5);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.BadPrice.selector, ETH, int256(-5)));
        oracle.price(ETH);
        feed.push(9e8);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOutOfBounds.selector, ETH, 9e18, 10e18, 100_000e18));
        oracle.price(ETH);
        feed.push(100_001e8);
        vm.expectPartialRevert(IPriceOracle.PriceOutOfBounds.selector);
        oracle.price(ETH);
        feed.pushAt(2000e8, NOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FuturePrice.selector, ETH, NOW + 1, NOW));
        oracle.price(ETH);
        feed.setRound(50, 2000e8, NOW, NOW, 49);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.IncompleteRound.selector, ETH, 50, 49));
        oracle.price(ETH);
        feed.setRound(51, 2000e8, NOW, 0, 51);
        vm.expectPartialRevert(IPriceOracle.IncompleteRound.selector);
        oracle.price(ETH);
        feed.push(2000e8);
        assertEq(oracle.price(ETH), 2000e18, "ORA-2 usable again");
    }

    /// ORA-3: stale one second after the limit; a stale second feed too.
    function test_price__age__at_the_limit() public {
        vm.warp(NOW + 3600);
        assertEq(oracle.price(ETH), 2000e18, "ORA-3 exactly the limit");
        vm.warp(NOW + 3601);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.StalePrice.selector, ETH, 3601, 3600));
        oracle.price(ETH);
        feed.push(2000e8);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.StalePrice.selector, ETH, 3601, 3600));
        oracle.price(ETH);
    }

    /// ORA-4: two feeds that disagree are no price.
    function test_price__feeds_disagree__reverts() public {
        second.push(2040e18);
        assertEq(oracle.price(ETH), 2000e18, "ORA-4 exactly 2 %");
        second.push(2041e18);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedsDisagree.selector, ETH, 2000e18, 2041e18, 20_000));
        oracle.price(ETH);
    }

    /// ORA-5: nothing while the sequencer is down, nor in the grace after it.
    function test_price__sequencer__down_and_grace() public {
        MockAggregator sequencer = new MockAggregator(0, 0);
        oracle.setSequencer(address(sequencer), 1800);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.SequencerGrace.selector, 0, 1800));
        oracle.price(ETH);
        vm.warp(NOW + 1801);
        assertEq(oracle.price(ETH), 2000e18, "ORA-5 after the grace");
        sequencer.push(1);
        vm.expectRevert(IPriceOracle.SequencerDown.selector);
        oracle.price(ETH);
    }

    /// ORA-6: settlement is the first round at or after expiry and nothing else.
    function test_settlement__rounds_around_expiry__only_the_first() public {
        vm.warp(NOW + 1000);
        feed.pushAt(2001e8, NOW + 100); // 2
        feed.pushAt(2002e8, NOW + 200); // 3
        feed.pushAt(2003e8, NOW + 300); // 4
        assertEq(oracle.settlementPrice(ETH, NOW + 150, 3, 2), 2002e18, "ORA-6");
        assertEq(oracle.settlementPrice(ETH, NOW + 200, 3, 2), 2002e18, "ORA-6 at expiry itself");
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.NotFirstRound.selector, 4, NOW + 200, NOW + 150));
        oracle.settlementPrice(ETH, NOW + 150, 4, 3);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.NotFirstRound.selector, 2, NOW + 100, NOW + 150));
        oracle.settlementPrice(ETH, NOW + 150, 2, 1);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.NotPredecessor.selector, 2, 4));
        oracle.settlementPrice(ETH, NOW + 150, 4, 2);
        vm.expectRevert(abi.encodeWithSelector(MockAggregator.NoData.selector, 5));
        oracle.settlementPrice(ETH, NOW + 350, 5, 4);
    }

    /// ORA-7: across a phase, the predecessor is the last round of the phase before, proven by the absence of the next.
    function test_settlement__phase_boundary__last_round_proven() public {
        MockPhaseAggregator proxy = new MockPhaseAggregator(8, 2000e8);
        setFeeds(proxy, address(0));
        uint80 one = uint80(1) << 64;
        vm.warp(NOW + 100);
        proxy.push(2001e8); // 1|2
        vm.warp(NOW + 200);
        proxy.startPhase(2002e8); // 2|1
        vm.warp(NOW + 300);
        uint80 first = (uint80(2) << 64) | 1;
        assertEq(oracle.settlementPrice(ETH, NOW + 150, first, one | 2), 2002e18, "ORA-7");
        proxy.setZerosForMissing(true);
        assertEq(oracle.settlementPrice(ETH, NOW + 150, first, one | 2), 2002e18, "ORA-7 feeds that answer zeros");
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.NotPredecessor.selector, one | 1, first));
        oracle.settlementPrice(ETH, NOW + 50, first, one | 1);
    }

    /// ORA-8: only the owner names feeds, and a feed must make sense.
    function test_setFeed__stranger_or_nonsense__refused() public {
        IPriceOracle.Feed memory f = oracle.feed(ETH);
        vm.prank(address(7));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(7)));
        oracle.setFeed(ETH, f);
        f.minPrice = 0;
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.BadFeed.selector, ETH));
        oracle.setFeed(ETH, f);
    }
}
