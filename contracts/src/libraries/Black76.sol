// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Q64} from "./Q64.sol";

/// @title Black-76 in integers: what a call is worth as a fraction of a reference price.
/// @notice Twin of keeper/risk/exact/black76.py, bit for bit.
library Black76 {
    /// Seconds per year of the vol clock (365 days).
    uint256 internal constant YEAR = 31_536_000;
    uint256 internal constant PPM = 1_000_000;

    /// @notice Square root of a time in years, Q64.
    function sqrtYears(uint256 secs) internal pure returns (uint256) {
        return Q64.sqrt((secs << 64) / YEAR);
    }

    /// @notice σ√T, Q64.
    function deviation(uint256 sigmaPpm, uint256 sqrtT) internal pure returns (uint256) {
        unchecked {
            return sigmaPpm * sqrtT / PPM; // < 2^32 · 2^88
        }
    }

    /// @notice Undiscounted value of a call on the forward, Q64.
    /// @param forward forward over the reference price, 0 < forward < 2^80.
    /// @param strike strike over the reference price, 0 < strike < 2^128.
    /// @param logMoneyness ln(forward / strike), taken apart so that one logarithm serves a whole row.
    /// @param v σ√T; 0 gives intrinsic value.
    /// @dev One exponential serves both tails, because forward·n(d1) = strike·n(d2).  Never below intrinsic.
    function call(int256 forward, int256 strike, int256 logMoneyness, int256 v) internal pure returns (int256 value) {
        unchecked {
            int256 intrinsic = forward > strike ? forward - strike : int256(0);
            if (v == 0) return intrinsic;
            int256 d1 = (logMoneyness << 64) / v + (v >> 1); // the division truncates, like the twin
            if (d1 <= -Q64.TAIL_CUT) return 0;
            int256 d2 = d1 - v;
            if (d2 >= Q64.TAIL_CUT) return intrinsic;
            int256 e = forward * Q64.exp(-(d1 * d1 >> 65)) >> 64;
            value = _weightedCdf(forward, d1, e) - _weightedCdf(strike, d2, e);
            if (value < intrinsic) value = intrinsic;
        }
    }

    /// level·N(d), where e = level·exp(−d²/2).
    function _weightedCdf(int256 level, int256 d, int256 e) private pure returns (int256) {
        unchecked {
            if (d >= Q64.TAIL_CUT) return level;
            if (d <= -Q64.TAIL_CUT) return 0;
            return d >= 0 ? level - (e * Q64.mills(d) >> 64) : e * Q64.mills(-d) >> 64;
        }
    }
}
