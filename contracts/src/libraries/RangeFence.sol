// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FenceLimits} from "./FenceLimits.sol";
import {FenceMath} from "./FenceMath.sol";
import {HourlyRing} from "./HourlyRing.sol";
import {Probes} from "./Probes.sol";

/// @title What the fences say to scan ranges: each by itself, then the three together.
/// @dev Part of FenceMath.
library RangeFence {
    uint256 private constant PPM = 1e6;
    /// Requirements are compared as if they were this much higher, ppm of spot: next to nothing may double.
    uint256 private constant DUST_PPM = 1_000;

    /// @notice Each range by itself, then the three that are left together.
    /// @param expiries how many items follow.
    /// @return applied what binds: a refused one keeps what is in force.
    function ranges(FenceMath.State memory s, uint256[3] memory wanted, uint256 expiries)
        internal
        pure
        returns (uint256[3] memory applied, IRiskParameters.ItemVerdict[] memory items)
    {
        items = new IRiskParameters.ItemVerdict[](FenceMath.RANGE_ITEMS + expiries);
        for (uint256 i; i < 3; ++i) {
            items[i] = _range(s, i, wanted[i]);
            applied[i] = items[i].reason.length == 0 ? wanted[i] : s.ranges[i].value;
        }
        items[FenceMath.JOINT] = _joint(s, applied);
        if (items[FenceMath.JOINT].reason.length == 0) return (applied, items);
        for (uint256 i; i < 3; ++i) {
            applied[i] = s.ranges[i].value;
        }
    }

    /// Bounds, step and budget, each of them the tighter of relative and absolute; no lower while a veto holds.
    function _range(FenceMath.State memory s, uint256 i, uint256 value)
        private
        pure
        returns (IRiskParameters.ItemVerdict memory v)
    {
        v.what = i == 0 ? bytes32("psr") : i == 1 ? bytes32("vsrUp") : bytes32("vsrDown");
        (IRiskParameters.Fence memory f, FenceMath.Number memory n) = (s.fences[i], s.ranges[i]);
        v.nextAllowed = FenceMath.NEVER;
        v.reason = FenceLimits.level(v.what, value, n.value, f.min, f.max);
        if (v.reason.length != 0) return v;
        v.reason = FenceLimits.step(v.what, n.value, value, FenceLimits.tighter(n.value, f.stepRelPpm, f.stepAbs));
        if (v.reason.length != 0) return v;
        uint256 opens = value < n.value ? s.noLooseningUntil : 0;
        uint256 budget = FenceLimits.tighter(n.anchors[0], f.budgetRelPpm, f.budgetAbs);
        if (s.nowS < opens) {
            v.reason = abi.encodeWithSelector(IRiskParameters.Vetoed.selector, opens);
        } else if (!HourlyRing.allowed(n.anchors[0], n.value, value, budget)) {
            v.reason = FenceLimits.beyond(v.what, n.anchors[0], value, budget);
        } else {
            v.nextAllowed = 0;
            return v;
        }
        uint256 start = opens > s.nowS ? opens : s.nowS;
        uint256 k = start / 3600 - s.nowS / 3600;
        if (k >= n.anchors.length) k = n.anchors.length - 1; // by then the anchor stands still
        for (; k < n.anchors.length; ++k) {
            budget = FenceLimits.tighter(n.anchors[k], f.budgetRelPpm, f.budgetAbs);
            if (HourlyRing.allowed(n.anchors[k], n.value, value, budget)) {
                uint256 boundary = (s.nowS / 3600 + k) * 3600;
                v.nextAllowed = uint64(boundary > start ? boundary : start);
                return v;
            }
        }
    }

    /// The requirement of every probe, against what is in force and what was a day ago, both under today's settings.
    function _joint(FenceMath.State memory s, uint256[3] memory applied)
        private
        pure
        returns (IRiskParameters.ItemVerdict memory v)
    {
        v.what = "joint";
        uint256[3] memory old = [s.ranges[0].value, s.ranges[1].value, s.ranges[2].value];
        if (_same(applied, old)) return v;
        uint256[7][3] memory r; // wanted, in force, a day ago
        (r[0], r[1]) = (_probes(s, applied), _probes(s, old));
        uint256[3] memory since = _anchors(s, 0);
        r[2] = _same(since, old) ? r[1] : _probes(s, since);
        bool budget;
        (v.reason, budget) = _tooFar(s.joint, r);
        if (v.reason.length == 0) return v;
        v.nextAllowed = FenceMath.NEVER;
        if (!budget) return v;
        for (uint256 k = 1; k < s.ranges[0].anchors.length; ++k) {
            uint256[3] memory next = _anchors(s, k);
            if (_same(next, since)) continue;
            since = next;
            r[2] = _probes(s, since);
            (bytes memory reason,) = _tooFar(s.joint, r);
            if (reason.length == 0) {
                v.nextAllowed = uint64((s.nowS / 3600 + k) * 3600);
                return v;
            }
        }
    }

    /// The first probe that moves too far, and whether it is the day's budget that refuses it.
    function _tooFar(IRiskParameters.JointFence memory f, uint256[7][3] memory r)
        private
        pure
        returns (bytes memory, bool)
    {
        for (uint256 i; i < 7; ++i) {
            (uint256 wanted, uint256 old, uint256 since) = (r[0][i], r[1][i], r[2][i]);
            if (_far(wanted, old, f.stepPpm)) {
                return (abi.encodeWithSelector(IRiskParameters.JointMove.selector, i, old, wanted, f.stepPpm), false);
            }
            bool back = (since < wanted && wanted <= old) || (old <= wanted && wanted < since);
            if (!back && _far(wanted, since, f.budgetPpm)) {
                return (abi.encodeWithSelector(IRiskParameters.JointMove.selector, i, since, wanted, f.budgetPpm), true);
            }
        }
        return ("", false);
    }

    function _far(uint256 a, uint256 b, uint256 limitPpm) private pure returns (bool) {
        (uint256 low, uint256 high) = a < b ? (a, b) : (b, a);
        return (high + DUST_PPM) * PPM > (low + DUST_PPM) * (PPM + limitPpm);
    }

    function _probes(FenceMath.State memory s, uint256[3] memory r) private pure returns (uint256[7] memory) {
        return Probes.requirements(Probes.Triple(r[0], r[1], r[2], s.tailPpm, s.volFloorPpm));
    }

    function _anchors(FenceMath.State memory s, uint256 k) private pure returns (uint256[3] memory) {
        return [s.ranges[0].anchors[k], s.ranges[1].anchors[k], s.ranges[2].anchors[k]];
    }

    function _same(uint256[3] memory a, uint256[3] memory b) private pure returns (bool) {
        return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
    }
}
