// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {HourlyRing} from "./HourlyRing.sol";
import {Q64} from "./Q64.sol";
import {Scenarios} from "./Scenarios.sol";

/// @title The fences on published numbers: bounds, steps, and budgets over a rolling day.
/// @notice A linked library, so that RiskParameters keeps room under the code size limit.  A fence that remembers is a
/// ring, written only when a publication goes live (`commit`).
library Fences {
    using HourlyRing for HourlyRing.Ring;

    bytes32 private constant PSR = "psr";
    bytes32 private constant VSR_UP = "vsrUp";
    bytes32 private constant VSR_DOWN = "vsrDown";
    bytes32 private constant SIGMA_ATM = "sigmaAtm";
    bytes32 private constant PHI = "phi";

    uint256 private constant PPM = 1e6;
    /// Whatever governance sets, the scan range stays below half the price.
    uint256 private constant MAX_PSR_PPM = 500_000;
    uint256 private constant MAX_VSR_UP_PPM = 5_000_000;
    uint256 private constant MAX_VSR_DOWN_PPM = 950_000;
    uint256 private constant MAX_SIGMA_PPM = 50_000_000;
    /// Basis that is there without any carry.
    uint256 private constant FREE_CARRY_PPB = 1e7;
    uint256 private constant YEAR = 31_536_000;

    /// One expiry's published numbers, as `_check` sees them.
    struct Quote {
        uint32 expiry;
        uint256 phiPpb;
        uint256 dfPpb;
        uint256 sigmaAtmPpm;
    }

    /// Of one underlying.
    struct State {
        IRiskParameters.VolFences vols;
        mapping(bytes32 what => IRiskParameters.Fence) ranges;
        /// Expiry 0 for the ranges.
        mapping(uint32 expiry => mapping(bytes32 what => HourlyRing.Ring)) rings;
    }

    /// The three scan ranges of one publication.
    struct Ranges {
        uint256 psrPpm;
        uint256 vsrUpPpm;
        uint256 vsrDownPpm;
    }

    // --- governance ---------------------------------------------------------------------------------------------------

    function setFence(State storage self, uint16 underlying, bytes32 what, IRiskParameters.Fence calldata f) external {
        uint256 hardMax =
            what == PSR ? MAX_PSR_PPM : what == VSR_UP ? MAX_VSR_UP_PPM : what == VSR_DOWN ? MAX_VSR_DOWN_PPM : 0;
        if (f.min == 0 || f.min > f.max || f.max > hardMax) revert IRiskParameters.BadConfig(what);
        self.ranges[what] = f;
        emit IRiskParameters.FencesSet(underlying, what);
    }

    function setVolFences(State storage self, uint16 underlying, IRiskParameters.VolFences calldata v) external {
        if (v.sigmaMinPpm == 0 || v.sigmaMinPpm > v.sigmaMaxPpm || v.sigmaMaxPpm > MAX_SIGMA_PPM) {
            revert IRiskParameters.BadConfig(SIGMA_ATM);
        }
        if (v.smileMinPpm == 0 || v.smileMinPpm > PPM || v.smileMaxPpm < PPM) {
            revert IRiskParameters.BadConfig("smile");
        }
        if (v.phiMinPpb < 5e8 || v.phiMinPpb > 1e9 || v.phiMaxPpb < 1e9 || v.phiMaxPpb > 2e9) {
            revert IRiskParameters.BadConfig(PHI);
        }
        if (v.dfMinPpb < 1e8 || v.dfMinPpb > 1e9) revert IRiskParameters.BadConfig("df");
        self.vols = v;
        emit IRiskParameters.FencesSet(underlying, SIGMA_ATM);
    }

    /// First scan ranges, and the anchors they leave.
    function start(State storage self, Ranges memory r) external {
        _start(self, PSR, r.psrPpm);
        _start(self, VSR_UP, r.vsrUpPpm);
        _start(self, VSR_DOWN, r.vsrDownPpm);
    }

    function _start(State storage self, bytes32 what, uint256 value) private {
        IRiskParameters.Fence memory f = self.ranges[what];
        _requireRange(what, value, f.min, f.max);
        self.rings[0][what].start(uint32(value), block.timestamp);
    }

    /// First numbers of an expiry, and the anchors they leave.
    function startExpiry(State storage self, Quote memory q) external {
        _checkLevels(q, self.vols);
        self.rings[q.expiry][SIGMA_ATM].start(uint32(q.sigmaAtmPpm), block.timestamp);
        self.rings[q.expiry][PHI].start(uint32(q.phiPpb), block.timestamp);
    }

    // --- publications -------------------------------------------------------------------------------------------------

    /// The numbers of a publication bind from now.
    function commit(State storage self, Ranges memory r, Quote[] memory quotes) external {
        self.rings[0][PSR].set(uint32(r.psrPpm), block.timestamp);
        self.rings[0][VSR_UP].set(uint32(r.vsrUpPpm), block.timestamp);
        self.rings[0][VSR_DOWN].set(uint32(r.vsrDownPpm), block.timestamp);
        for (uint256 i; i < quotes.length; ++i) {
            self.rings[quotes[i].expiry][SIGMA_ATM].set(uint32(quotes[i].sigmaAtmPpm), block.timestamp);
            self.rings[quotes[i].expiry][PHI].set(uint32(quotes[i].phiPpb), block.timestamp);
        }
    }

    /// The value that steps are measured from, and the anchor of the budget, now.
    function inForce(State storage self, uint32 expiry, bytes32 what) external view returns (uint256, uint256) {
        HourlyRing.Ring storage ring = self.rings[expiry][what];
        return (ring.value, ring.anchor(block.timestamp));
    }

    /// Every fence on the numbers of one publication.  The joint post-condition of a later part belongs at its end.
    /// @param listed every listed, unexpired expiry: the publication covers them all, in order.
    function check(State storage self, Ranges memory r, Quote[] memory quotes, uint32[] memory listed) external view {
        _checkRange(self, PSR, r.psrPpm);
        _checkRange(self, VSR_UP, r.vsrUpPpm);
        _checkRange(self, VSR_DOWN, r.vsrDownPpm);
        if (quotes.length != listed.length) revert IRiskParameters.WrongExpiries(quotes.length, listed.length);
        IRiskParameters.VolFences memory v = self.vols;
        uint256 variance;
        for (uint256 i; i < quotes.length; ++i) {
            Quote memory q = quotes[i];
            if (q.expiry != listed[i]) revert IRiskParameters.WrongExpiries(q.expiry, listed[i]);
            _checkLevels(q, v);
            _checkSigma(self, q, v);
            _checkPhi(self, q, v);
            uint256 next = q.sigmaAtmPpm * q.sigmaAtmPpm * (q.expiry - block.timestamp);
            if (next < variance) revert IRiskParameters.CalendarArbitrage(quotes[i - 1].expiry, q.expiry);
            variance = next;
        }
    }

    /// Bounds, step and budget, each the tighter of relative and absolute.
    function _checkRange(State storage self, bytes32 what, uint256 value) private view {
        IRiskParameters.Fence memory f = self.ranges[what];
        HourlyRing.Ring storage ring = self.rings[0][what];
        _requireRange(what, value, f.min, f.max);
        uint256 old = ring.value;
        uint256 anchor = ring.anchor(block.timestamp);
        _requireStep(what, old, value, _tighter(old, f.stepRelPpm, f.stepAbs));
        _requireBudget(what, anchor, old, value, _tighter(anchor, f.budgetRelPpm, f.budgetAbs));
    }

    /// What holds for one expiry by itself.
    function _checkLevels(Quote memory q, IRiskParameters.VolFences memory v) private view {
        _requireRange(SIGMA_ATM, q.sigmaAtmPpm, v.sigmaMinPpm, v.sigmaMaxPpm);
        _requireRange(PHI, q.phiPpb, v.phiMinPpb, v.phiMaxPpb);
        _requireRange("df", q.dfPpb, v.dfMinPpb, 1e9);
        uint256 carry = uint256(v.carryMaxPpm) * 1000 * (q.expiry - block.timestamp) / YEAR + FREE_CARRY_PPB;
        _requireRange("carry", q.phiPpb, carry > 1e9 ? 0 : 1e9 - carry, 1e9 + carry);
    }

    /// |Δ ln σ_ATM| within step · m(dte), and within budget · m(dte) of the anchor.
    function _checkSigma(State storage self, Quote memory q, IRiskParameters.VolFences memory v) private view {
        HourlyRing.Ring storage ring = self.rings[q.expiry][SIGMA_ATM];
        uint256 m = Scenarios.termFactor(q.expiry - block.timestamp);
        uint256 old = ring.value;
        uint256 anchor = ring.anchor(block.timestamp);
        uint256 step = (uint256(v.atmStepPpm) * m) / PPM;
        uint256 budget = (uint256(v.atmBudgetPpm) * m) / PPM;
        if (_logDistance(old, q.sigmaAtmPpm) > step) {
            revert IRiskParameters.StepTooLarge(SIGMA_ATM, old, q.sigmaAtmPpm, step * PPM >> 64);
        }
        if (_logDistance(anchor, q.sigmaAtmPpm) > budget && !HourlyRing.allowed(anchor, old, q.sigmaAtmPpm, 0)) {
            revert IRiskParameters.BudgetExceeded(SIGMA_ATM, anchor, q.sigmaAtmPpm, budget * PPM >> 64);
        }
    }

    function _checkPhi(State storage self, Quote memory q, IRiskParameters.VolFences memory v) private view {
        HourlyRing.Ring storage ring = self.rings[q.expiry][PHI];
        _requireStep(PHI, ring.value, q.phiPpb, v.phiStepPpb);
        _requireBudget(PHI, ring.anchor(block.timestamp), ring.value, q.phiPpb, v.phiBudgetPpb);
    }

    /// |ln(b / a)|, Q64.
    function _logDistance(uint256 a, uint256 b) private pure returns (uint256) {
        int256 d = Q64.ln(b << 64) - Q64.ln(a << 64);
        return uint256(d < 0 ? -d : d);
    }

    function _tighter(uint256 base, uint256 relPpm, uint256 abs_) private pure returns (uint256) {
        uint256 rel = base * relPpm / PPM;
        return rel < abs_ ? rel : abs_;
    }

    function _requireRange(bytes32 what, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert IRiskParameters.OutOfRange(what, value, min, max);
    }

    function _requireStep(bytes32 what, uint256 old, uint256 value, uint256 limit) private pure {
        if ((value > old ? value - old : old - value) > limit) {
            revert IRiskParameters.StepTooLarge(what, old, value, limit);
        }
    }

    function _requireBudget(bytes32 what, uint256 anchor, uint256 old, uint256 value, uint256 limit) private pure {
        if (!HourlyRing.allowed(anchor, old, value, limit)) {
            revert IRiskParameters.BudgetExceeded(what, anchor, value, limit);
        }
    }
}
