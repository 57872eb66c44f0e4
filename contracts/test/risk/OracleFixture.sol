// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PriceOracle} from "../../src/PriceOracle.sol";
import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {MockAggregator} from "../../src/mocks/MockAggregator.sol";
import {Test} from "../utils/Test.sol";

/// @notice One asset at 2,000 USD by two feeds, of 8 and of 18 decimals, which may be 2 % apart and an hour old.
abstract contract OracleFixture is Test {
    bytes32 internal constant ETH = "ETH";
    uint256 internal constant NOW = 1_780_000_000;

    PriceOracle internal oracle;
    MockAggregator internal feed;
    MockAggregator internal second;

    function setUp() public {
        vm.warp(NOW);
        feed = new MockAggregator(8, 2000e8);
        second = new MockAggregator(18, 2000e18);
        oracle = new PriceOracle(address(this));
        setFeeds(feed, address(second));
    }

    function setFeeds(MockAggregator primary, address secondary) internal {
        oracle.setFeed(ETH, IPriceOracle.Feed(address(primary), secondary, 3600, 20_000, 10e18, 100_000e18));
    }
}
