// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Signed binary fixed point with 64 fractional bits: exp, ln, square root and the normal tail.
/// @notice Twin of keeper/risk/exact/q64.py, bit for bit.  A number x is held as floor(x · 2^64).  A product is
/// `a * b >> 64` and rounds toward minus infinity; `sar` on a signed word is Python's `>>`.
/// @dev Polynomials are assembly: 25 gas a step where the compiler takes 45.
/// Unchecked throughout: every caller stays within the stated ranges, and no intermediate exceeds 2^250 there.
library Q64 {
    int256 internal constant ONE = 1 << 64;
    int256 internal constant LN2 = 12786308645202655659;
    /// Constants are literals: an expression would be evaluated, checked, at every use.
    /// exp(−44) is less than one unit.
    int256 internal constant EXP_MIN = -811656739243220271104; // −44
    /// Nothing in the risk file needs more than e^20.
    int256 internal constant EXP_MAX = 368934881474191032320; // 20
    /// 7.0710678118654755: |d| at and beyond this is certain.  Range of Hart's rational form.
    int256 internal constant TAIL_CUT = 130438178253327725388;

    error LnOfNonPositive(uint256 x);

    /// @notice e^x; 0 below EXP_MIN, clamped at e^20.  Absolute error about 1e-15 of the result.
    function exp(int256 x) internal pure returns (int256 acc) {
        unchecked {
            if (x < EXP_MIN) return 0;
            if (x > EXP_MAX) x = EXP_MAX;
            // n = floor(x/ln2 + 1/2).  Adding 64 keeps the numerator positive (x >= −44 > −64·ln2), so the unsigned
            // division is a floor.
            int256 n;
            int256 r;
            assembly ("memory-safe") {
                n := sub(div(add(shl(1, x), 1649433815231142580011), 25572617290405311318), 64) // (2x + 129·ln2) / 2·ln2
                r := sub(x, mul(n, 12786308645202655659))
            }
            // Taylor, 1/12! … 1/0!, |r| <= ln2/2.
            assembly ("memory-safe") {
                acc := add(sar(64, mul(38510819324, r)), 462129831893)
                acc := add(sar(64, mul(acc, r)), 5083428150823)
                acc := add(sar(64, mul(acc, r)), 50834281508238)
                acc := add(sar(64, mul(acc, r)), 457508533574145)
                acc := add(sar(64, mul(acc, r)), 3660068268593165)
                acc := add(sar(64, mul(acc, r)), 25620477880152155)
                acc := add(sar(64, mul(acc, r)), 153722867280912930)
                acc := add(sar(64, mul(acc, r)), 768614336404564650)
                acc := add(sar(64, mul(acc, r)), 3074457345618258602)
                acc := add(sar(64, mul(acc, r)), 9223372036854775808)
                acc := add(sar(64, mul(acc, r)), 18446744073709551616)
                acc := add(sar(64, mul(acc, r)), 18446744073709551616)
            }
            assembly ("memory-safe") {
                switch sgt(n, 0)
                case 0 { acc := shr(sub(0, n), acc) }
                default { acc := shl(n, acc) }
            }
        }
    }

    /// @notice Natural logarithm of 0 < x < 2^191.
    function ln(uint256 x) internal pure returns (int256 acc) {
        unchecked {
            if (x == 0) revert LnOfNonPositive(x);
            int256 n;
            int256 z;
            int256 z2;
            assembly ("memory-safe") {
                // Position of the highest bit, by halving.
                n := shl(7, gt(x, 0xffffffffffffffffffffffffffffffff))
                n := or(n, shl(6, gt(shr(n, x), 0xffffffffffffffff)))
                n := or(n, shl(5, gt(shr(n, x), 0xffffffff)))
                n := or(n, shl(4, gt(shr(n, x), 0xffff)))
                n := or(n, shl(3, gt(shr(n, x), 0xff)))
                n := or(n, shl(2, gt(shr(n, x), 0xf)))
                n := or(n, shl(1, gt(shr(n, x), 3)))
                n := or(n, gt(shr(n, x), 1))
                // The mantissa as in the twin, which drops the bits below 2^-64: in [1/2, 1), then in [sqrt 1/2, sqrt 2).
                z := shr(192, shl(sub(255, n), x))
                n := sub(n, 63) // bit length − 64
                if lt(z, 13043817825332782212) {
                    // sqrt(1/2)
                    z := shl(1, z)
                    n := sub(n, 1)
                }
                z := sdiv(shl(64, sub(z, 18446744073709551616)), add(z, 18446744073709551616)) // truncates, like the twin
                z2 := sar(64, mul(z, z))
            }
            // atanh(z)/z, 1/17 … 1/1.
            assembly ("memory-safe") {
                acc := add(sar(64, mul(1085102592571150095, z2)), 1229782938247303441)
                acc := add(sar(64, mul(acc, z2)), 1418980313362273201)
                acc := add(sar(64, mul(acc, z2)), 1676976733973595601)
                acc := add(sar(64, mul(acc, z2)), 2049638230412172401)
                acc := add(sar(64, mul(acc, z2)), 2635249153387078802)
                acc := add(sar(64, mul(acc, z2)), 3689348814741910323)
                acc := add(sar(64, mul(acc, z2)), 6148914691236517205)
                acc := add(sar(64, mul(acc, z2)), 18446744073709551616)
            }
            acc = (acc * z >> 63) + n * LN2;
        }
    }

    /// @notice Square root of x < 2^192, rounded down.
    function sqrt(uint256 x) internal pure returns (uint256) {
        return Math.sqrt(x << 64);
    }

    /// @notice exp(x²/2)·N(−x) for 0 <= x < TAIL_CUT.
    /// @dev J. F. Hart et al., Computer Approximations (1968), index 5666, as tabulated by G. West (Wilmott, 2005).
    function mills(int256 x) internal pure returns (int256 q) {
        assembly ("memory-safe") {
            q := add(sar(64, mul(650478250178244362, x)), 12919787143353136591)
            q := add(sar(64, mul(q, x)), 117578849504046139487)
            q := add(sar(64, mul(q, x)), 625581961353917287603)
            q := add(sar(64, mul(q, x)), 2067498006223917203771)
            q := add(sar(64, mul(q, x)), 4080670594171652639712)
            q := add(sar(64, mul(q, x)), 4062099735652764000328)
            let den := add(sar(64, mul(1630477228166597028, x)), 32386342837845824709)
            den := add(sar(64, mul(den, x)), 296331772558254578451)
            den := add(sar(64, mul(den, x)), 1600821957476871612085)
            den := add(sar(64, mul(den, x)), 5470644798650576484341)
            den := add(sar(64, mul(den, x)), 11756730424506726822413)
            den := add(sar(64, mul(den, x)), 14643514515380871948050)
            den := add(sar(64, mul(den, x)), 8124199471305528000657)
            q := sdiv(shl(64, q), den)
        }
    }

    /// @notice a / b for b > 0, toward minus infinity: Python's `//`.
    function floorDiv(int256 a, int256 b) internal pure returns (int256 q) {
        assembly ("memory-safe") {
            q := sub(sdiv(a, b), slt(smod(a, b), 0))
        }
    }
}
