// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FileVersion} from "../interfaces/Types.sol";
import {FenceMath} from "./FenceMath.sol";
import {Publishing} from "./Publishing.sol";

/// @title What a publication would do, without doing it.
/// @notice A linked library, apart from Publishing because both are large.
library Previews {
    /// Every fence, those on rows included, item by item, and when each would pass; the notice window, and the oracle.
    function preview(
        Publishing.Market storage self,
        Publishing.Context memory c,
        IRiskParameters.Publication calldata p
    ) external view returns (IRiskParameters.Preview memory v) {
        (FenceMath.Ground memory g, bytes memory unpriced) = _ground(c.file, c.underlying);
        v = FenceMath.judge(Publishing.load(self, c, FenceMath.HOURS + 1), g, p);
        if (v.items.length == 0) return v;
        // `publish` comes to the window once turn and shape are right, and then to the oracle.
        if (unpriced.length != 0) v.reason = unpriced;
        uint256 until = c.file.noticeUntil(c.underlying);
        if (block.number >= until) return v;
        v.ok = false;
        v.reason = abi.encodeWithSelector(IRiskFile.InNotice.selector, c.underlying, until);
        uint64 earliest = uint64(block.timestamp + until - block.number);
        if (earliest > v.nextAllowed) v.nextAllowed = earliest;
    }

    /// @return g with spot 0 where there is no price.
    /// @return unpriced why there is none, if the oracle says why.
    function _ground(IRiskFile file, uint16 underlying)
        private
        view
        returns (FenceMath.Ground memory g, bytes memory unpriced)
    {
        g.live = file.header(underlying, FileVersion.Live);
        (, g.ratePpmPerHour, g.slewTime,) = file.slew(underlying);
        try file.oracle().price(file.assetOf(underlying)) returns (uint256 spot) {
            g.refSpot = spot;
        } catch (bytes memory reason) {
            unpriced = reason;
        }
    }
}
