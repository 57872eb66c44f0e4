// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Q64} from "./Q64.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title The adding machine: rows times sizes, shifted once to live spot, weighted, and the worst of them.
/// @notice Twin of keeper/risk/exact/grid.py, bit for bit.
/// @dev A strike's 24 values are three words of eight uint32, row j in word j/8 at bit 32·(j mod 8).  Masking a word
/// with `MASK` leaves two rows in two 128-bit lanes, so one multiplication scales both; lanes cannot mix because
/// Σ|size| < 2^95 and a value is below 2^32.
library Grid {
    uint256 private constant MASK = 0xffffffff | (0xffffffff << 128);
    int256 private constant PPM = 1_000_000;
    int256 private constant WAD = 1e18;
    uint8 internal constant NO_ROW = 255;
    /// Bound of the sum of absolute option sizes of an account in one underlying.
    uint256 internal constant MAX_TOTAL_SIZE = 1 << 95;

    /// Sums over the legs of one account.
    struct Sums {
        uint256[12] lanes; // Σ size · value, rows w·8 + k (low) and w·8 + k + 4 (high) in lane w·4 + k
        int256[17] forwards; // Σ over expiries of putSize · A, one per distinct price level
        int256 strikes; // Σ putSize · B
    }

    /// What the final sum needs to know.
    struct Context {
        uint256 refSpot;
        uint256 spot;
        uint256 psrPpm;
        uint256 tailPpm;
        int256 optionMark;
        int256 perpSize;
    }

    /// The summed rows, and the price ladders they make.
    struct Ladder {
        int256[24] rows;
        int256[9] nodes;
        int256[9] up;
        int256[9] down;
        int256[11] outerNodes;
        int256[11] outerValues;
    }

    /// @notice Add `size` calls of a strike whose values are `w0`, `w1`, `w2`.
    function add(Sums memory sums, int256 size, uint256 w0, uint256 w1, uint256 w2) internal pure {
        assembly ("memory-safe") {
            let lanes := mload(sums)
            function lane(p, s, w) {
                mstore(p, add(mload(p), mul(s, and(w, 0xffffffff000000000000000000000000ffffffff))))
                p := add(p, 0x20)
                mstore(p, add(mload(p), mul(s, and(shr(32, w), 0xffffffff000000000000000000000000ffffffff))))
                p := add(p, 0x20)
                mstore(p, add(mload(p), mul(s, and(shr(64, w), 0xffffffff000000000000000000000000ffffffff))))
                p := add(p, 0x20)
                mstore(p, add(mload(p), mul(s, and(shr(96, w), 0xffffffff000000000000000000000000ffffffff))))
            }
            lane(lanes, size, w0)
            lane(add(lanes, 0x80), size, w1)
            lane(add(lanes, 0x100), size, w2)
        }
    }

    /// @notice Parity of the puts of one expiry: put = call − A + B, A = level·carry, rounded down.
    /// @param carry φ·df, ppb².
    function addForwards(Sums memory sums, uint256[24] memory levels, int256 putSize, uint256 carry) internal pure {
        unchecked {
            int256[17] memory f = sums.forwards;
            for (uint256 i; i < 7; ++i) {
                f[i] += putSize * int256(levels[2 * i] * carry / 1e18);
            }
            for (uint256 i = 7; i < 17; ++i) {
                f[i] += putSize * int256(levels[i + 7] * carry / 1e18);
            }
        }
    }

    /// @notice The summed ladder, row by row: wad contracts × ppm of the reference spot.
    function unpack(Sums memory sums) internal pure returns (int256[24] memory ladder) {
        unchecked {
            for (uint256 lane; lane < 12; ++lane) {
                uint256 packed = sums.lanes[lane];
                int256 low = int256(int128(uint128(packed)));
                int256 high = (int256(packed) - low) >> 128;
                uint256 row = (lane / 4) * 8 + (lane % 4);
                ladder[row] = low;
                ladder[row + 4] = high;
            }
            for (uint256 j; j < 24; ++j) {
                ladder[j] += sums.strikes - sums.forwards[j < 14 ? j / 2 : j - 7];
            }
        }
    }

    /// @notice Naked shorts at one strike: same-sign shorts add, opposite signs net, longs are 0.
    function nakedShort(int256 callSize, int256 putSize) internal pure returns (uint256) {
        unchecked {
            // One short and one not: they net.  Both short: they add.  Either way it is −(call + put), at least 0.
            // Both long: the sum is positive and the answer 0.
            int256 net = callSize + putSize;
            return net < 0 ? uint256(-net) : 0;
        }
    }

    /// @notice Worst weighted loss over the rows, rounded up, and the first row that attains it.
    function worst(Sums memory sums, uint256[24] memory levels, Context memory c)
        internal
        pure
        returns (uint256 grid, uint8 worstRow)
    {
        unchecked {
            Ladder memory ladder;
            ladder.rows = unpack(sums);
            if (c.spot != c.refSpot) {
                (ladder.nodes, ladder.up, ladder.down) = _inner(levels, ladder.rows);
                (ladder.outerNodes, ladder.outerValues) = _outer(levels, ladder.rows);
            }
            uint256[24] memory weights = Scenarios.weights(c.psrPpm, c.tailPpm);
            int256 worstLoss;
            worstRow = NO_ROW;
            for (uint256 j; j < 24; ++j) {
                int256 loss = -Q64.floorDiv(_pnl(ladder, j, levels[j], c) * int256(weights[j]), PPM);
                if (loss > worstLoss) {
                    worstLoss = loss;
                    worstRow = uint8(j);
                }
            }
            grid = uint256(worstLoss);
        }
    }

    /// Unweighted profit of row `j`, wad USD, rounded down.
    function _pnl(Ladder memory ladder, uint256 j, uint256 level, Context memory c) private pure returns (int256 pnl) {
        unchecked {
            if (c.spot == c.refSpot) {
                pnl = ladder.rows[j];
            } else {
                int256 x = int256(level * c.spot * uint256(PPM) / c.refSpot);
                pnl = j >= 14
                    ? interpolateOuter(ladder.outerNodes, ladder.outerValues, x)
                    : interpolateInner(ladder.nodes, j & 1 == 0 ? ladder.up : ladder.down, x);
            }
            pnl = Q64.floorDiv(pnl * int256(c.refSpot), PPM * WAD) - c.optionMark;
            if (c.perpSize != 0) {
                int256 move = int256(level * c.spot / uint256(PPM)) - int256(c.spot);
                pnl += Q64.floorDiv(c.perpSize * move, WAD);
            }
        }
    }

    /// @notice Value of one volatility's summed ladder at level `x`.
    /// @dev Between inner nodes linear.  In the two outer segments the lower of the chord to the extreme row and of the
    /// extended inner segment, since either alone can flatter a short position.
    function interpolateInner(int256[9] memory nodes, int256[9] memory values, int256 x)
        internal
        pure
        returns (int256)
    {
        unchecked {
            if (x < nodes[1]) return _min(_line9(nodes, values, 0, x), _line9(nodes, values, 1, x));
            if (x > nodes[7]) return _min(_line9(nodes, values, 7, x), _line9(nodes, values, 6, x));
            uint256 i = 1;
            while (i < 6 && x > nodes[i + 1]) ++i;
            return _line9(nodes, values, i, x);
        }
    }

    /// @notice Value of the outer ladder at level `x`: chords between neighbours, the end chords extended.
    function interpolateOuter(int256[11] memory nodes, int256[11] memory values, int256 x)
        internal
        pure
        returns (int256)
    {
        unchecked {
            uint256 i;
            while (i < 9 && x > nodes[i + 1]) ++i;
            return _line(nodes[i], nodes[i + 1], values[i], values[i + 1], x);
        }
    }

    function _line9(int256[9] memory nodes, int256[9] memory values, uint256 i, int256 x)
        private
        pure
        returns (int256)
    {
        unchecked {
            return _line(nodes[i], nodes[i + 1], values[i], values[i + 1], x);
        }
    }

    function _line(int256 a, int256 b, int256 va, int256 vb, int256 x) private pure returns (int256) {
        unchecked {
            if (a == b) return _min(va, vb); // two rows at one level (PSR = 11 %, 22 %, …): the lower counts
            return va + Q64.floorDiv((vb - va) * (x - a), b - a);
        }
    }

    function _min(int256 a, int256 b) private pure returns (int256) {
        return a < b ? a : b;
    }

    /// Rows 15, 12, 8, 4, 0, 2, 6, 10, 14 ascend from −3 to +3 scan ranges; the odd twins have volatility down.
    function _inner(uint256[24] memory levels, int256[24] memory ladder)
        private
        pure
        returns (int256[9] memory nodes, int256[9] memory up, int256[9] memory down)
    {
        unchecked {
            // Byte i from the right is the row of node i.
            uint256 rows = 0x0e0a0602000408_0c0f;
            for (uint256 i; i < 9; ++i) {
                uint256 row = rows & 0xff;
                rows >>= 8;
                nodes[i] = int256(levels[row]) * PPM;
                up[i] = ladder[row];
                down[i] = ladder[row < 14 ? row + 1 : row];
            }
        }
    }

    /// Extreme and tail rows and the unshocked row 0 in ascending order of level, ties by row number.  Tails are in order
    /// already; row 15 (down) is inserted below row 0, row 14 (up) above it.
    function _outer(uint256[24] memory levels, int256[24] memory ladder)
        private
        pure
        returns (int256[11] memory nodes, int256[11] memory values)
    {
        uint256[11] memory rows = outerLadder(levels);
        unchecked {
            for (uint256 i; i < 11; ++i) {
                nodes[i] = int256(levels[rows[i]]) * PPM;
                values[i] = ladder[rows[i]];
            }
        }
    }

    /// @notice Rows of the outer ladder, ascending.  Needs PSR > 0.
    function outerLadder(uint256[24] memory levels) internal pure returns (uint256[11] memory rows) {
        unchecked {
            uint256 n;
            uint256 low = levels[15];
            uint256 high = levels[14];
            // Row 15 goes before a tail at its own level, and so does row 14.
            if (low <= levels[16]) rows[n++] = 15;
            rows[n++] = 16;
            if (low > levels[16] && low <= levels[17]) rows[n++] = 15;
            rows[n++] = 17;
            if (low > levels[17]) rows[n++] = 15;
            rows[n++] = 0;
            bool placed;
            for (uint256 tail = 18; tail < 24; ++tail) {
                if (!placed && high <= levels[tail]) {
                    rows[n++] = 14;
                    placed = true;
                }
                rows[n++] = tail;
            }
            if (!placed) rows[n] = 14;
        }
    }
}
