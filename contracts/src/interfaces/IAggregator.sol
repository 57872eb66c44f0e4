// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What we use of a Chainlink feed (AggregatorV3Interface).
interface IAggregator {
    function decimals() external view returns (uint8);
    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
    function latestRoundData()
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
