// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {HourlyRing} from "../libraries/HourlyRing.sol";
import {Funding, House} from "./HouseState.sol";
import {Ledger} from "./Ledger.sol";

/// @title The funding rate of a perp and its fences.
/// @notice A rate keeps a delay from the one before, a step, an absolute bound, and a budget: within a rolling day its net
/// displacement is at most that bound (`HourlyRing`), so from one end to the other it takes two days.  Where governance
/// lowered the bound below the rate in force, the rate may stay and come nearer by steps.
/// @dev A linked library: ClearingHouse has no room for it.
library FundingLib {
    using HourlyRing for HourlyRing.Ring;
    using SafeCast for int256;
    using SafeCast for uint256;

    /// Order-preserving, so that the ring's rule of distances holds for signed rates.
    int256 private constant OFFSET = 2 ** 31;

    /// @notice Set the rate; funding up to now runs at the old one.
    function setRate(House storage h, uint16 underlying, int32 rate) external {
        IRiskParameters parameters = h.parameters;
        if (parameters.frozen(underlying)) revert IRiskParameters.Frozen(underlying);
        uint256 until = parameters.controls(underlying).pausedUntil;
        if (block.timestamp < until) revert IRiskParameters.Paused(underlying, until);
        IClearingHouse.UnderlyingMarket storage market = _market(h, underlying);
        Funding storage f = h.funding[underlying];
        uint256 next = uint256(f.setTime) + market.minFundingDelayS;
        if (block.timestamp < next) revert IClearingHouse.FundingTooEarly(next, block.timestamp);
        _check(h.fundingRings[underlying], f.ratePpmPerDay, rate, market);
        f.setTime = uint40(block.timestamp);
        h.fundingRings[underlying].set(uint32(rate), block.timestamp);
        _accrue(h, underlying, rate);
    }

    function _check(
        HourlyRing.Ring storage ring,
        int256 old,
        int32 rate,
        IClearingHouse.UnderlyingMarket storage market
    ) private view {
        int256 limit = int256(uint256(market.maxFundingPpmPerDay));
        int256 step = int256(uint256(market.maxFundingStepPpm));
        bool nearer = old > limit ? rate >= limit && rate <= old : old < -limit && rate <= -limit && rate >= old;
        if (!nearer && (rate > limit || rate < -limit)) {
            revert IClearingHouse.FundingOutOfRange(rate, market.maxFundingPpmPerDay);
        }
        if (rate - old > step || old - rate > step) {
            revert IClearingHouse.FundingStepTooLarge(int32(old), rate, market.maxFundingStepPpm);
        }
        int256 from = int32(ring.anchor(block.timestamp));
        bool within = HourlyRing.allowed(
            uint256(from + OFFSET), uint256(old + OFFSET), uint256(int256(rate) + OFFSET), uint256(limit)
        );
        if (!nearer && !within) {
            revert IClearingHouse.FundingBudgetSpent(int32(from), rate, market.maxFundingPpmPerDay);
        }
    }

    /// @notice Write the index up to now, and take today's spot for what comes.
    function accrue(House storage h, uint16 underlying) external {
        _market(h, underlying);
        _accrue(h, underlying, h.funding[underlying].ratePpmPerDay);
    }

    function _accrue(House storage h, uint16 underlying, int32 rate) private {
        Funding storage f = h.funding[underlying];
        int256 index = Ledger.fundingIndex(h, underlying);
        uint256 spot = h.oracle.price(h.markets[underlying].asset);
        f.index = index.toInt128();
        f.ratePpmPerDay = rate;
        f.time = uint40(block.timestamp);
        f.spot = spot.toUint128();
        emit IClearingHouse.FundingSet(underlying, rate, index, spot);
    }

    /// @notice The rate 24 to 25 hours ago, which the budget is counted from.
    function anchor(House storage h, uint16 underlying) external view returns (int32) {
        return int32(h.fundingRings[underlying].anchor(block.timestamp));
    }

    function _market(House storage h, uint16 underlying)
        private
        view
        returns (IClearingHouse.UnderlyingMarket storage market)
    {
        market = h.markets[underlying];
        if (market.asset == 0) revert IClearingHouse.UnknownMarket(underlying);
    }
}
