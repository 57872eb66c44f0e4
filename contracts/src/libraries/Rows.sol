// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {Black76} from "./Black76.sol";
import {Q64} from "./Q64.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title What a call is worth in each of the 24 rows.
/// @notice Twin of strike_array in keeper/risk/exact/riskfile.py, bit for bit.
library Rows {
    /// A row has 29 of its 32 bits: 536 times the reference spot, when six times is the highest level.
    uint256 private constant MAX_VALUE = (1 << 29) - 1;
    /// The 29 value bits of eight rows.
    uint256 private constant VALUES = 0x1fffffff1fffffff1fffffff1fffffff1fffffff1fffffff1fffffff1fffffff;
    /// Three bits at the foot of each of eight rows.
    uint256 private constant FEET = 0x0000000700000007000000070000000700000007000000070000000700000007;
    /// Σ 2^(29·k), k = 0 … 7.
    uint256 private constant SPREAD = 0x800000040000002000000100000008000000400000020000001;

    /// Working memory of a computation: distinct price levels 0 … 6 (inner), 7, 8 (extreme), 9 … 16 (tails).
    struct Slate {
        uint16 underlying;
        uint8 bank;
        uint32 expiry;
        uint40 epoch;
        uint256 refSpot;
        uint256 time;
        uint256 vsrUp;
        uint256 vsrDown;
        uint256 volFloor;
        int256[17] s;
        int256[17] logS;
        int256[17] forward;
        int256[17] logForward;
        int256 df;
        uint256 sqrtT;
        uint256 m;
        uint64 strike;
        int256 kappa;
        int256 logKappa;
        bool kept; // rows of what is in force: not refused for their order
    }

    /// @notice What all strikes of one underlying share: set header fields first.
    function open(Slate memory s, uint256 psrPpm) internal pure {
        uint256[24] memory levels = Scenarios.levels(psrPpm);
        unchecked {
            for (uint256 i; i < 17; ++i) {
                uint256 level = (levels[i < 7 ? 2 * i : i + 7] << 64) / 1e6;
                s.s[i] = int256(level);
                s.logS[i] = Q64.ln(level);
            }
        }
    }

    /// @notice What all strikes of one expiry share.
    function prepare(Slate memory s, uint32 expiry, uint256 phiPpb, uint256 dfPpb) internal pure {
        s.expiry = expiry;
        int256 phi = _fromPpb(phiPpb);
        s.df = _fromPpb(dfPpb);
        int256 logPhi = Q64.ln(uint256(phi));
        uint256 tau = expiry - s.time;
        s.sqrtT = Black76.sqrtYears(tau);
        s.m = Scenarios.termFactor(tau);
        unchecked {
            for (uint256 i; i < 17; ++i) {
                s.forward[i] = phi * s.s[i] >> 64;
                s.logForward[i] = s.logS[i] + logPhi;
            }
        }
    }

    /// @notice The 24 values of one strike, packed as Grid reads them, and its mark; ppm of the reference spot.
    function rows(Slate memory s, uint64 strike, uint32 sigmaPpm)
        internal
        pure
        returns (uint256 w0, uint256 w1, uint256 w2, uint256 mid)
    {
        unchecked {
            int256 vUp = int256(Black76.deviation(Scenarios.volUp(sigmaPpm, s.vsrUp, s.m, s.volFloor), s.sqrtT));
            int256 vDown = int256(Black76.deviation(Scenarios.volDown(sigmaPpm, s.vsrDown, s.m), s.sqrtT));
            int256 vMid = int256(Black76.deviation(sigmaPpm, s.sqrtT));
            s.strike = strike;
            s.kappa = int256((uint256(strike) * 1e10 << 64) / s.refSpot);
            s.logKappa = Q64.ln(uint256(s.kappa));
            mid = _row(s, 0, vMid);
            w0 = _pair(s, 0, vUp, vDown) | (_pair(s, 1, vUp, vDown) << 64) | (_pair(s, 2, vUp, vDown) << 128)
                | (_pair(s, 3, vUp, vDown) << 192);
            if (!s.kept && (mid > uint32(w0) + 1 || mid + 1 < uint32(w0 >> 32))) _outOfBounds(s, 255, mid);
            w1 = _pair(s, 4, vUp, vDown) | (_pair(s, 5, vUp, vDown) << 64) | (_pair(s, 6, vUp, vDown) << 128)
                | (_row(s, 7, vMid) << 192) | (_row(s, 8, vMid) << 224);
            for (uint256 i; i < 8; ++i) {
                w2 |= _row(s, 9 + i, vUp) << (32 * i);
            }
        }
    }

    /// Both values of an inner level: volatility up, and down 32 bits higher.
    function _pair(Slate memory s, uint256 i, int256 vUp, int256 vDown) private pure returns (uint256) {
        unchecked {
            (int256 forward, int256 logForward) = _at(s, i);
            (int256 kappa, int256 df) = (s.kappa, s.df);
            logForward -= s.logKappa;
            uint256 up = _value(forward, kappa, logForward, vUp, df);
            uint256 down = _value(forward, kappa, logForward, vDown, df);
            if ((down > up + 1 && !s.kept) || (up | down) > MAX_VALUE) _outOfBounds(s, i, up);
            return up | (down << 32);
        }
    }

    /// One value.
    function _row(Slate memory s, uint256 i, int256 v) private pure returns (uint256 value) {
        unchecked {
            (int256 forward, int256 logForward) = _at(s, i);
            value = _value(forward, s.kappa, logForward - s.logKappa, v, s.df);
            if (value > MAX_VALUE) _outOfBounds(s, i, value);
        }
    }

    /// Forward at a price level, and its logarithm.
    function _at(Slate memory s, uint256 i) private pure returns (int256 forward, int256 logForward) {
        (int256[17] memory forwards, int256[17] memory logs) = (s.forward, s.logForward);
        assembly ("memory-safe") {
            i := shl(5, i) // callers count to 17
            forward := mload(add(forwards, i))
            logForward := mload(add(logs, i))
        }
    }

    /// ppm of the reference spot, discounted.  It is not below intrinsic by construction; beyond `MAX_VALUE` if it is above
    /// the forward by more than 1 ppm.
    function _value(int256 forward, int256 kappa, int256 logMoneyness, int256 v, int256 df)
        private
        pure
        returns (uint256 value)
    {
        int256 c = Black76.call(forward, kappa, logMoneyness, v);
        assembly ("memory-safe") {
            value := sar(64, add(mul(sar(64, mul(c, df)), 1000000), 0x8000000000000000))
            value := or(value, shl(255, sgt(c, add(forward, 18446744073710)))) // 1e-6
        }
    }

    /// Refuse the array: level `i`, which stands for its first row, or 255 for the mark.
    function _outOfBounds(Slate memory s, uint256 i, uint256 value) private pure {
        uint8 row = uint8(i < 7 ? 2 * i : i < 17 ? i + 7 : i);
        revert IRiskFile.ArrayOutOfBounds(s.underlying, s.expiry, s.strike, row, int256(value));
    }

    // --- three spare bits a row ---------------------------------------------------------------------------------------
    // 24 rows leave 72 bits, enough for a strike's volatility (32) and epoch (40): three slots a strike, not four.

    /// @notice Put 24 bits of `meta`, from bit `24·word`, into the top three bits of the eight rows of `values`.
    /// @dev A copy of the 24 bits every 29 bits brings bits 3k … 3k+2 to 32k; copies do not overlap, FEET drops the rest.
    function seal(uint256 values, uint256 meta, uint256 word) internal pure returns (uint256) {
        unchecked {
            return values | ((((meta >> (24 * word)) & 0xffffff) * SPREAD & FEET) << 29);
        }
    }

    /// @notice The values of a sealed word.
    function valuesOf(uint256 w) internal pure returns (uint256) {
        return w & VALUES;
    }

    /// @notice The 72 bits of three sealed words: volatility in the low 32, epoch above.
    function metaOf(uint256 w0, uint256 w1, uint256 w2) internal pure returns (uint256) {
        return _gather(w0) | (_gather(w1) << 24) | (_gather(w2) << 48);
    }

    /// Foot k at bit 32k times 2^(29·(7 − k)) lands at 203 + 3k; of the other products, those below are separate and end
    /// under bit 196, those above begin at bit 232, so nothing carries into the 24 bits kept.
    function _gather(uint256 w) private pure returns (uint256) {
        unchecked {
            return ((w >> 29 & FEET) * SPREAD >> 203) & 0xffffff;
        }
    }

    function _fromPpb(uint256 ppb) private pure returns (int256) {
        return int256((ppb << 64) / 1e9);
    }
}
