// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {CalendarFence} from "./CalendarFence.sol";
import {ExpiryFence} from "./ExpiryFence.sol";
import {RangeFence} from "./RangeFence.sol";
import {RowFence} from "./RowFence.sol";
import {Slew} from "./Slew.sol";

/// @title What the fences say to a publication: a pure function of where every fenced number stands.
/// @notice Twin of keeper/policy/judge.py.  The whole publication first (who may speak, and when), then its items: each
/// scan range, the three together, each expiry by itself and its rows, expiries against each other.  Publishing takes the
/// same steps; its rows are RiskFile's, which asks the same RowFence.  Each kind of item has a library of its own.
library FenceMath {
    /// Hours until a value is its own anchor.
    uint256 internal constant HOURS = 25;
    /// Waiting does not help.
    uint64 internal constant NEVER = type(uint64).max;
    /// Items before those of the expiries: psr, vsrUp, vsrDown, joint.
    uint256 internal constant RANGE_ITEMS = 4;
    uint256 internal constant JOINT = 3;

    /// A number that the fences remember.
    struct Number {
        uint256 value; // in force
        uint256[] anchors; // of this hour and, where waiting is asked about, of the next 25 if nothing is published
    }

    struct ExpiryState {
        uint32 expiry;
        Number sigma;
        Number phi;
        Number df;
        uint64[] strikes; // listed, ascending
        uint256[] smile; // SmileRing slots, one for each
    }

    /// One underlying.
    struct State {
        uint16 underlying;
        uint256 nowS;
        bool frozen;
        uint256 pausedUntil;
        uint256 noLooseningUntil;
        uint64 lastId;
        uint64 lastTime;
        bytes32 digest; // of the last set target
        uint256 tailPpm;
        uint256 volFloorPpm;
        IRiskParameters.Fence[3] fences; // psr, vsrUp, vsrDown
        IRiskParameters.JointFence joint;
        IRiskParameters.VolFences vols;
        Number[3] ranges;
        ExpiryState[] expiries; // listed and unexpired, ascending
    }

    /// Where `RiskFile.begin` starts from, to make the bank that rows are written into.
    struct Ground {
        uint256 refSpot; // wad USD; 0: the oracle has no price
        IRiskFile.Header live; // epoch 0: there is no live file
        uint256 ratePpmPerHour;
        uint256 slewTime; // from which a move of the ranges in force counts
    }

    // --- the whole publication ----------------------------------------------------------------------------------------

    /// @notice What `publish` does with `p`, the notice window apart.
    function judge(State memory s, Ground memory g, IRiskParameters.Publication memory p)
        internal
        pure
        returns (IRiskParameters.Preview memory v)
    {
        (v.reason, v.nextAllowed) = turn(s, p.id, p.validUntil, p.expectedOld);
        if (v.reason.length == 0) {
            v.reason = shape(s, p);
            if (v.reason.length != 0) v.nextAllowed = NEVER;
        }
        if (v.reason.length != 0) return v;
        uint256[3] memory applied;
        (applied, v.items) = RangeFence.ranges(s, [uint256(p.psrPpm), p.vsrUpPpm, p.vsrDownPpm], p.expiries.length);
        bool priced = g.refSpot != 0 && g.refSpot <= type(uint96).max;
        RowFence.Bank memory bank = _begun(s, g, applied);
        IRiskParameters.ItemVerdict[] memory items = new IRiskParameters.ItemVerdict[](p.expiries.length);
        for (uint256 i; i < items.length; ++i) {
            v.items[RANGE_ITEMS + i] = items[i] = ExpiryFence.expiry(s, s.expiries[i], p.expiries[i]);
            if (priced && items[i].reason.length == 0) _rows(bank, s.expiries[i].strikes, p.expiries[i], items[i]);
        }
        CalendarFence.calendar(s, p.expiries, items);
        _conclude(v);
        if (priced) return v;
        (v.ok, v.reason, v.nextAllowed) = (false, abi.encodeWithSelector(IRiskFile.BadSpot.selector, g.refSpot), NEVER);
    }

    /// Nothing at all passes, or all does, or some.
    function _conclude(IRiskParameters.Preview memory v) private pure {
        uint256 refused;
        bytes memory first;
        for (uint256 i; i < v.items.length; ++i) {
            IRiskParameters.ItemVerdict memory item = v.items[i];
            if (item.reason.length == 0) continue;
            if (first.length == 0) first = item.reason;
            if (i != JOINT) ++refused;
            if (item.nextAllowed > v.nextAllowed) v.nextAllowed = item.nextAllowed;
        }
        if (refused == v.items.length - 1) v.reason = first;
        v.ok = first.length == 0;
    }

    /// @notice Whether a publication may come now at all.
    function turn(State memory s, uint64 id, uint64 validUntil, bytes32 expectedOld)
        internal
        pure
        returns (bytes memory reason, uint64 nextAllowed)
    {
        nextAllowed = NEVER;
        if (s.frozen) return (abi.encodeWithSelector(IRiskParameters.Frozen.selector, s.underlying), nextAllowed);
        if (s.nowS < s.pausedUntil) {
            reason = abi.encodeWithSelector(IRiskParameters.Paused.selector, s.underlying, s.pausedUntil);
            return (reason, uint64(s.pausedUntil));
        }
        if (id != s.lastId + 1) {
            return (abi.encodeWithSelector(IRiskParameters.WrongId.selector, id, s.lastId + 1), nextAllowed);
        }
        if (s.nowS > validUntil) {
            return (abi.encodeWithSelector(IRiskParameters.Expired.selector, validUntil, s.nowS), nextAllowed);
        }
        uint256 next = uint256(s.lastTime) + s.vols.minDelayS;
        if (s.lastId != 0 && s.nowS < next) {
            return (abi.encodeWithSelector(IRiskParameters.TooEarly.selector, next, s.nowS), uint64(next));
        }
        if (expectedOld != s.digest) {
            reason = abi.encodeWithSelector(IRiskParameters.UnexpectedOld.selector, expectedOld, s.digest);
            return (reason, nextAllowed);
        }
        return ("", 0);
    }

    /// @notice Whether it covers every listed, unexpired expiry and every listed strike, in order.
    function shape(State memory s, IRiskParameters.Publication memory p) internal pure returns (bytes memory) {
        bytes4 wrong = IRiskParameters.WrongExpiries.selector;
        if (p.expiries.length != s.expiries.length) {
            return abi.encodeWithSelector(wrong, p.expiries.length, s.expiries.length);
        }
        for (uint256 i; i < p.expiries.length; ++i) {
            (uint32 given, ExpiryState memory x) = (p.expiries[i].expiry, s.expiries[i]);
            if (given != x.expiry) return abi.encodeWithSelector(wrong, given, x.expiry);
            uint256 count = p.expiries[i].sigmaPpm.length;
            if (count != x.strikes.length) {
                return abi.encodeWithSelector(IRiskParameters.WrongStrikes.selector, given, count, x.strikes.length);
            }
        }
        return "";
    }

    /// @notice Whether some strike of an expiry is in force.
    function published(ExpiryState memory x) internal pure returns (bool) {
        for (uint256 i; i < x.smile.length; ++i) {
            if (x.smile[i] != 0) return true;
        }
        return false;
    }

    // --- rows ---------------------------------------------------------------------------------------------------------

    /// The bank that `RiskFile.begin` would open.
    function _begun(State memory s, Ground memory g, uint256[3] memory r) private pure returns (RowFence.Bank memory) {
        IRiskFile.Header memory h = g.live;
        IRiskFile.Ranges memory target = IRiskFile.Ranges(uint24(r[0]), uint24(r[1]), uint24(r[2]));
        Slew.begun(h, target, g.ratePpmPerHour, s.nowS - g.slewTime);
        return RowFence.Bank(s.underlying, g.refSpot, s.nowS, h.psrPpm, h.vsrUpPpm, h.vsrDownPpm, s.volFloorPpm);
    }

    function _rows(
        RowFence.Bank memory bank,
        uint64[] memory strikes,
        IRiskParameters.ExpiryPublication memory e,
        IRiskParameters.ItemVerdict memory v
    ) private pure {
        v.reason = rows(bank, strikes, e);
        if (v.reason.length != 0) (v.what, v.nextAllowed) = ("rows", NEVER);
    }

    /// @notice What the fences on rows say to one expiry; empty if they pass.
    function rows(RowFence.Bank memory b, uint64[] memory strikes, IRiskParameters.ExpiryPublication memory e)
        internal
        pure
        returns (bytes memory)
    {
        try RowFence.check(b, strikes, e) {
            return "";
        } catch (bytes memory reason) {
            if (reason.length == 0) revert(); // out of gas
            return reason;
        }
    }
}
