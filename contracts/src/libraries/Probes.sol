// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Rows} from "./Rows.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title What seven standard portfolios require under a triple of scan ranges: how strict the three are together.
/// @notice Twin of keeper/risk/exact/probes.py, bit for bit.  A linked library: its callers have no room for the rows.
/// Portfolios: a perp; short straddles of 1, 7 and 30 days; long straddles of the same.  Tenor, moneyness and volatility
/// never change, so that two answers differ by what the scan ranges differ and by nothing else.
library Probes {
    using Rows for Rows.Slate;

    uint256 internal constant COUNT = 7;
    /// Of every straddle.
    uint32 internal constant SIGMA_PPM = 800_000;
    uint256 private constant PPM = 1_000_000;
    uint64 private constant STRIKE = 1e8;
    uint256 private constant SPOT = 1e18;

    /// The scan ranges, and what else of the configuration bears on them.
    struct Triple {
        uint256 psrPpm; // <= 500_000
        uint256 vsrUpPpm; // <= 5_000_000
        uint256 vsrDownPpm;
        uint256 tailPpm;
        uint256 volFloorPpm; // <= 10_000_000
    }

    /// @notice Worst weighted loss of each portfolio, ppm of spot, rounded down, at least 0.
    /// @return r perp; short straddles of 1, 7, 30 days; long straddles of 1, 7, 30 days.
    function requirements(Triple memory t) external pure returns (uint256[7] memory r) {
        uint256[24] memory levels = Scenarios.levels(t.psrPpm);
        uint256[24] memory weights = Scenarios.weights(t.psrPpm, t.tailPpm);
        Rows.Slate memory s;
        (s.refSpot, s.vsrUp, s.vsrDown, s.volFloor) = (SPOT, t.vsrUpPpm, t.vsrDownPpm, t.volFloorPpm);
        s.open(t.psrPpm);
        r[0] = _perp(levels, weights);
        (r[1], r[4]) = _straddle(s, 1 days, levels, weights);
        (r[2], r[5]) = _straddle(s, 7 days, levels, weights);
        (r[3], r[6]) = _straddle(s, 30 days, levels, weights);
    }

    function _perp(uint256[24] memory levels, uint256[24] memory weights) private pure returns (uint256 worst) {
        unchecked {
            for (uint256 j; j < Scenarios.ROWS; ++j) {
                uint256 move = levels[j] > PPM ? levels[j] - PPM : PPM - levels[j];
                uint256 loss = move * weights[j] / PPM;
                if (loss > worst) worst = loss;
            }
        }
    }

    /// At the money, undiscounted, on the spot itself: a call and a put are 2·call − level + strike.
    function _straddle(Rows.Slate memory s, uint32 tenorS, uint256[24] memory levels, uint256[24] memory weights)
        private
        pure
        returns (uint256 short, uint256 long)
    {
        s.prepare(tenorS, 1e9, 1e9);
        uint256[4] memory words;
        (words[0], words[1], words[2], words[3]) = s.rows(STRIKE, SIGMA_PPM);
        unchecked {
            for (uint256 j; j < Scenarios.ROWS; ++j) {
                // The strike appears in both values and cancels against the level's PPM.
                uint256 value = 2 * (words[j / 8] >> (32 * (j % 8)) & 0xffffffff) + PPM;
                uint256 mark = 2 * words[3] + levels[j];
                uint256 loss = (value > mark ? value - mark : mark - value) * weights[j] / PPM;
                if (value > mark && loss > short) short = loss;
                if (value < mark && loss > long) long = loss;
            }
        }
    }
}
