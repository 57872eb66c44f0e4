// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FenceMath} from "./FenceMath.sol";
import {Publishing} from "./Publishing.sol";

/// @title What a publication would do, without doing it.
/// @notice A linked library, apart from Publishing because both are large.
library Previews {
    /// Every fence on numbers, item by item, and when each would pass.
    function preview(
        Publishing.Market storage self,
        Publishing.Context memory c,
        IRiskParameters.Publication calldata p
    ) external view returns (IRiskParameters.Preview memory) {
        return FenceMath.judge(Publishing.load(self, c, FenceMath.HOURS + 1), p);
    }
}
