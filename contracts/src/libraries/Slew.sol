// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {Probes} from "./Probes.sol";

/// @title How the scan ranges in force follow the published ones: maintenance moves by a rate, initial tightens at once.
/// @notice Twin of keeper/risk/exact/slew.py, bit for bit.  A publication sets a target.  The ranges that rows are made
/// of move towards it with every publication and refresh, each range by at most `rate` of itself an hour; time that
/// nobody used counts for one hour at most.  There is no ramp to restart: where the next move starts is where the last
/// one ended.  What IM lacks of the target meanwhile is a surcharge in percent.
/// The slew rate is one of requirements: of a perp, and of a straddle at the forward, at constant price, volatility and
/// tenor.  A straddle's requirement moves at most twice as fast as the three ranges do, and exactly as its forward and its
/// discount factor do.  So of the rate, ranges move at two fifths, and a fifth is what forwards and discounts may take.
/// @dev A linked library: RiskFile has no room for it.
library Slew {
    uint256 private constant PPM = 1e6;
    uint256 private constant PPB = 1e9;
    uint256 private constant HOUR = 3600;
    /// A shorter time moves nothing and stays on the clock, so that flooring cannot stop a range.
    uint256 private constant SHORTEST_S = 60;
    uint256 private constant MAX_UPLIFT_PCT = 255;
    /// A staged bank may keep refreshes from moving the ranges for an hour at once, and earns a second of that again in 24.
    uint256 private constant HOLD_S = HOUR;
    uint256 private constant EARN_S = 24;

    /// @notice The rate of ranges, of a slew rate.
    function ofRanges(uint24 ratePpmPerHour) internal pure returns (uint24) {
        return ratePpmPerHour * 2 / 5;
    }

    /// @notice What an hour's steps of phi and df may move a requirement by is at most a fifth of the slew rate.
    function requireForwards(IRiskParameters.VolFences memory v, uint256 ratePpmPerHour) internal pure {
        uint256 asked = _ceilDiv(v.phiStepPpb * PPB, v.phiMinPpb) + _ceilDiv(v.dfStepPpb * PPB, v.dfMinPpb);
        uint256 most = ratePpmPerHour * 1000 / 5;
        if (asked > most) revert IRiskParameters.ForwardsFasterThanSlew(asked, most);
    }

    function _ceilDiv(uint256 a, uint256 b) private pure returns (uint256) {
        return (a + b - 1) / b;
    }

    /// Of one underlying, in one slot.
    struct State {
        uint24 psrPpm; // the target
        uint24 vsrUpPpm;
        uint24 vsrDownPpm;
        uint24 nextPsrPpm; // the target of the bank being staged
        uint24 nextVsrUpPpm;
        uint24 nextVsrDownPpm;
        uint40 time; // from which the next move counts
        uint16 heldS; // of an hour of hold what was used up, at `heldAt`
        uint40 heldAt; // while a bank is staged: when it was opened
    }

    /// @notice Ranges and surcharge of a bank that is opened now.
    /// @param live header of the live bank; epoch 0 if there is none, then the target binds at once.
    /// @param idle header that is written; the rest of it is the caller's.
    /// @param waiting another one was staged and never went live.
    function begin(
        State storage self,
        IRiskFile.Settings storage s,
        IRiskFile.Header storage live,
        IRiskFile.Header storage idle,
        IRiskFile.Ranges memory target,
        bool waiting
    ) external {
        _settle(self, waiting);
        (self.nextPsrPpm, self.nextVsrUpPpm, self.nextVsrDownPpm) = (target.psrPpm, target.vsrUpPpm, target.vsrDownPpm);
        IRiskFile.Header memory h = live;
        begun(h, target, s.slewPpmPerHour, block.timestamp - self.time);
        _write(idle, h, target, s);
    }

    /// @notice Ranges of a bank that is opened from a live header, which they are written into.
    /// @param h epoch 0: there is no live file.
    /// @param passed seconds since the time from which moves count.
    function begun(IRiskFile.Header memory h, IRiskFile.Ranges memory target, uint256 ratePpmPerHour, uint256 passed)
        internal
        pure
    {
        if (h.epoch == 0) {
            (h.psrPpm, h.vsrUpPpm, h.vsrDownPpm) = (target.psrPpm, target.vsrUpPpm, target.vsrDownPpm);
        } else {
            _move(h, target, ratePpmPerHour, _counted(passed));
        }
    }

    /// @notice The staged target binds.  What its header was moved by is used up of the time that counts for moves; what
    /// passed since is left, so that the flip and what comes with it move by an hour at most.
    /// @param opened when the header was made; nobody moved the ranges since.
    function flip(State storage self, uint256 opened) external {
        (self.psrPpm, self.vsrUpPpm, self.vsrDownPpm) = (self.nextPsrPpm, self.nextVsrUpPpm, self.nextVsrDownPpm);
        uint256 passed = block.timestamp - self.time;
        uint256 left = (passed > HOUR ? HOUR : passed) - _counted(opened - self.time);
        self.time = uint40(block.timestamp - left);
        _settle(self, true);
    }

    /// @notice Move the live header on, unless a bank that was opened from it may still hold it.
    /// @param waiting a bank is staged.
    /// @return freed it is void: the ranges it began from moved away.
    function refresh(State storage self, IRiskFile.Settings storage s, IRiskFile.Header storage live, bool waiting)
        external
        returns (bool freed)
    {
        IRiskFile.Ranges memory target = IRiskFile.Ranges(self.psrPpm, self.vsrUpPpm, self.vsrDownPpm);
        IRiskFile.Header memory h = live;
        uint256 elapsed = _counted(block.timestamp - self.time);
        if (elapsed != 0 && !(waiting && block.timestamp < heldUntil(self))) {
            _move(h, target, s.slewPpmPerHour, elapsed);
            self.time = uint40(block.timestamp);
            if (waiting) _settle(self, true);
            freed = waiting;
        }
        _write(live, h, target, s);
    }

    /// @notice Another target for the live bank, from now on.
    function retarget(State storage self, IRiskFile.Ranges memory target) external {
        (self.psrPpm, self.vsrUpPpm, self.vsrDownPpm) = (target.psrPpm, target.vsrUpPpm, target.vsrDownPpm);
    }

    function _write(
        IRiskFile.Header storage to,
        IRiskFile.Header memory h,
        IRiskFile.Ranges memory target,
        IRiskFile.Settings storage s
    ) private {
        (to.psrPpm, to.vsrUpPpm, to.vsrDownPpm) = (h.psrPpm, h.vsrUpPpm, h.vsrDownPpm);
        to.imUpliftPct = _uplift(h, target, s.tailPpm, s.volFloorPpm);
    }

    /// @notice Until when a staged bank holds the ranges, if one is staged.
    function heldUntil(State storage self) internal view returns (uint256) {
        return self.heldAt + HOLD_S - self.heldS;
    }

    /// What is used up of the hour, now.
    function _settle(State storage self, bool waiting) private {
        uint256 passed = block.timestamp - self.heldAt;
        uint256 used = self.heldS;
        if (waiting) used = used + passed > HOLD_S ? HOLD_S : used + passed;
        uint256 earned = passed / EARN_S;
        (self.heldS, self.heldAt) = (uint16(used > earned ? used - earned : 0), uint40(block.timestamp));
    }

    /// Seconds that count for a move; 0 for too few.
    function _counted(uint256 passed) private pure returns (uint256) {
        if (passed > HOUR) return HOUR;
        return passed < SHORTEST_S ? 0 : passed;
    }

    function _move(IRiskFile.Header memory h, IRiskFile.Ranges memory to, uint256 ratePpm, uint256 elapsed)
        private
        pure
    {
        h.psrPpm = _slewed(h.psrPpm, to.psrPpm, ratePpm, elapsed);
        h.vsrUpPpm = _slewed(h.vsrUpPpm, to.vsrUpPpm, ratePpm, elapsed);
        h.vsrDownPpm = _slewed(h.vsrDownPpm, to.vsrDownPpm, ratePpm, elapsed);
    }

    /// One range towards its target, not beyond it; the move is rounded down.
    function _slewed(uint256 value, uint256 target, uint256 ratePpm, uint256 elapsed) private pure returns (uint24) {
        unchecked {
            uint256 move = value * ratePpm * elapsed / (PPM * HOUR);
            if (target > value) return uint24(target - value > move ? value + move : target);
            return uint24(value - target > move ? value - move : target);
        }
    }

    /// By how much the dearest probe is dearer under the target, percent, rounded up.
    function _uplift(IRiskFile.Header memory h, IRiskFile.Ranges memory target, uint256 tailPpm, uint256 volFloorPpm)
        private
        pure
        returns (uint8)
    {
        // A range that is above its target only makes the surcharge smaller: without one below there is none.
        if (h.psrPpm >= target.psrPpm && h.vsrUpPpm >= target.vsrUpPpm && h.vsrDownPpm >= target.vsrDownPpm) return 0;
        uint256[7] memory now_ =
            Probes.requirements(Probes.Triple(h.psrPpm, h.vsrUpPpm, h.vsrDownPpm, tailPpm, volFloorPpm));
        uint256[7] memory then_ =
            Probes.requirements(Probes.Triple(target.psrPpm, target.vsrUpPpm, target.vsrDownPpm, tailPpm, volFloorPpm));
        uint256 most;
        unchecked {
            for (uint256 i; i < 7; ++i) {
                if (then_[i] <= now_[i]) continue;
                if (now_[i] == 0) return uint8(MAX_UPLIFT_PCT);
                uint256 pct = ((then_[i] - now_[i]) * 100 + now_[i] - 1) / now_[i];
                if (pct > most) most = pct;
            }
        }
        return uint8(most > MAX_UPLIFT_PCT ? MAX_UPLIFT_PCT : most);
    }
}
