// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Q64} from "./Q64.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title The adding machine: rows times sizes, shifted once to live spot, weighted, and the worst of them.
/// @notice Twin of keeper/risk/exact/grid.py, bit for bit.
/// @dev A strike's 24 values are three words of eight uint32, row j in word j/8 at bit 32·(j mod 8).  Masking a word
/// leaves two rows in two 128-bit lanes, so one multiplication scales both; lanes cannot mix because
/// Σ|size| < 2^95 and a value is below 2^32.
library Grid {
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

    /// @notice Add `size` calls of a strike whose values are `w0`, `w1`, `w2`.
    function add(Sums memory sums, int256 size, uint256 w0, uint256 w1, uint256 w2) internal pure {
        assembly ("memory-safe") {
            let lanes := mload(sums)
            let m := 0xffffffff000000000000000000000000ffffffff
            mstore(lanes, add(mload(lanes), mul(size, and(w0, m))))
            mstore(add(lanes, 0x20), add(mload(add(lanes, 0x20)), mul(size, and(shr(32, w0), m))))
            mstore(add(lanes, 0x40), add(mload(add(lanes, 0x40)), mul(size, and(shr(64, w0), m))))
            mstore(add(lanes, 0x60), add(mload(add(lanes, 0x60)), mul(size, and(shr(96, w0), m))))
            mstore(add(lanes, 0x80), add(mload(add(lanes, 0x80)), mul(size, and(w1, m))))
            mstore(add(lanes, 0xa0), add(mload(add(lanes, 0xa0)), mul(size, and(shr(32, w1), m))))
            mstore(add(lanes, 0xc0), add(mload(add(lanes, 0xc0)), mul(size, and(shr(64, w1), m))))
            mstore(add(lanes, 0xe0), add(mload(add(lanes, 0xe0)), mul(size, and(shr(96, w1), m))))
            mstore(add(lanes, 0x100), add(mload(add(lanes, 0x100)), mul(size, and(w2, m))))
            mstore(add(lanes, 0x120), add(mload(add(lanes, 0x120)), mul(size, and(shr(32, w2), m))))
            mstore(add(lanes, 0x140), add(mload(add(lanes, 0x140)), mul(size, and(shr(64, w2), m))))
            mstore(add(lanes, 0x160), add(mload(add(lanes, 0x160)), mul(size, and(shr(96, w2), m))))
        }
    }

    /// @notice Parity of the puts of one expiry: put = call − A + B, A = level·carry, rounded down.
    /// @param carry φ·df, ppb².
    function addForwards(Sums memory sums, uint256[24] memory levels, int256 putSize, uint256 carry) internal pure {
        int256[17] memory f = sums.forwards;
        assembly ("memory-safe") {
            // Distinct levels: rows 0, 2 … 12, then 14 … 23.
            let step := 0x40
            let p := levels
            for { let end := add(f, 0x220) } lt(f, end) { f := add(f, 0x20) } {
                if eq(p, add(levels, 0x1c0)) { step := 0x20 }
                mstore(f, add(mload(f), mul(putSize, div(mul(mload(p), carry), 1000000000000000000))))
                p := add(p, step)
            }
        }
    }

    /// @notice The summed ladder, row by row: wad contracts × ppm of the reference spot.
    function unpack(Sums memory sums) internal pure returns (int256[24] memory ladder) {
        int256 flat = sums.strikes;
        uint256[12] memory lanes = sums.lanes;
        int256[17] memory forwards = sums.forwards;
        assembly ("memory-safe") {
            // Lane 4·w + k holds rows 8·w + k and 8·w + k + 4.
            let q := ladder
            for { let end := add(lanes, 0x180) } lt(lanes, end) { q := add(q, 0x80) } {
                for { let word := add(lanes, 0x80) } lt(lanes, word) { lanes := add(lanes, 0x20) } {
                    let packed := mload(lanes)
                    let low := signextend(15, packed)
                    mstore(q, add(low, flat))
                    mstore(add(q, 0x80), add(sar(128, sub(packed, low)), flat))
                    q := add(q, 0x20)
                }
            }
            // Distinct level i is rows 2·i and 2·i + 1 below 7, row i + 7 from there.
            let p := ladder
            for { let i := 0 } lt(i, 7) { i := add(i, 1) } {
                let a := mload(add(forwards, shl(5, i)))
                mstore(p, sub(mload(p), a))
                p := add(p, 0x20)
                mstore(p, sub(mload(p), a))
                p := add(p, 0x20)
            }
            for { let i := 7 } lt(i, 17) { i := add(i, 1) } {
                mstore(p, sub(mload(p), mload(add(forwards, shl(5, i)))))
                p := add(p, 0x20)
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
            int256[24] memory rows = unpack(sums);
            uint256 ladder = c.spot == c.refSpot ? 0 : _ladder(levels, rows);
            int256 worstLoss;
            worstRow = NO_ROW;
            uint256 edge = c.tailPpm * c.psrPpm;
            for (uint256 j; j < 24; ++j) {
                (int256 first, int256 second) = _pnl(ladder, j, rows, levels, c);
                if (j < 14) {
                    // Weight 1, and the row after it shares the level.
                    if (-first > worstLoss) (worstLoss, worstRow) = (-first, uint8(j));
                    ++j;
                    if (-second > worstLoss) (worstLoss, worstRow) = (-second, uint8(j));
                } else if (first < 0) {
                    int256 loss = -Q64.floorDiv(first * int256(Scenarios.outerWeight(j, edge)), PPM);
                    if (loss > worstLoss) (worstLoss, worstRow) = (loss, uint8(j));
                }
            }
            grid = uint256(worstLoss);
        }
    }

    /// Unweighted profit of row `j`, and below 14 of its twin `j + 1`, wad USD, rounded down.
    /// @dev The functions are those of the twin: interpolate_inner takes the lower of chord and extended segment beyond
    /// the last inner nodes, since either alone can flatter a short position; interpolate_outer extends the end chords.
    function _pnl(uint256 ladder, uint256 j, int256[24] memory rows, uint256[24] memory levels, Context memory c)
        private
        pure
        returns (int256 first, int256 second)
    {
        assembly ("memory-safe") {
            function floorDiv(a, b) -> q {
                q := sub(sdiv(a, b), slt(smod(a, b), 0))
            }
            // The chord at x over the segment whose left end lies at `n` (levels) and `v` (values), rounded down.  Two
            // rows at one level (PSR = 11 %, 22 %, …): the lower counts.
            function line(n, v, x) -> y {
                let left := mload(n)
                let width := sub(mload(add(n, 0x20)), left)
                y := mload(v)
                let rise := sub(mload(add(v, 0x20)), y)
                switch width
                case 0 { if slt(rise, 0) { y := add(y, rise) } }
                default {
                    rise := mul(rise, sub(x, left))
                    y := add(y, sub(sdiv(rise, width), slt(smod(rise, width), 0)))
                }
            }
            function lower(a, b) -> y {
                y := a
                if slt(b, a) { y := b }
            }
            // `i` is the node of the row itself: with spot near the reference the segment is beside it.
            function interpolateInner(n, i, x) -> up, down {
                let v := add(n, 0x120)
                let w := add(n, 0x240)
                if slt(x, mload(add(n, 0x20))) {
                    up := lower(line(n, v, x), line(add(n, 0x20), add(v, 0x20), x))
                    down := lower(line(n, w, x), line(add(n, 0x20), add(w, 0x20), x))
                    leave
                }
                if sgt(x, mload(add(n, 0xe0))) {
                    up := lower(line(add(n, 0xe0), add(v, 0xe0), x), line(add(n, 0xc0), add(v, 0xc0), x))
                    down := lower(line(add(n, 0xe0), add(w, 0xe0), x), line(add(n, 0xc0), add(w, 0xc0), x))
                    leave
                }
                if gt(i, 0xc0) { i := 0xc0 }
                for {} and(lt(i, 0xc0), sgt(x, mload(add(n, add(i, 0x20))))) {} { i := add(i, 0x20) }
                for {} and(gt(i, 0x20), iszero(sgt(x, mload(add(n, i))))) {} { i := sub(i, 0x20) }
                up := line(add(n, i), add(v, i), x)
                down := line(add(n, i), add(w, i), x)
            }
            function interpolateOuter(n, x) -> y {
                let end := add(n, 0x120)
                let v := add(n, 0x160)
                for {} and(lt(n, end), sgt(x, mload(add(n, 0x20)))) {} {
                    n := add(n, 0x20)
                    v := add(v, 0x20)
                }
                y := line(n, v, x)
            }

            let level := mload(add(levels, shl(5, j)))
            // In place of x first the level at live spot, ppm · wad.
            let x := mul(level, mload(add(c, 0x20)))
            let other := sub(0, mload(add(c, 0x80)))
            {
                let perp := mload(add(c, 0xa0))
                if perp {
                    let move := sub(div(x, 1000000), mload(add(c, 0x20)))
                    other := add(other, floorDiv(mul(perp, move), 1000000000000000000))
                }
            }
            x := div(mul(x, 1000000), mload(c))
            switch ladder
            case 0 {
                level := add(rows, shl(5, j))
                first := mload(level)
                if lt(j, 14) { second := mload(add(level, 0x20)) }
            }
            default {
                switch lt(j, 14)
                case 1 {
                    // Nodes of rows 0, 2 … 12, times 32, a byte each from the right.
                    first, second := interpolateInner(ladder, and(0xff, shr(shl(2, j), 0x20e040c060a080)), x)
                }
                default { first := interpolateOuter(add(ladder, 0x360), x) }
            }
            first := add(other, floorDiv(mul(first, mload(c)), 1000000000000000000000000))
            second := add(other, floorDiv(mul(second, mload(c)), 1000000000000000000000000))
        }
    }

    /// The two price ladders, in memory: nine inner nodes, their values with volatility up and down, eleven outer nodes
    /// and their values.  Inner nodes are rows 15, 12, 8, 4, 0, 2, 6, 10, 14, from −3 to +3 scan ranges; the row after
    /// an inner one is its twin with volatility down; the ends have no twin.
    function _ladder(uint256[24] memory levels, int256[24] memory rows) private pure returns (uint256 p) {
        int256[49] memory room;
        uint256 outer = outerLadder(levels);
        assembly ("memory-safe") {
            p := room
            let inner := 0x0e0a06020004080c0f // byte i from the right is the row of node i
            for { let q := p } inner {} {
                let at_ := shl(5, and(inner, 0xff))
                inner := shr(8, inner)
                mstore(q, mul(mload(add(levels, at_)), 1000000))
                mstore(add(q, 0x120), mload(add(rows, at_)))
                if lt(at_, 0x1c0) { at_ := add(at_, 0x20) }
                mstore(add(q, 0x240), mload(add(rows, at_)))
                q := add(q, 0x20)
            }
            for { let q := add(p, 0x360) } lt(q, add(p, 0x4c0)) { q := add(q, 0x20) } {
                let at_ := shl(5, and(outer, 0xff))
                outer := shr(8, outer)
                mstore(q, mul(mload(add(levels, at_)), 1000000))
                mstore(add(q, 0x160), mload(add(rows, at_)))
            }
        }
    }

    /// @notice Extreme and tail rows and the unshocked row 0 in ascending order of level, ties by row number; byte i from
    /// the right is the row of node i.  Needs PSR > 0.
    /// @dev The tails are in order already; row 15 belongs before the first tail that is not below it, or before row 0,
    /// row 14 likewise above row 0.
    function outerLadder(uint256[24] memory levels) internal pure returns (uint256) {
        unchecked {
            uint256 low = levels[15];
            uint256 high = levels[14];
            uint256 below = low <= 340_000 ? 0x11100f : low <= 670_000 ? 0x110f10 : 0x0f1110;
            uint256 above;
            if (high <= 1_500_000) above = 0x1716151413120e;
            else if (high <= 2_000_000) above = 0x17161514130e12;
            else if (high <= 3_000_000) above = 0x171615140e1312;
            else if (high <= 4_000_000) above = 0x1716150e141312;
            else if (high <= 5_000_000) above = 0x17160e15141312;
            else if (high <= 6_000_000) above = 0x170e1615141312;
            else above = 0x0e171615141312;
            return (above << 32) | below; // row 0 between them
        }
    }
}
