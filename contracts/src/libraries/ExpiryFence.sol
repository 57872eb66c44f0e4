// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FenceLimits} from "./FenceLimits.sol";
import {FenceMath} from "./FenceMath.sol";
import {HourlyRing} from "./HourlyRing.sol";
import {Q64} from "./Q64.sol";
import {Scenarios} from "./Scenarios.sol";
import {SmileRing} from "./SmileRing.sol";

/// @title What the fences say to the numbers of one expiry: levels, steps, budgets, and the band of its smile.
/// @dev Part of FenceMath.
library ExpiryFence {
    uint256 private constant PPM = 1e6;
    uint256 private constant YEAR = 31_536_000;
    uint256 private constant HOUR = 3600;
    /// Basis that is there without any carry.
    uint256 private constant FREE_CARRY_PPB = 1e7;

    /// @notice Levels, steps and budgets of one expiry by itself.
    function expiry(
        FenceMath.State memory s,
        FenceMath.ExpiryState memory x,
        IRiskParameters.ExpiryPublication memory e
    ) internal pure returns (IRiskParameters.ItemVerdict memory v) {
        v.expiry = x.expiry;
        v.nextAllowed = FenceMath.NEVER;
        if (
            _levels(s.vols, x.expiry - s.nowS, [x.sigma.value, x.phi.value, x.df.value], e, v)
                || _sigma(s, x, e.sigmaAtmPpm, v)
                || _forward(s, x.phi, e.phiPpb, Limits("phi", s.vols.phiStepPpb, s.vols.phiBudgetPpb), v)
                || _forward(s, x.df, e.dfPpb, Limits("df", s.vols.dfStepPpb, s.vols.dfBudgetPpb), v)
                || _smile(s, x, e, v)
        ) return v;
        (v.what, v.nextAllowed) = ("expiry", 0);
    }

    /// @notice The level fences alone, for what is listed.
    function levels(IRiskParameters.VolFences memory f, uint256 secs, IRiskParameters.ExpiryPublication memory e)
        internal
        pure
        returns (bytes memory)
    {
        IRiskParameters.ItemVerdict memory v;
        uint256[3] memory none;
        _levels(f, secs, none, e, v);
        return v.reason;
    }

    /// @param old σ, φ and discount factor in force; zeros: none are.
    function _levels(
        IRiskParameters.VolFences memory f,
        uint256 secs,
        uint256[3] memory old,
        IRiskParameters.ExpiryPublication memory e,
        IRiskParameters.ItemVerdict memory v
    ) private pure returns (bool) {
        v.what = "sigmaAtm";
        v.reason = FenceLimits.level(v.what, e.sigmaAtmPpm, old[0], f.sigmaMinPpm, f.sigmaMaxPpm);
        if (v.reason.length != 0) return true;
        v.what = "phi";
        v.reason = FenceLimits.level(v.what, e.phiPpb, old[1], f.phiMinPpb, f.phiMaxPpb);
        if (v.reason.length != 0) return true;
        v.what = "df";
        v.reason = FenceLimits.level(v.what, e.dfPpb, old[2], f.dfMinPpb, 1e9);
        if (v.reason.length != 0) return true;
        v.what = "carry";
        uint256 carry = uint256(f.carryMaxPpm) * 1000 * secs / YEAR + FREE_CARRY_PPB;
        v.reason = FenceLimits.level(v.what, e.phiPpb, old[1], carry > 1e9 ? 0 : 1e9 - carry, 1e9 + carry);
        return v.reason.length != 0;
    }

    /// |Δ ln σ_ATM| within step · m(dte), and within budget · m(dte) of the anchor.
    function _sigma(
        FenceMath.State memory s,
        FenceMath.ExpiryState memory x,
        uint256 value,
        IRiskParameters.ItemVerdict memory v
    ) private pure returns (bool) {
        v.what = "sigmaAtm";
        FenceMath.Number memory n = x.sigma;
        if (n.value == value && n.anchors[0] == value) return false;
        uint256 m = Scenarios.termFactor(x.expiry - s.nowS);
        uint256 limit = uint256(s.vols.atmStepPpm) * m / PPM;
        int256 log = Q64.ln(value << 64);
        if (_logDistance(n.value, log) > limit) {
            v.reason = FenceLimits.step(v.what, n.value, value, 0, limit * PPM >> 64);
            return true;
        }
        limit = uint256(s.vols.atmBudgetPpm) * m / PPM;
        for (uint256 k; k < n.anchors.length; ++k) {
            uint256 a = n.anchors[k];
            if (k > 1 && a == n.anchors[k - 1]) continue;
            if (HourlyRing.allowed(a, n.value, value, 0) || _logDistance(a, log) <= limit) {
                if (k == 0) return false;
                v.nextAllowed = uint64((s.nowS / 3600 + k) * 3600);
                return true;
            }
            if (k == 0) v.reason = FenceLimits.beyond(v.what, a, value, limit * PPM >> 64);
        }
        return true;
    }

    struct Limits {
        bytes32 what;
        uint256 step; // in an hour
        uint256 budget;
    }

    /// Of the hour's step what passed of it since the last publication, so that no sequence of them is faster; and budget.
    function _forward(
        FenceMath.State memory s,
        FenceMath.Number memory n,
        uint256 value,
        Limits memory l,
        IRiskParameters.ItemVerdict memory v
    ) private pure returns (bool) {
        v.what = l.what;
        uint256 move = value > n.value ? value - n.value : n.value - value;
        uint256 step = l.step * _sinceLast(s) / HOUR;
        uint256 start = s.nowS;
        if (move > step) {
            v.reason = FenceLimits.step(l.what, n.value, value, step);
            if (move > l.step) return true;
            start = s.lastTime + (move * HOUR + l.step - 1) / l.step;
        } else if (HourlyRing.allowed(n.anchors[0], n.value, value, l.budget)) {
            return false;
        } else {
            v.reason = FenceLimits.beyond(l.what, n.anchors[0], value, l.budget);
        }
        for (uint256 k = start / HOUR - s.nowS / HOUR; k < n.anchors.length; ++k) {
            if (HourlyRing.allowed(n.anchors[k], n.value, value, l.budget)) {
                uint256 boundary = (s.nowS / HOUR + k) * HOUR;
                v.nextAllowed = uint64(boundary > start ? boundary : start);
                break;
            }
        }
        return true;
    }

    /// Seconds since the last publication, an hour at most; an hour before the first.
    function _sinceLast(FenceMath.State memory s) private pure returns (uint256) {
        if (s.lastId == 0 || s.nowS - s.lastTime > HOUR) return HOUR;
        return s.nowS - s.lastTime;
    }

    /// Each strike's volatility over the expiry's: band, step and budget.  A strike never published has only the band, as
    /// wide as the expiry's other strikes need it, and is left out at 0.
    function _smile(
        FenceMath.State memory s,
        FenceMath.ExpiryState memory x,
        IRiskParameters.ExpiryPublication memory e,
        IRiskParameters.ItemVerdict memory v
    ) private pure returns (bool) {
        v.what = "smile";
        uint256 low = uint256(e.sigmaAtmPpm) * s.vols.smileMinPpm;
        uint256 high = uint256(e.sigmaAtmPpm) * s.vols.smileMaxPpm;
        for (uint256 i; i < e.sigmaPpm.length; ++i) {
            uint256 sigma = uint256(e.sigmaPpm[i]) * PPM;
            if (sigma == 0 && x.smile[i] == 0) continue;
            if (_outside(x, i, sigma, low, high, e.sigmaAtmPpm)) {
                v.reason = abi.encodeWithSelector(
                    IRiskParameters.SmileOutOfBand.selector, x.expiry, x.strikes[i], e.sigmaPpm[i], e.sigmaAtmPpm
                );
                return true;
            }
            if (x.smile[i] != 0 && _strike(s, x.smile[i], sigma / e.sigmaAtmPpm, x.sigma.anchors.length, v)) {
                return true;
            }
        }
        return false;
    }

    /// Outside the band, and not on its way back from where governance's change of the band left it.
    function _outside(FenceMath.ExpiryState memory x, uint256 i, uint256 sigma, uint256 low, uint256 high, uint256 atm)
        private
        pure
        returns (bool)
    {
        bool above = sigma > high;
        if (!above && sigma >= low) return false;
        uint256 old = SmileRing.ratio(x.smile[i]);
        for (uint256 k; k < x.smile.length && x.smile[i] == 0; ++k) {
            uint256 one = SmileRing.ratio(x.smile[k]);
            if (one != 0 && (old == 0 || (above ? one > old : one < old))) old = one;
        }
        return old == 0 || (above ? sigma / atm > old : sigma / atm < old);
    }

    /// @param hours_ of how many anchors are asked for: 1, or 26 where waiting is.
    function _strike(
        FenceMath.State memory s,
        uint256 slot,
        uint256 value,
        uint256 hours_,
        IRiskParameters.ItemVerdict memory v
    ) private pure returns (bool) {
        uint256 old = SmileRing.ratio(slot);
        v.reason = FenceLimits.step(v.what, old, value, s.vols.smileStepPpm);
        if (v.reason.length != 0) return true;
        uint256 budget = s.vols.smileBudgetPpm;
        uint256 hour = s.nowS / 3600;
        uint256 anchor = SmileRing.anchor(slot, hour);
        if (HourlyRing.allowed(anchor, old, value, budget)) return false;
        v.reason = FenceLimits.beyond(v.what, anchor, value, budget);
        for (uint256 k = 1; k < hours_; ++k) {
            if (HourlyRing.allowed(SmileRing.anchor(slot, hour + k), old, value, budget)) {
                v.nextAllowed = uint64((hour + k) * 3600);
                break;
            }
        }
        return true;
    }

    /// |ln(b / a)|, Q64.
    function _logDistance(uint256 a, int256 logB) private pure returns (uint256) {
        int256 d = logB - Q64.ln(a << 64);
        return uint256(d < 0 ? -d : d);
    }
}
