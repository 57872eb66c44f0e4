// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAggregator} from "../interfaces/IAggregator.sol";

/// @title A Chainlink-shaped feed whose rounds anyone sets.  For tests and the demo: no value may depend on it.
contract MockAggregator is IAggregator {
    struct Round {
        int256 answer;
        uint64 startedAt;
        uint64 updatedAt;
        uint80 answeredInRound;
    }

    error NoData(uint80 roundId);

    /// As Chainlink emits it, so that readers of logs can be tried.
    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    uint8 public immutable decimals;
    uint80 public latestRound;
    /// Answer zeros for a round that does not exist, as newer aggregators do, instead of reverting.
    bool public zerosForMissing;
    mapping(uint80 roundId => Round) private _rounds;

    constructor(uint8 decimals_, int256 answer) {
        decimals = decimals_;
        _set(1, answer, block.timestamp, block.timestamp, 1);
    }

    /// @notice A new round, now.
    function push(int256 answer) external {
        _set(latestRound + 1, answer, block.timestamp, block.timestamp, latestRound + 1);
    }

    /// @notice A new round with a time of its own.
    function pushAt(int256 answer, uint256 updatedAt) external {
        _set(latestRound + 1, answer, updatedAt, updatedAt, latestRound + 1);
    }

    /// @notice Any round, as it shall be read.  The highest number so far is the latest.
    function setRound(uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
        external
    {
        _set(roundId, answer, startedAt, updatedAt, answeredInRound);
    }

    function setZerosForMissing(bool zeros) external {
        zerosForMissing = zeros;
    }

    function getRoundData(uint80 roundId) public view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory r = _rounds[roundId];
        if (r.updatedAt == 0 && !zerosForMissing) revert NoData(roundId);
        return (roundId, r.answer, r.startedAt, r.updatedAt, r.answeredInRound);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory r = _rounds[latestRound];
        return (latestRound, r.answer, r.startedAt, r.updatedAt, r.answeredInRound);
    }

    function _set(uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
        internal
    {
        _rounds[roundId] = Round(answer, uint64(startedAt), uint64(updatedAt), answeredInRound);
        if (roundId > latestRound) latestRound = roundId;
        emit AnswerUpdated(answer, roundId, updatedAt);
    }
}
