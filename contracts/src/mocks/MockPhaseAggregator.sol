// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockAggregator} from "./MockAggregator.sol";

/// @title A feed behind a proxy: round ids carry the phase above 64 bits, as Chainlink's do.
contract MockPhaseAggregator is MockAggregator {
    constructor(uint8 decimals_, int256 answer) MockAggregator(decimals_, answer) {
        _set((uint80(1) << 64) | 1, answer, block.timestamp, block.timestamp, (uint80(1) << 64) | 1);
    }

    function phaseId() public view returns (uint16) {
        return uint16(latestRound >> 64);
    }

    /// @notice A new aggregator behind the proxy; its first round is now.
    function startPhase(int256 answer) external {
        uint80 roundId = (uint80(phaseId() + 1) << 64) | 1;
        _set(roundId, answer, block.timestamp, block.timestamp, roundId);
    }
}
