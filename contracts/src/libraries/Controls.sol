// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FileVersion} from "../interfaces/Types.sol";

/// @title What acts faster than a publication: the emergency lane, add-ons to IM, the guardian's pause and veto.
/// @notice Each can only tighten, or only wait, and each ends by itself.
/// @dev A linked library: RiskParameters has no room for it.  The twin of `effective` is the reader of that view.
library Controls {
    uint256 private constant PPM = 1e6;

    /// MM reaches the peak after so long, and not sooner.
    uint256 internal constant RAMP_S = 1 hours;
    /// So long after it was called nothing of it is left.
    uint256 internal constant EMERGENCY_S = 1 days;
    /// Double MM.
    uint256 internal constant MAX_PEAK_PPM = PPM;
    /// What has been called for in a while: a full bucket, and how long it takes to be empty again.
    uint256 internal constant BUDGET_PPM = PPM;
    uint256 internal constant REFILL_S = 7 days;

    uint256 internal constant MAX_STATE_ADD_ON_PPM = 500_000;
    uint256 internal constant MAX_STATE_S = 1 days;
    uint256 internal constant MAX_WIDEN_S = 15 minutes;

    uint256 internal constant PAUSE_S = 72 hours;
    uint256 internal constant VETO_S = 1 days;
    /// After a pause, and after a veto, until the next one.
    uint256 internal constant REST_S = 1 days;

    /// Of one underlying.  The first slot is read with every margin.
    struct State {
        uint24 fromPpm; // emergency: what was in force when it was called
        uint24 peakPpm;
        uint40 calledAt; // 0: never
        uint24 stateAddOnPpm;
        uint40 stateUntil;
        uint40 widenUntil;
        uint40 pausedUntil;
        uint40 noLooseningUntil;
        uint24 spentPpm; // of the emergency's budget, at `spentAt`
        uint40 spentAt;
    }

    // --- what binds now -----------------------------------------------------------------------------------------------

    /// @notice The emergency's part of MM, and of IM, now.  IM is there at once, MM in an hour; both fade within the day.
    function emergency(State storage self) internal view returns (uint256 mmPpm, uint256 imPpm) {
        unchecked {
            uint256 peak = self.peakPpm;
            if (peak == 0) return (0, 0);
            uint256 passed = block.timestamp - self.calledAt;
            if (passed >= EMERGENCY_S) return (0, 0);
            if (passed < RAMP_S) return (self.fromPpm + (peak - self.fromPpm) * passed / RAMP_S, peak);
            mmPpm = peak * (EMERGENCY_S - passed) / (EMERGENCY_S - RAMP_S);
            return (mmPpm, mmPpm);
        }
    }

    /// @notice A configuration with what tightens it now.
    /// @dev IM >= MM as without it: kappa + fee <= 1 is scaled by the emergency's MM part, 1 + add-on by its IM part, which
    /// is never the smaller one.
    function bind(State storage self, IRiskParameters.UnderlyingConfig memory c) internal view {
        unchecked {
            uint256 addOn = c.imAddOnPpm;
            (uint256 mm, uint256 im) = emergency(self);
            if (im != 0) {
                addOn += _scaled(PPM + addOn, im);
                c.kappaPpm += uint24(_scaled(uint256(c.kappaPpm) + c.flagFeePpm, mm));
            }
            if (block.timestamp < self.stateUntil) addOn += self.stateAddOnPpm;
            if (block.timestamp < self.widenUntil) addOn += c.breakerAddOnPpm;
            c.imAddOnPpm = uint24(addOn);
        }
    }

    /// Rounded up.
    function _scaled(uint256 value, uint256 ppm) private pure returns (uint256) {
        unchecked {
            return _parts(value * ppm, PPM);
        }
    }

    function _parts(uint256 a, uint256 b) private pure returns (uint256) {
        unchecked {
            return (a + b - 1) / b;
        }
    }

    /// @notice Everything, as it stands now.
    function standing(State storage self) external view returns (IRiskParameters.ControlState memory s) {
        (uint256 mm, uint256 im) = emergency(self);
        (s.emergencyMmPpm, s.emergencyImPpm, s.emergencyPeakPpm) = (uint24(mm), uint24(im), self.peakPpm);
        if (mm == 0 && im == 0) s.emergencyPeakPpm = 0;
        (s.emergencyCalledAt, s.emergencyLeftPpm) = (self.calledAt, uint24(BUDGET_PPM - _spent(self)));
        if (block.timestamp < self.stateUntil) s.stateAddOnPpm = self.stateAddOnPpm;
        (s.stateUntil, s.widenUntil) = (self.stateUntil, self.widenUntil);
        (s.pausedUntil, s.noLooseningUntil) = (self.pausedUntil, self.noLooseningUntil);
    }

    // --- emergency ----------------------------------------------------------------------------------------------------

    /// @notice Maintenance up to (1 + peak) times in an hour, gone within a day.  Neither MM nor IM falls by it.
    /// @dev The cost is what the call adds to the time integral of MM's part, in units of what one call of `PPM` out of
    /// rest adds, twelve hours of doubling: the new course is peak · day / 2 + mm · ramp / 2 and takes the place of at
    /// least mm · (what is left of the day) / 2.  So renewing an emergency costs what it prolongs, and no series of calls
    /// holds MM up for longer than the bucket pays for.
    function tighten(State storage self, uint16 underlying, uint24 peakPpm) external {
        (uint256 mm, uint256 im) = emergency(self);
        if (peakPpm <= im || peakPpm > MAX_PEAK_PPM) {
            revert IRiskParameters.OutOfRange("emergency", peakPpm, im + 1, MAX_PEAK_PPM);
        }
        uint256 spent = _spent(self);
        uint256 cost = peakPpm;
        if (mm != 0) cost = peakPpm - mm + _parts(mm * (RAMP_S + block.timestamp - self.calledAt), EMERGENCY_S);
        if (spent + cost > BUDGET_PPM) revert IRiskParameters.EmergencyBudget(underlying, cost, BUDGET_PPM - spent);
        (self.fromPpm, self.peakPpm, self.calledAt) = (uint24(mm), peakPpm, uint40(block.timestamp));
        (self.spentPpm, self.spentAt) = (uint24(spent + cost), uint40(block.timestamp));
        emit IRiskParameters.EmergencyCalled(underlying, uint24(mm), peakPpm);
    }

    /// A leaky bucket, emptied in proportion to time, rounded up.
    function _spent(State storage self) private view returns (uint256 spent) {
        spent = self.spentPpm;
        uint256 leaked = BUDGET_PPM * (block.timestamp - self.spentAt) / REFILL_S;
        return leaked < spent ? spent - leaked : 0;
    }

    // --- add-ons ------------------------------------------------------------------------------------------------------

    /// @notice Widen IM for the state of the market, for a while.
    function setStateAddOn(State storage self, uint16 underlying, uint24 addOnPpm, uint40 validUntil) external {
        if (addOnPpm > MAX_STATE_ADD_ON_PPM) {
            revert IRiskParameters.OutOfRange("stateAddOn", addOnPpm, 0, MAX_STATE_ADD_ON_PPM);
        }
        uint256 latest = block.timestamp + MAX_STATE_S;
        if (validUntil <= block.timestamp || validUntil > latest) {
            revert IRiskParameters.OutOfRange("validUntil", validUntil, block.timestamp + 1, latest);
        }
        (self.stateAddOnPpm, self.stateUntil) = (addOnPpm, validUntil);
        emit IRiskParameters.StateAddOnSet(underlying, addOnPpm, validUntil);
    }

    /// @notice Widen IM while a breaker is open; what was promised before is not cut short.
    function widen(State storage self, uint16 underlying, uint40 until) external {
        if (until > block.timestamp + MAX_WIDEN_S) {
            revert IRiskParameters.OutOfRange("widen", until, 0, block.timestamp + MAX_WIDEN_S);
        }
        if (until <= self.widenUntil) return;
        self.widenUntil = until;
        emit IRiskParameters.Widened(underlying, until);
    }

    // --- guardian -----------------------------------------------------------------------------------------------------

    /// @notice Nothing is published for 72 hours; then a day in which something may be.
    function pause(State storage self, uint16 underlying) external {
        _requireRested(underlying, self.pausedUntil);
        self.pausedUntil = uint40(block.timestamp + PAUSE_S);
        emit IRiskParameters.PublishingPaused(underlying, self.pausedUntil, msg.sender);
    }

    /// @notice Stop a loosening that is on its way: where the target is below what is in force, that becomes the target.
    /// @return target all three ranges, for the fences to remember.
    function veto(State storage self, IRiskFile file, uint16 underlying)
        external
        returns (IRiskFile.Ranges memory target)
    {
        _requireRested(underlying, self.noLooseningUntil);
        (target,,,) = file.slew(underlying);
        IRiskFile.Header memory h = file.header(underlying, FileVersion.Live);
        if (h.psrPpm <= target.psrPpm && h.vsrUpPpm <= target.vsrUpPpm && h.vsrDownPpm <= target.vsrDownPpm) {
            revert IRiskParameters.NothingToVeto(underlying);
        }
        if (h.psrPpm > target.psrPpm) target.psrPpm = h.psrPpm;
        if (h.vsrUpPpm > target.vsrUpPpm) target.vsrUpPpm = h.vsrUpPpm;
        if (h.vsrDownPpm > target.vsrDownPpm) target.vsrDownPpm = h.vsrDownPpm;
        file.retarget(underlying, target);
        self.noLooseningUntil = uint40(block.timestamp + VETO_S);
        emit IRiskParameters.LooseningVetoed(
            underlying, target.psrPpm, target.vsrUpPpm, target.vsrDownPpm, self.noLooseningUntil, msg.sender
        );
    }

    function _requireRested(uint16 underlying, uint256 ended) private view {
        if (ended != 0 && block.timestamp < ended + REST_S) {
            revert IRiskParameters.GuardianRests(underlying, ended + REST_S);
        }
    }
}
