// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Q64} from "./Q64.sol";

/// @title The 24 scenarios: price levels, weights, and how far a volatility is shocked.
/// @notice Twin of the functions of the same names in keeper/risk/exact/riskfile.py, bit for bit.
/// Rows 0 … 13 are seven price levels (0, +⅓, −⅓, +⅔, −⅔, +1, −1 scan ranges) with volatility up (even) and down (odd);
/// rows 14 and 15 are ±3 scan ranges at the unshocked volatility; rows 16 … 23 are tails at fixed moves, volatility up.
library Scenarios {
    uint256 internal constant ROWS = 24;
    /// Rows below this come in up/down pairs and move with live spot.
    uint256 internal constant INNER = 14;
    uint256 internal constant PPM = 1_000_000;
    uint256 internal constant PPB = 1_000_000_000;
    uint256 internal constant DAY = 86_400;
    /// The −3 row's spot is never below 5 % of the reference.
    uint256 internal constant MIN_LEVEL_PPM = 50_000;
    /// SPAN's cover fraction of the extreme moves.
    uint256 internal constant EXTREME_WEIGHT_PPM = 330_000;
    /// Volatility is never shocked below 5 % of itself.
    uint256 internal constant MAX_VOL_DOWN_PPM = 950_000;

    /// @notice Spot level of each row, ppm of the reference spot.
    function levels(uint256 psrPpm) internal pure returns (uint256[24] memory l) {
        unchecked {
            uint256 third = psrPpm / 3;
            uint256 twoThirds = psrPpm * 2 / 3;
            l[0] = l[1] = PPM;
            l[2] = l[3] = PPM + third;
            l[4] = l[5] = PPM - third;
            l[6] = l[7] = PPM + twoThirds;
            l[8] = l[9] = PPM - twoThirds;
            l[10] = l[11] = PPM + psrPpm;
            l[12] = l[13] = PPM - psrPpm;
            l[14] = PPM + 3 * psrPpm;
            l[15] = PPM > 3 * psrPpm + MIN_LEVEL_PPM ? PPM - 3 * psrPpm : MIN_LEVEL_PPM;
            l[16] = 340_000;
            l[17] = 670_000;
            l[18] = 1_500_000;
            l[19] = 2_000_000;
            l[20] = 3_000_000;
            l[21] = 4_000_000;
            l[22] = 5_000_000;
            l[23] = 6_000_000;
        }
    }

    /// @notice Weight of each row, ppm.  Tail law w(s) = min(1, c·PSR/|s|), rounded up, c = `tailPpm`.
    function weights(uint256 psrPpm, uint256 tailPpm) internal pure returns (uint256[24] memory w) {
        unchecked {
            for (uint256 j; j < INNER; ++j) {
                w[j] = PPM;
            }
            for (uint256 j = INNER; j < ROWS; ++j) {
                w[j] = outerWeight(j, tailPpm * psrPpm);
            }
        }
    }

    /// @notice Weight of row 14 … 23, ppm.
    /// @param edge c·PSR, ppm².
    function outerWeight(uint256 row, uint256 edge) internal pure returns (uint256 w) {
        unchecked {
            if (row < 16) return EXTREME_WEIGHT_PPM;
            uint256 move = outerMove(row);
            w = (edge + move - 1) / move;
            if (w > PPM) w = PPM;
        }
    }

    /// @notice |move| of row 16 … 23, ppm.
    function outerMove(uint256 row) internal pure returns (uint256) {
        unchecked {
            // In units of 10,000 ppm, 16 bits each from the right.
            return (0x01f4_0190_012c_00c8_0064_0032_0021_0042 >> ((row - 16) * 16) & 0xffff) * 10_000;
        }
    }

    /// @notice m = (30 d / max(t, 1 d))^(0.3 within 30 days, else 0.13), Q64: how much a volatility of this tenor moves.
    function termFactor(uint256 secs) internal pure returns (uint256) {
        unchecked {
            uint256 t = secs > DAY ? secs : DAY;
            int256 power = t <= 30 * DAY ? int256(300_000) : int256(130_000);
            return uint256(Q64.exp(Q64.floorDiv(Q64.ln((30 * DAY << 64) / t) * power, int256(PPM))));
        }
    }

    /// @notice Shocked-up volatility, ppm, never below `floorPpm`.
    function volUp(uint256 sigmaPpm, uint256 vsrUpPpm, uint256 m, uint256 floorPpm) internal pure returns (uint256 up) {
        unchecked {
            up = sigmaPpm + sigmaPpm * (vsrUpPpm * m >> 64) / PPM;
            if (up < floorPpm) up = floorPpm;
        }
    }

    /// @notice Shocked-down volatility, ppm.
    function volDown(uint256 sigmaPpm, uint256 vsrDownPpm, uint256 m) internal pure returns (uint256) {
        unchecked {
            uint256 move = vsrDownPpm * m >> 64;
            if (move > MAX_VOL_DOWN_PPM) move = MAX_VOL_DOWN_PPM;
            return sigmaPpm - sigmaPpm * move / PPM;
        }
    }
}
