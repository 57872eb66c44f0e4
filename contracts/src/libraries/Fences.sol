// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {ExpiryFence} from "./ExpiryFence.sol";
import {FenceMath} from "./FenceMath.sol";
import {HourlyRing} from "./HourlyRing.sol";
import {Slew} from "./Slew.sol";
import {SmileRing} from "./SmileRing.sol";

/// @title The fences on published numbers as they are stored: bounds, steps, budgets over a rolling day, and what is in
/// force.
/// @notice A linked library, so that RiskParameters keeps room under the code size limit.  A fence that remembers is a
/// ring, written only when a publication goes live (`commit`).  What the fences say is in FenceMath.
library Fences {
    using HourlyRing for HourlyRing.Ring;

    bytes32 private constant PSR = "psr";
    bytes32 private constant VSR_UP = "vsrUp";
    bytes32 private constant VSR_DOWN = "vsrDown";
    bytes32 private constant SIGMA_ATM = "sigmaAtm";
    bytes32 private constant PHI = "phi";
    bytes32 private constant DF = "df";

    uint256 private constant PPM = 1e6;
    /// Whatever governance sets, the scan range stays below half the price.
    uint256 private constant MAX_PSR_PPM = 500_000;
    uint256 private constant MAX_VSR_UP_PPM = 5_000_000;
    uint256 private constant MAX_VSR_DOWN_PPM = 950_000;
    uint256 private constant MAX_SIGMA_PPM = 50_000_000;

    /// One expiry's numbers in force.
    struct Quote {
        uint32 expiry;
        uint256 phiPpb;
        uint256 dfPpb;
        uint256 sigmaAtmPpm;
    }

    /// Of one underlying.
    struct State {
        IRiskParameters.VolFences vols;
        IRiskParameters.JointFence joint;
        /// Of the last set target.
        bytes32 digest;
        mapping(bytes32 what => IRiskParameters.Fence) ranges;
        /// Expiry 0 for the ranges.
        mapping(uint32 expiry => mapping(bytes32 what => HourlyRing.Ring)) rings;
        /// SmileRing slots.
        mapping(uint32 expiry => mapping(uint64 strike => uint256)) smiles;
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

    /// @param slewPpmPerHour of the market's configuration.
    function setVolFences(
        State storage self,
        uint16 underlying,
        IRiskParameters.VolFences calldata v,
        uint256 slewPpmPerHour
    ) external {
        if (v.sigmaMinPpm == 0 || v.sigmaMinPpm > v.sigmaMaxPpm || v.sigmaMaxPpm > MAX_SIGMA_PPM) {
            revert IRiskParameters.BadConfig(SIGMA_ATM);
        }
        if (v.smileMinPpm == 0 || v.smileMinPpm > PPM || v.smileMaxPpm < PPM || v.smileMaxPpm > SmileRing.MAX_RATIO_PPM)
        {
            revert IRiskParameters.BadConfig("smile");
        }
        if (v.phiMinPpb < 5e8 || v.phiMinPpb > 1e9 || v.phiMaxPpb < 1e9 || v.phiMaxPpb > 2e9) {
            revert IRiskParameters.BadConfig(PHI);
        }
        if (v.dfMinPpb < 1e8 || v.dfMinPpb > 1e9) revert IRiskParameters.BadConfig(DF);
        Slew.requireForwards(v, slewPpmPerHour);
        self.vols = v;
        emit IRiskParameters.FencesSet(underlying, SIGMA_ATM);
    }

    /// @notice Forwards must be slower than another slew rate, too.
    function requireSlower(State storage self, uint256 slewPpmPerHour) external view {
        if (self.vols.phiMinPpb != 0) Slew.requireForwards(self.vols, slewPpmPerHour);
    }

    function setJointFence(State storage self, uint16 underlying, IRiskParameters.JointFence calldata f) external {
        if (f.stepPpm == 0 || f.budgetPpm == 0) revert IRiskParameters.BadConfig("joint");
        self.joint = f;
        emit IRiskParameters.FencesSet(underlying, "joint");
    }

    /// First scan ranges, and the anchors they leave.
    function start(State storage self, Ranges memory r) external {
        _start(self, PSR, r.psrPpm);
        _start(self, VSR_UP, r.vsrUpPpm);
        _start(self, VSR_DOWN, r.vsrDownPpm);
    }

    function _start(State storage self, bytes32 what, uint256 value) private {
        IRiskParameters.Fence memory f = self.ranges[what];
        if (value < f.min || value > f.max) revert IRiskParameters.OutOfRange(what, value, f.min, f.max);
        self.rings[0][what].start(uint32(value), block.timestamp);
    }

    /// First numbers of an expiry, and the anchors they leave.
    /// @param live the listed, unexpired ones, ascending, without it.
    function startExpiry(State storage self, IRiskFile file, uint16 underlying, Quote memory q, uint32[] memory live)
        external
    {
        IRiskParameters.ExpiryPublication memory e;
        (e.phiPpb, e.dfPpb, e.sigmaAtmPpm) = (uint40(q.phiPpb), uint40(q.dfPpb), uint32(q.sigmaAtmPpm));
        _require(ExpiryFence.levels(self.vols, q.expiry - block.timestamp, e));
        for (uint256 i; i < live.length; ++i) {
            if (!_inForce(self, live[i], file.strikes(underlying, live[i]))) continue;
            (uint32 first, uint32 second) = live[i] < q.expiry ? (live[i], q.expiry) : (q.expiry, live[i]);
            uint256 other = self.rings[live[i]][SIGMA_ATM].value;
            (uint256 a, uint256 b) = live[i] < q.expiry ? (other, q.sigmaAtmPpm) : (q.sigmaAtmPpm, other);
            if (b * b * (second - block.timestamp) < a * a * (first - block.timestamp)) {
                revert IRiskParameters.CalendarArbitrage(first, second);
            }
        }
        self.rings[q.expiry][SIGMA_ATM].start(uint32(q.sigmaAtmPpm), block.timestamp);
        self.rings[q.expiry][PHI].start(uint32(q.phiPpb), block.timestamp);
        self.rings[q.expiry][DF].start(uint32(q.dfPpb), block.timestamp);
    }

    /// Whether an expiry has a strike in force.
    function _inForce(State storage self, uint32 expiry, uint64[] memory strikes) private view returns (bool) {
        for (uint256 i; i < strikes.length; ++i) {
            if (self.smiles[expiry][strikes[i]] != 0) return true;
        }
        return false;
    }

    function _require(bytes memory reason) private pure {
        if (reason.length == 0) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    // --- where numbers stand ------------------------------------------------------------------------------------------

    /// Into memory, for FenceMath.  What is not stored here is left to the caller.
    /// @param hours_ of how many anchors: 1, or 26 where waiting is asked about.
    function load(State storage self, IRiskFile file, uint16 underlying, uint32[] memory live, uint256 hours_)
        internal
        view
        returns (FenceMath.State memory s)
    {
        (s.underlying, s.nowS, s.digest) = (underlying, block.timestamp, self.digest);
        (s.vols, s.joint) = (self.vols, self.joint);
        bytes32[3] memory names = [PSR, VSR_UP, VSR_DOWN];
        for (uint256 i; i < 3; ++i) {
            s.fences[i] = self.ranges[names[i]];
            s.ranges[i] = _number(self.rings[0][names[i]], hours_);
        }
        s.expiries = new FenceMath.ExpiryState[](live.length);
        for (uint256 i; i < live.length; ++i) {
            FenceMath.ExpiryState memory x = s.expiries[i];
            mapping(bytes32 => HourlyRing.Ring) storage rings = self.rings[live[i]];
            x.expiry = live[i];
            x.sigma = _number(rings[SIGMA_ATM], hours_);
            x.phi = _number(rings[PHI], hours_);
            x.df = _number(rings[DF], hours_);
            x.strikes = file.strikes(underlying, live[i]);
            x.smile = _slots(self, live[i], x.strikes);
        }
    }

    function _number(HourlyRing.Ring storage ring, uint256 hours_) private view returns (FenceMath.Number memory n) {
        n.value = ring.value;
        n.anchors = new uint256[](hours_);
        for (uint256 k; k < hours_; ++k) {
            n.anchors[k] = ring.anchor(block.timestamp + 3600 * k);
        }
    }

    function _slots(State storage self, uint32 expiry, uint64[] memory strikes)
        private
        view
        returns (uint256[] memory slots)
    {
        mapping(uint64 => uint256) storage smiles = self.smiles[expiry];
        slots = new uint256[](strikes.length);
        for (uint256 i; i < slots.length; ++i) {
            slots[i] = smiles[strikes[i]];
        }
    }

    /// The three ranges bind from now.
    function commit(State storage self, Ranges memory r) internal {
        self.rings[0][PSR].set(uint32(r.psrPpm), block.timestamp);
        self.rings[0][VSR_UP].set(uint32(r.vsrUpPpm), block.timestamp);
        self.rings[0][VSR_DOWN].set(uint32(r.vsrDownPpm), block.timestamp);
    }

    /// An expiry's numbers bind from now.
    function commitExpiry(
        State storage self,
        FenceMath.ExpiryState memory x,
        IRiskParameters.ExpiryPublication memory e
    ) internal {
        mapping(bytes32 => HourlyRing.Ring) storage rings = self.rings[x.expiry];
        rings[SIGMA_ATM].set(e.sigmaAtmPpm, block.timestamp);
        rings[PHI].set(uint32(e.phiPpb), block.timestamp);
        rings[DF].set(uint32(e.dfPpb), block.timestamp);
        mapping(uint64 => uint256) storage smiles = self.smiles[x.expiry];
        uint256 hour = block.timestamp / 3600;
        for (uint256 i; i < x.strikes.length; ++i) {
            if (e.sigmaPpm[i] == 0) continue; // left out
            uint256 ratio = uint256(e.sigmaPpm[i]) * PPM / e.sigmaAtmPpm;
            smiles[x.strikes[i]] = SmileRing.set(x.smile[i], ratio, hour);
        }
    }

    // --- views --------------------------------------------------------------------------------------------------------

    /// The value that steps are measured from, and the anchor of the budget, now.
    function inForce(State storage self, uint32 expiry, bytes32 what) external view returns (uint256, uint256) {
        HourlyRing.Ring storage ring = self.rings[expiry][what];
        return (ring.value, ring.anchor(block.timestamp));
    }

    /// The same, with the anchors of the hours to come.
    function standing(State storage self, uint32 expiry, bytes32 what)
        external
        view
        returns (uint256 value, uint32[26] memory anchors)
    {
        HourlyRing.Ring storage ring = self.rings[expiry][what];
        value = ring.value;
        for (uint256 k; k < 26; ++k) {
            anchors[k] = ring.anchor(block.timestamp + 3600 * k);
        }
    }

    /// SmileRing slots of these strikes.
    function smileRings(State storage self, uint32 expiry, uint64[] memory strikes)
        external
        view
        returns (uint256[] memory)
    {
        return _slots(self, expiry, strikes);
    }
}
