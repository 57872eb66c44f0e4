// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {MockPhaseAggregator} from "../../src/mocks/MockPhaseAggregator.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @notice The path of an asset, as the breaker reads it (ORA-9).
contract OracleRoundsTest is OracleFixture {
    function _assertRound(IPriceOracle.Round memory r, uint256 afterS, uint256 usd, bool bySecond) private pure {
        assertEq(r.time, NOW + afterS, "time");
        assertEq(r.wad, usd * 1e18, "wad");
        assertEq(r.second, bySecond, "feed");
    }

    function test_rounds__bothFeeds_merged_withTheOnesInForce() public {
        _at(100, 2010, 0);
        _at(300, 0, 2005);
        _at(500, 2020, 2020);
        vm.warp(NOW + 600);
        (IPriceOracle.Round[] memory list, bool whole) = oracle.rounds(ETH, 400, 10);
        assertTrue(whole, "ORA-9 whole");
        assertEq(list.length, 5, "ORA-9 count");
        _assertRound(list[0], 0, 2000, true); // in force at NOW + 200
        _assertRound(list[1], 100, 2010, false); // in force at NOW + 200
        _assertRound(list[2], 300, 2005, true);
        _assertRound(list[3], 500, 2020, false); // of the same second the primary's first
        _assertRound(list[4], 500, 2020, true);
    }

    function _at(uint256 afterS, int256 usd, int256 usdSecond) private {
        vm.warp(NOW + afterS);
        if (usd != 0) feed.push(usd * 1e8);
        if (usdSecond != 0) second.push(usdSecond * 1e18);
    }

    /// Exactly at the beginning is in force there: nothing older is needed.
    function test_rounds__atTheBeginning() public {
        setFeeds(feed, address(0));
        _at(100, 2010, 0);
        _at(200, 2020, 0);
        vm.warp(NOW + 300);
        (IPriceOracle.Round[] memory list, bool whole) = oracle.rounds(ETH, 200, 10);
        assertTrue(whole);
        assertEq(list.length, 2);
        _assertRound(list[0], 100, 2010, false);
    }

    function test_rounds__moreThanLookedAt_notWhole() public {
        setFeeds(feed, address(0));
        for (uint256 i = 1; i < 10; ++i) {
            _at(10 * i, int256(2000 + i), 0);
        }
        (IPriceOracle.Round[] memory list, bool whole) = oracle.rounds(ETH, 80, 4);
        assertFalse(whole, "ORA-9 not whole");
        assertEq(list.length, 4);
        _assertRound(list[0], 60, 2006, false);
        (, whole) = oracle.rounds(ETH, 30, 4);
        assertTrue(whole, "ORA-9 just whole");
    }

    /// A feed that began inside the window hides nothing; a phase before this one does.
    function test_rounds__beginning_ofFeedAndPhase() public {
        setFeeds(feed, address(0));
        vm.warp(NOW + 10);
        (IPriceOracle.Round[] memory list, bool whole) = oracle.rounds(ETH, 1000, 4);
        assertTrue(whole, "ORA-9 a young feed");
        assertEq(list.length, 1);
        MockPhaseAggregator phased = new MockPhaseAggregator(8, 2000e8);
        setFeeds(phased, address(0));
        (, whole) = oracle.rounds(ETH, 1000, 4);
        assertTrue(whole, "ORA-9 the first phase");
        phased.startPhase(2000e8);
        (list, whole) = oracle.rounds(ETH, 1000, 4);
        assertFalse(whole, "ORA-9 what the phase before said is not known");
        assertEq(list.length, 1);
        vm.warp(NOW + 1010);
        (, whole) = oracle.rounds(ETH, 1000, 4);
        assertTrue(whole, "ORA-9 nor needed any more");
    }

    /// Unusable rounds are left out: a single bad answer of the past must not stop liquidations.
    function test_rounds__unusable_leftOut() public {
        setFeeds(feed, address(0));
        _at(100, 2010, 0);
        vm.warp(NOW + 200);
        feed.push(-1);
        feed.push(0);
        feed.push(type(int256).max);
        feed.pushAt(2000e8, NOW + 9999);
        feed.setRound(9, 2030e8, NOW + 200, NOW + 200, 9); // and two rounds that are not there
        for (uint256 k; k < 2; ++k) {
            (IPriceOracle.Round[] memory list, bool whole) = oracle.rounds(ETH, 100, 20);
            assertTrue(whole);
            assertEq(list.length, 2);
            _assertRound(list[0], 100, 2010, false);
            _assertRound(list[1], 200, 2030, false);
            feed.setZerosForMissing(true);
        }
    }

    function test_rounds__unknownAsset_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.UnknownAsset.selector, bytes32("XYZ")));
        oracle.rounds("XYZ", 100, 4);
    }
}
