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
    /// @dev One exponential serves both tails, because forward·n(d1) = strike·n(d2).  Never below intrinsic.  A level times
    /// N(d) is level − e·mills(d) for d >= 0 and e·mills(−d) below, where e = forward·exp(−d1²/2).
    function call(int256 forward, int256 strike, int256 logMoneyness, int256 v) internal pure returns (int256 value) {
        unchecked {
            int256 intrinsic = forward > strike ? forward - strike : int256(0);
            if (v == 0) return intrinsic;
            int256 d1;
            int256 d2;
            int256 e;
            assembly ("memory-safe") {
                d1 := add(sdiv(shl(64, logMoneyness), v), sar(1, v)) // the division truncates, like the twin
                d2 := sub(d1, v)
                e := shr(65, mul(d1, d1)) // below 2^250: |d1| is below 2^135 even for v = 1
            }
            if (d1 <= -Q64.TAIL_CUT) return 0;
            if (d2 >= Q64.TAIL_CUT) return intrinsic;
            e = forward * Q64.exp(-e) >> 64;
            if (d1 >= Q64.TAIL_CUT) value = forward;
            else if (d1 >= 0) value = forward - (e * Q64.mills(d1) >> 64);
            else value = e * Q64.mills(-d1) >> 64;
            if (d2 >= 0) value -= strike - (e * Q64.mills(d2) >> 64);
            else if (d2 > -Q64.TAIL_CUT) value -= e * Q64.mills(-d2) >> 64;
            if (value < intrinsic) value = intrinsic;
        }
    }
}
