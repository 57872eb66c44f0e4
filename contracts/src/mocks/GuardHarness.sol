// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Probes} from "../libraries/Probes.sol";

/// @title What the fences of RiskParameters say, without storage, in batches: what Python's twin is compared with.
/// @notice Never part of a deployment.
contract GuardHarness {
    /// @param q psrPpm, vsrUpPpm, vsrDownPpm, tailPpm, volFloorPpm.
    function probes(uint256[5][] calldata q) external pure returns (uint256[7][] memory y) {
        y = new uint256[7][](q.length);
        for (uint256 i; i < q.length; ++i) {
            y[i] = Probes.requirements(Probes.Triple(q[i][0], q[i][1], q[i][2], q[i][3], q[i][4]));
        }
    }
}
