// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FenceMath} from "../libraries/FenceMath.sol";
import {Probes} from "../libraries/Probes.sol";
import {RowFence} from "../libraries/RowFence.sol";
import {SmileRing} from "../libraries/SmileRing.sol";

/// @title What the fences of RiskParameters say, without storage, in batches: what Python's twin is compared with.
/// @notice Never part of a deployment.
contract GuardHarness {
    /// @notice What `preview` says to publication i where everything stands as in state i, with 26 anchors of each number,
    /// and on ground i.
    function judgeBatch(
        FenceMath.State[] calldata states,
        FenceMath.Ground[] calldata grounds,
        IRiskParameters.Publication[] calldata publications
    ) external pure returns (IRiskParameters.Preview[] memory verdicts) {
        verdicts = new IRiskParameters.Preview[](states.length);
        for (uint256 i; i < states.length; ++i) {
            verdicts[i] = FenceMath.judge(states[i], grounds[i], publications[i]);
        }
    }

    /// @notice What the fences on rows say to expiry i, of these strikes, in bank i; empty if they pass.
    function rows(
        RowFence.Bank[] calldata banks,
        uint64[][] calldata strikes,
        IRiskParameters.ExpiryPublication[] calldata expiries
    ) external pure returns (bytes[] memory reasons) {
        reasons = new bytes[](banks.length);
        for (uint256 i; i < banks.length; ++i) {
            reasons[i] = FenceMath.rows(banks[i], strikes[i], expiries[i]);
        }
    }

    /// @param q psrPpm, vsrUpPpm, vsrDownPpm, tailPpm, volFloorPpm.
    function probes(uint256[5][] calldata q) external pure returns (uint256[7][] memory y) {
        y = new uint256[7][](q.length);
        for (uint256 i; i < q.length; ++i) {
            y[i] = Probes.requirements(Probes.Triple(q[i][0], q[i][1], q[i][2], q[i][3], q[i][4]));
        }
    }

    /// @notice A smile slot after each of a strike's publications, and the anchor it gives in a later hour.
    /// @param q ratioPpm, hour, hours later.
    function smile(uint256[3][] calldata q) external pure returns (uint256[2][] memory y) {
        y = new uint256[2][](q.length);
        uint256 slot;
        for (uint256 i; i < q.length; ++i) {
            slot = SmileRing.set(slot, q[i][0], q[i][1]);
            y[i] = [slot, SmileRing.anchor(slot, q[i][1] + q[i][2])];
        }
    }
}
