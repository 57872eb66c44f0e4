// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AuctionMath} from "../libraries/AuctionMath.sol";

/// @title Prices of the Dutch auction, in batches: what Python's twin is compared with.
/// @notice Never part of a deployment.
contract AuctionHarness {
    struct Fraction {
        int256 equity;
        uint256 mm;
        uint256 bufferPpm;
        uint256 mtm;
        uint256 discountPpm;
        uint256 reserved;
    }

    /// @param q elapsedS, fastS, slowS, startPpm, cutoffPpm.
    function discounts(uint256[5][] calldata q) external pure returns (uint256[] memory y) {
        y = new uint256[](q.length);
        for (uint256 i; i < q.length; ++i) {
            y[i] = AuctionMath.discountPpm(q[i][0], q[i][1], q[i][2], q[i][3], q[i][4]);
        }
    }

    function maxFractions(Fraction[] calldata q) external pure returns (uint256[] memory y) {
        y = new uint256[](q.length);
        for (uint256 i; i < q.length; ++i) {
            Fraction calldata f = q[i];
            y[i] = AuctionMath.maxFractionUp(f.equity, f.mm, f.bufferPpm, f.mtm, f.discountPpm, f.reserved);
        }
    }

    /// @param q value, discountPpm, fraction.
    function costs(uint256[3][] calldata q) external pure returns (uint256[] memory y) {
        y = new uint256[](q.length);
        for (uint256 i; i < q.length; ++i) {
            y[i] = AuctionMath.costUp(q[i][0], q[i][1], q[i][2]);
        }
    }

    /// @param mtm one for each of `q`.
    /// @param q reach, elapsedS, insolventS, fraction.
    function insolventCosts(int256[] calldata mtm, uint256[4][] calldata q) external pure returns (int256[] memory y) {
        y = new int256[](q.length);
        for (uint256 i; i < q.length; ++i) {
            y[i] = AuctionMath.insolventCostUp(mtm[i], q[i][0], q[i][1], q[i][2], q[i][3]);
        }
    }
}
