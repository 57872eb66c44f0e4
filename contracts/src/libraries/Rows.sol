// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {Black76} from "./Black76.sol";
import {Q64} from "./Q64.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title What a call is worth in each of the 24 rows.
/// @notice Twin of strike_array in keeper/risk/exact/riskfile.py, bit for bit.
library Rows {
    /// Tolerance of the no-arbitrage assertions: 1 ppm, Q64.
    int256 private constant ONE_PPM = 18446744073710;
    /// A row has 29 of its 32 bits: 536 times the reference spot, when six times is the highest level.
    int256 private constant MAX_VALUE = (1 << 29) - 1;
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
            int256 kappa = int256((uint256(strike) * 1e10 << 64) / s.refSpot);
            int256 logKappa = Q64.ln(uint256(kappa));
            mid = _row(s, strike, 255, 0, kappa, logKappa, vMid);
            for (uint256 i; i < 4; ++i) {
                uint256 up = _row(s, strike, 2 * i, i, kappa, logKappa, vUp);
                uint256 down = _row(s, strike, 2 * i + 1, i, kappa, logKappa, vDown);
                if (down > up + 1) {
                    revert IRiskFile.ArrayOutOfBounds(s.underlying, s.expiry, strike, uint8(2 * i), int256(up));
                }
                w0 |= (up | (down << 32)) << (64 * i);
            }
            if (mid > (w0 & 0xffffffff) + 1 || mid + 1 < uint32(w0 >> 32)) {
                revert IRiskFile.ArrayOutOfBounds(s.underlying, s.expiry, strike, 255, int256(mid));
            }
            for (uint256 i = 4; i < 7; ++i) {
                uint256 up = _row(s, strike, 2 * i, i, kappa, logKappa, vUp);
                uint256 down = _row(s, strike, 2 * i + 1, i, kappa, logKappa, vDown);
                if (down > up + 1) {
                    revert IRiskFile.ArrayOutOfBounds(s.underlying, s.expiry, strike, uint8(2 * i), int256(up));
                }
                w1 |= (up | (down << 32)) << (64 * (i - 4));
            }
            w1 |= _row(s, strike, 14, 7, kappa, logKappa, vMid) << 192;
            w1 |= _row(s, strike, 15, 8, kappa, logKappa, vMid) << 224;
            for (uint256 i; i < 8; ++i) {
                w2 |= _row(s, strike, 16 + i, 9 + i, kappa, logKappa, vUp) << (32 * i);
            }
        }
    }

    /// One value, ppm of the reference spot, with its no-arbitrage bounds asserted within 1 ppm.
    function _row(Slate memory s, uint64 strike, uint256 row, uint256 i, int256 kappa, int256 logKappa, int256 v)
        private
        pure
        returns (uint256)
    {
        unchecked {
            int256 forward = s.forward[i];
            int256 value = Black76.call(forward, kappa, s.logForward[i] - logKappa, v);
            if (value > forward + ONE_PPM || value < forward - kappa - ONE_PPM || value < 0) {
                revert IRiskFile.ArrayOutOfBounds(s.underlying, s.expiry, strike, uint8(row), value * 1e6 >> 64);
            }
            value = ((value * s.df >> 64) * 1e6 + (1 << 63)) >> 64;
            if (value > MAX_VALUE) {
                revert IRiskFile.ArrayOutOfBounds(s.underlying, s.expiry, strike, uint8(row), value);
            }
            return uint256(value);
        }
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
