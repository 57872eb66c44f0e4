// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Black76} from "./Black76.sol";
import {Q64} from "./Q64.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title What seven standard portfolios require under a triple of scan ranges: how strict the three are together.
/// @notice Twin of keeper/risk/exact/probes.py, bit for bit.  A linked library: its callers have no room for it.
/// Portfolios: a perp; short straddles of 1, 7 and 30 days; long straddles of the same.  Tenor, moneyness and volatility
/// never change, so that two answers differ by what the scan ranges differ and by nothing else.
/// @dev A straddle's value is convex in spot and rises with volatility.  So of the rows within the scan range a short one
/// loses most at either end with volatility up, and a long one at 0 or below with volatility down.  Of those rows, one
/// is priced only if a bound on its loss exceeds the worst so far: the twin prices them all.
library Probes {
    uint256 internal constant COUNT = 7;
    /// Of every straddle.
    uint32 internal constant SIGMA_PPM = 800_000;
    uint256 private constant PPM = 1_000_000;
    /// More than the rounding to ppm of two values can make of their order, ppm.
    uint256 private constant SLACK_PPM = 4;

    // Of the three tenors: `Scenarios.termFactor`, `Black76.sqrtYears`, and twice the mark of a call at the money, ppm.
    uint256 private constant M_1 = 51174793503916748596;
    uint256 private constant SQRT_1 = 965546714207883167;
    uint256 private constant MARK_1 = 33_408;
    uint256 private constant M_7 = 28544779128479413582;
    uint256 private constant SQRT_7 = 2554596485009614464;
    uint256 private constant MARK_7 = 88_350;
    uint256 private constant M_30 = 18446744073709551616;
    uint256 private constant SQRT_30 = 5288517156966514822;
    uint256 private constant MARK_30 = 182_596;

    /// The scan ranges, and what else of the configuration bears on them.
    struct Triple {
        uint256 psrPpm; // <= 500_000
        uint256 vsrUpPpm; // <= 5_000_000
        uint256 vsrDownPpm;
        uint256 tailPpm;
        uint256 volFloorPpm; // <= 10_000_000
    }

    /// A spot level, with what its straddles share.
    struct Level {
        uint256 ppm;
        int256 ratio; // Q64
        int256 log; // Q64
    }

    /// One tenor: σ√T of a row's volatility, and twice the mark of a call.
    struct Tenor {
        uint256 vUp;
        uint256 vDown;
        uint256 vMid;
        uint256 mark;
    }

    /// Levels that every tenor is priced at.
    struct Ends {
        Level high;
        Level low;
        Level third; // below
    }

    /// @notice Worst weighted loss of each portfolio, ppm of spot, rounded down, at least 0.
    /// @return r perp; short straddles of 1, 7, 30 days; long straddles of 1, 7, 30 days.
    function requirements(Triple memory t) external pure returns (uint256[7] memory r) {
        r[0] = _perp(t);
        Ends memory ends;
        unchecked {
            (ends.high, ends.low) = (_level(PPM + t.psrPpm), _level(PPM - t.psrPpm));
            ends.third = _level(PPM - t.psrPpm / 3);
        }
        (r[1], r[4]) = _straddle(t, ends, M_1, SQRT_1, MARK_1);
        (r[2], r[5]) = _straddle(t, ends, M_7, SQRT_7, MARK_7);
        (r[3], r[6]) = _straddle(t, ends, M_30, SQRT_30, MARK_30);
    }

    function _straddle(Triple memory t, Ends memory ends, uint256 m, uint256 sqrtT, uint256 mark)
        private
        pure
        returns (uint256, uint256)
    {
        Tenor memory x;
        x.vUp = Black76.deviation(Scenarios.volUp(SIGMA_PPM, t.vsrUpPpm, m, t.volFloorPpm), sqrtT);
        x.vDown = Black76.deviation(Scenarios.volDown(SIGMA_PPM, t.vsrDownPpm, m), sqrtT);
        x.vMid = Black76.deviation(SIGMA_PPM, sqrtT);
        x.mark = mark;
        return (_short(t, ends, x), _long(t.psrPpm, ends, x));
    }

    /// The scan range, or a tail: rows 14 and 15 are 99 % of the scan range at most.
    function _perp(Triple memory t) private pure returns (uint256 worst) {
        unchecked {
            worst = t.psrPpm;
            for (uint256 j = 16; j < Scenarios.ROWS; ++j) {
                uint256 loss = Scenarios.outerMove(j) * Scenarios.outerWeight(j, t.tailPpm * t.psrPpm) / PPM;
                if (loss > worst) worst = loss;
            }
        }
    }

    /// Rows 10 and 12, then outwards on both sides, as far as a bound does not rule a row out.
    function _short(Triple memory t, Ends memory ends, Tenor memory x) private pure returns (uint256 worst) {
        unchecked {
            (uint256 up, uint256 down) = (_value(ends.high, x.vUp), _value(ends.low, x.vUp));
            worst = up > down ? up : down;
            worst = worst > x.mark ? worst - x.mark : 0;
            // What both options together are worth beyond the move: it shrinks with the distance on either side.
            (uint256 beyondUp, uint256 beyondDown) = (up - t.psrPpm, down - t.psrPpm);
            // The furthest first: mostly it rules the others out.
            for (uint256 j = 23; j > 17; --j) {
                worst = _outer(t, x, j, beyondUp, worst);
            }
            worst = _outer(t, x, 14, beyondUp, worst);
            worst = _outer(t, x, 15, beyondDown, worst);
            worst = _outer(t, x, 16, beyondDown, worst);
            // Row 17 may lie within the scan range.
            worst = _outer(t, x, 17, t.psrPpm > _move(17, 0) ? PPM : beyondDown, worst);
        }
    }

    /// @param beyond bound on what a straddle's value exceeds the move of this row by, ppm.
    function _outer(Triple memory t, Tenor memory x, uint256 row, uint256 beyond, uint256 worst)
        private
        pure
        returns (uint256)
    {
        unchecked {
            uint256 move = _move(row, t.psrPpm);
            uint256 weight = Scenarios.outerWeight(row, t.tailPpm * t.psrPpm);
            uint256 most = move + beyond + SLACK_PPM;
            if (most <= x.mark || (most - x.mark) * weight / PPM <= worst) return worst;
            bool below = row >= 15 && row <= 17;
            uint256 value = _value(_level(below ? PPM - move : PPM + move), row < 16 ? x.vMid : x.vUp);
            if (value <= x.mark) return worst;
            uint256 loss = (value - x.mark) * weight / PPM;
            return loss > worst ? loss : worst;
        }
    }

    /// Rows 1, 5, 9, 13: down from the money until the value rises again.
    function _long(uint256 psrPpm, Ends memory ends, Tenor memory x) private pure returns (uint256) {
        unchecked {
            uint256 least = _value(Level(PPM, Q64.ONE, 0), x.vDown);
            uint256 next = _value(ends.third, x.vDown);
            if (next < least) least = next;
            if (next < least + SLACK_PPM) {
                next = _value(_level(PPM - psrPpm * 2 / 3), x.vDown);
                if (next < least) least = next;
                next = _value(ends.low, x.vDown);
                if (next < least) least = next;
            }
            return least < x.mark ? x.mark - least : 0;
        }
    }

    /// Value of a straddle at the money, undiscounted, on the spot itself: 2·call − level + strike, ppm.
    function _value(Level memory level, uint256 v) private pure returns (uint256) {
        unchecked {
            int256 call = Black76.call(level.ratio, Q64.ONE, level.log, int256(v));
            return 2 * uint256((call * 1e6 + (1 << 63)) >> 64) + PPM - level.ppm;
        }
    }

    function _level(uint256 ppm) private pure returns (Level memory) {
        uint256 ratio = (ppm << 64) / PPM;
        return Level(ppm, int256(ratio), Q64.ln(ratio));
    }

    /// |move| of row 14 … 23, ppm.
    function _move(uint256 row, uint256 psrPpm) private pure returns (uint256) {
        unchecked {
            if (row >= 16) return Scenarios.outerMove(row);
            uint256 move = 3 * psrPpm;
            return row == 14 || move < PPM - Scenarios.MIN_LEVEL_PPM ? move : PPM - Scenarios.MIN_LEVEL_PPM;
        }
    }
}
