// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Prices of the Dutch auction.  The formulas are on `ILiquidationAuction`.
library AuctionMath {
    uint256 private constant WAD = 1e18;
    uint256 private constant PPM = 1e6;
    /// Added to the largest fraction, so that truncated sizes do not leave health a hair below the un-flag level.
    uint256 private constant SLACK_WAD = 1e9;

    /// @notice Share of the mark that the bidder pays: start → cutoff over the fast period, then → 0 over the slow one.
    /// Rounded up.
    function discountPpm(uint256 elapsedS, uint256 fastS, uint256 slowS, uint256 startPpm, uint256 cutoffPpm)
        internal
        pure
        returns (uint256)
    {
        if (elapsedS <= fastS) return startPpm - (startPpm - cutoffPpm) * elapsedS / fastS;
        elapsedS -= fastS;
        return elapsedS >= slowS ? 0 : cutoffPpm - cutoffPpm * elapsedS / slowS;
    }

    /// @notice Largest fraction of a solvent account: after it, health is 1 + b.  Rounded up, with a slack of 1e-9.
    /// @dev With equity E, mark to market G, requirement M and reserved cash R, taking f leaves
    /// (E − R)(1 − f) + R + f·d·(G − R) = (1 + b)·M·(1 − f); solved for f with BM = E − (1 + b)M:
    /// f = −BM / (−BM + d·G + (1 − d)·R).
    function maxFractionUp(
        int256 equity,
        uint256 mm,
        uint256 bufferPpm,
        uint256 mtm,
        uint256 discount,
        uint256 reserved
    ) internal pure returns (uint256) {
        // All terms times PPM, so that nothing is rounded before the division.
        int256 missing = int256(mm * (PPM + bufferPpm)) - equity * int256(PPM);
        if (missing <= 0) return 0;
        uint256 whole = uint256(missing) + discount * mtm + (PPM - discount) * reserved;
        return Math.min(WAD, Math.mulDiv(uint256(missing), WAD, whole, Math.Rounding.Ceil) + SLACK_WAD);
    }

    /// @notice What a solvent slice costs, rounded up.
    function costUp(uint256 value, uint256 discount, uint256 fraction) internal pure returns (uint256) {
        return Math.mulDiv(value * discount, fraction, WAD * PPM, Math.Rounding.Ceil);
    }

    /// @notice What an insolvent slice costs (negative: pays), rounded up: against the bidder.
    /// @param reach how far the payout grows beyond −mtm within `insolventS`: haircut + MM.
    function insolventCostUp(int256 mtm, uint256 reach, uint256 elapsedS, uint256 insolventS, uint256 fraction)
        internal
        pure
        returns (int256)
    {
        int256 whole = mtm - int256(reach * elapsedS / insolventS);
        int256 exact = whole * int256(fraction);
        // Truncation rounds a negative cost up already.
        int256 cost = exact / int256(WAD);
        return exact > 0 && cost * int256(WAD) != exact ? cost + 1 : cost;
    }
}
