// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {Position} from "../interfaces/Types.sol";
import {Black76} from "./Black76.sol";
import {Grid} from "./Grid.sol";
import {InstrumentIds} from "./InstrumentIds.sol";
import {Q64} from "./Q64.sol";

/// @title Walking an account's options strike by strike: live marks, put-call parity, naked shorts.
/// @notice Twin of the first half of `assess` in keeper/risk/exact/grid.py, bit for bit.  Whoever holds the file finds
/// the expiry's numbers and the strike's rows; everything else is here.
library Legs {
    /// Running state of `assess`.
    struct Walk {
        uint256 underlying;
        uint256 bank;
        uint256 epoch;
        uint256 spot;
        bool strict; // revert on a strike that is not in the bank, else report the sum as incomplete
        int256 optionMark;
        uint256 last; // instrument of the leg before
        uint32 expiry;
        uint256 phiPpb;
        uint256 dfPpb;
        int256 phi;
        int256 df;
        int256 logPhi;
        uint256 sqrtT;
        uint256 refSpot;
        int256 callSize; // at the strike that was read last
        int256 putSize;
        int256 expiryPuts; // put size of the expiry so far
        uint256 naked;
        uint256 total;
    }

    /// @notice Read the strike at leg `i`: a call and the put beside it count as one.
    /// @return id the instrument, and the index of the leg after it.
    function read(Walk memory w, Position[] calldata legs, uint256 i) internal pure returns (uint256 id, uint256 next) {
        unchecked {
            uint256 position = Position.unwrap(legs[i]);
            id = position >> 136;
            // kind is 1 (call) or 2 (put)
            if (id <= w.last || id >> 104 != w.underlying || (id & 0xff) - 1 > 1) revert IRiskFile.BadLeg(position);
            (w.callSize, w.putSize) = (0, int256(int128(uint128(position))));
            w.last = id;
            next = i + 1;
            if (id & 0xff == InstrumentIds.CALL) {
                (w.callSize, w.putSize) = (w.putSize, 0);
                position = next < legs.length ? Position.unwrap(legs[next]) : 0;
                if (position >> 136 == id + 1) {
                    w.putSize = int256(int128(uint128(position)));
                    w.last = id + 1;
                    ++next;
                }
            }
        }
    }

    /// @notice What all strikes of one expiry share.
    function open(Walk memory w, uint32 expiry, uint256 phiPpb, uint256 dfPpb, uint256 nowS) internal pure {
        if (expiry <= nowS) revert IRiskFile.LegExpired(expiry, nowS);
        (w.expiry, w.phiPpb, w.dfPpb) = (expiry, phiPpb, dfPpb);
        (w.phi, w.df) = (_fromPpb(phiPpb), _fromPpb(dfPpb));
        w.logPhi = Q64.ln(uint256(w.phi));
        w.sqrtT = Black76.sqrtYears(expiry - nowS);
    }

    /// @notice Parity of the puts of the expiry that was open.
    function close(Walk memory w, Grid.Sums memory sums, uint256[24] memory levels) internal pure {
        if (w.expiryPuts == 0) return;
        Grid.addForwards(sums, levels, w.expiryPuts, w.phiPpb * w.dfPpb);
        w.expiryPuts = 0;
    }

    /// @notice Marks and naked shorts of the strike that was read last; its rows are the caller's to add.
    /// @return size contracts to add the call rows with: calls and puts together.
    function value(Walk memory w, Grid.Sums memory sums, uint256 strike, uint256 sigmaPpm)
        internal
        pure
        returns (int256 size)
    {
        unchecked {
            (int256 callSize, int256 putSize) = (w.callSize, w.putSize);
            strike *= 1e10;
            int256 mark = liveCall(w, strike, sigmaPpm);
            if (callSize != 0) w.optionMark += Q64.floorDiv(callSize * mark, 1e18);
            if (putSize != 0) {
                w.optionMark += Q64.floorDiv(putSize * livePut(w, mark, strike), 1e18);
                sums.strikes += putSize * int256(strike * w.dfPpb * 1e6 / (1e9 * w.refSpot));
                w.expiryPuts += putSize;
            }
            w.naked += Grid.nakedShort(callSize, putSize);
            w.total += uint256(callSize < 0 ? -callSize : callSize) + uint256(putSize < 0 ? -putSize : putSize);
            return callSize + putSize;
        }
    }

    /// @notice Mark of one call at live spot and time, wad USD, rounded down.
    function liveCall(Walk memory w, uint256 strike, uint256 sigmaPpm) internal pure returns (int256) {
        unchecked {
            uint256 kappa = (strike << 64) / w.spot;
            int256 v = int256(Black76.deviation(sigmaPpm, w.sqrtT));
            int256 worth = Black76.call(w.phi, int256(kappa), w.logPhi - Q64.ln(kappa), v);
            return (worth * w.df >> 64) * int256(w.spot) >> 64;
        }
    }

    /// @notice Mark of one put by parity.  May be a few wei below zero: boxes stay exact.
    function livePut(Walk memory w, int256 callMark, uint256 strike) internal pure returns (int256) {
        unchecked {
            return callMark - int256(w.spot * w.phiPpb * w.dfPpb / 1e18) + int256(strike * w.dfPpb / 1e9);
        }
    }

    /// @notice Charge for naked shorts, wad USD, rounded up.
    function shortMinimum(Walk memory w, uint256 shortMinPpm) internal pure returns (uint256) {
        unchecked {
            return (w.naked * w.spot * shortMinPpm + 1e24 - 1) / 1e24;
        }
    }

    function _fromPpb(uint256 ppb) private pure returns (int256) {
        return int256((ppb << 64) / 1e9);
    }
}
