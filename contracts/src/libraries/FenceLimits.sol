// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../interfaces/IRiskParameters.sol";

/// @title Limits of one number: its bounds, its step, its day's budget; each with the error that says so.
library FenceLimits {
    uint256 private constant PPM = 1e6;

    function tighter(uint256 base, uint256 relPpm, uint256 abs_) internal pure returns (uint256) {
        uint256 rel = base * relPpm / PPM;
        return rel < abs_ ? rel : abs_;
    }

    /// Inside its bounds, or on the way to them: where they were moved away from what is in force, that may stay, and come
    /// nearer by steps.
    /// @param old in force; 0: nothing is.
    function level(bytes32 what, uint256 value, uint256 old, uint256 min, uint256 max)
        internal
        pure
        returns (bytes memory reason)
    {
        if ((value < min && (old == 0 || value < old)) || (value > max && value > old)) {
            reason = abi.encodeWithSelector(IRiskParameters.OutOfRange.selector, what, value, min, max);
        }
    }

    function step(bytes32 what, uint256 old, uint256 value, uint256 limit) internal pure returns (bytes memory) {
        return step(what, old, value, limit, limit);
    }

    /// @param shown the limit in the number's own unit.
    function step(bytes32 what, uint256 old, uint256 value, uint256 limit, uint256 shown)
        internal
        pure
        returns (bytes memory reason)
    {
        if ((value > old ? value - old : old - value) > limit) {
            reason = abi.encodeWithSelector(IRiskParameters.StepTooLarge.selector, what, old, value, shown);
        }
    }

    function beyond(bytes32 what, uint256 anchor, uint256 value, uint256 limit) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRiskParameters.BudgetExceeded.selector, what, anchor, value, limit);
    }
}
