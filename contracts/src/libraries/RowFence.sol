// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {Rows} from "./Rows.sol";

/// @title The fences on rows: each can be computed, and call marks are in order across the strikes of an expiry.
/// @notice Twin of keeper/risk/exact/rowfence.py.  RiskFile writes by it, and a preview asks it without writing.
/// @dev A linked library, because its errors come out of the middle of the computation: a preview catches them.
library RowFence {
    using Rows for Rows.Slate;

    /// Tolerance of the butterfly fence, ppm of the reference spot.
    uint256 private constant BUTTERFLY_PPM = 2;

    /// What `RiskFile.begin` would write into the header of the bank, and what it computes rows with besides.
    struct Bank {
        uint16 underlying;
        uint256 refSpot; // wad USD
        uint256 time;
        uint256 psrPpm;
        uint256 vsrUpPpm;
        uint256 vsrDownPpm;
        uint256 volFloorPpm;
    }

    /// @notice Reverts as `RiskFile.write` would, strike by strike: first its rows, then its mark beside those before it.
    /// @param strikes listed, ascending.  One with volatility 0 stays out of the file: it has no rows and no mark.
    function check(Bank memory b, uint64[] memory strikes, IRiskParameters.ExpiryPublication memory e) external pure {
        Rows.Slate memory s;
        (s.underlying, s.refSpot, s.time) = (b.underlying, b.refSpot, b.time);
        (s.vsrUp, s.vsrDown, s.volFloor) = (b.vsrUpPpm, b.vsrDownPpm, b.volFloorPpm);
        s.open(b.psrPpm);
        s.prepare(e.expiry, e.phiPpb, e.dfPpb);
        uint256[4] memory chain = start(s);
        for (uint256 i; i < strikes.length; ++i) {
            if (e.sigmaPpm[i] == 0) continue;
            (,,, uint256 mark) = s.rows(strikes[i], e.sigmaPpm[i]);
            follow(chain, e.expiry, strikes[i], mark);
        }
    }

    /// @notice Begin the chain of an expiry.
    /// @return chain strike and mark of the two before the next, ppm of the reference spot.  Strike 0 comes first: its
    /// call is worth the discounted forward.
    function start(Rows.Slate memory s) internal pure returns (uint256[4] memory chain) {
        chain[3] = uint256(s.forward[0] * s.df >> 64) * 1e6 >> 64;
    }

    /// @notice The next strike of the chain: marks fall with the strike and are convex in it, within `BUTTERFLY_PPM`.
    function follow(uint256[4] memory chain, uint32 expiry, uint64 strike, uint256 mark) internal pure {
        (uint256 k0, uint256 c0, uint256 k1, uint256 c1) = (chain[0], chain[1], chain[2], chain[3]);
        if (mark > c1 + BUTTERFLY_PPM) revert IRiskParameters.ButterflyArbitrage(expiry, strike);
        // The pair (0, first strike) has no third yet.
        if (k1 != 0 && c1 * (strike - k0) > c0 * (strike - k1) + mark * (k1 - k0) + BUTTERFLY_PPM * (strike - k0)) {
            revert IRiskParameters.ButterflyArbitrage(expiry, uint64(k1));
        }
        (chain[0], chain[1], chain[2], chain[3]) = (k1, c1, strike, mark);
    }
}
