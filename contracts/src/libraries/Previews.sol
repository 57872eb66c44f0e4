// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FenceMath} from "./FenceMath.sol";
import {Publishing} from "./Publishing.sol";

/// @title What a publication would do, without doing it.
/// @notice A linked library, apart from Publishing because both are large.
library Previews {
    /// The notice window, every fence on numbers, item by item, and when each would pass.  What rests on rows (whether they
    /// can be computed, whether marks are in order across strikes) is left to `checkPublication`.
    function preview(
        Publishing.Market storage self,
        Publishing.Context memory c,
        IRiskParameters.Publication calldata p
    ) external view returns (IRiskParameters.Preview memory v) {
        v = FenceMath.judge(Publishing.load(self, c, FenceMath.HOURS + 1), p);
        uint256 until = c.file.noticeUntil(c.underlying);
        // `publish` comes to the window once turn and shape are right.
        if (v.items.length == 0 || block.number >= until) return v;
        v.ok = false;
        v.reason = abi.encodeWithSelector(IRiskFile.InNotice.selector, c.underlying, until);
        uint64 earliest = uint64(block.timestamp + until - block.number);
        if (earliest > v.nextAllowed) v.nextAllowed = earliest;
    }
}
