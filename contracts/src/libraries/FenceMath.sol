// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {HourlyRing} from "./HourlyRing.sol";
import {Probes} from "./Probes.sol";
import {Q64} from "./Q64.sol";
import {RowFence} from "./RowFence.sol";
import {Scenarios} from "./Scenarios.sol";
import {Slew} from "./Slew.sol";
import {SmileRing} from "./SmileRing.sol";

/// @title What the fences say to a publication: a pure function of where every fenced number stands.
/// @notice Twin of keeper/policy/judge.py.  The whole publication first (who may speak, and when), then its items: each
/// scan range, the three together, each expiry by itself and its rows, expiries against each other.  Publishing takes the
/// same steps; its rows are RiskFile's, which asks the same RowFence.
library FenceMath {
    uint256 private constant PPM = 1e6;
    uint256 private constant YEAR = 31_536_000;
    uint256 private constant HOUR = 3600;
    /// Basis that is there without any carry.
    uint256 private constant FREE_CARRY_PPB = 1e7;
    /// Requirements are compared as if they were this much higher, ppm of spot: next to nothing may double.
    uint256 private constant DUST_PPM = 1_000;
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
        (applied, v.items) = ranges(s, [uint256(p.psrPpm), p.vsrUpPpm, p.vsrDownPpm], p.expiries.length);
        bool priced = g.refSpot != 0 && g.refSpot <= type(uint96).max;
        RowFence.Bank memory bank = _begun(s, g, applied);
        IRiskParameters.ItemVerdict[] memory items = new IRiskParameters.ItemVerdict[](p.expiries.length);
        for (uint256 i; i < items.length; ++i) {
            v.items[RANGE_ITEMS + i] = items[i] = expiry(s, s.expiries[i], p.expiries[i]);
            if (priced && items[i].reason.length == 0) _rows(bank, s.expiries[i].strikes, p.expiries[i], items[i]);
        }
        calendar(s, p.expiries, items);
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

    // --- scan ranges --------------------------------------------------------------------------------------------------

    /// @notice Each range by itself, then the three that are left together.
    /// @param expiries how many items follow.
    /// @return applied what binds: a refused one keeps what is in force.
    function ranges(State memory s, uint256[3] memory wanted, uint256 expiries)
        internal
        pure
        returns (uint256[3] memory applied, IRiskParameters.ItemVerdict[] memory items)
    {
        items = new IRiskParameters.ItemVerdict[](RANGE_ITEMS + expiries);
        for (uint256 i; i < 3; ++i) {
            items[i] = _range(s, i, wanted[i]);
            applied[i] = items[i].reason.length == 0 ? wanted[i] : s.ranges[i].value;
        }
        items[JOINT] = _joint(s, applied);
        if (items[JOINT].reason.length == 0) return (applied, items);
        for (uint256 i; i < 3; ++i) {
            applied[i] = s.ranges[i].value;
        }
    }

    /// Bounds, step and budget, each of them the tighter of relative and absolute; no lower while a veto holds.
    function _range(State memory s, uint256 i, uint256 value)
        private
        pure
        returns (IRiskParameters.ItemVerdict memory v)
    {
        v.what = i == 0 ? bytes32("psr") : i == 1 ? bytes32("vsrUp") : bytes32("vsrDown");
        (IRiskParameters.Fence memory f, Number memory n) = (s.fences[i], s.ranges[i]);
        v.nextAllowed = NEVER;
        v.reason = _level(v.what, value, n.value, f.min, f.max);
        if (v.reason.length != 0) return v;
        v.reason = _step(v.what, n.value, value, _tighter(n.value, f.stepRelPpm, f.stepAbs));
        if (v.reason.length != 0) return v;
        uint256 opens = value < n.value ? s.noLooseningUntil : 0;
        uint256 budget = _tighter(n.anchors[0], f.budgetRelPpm, f.budgetAbs);
        if (s.nowS < opens) {
            v.reason = abi.encodeWithSelector(IRiskParameters.Vetoed.selector, opens);
        } else if (!HourlyRing.allowed(n.anchors[0], n.value, value, budget)) {
            v.reason = _beyond(v.what, n.anchors[0], value, budget);
        } else {
            v.nextAllowed = 0;
            return v;
        }
        uint256 start = opens > s.nowS ? opens : s.nowS;
        uint256 k = start / 3600 - s.nowS / 3600;
        if (k >= n.anchors.length) k = n.anchors.length - 1; // by then the anchor stands still
        for (; k < n.anchors.length; ++k) {
            budget = _tighter(n.anchors[k], f.budgetRelPpm, f.budgetAbs);
            if (HourlyRing.allowed(n.anchors[k], n.value, value, budget)) {
                uint256 boundary = (s.nowS / 3600 + k) * 3600;
                v.nextAllowed = uint64(boundary > start ? boundary : start);
                return v;
            }
        }
    }

    /// The requirement of every probe, against what is in force and what was a day ago, both under today's settings.
    function _joint(State memory s, uint256[3] memory applied)
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
        v.nextAllowed = NEVER;
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

    function _probes(State memory s, uint256[3] memory r) private pure returns (uint256[7] memory) {
        return Probes.requirements(Probes.Triple(r[0], r[1], r[2], s.tailPpm, s.volFloorPpm));
    }

    function _anchors(State memory s, uint256 k) private pure returns (uint256[3] memory) {
        return [s.ranges[0].anchors[k], s.ranges[1].anchors[k], s.ranges[2].anchors[k]];
    }

    function _same(uint256[3] memory a, uint256[3] memory b) private pure returns (bool) {
        return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
    }

    // --- one expiry ---------------------------------------------------------------------------------------------------

    /// @notice Levels, steps and budgets of one expiry by itself.
    function expiry(State memory s, ExpiryState memory x, IRiskParameters.ExpiryPublication memory e)
        internal
        pure
        returns (IRiskParameters.ItemVerdict memory v)
    {
        v.expiry = x.expiry;
        v.nextAllowed = NEVER;
        if (
            _levels(s.vols, x.expiry - s.nowS, [x.sigma.value, x.phi.value, x.df.value], e, v)
                || _sigma(s, x, e.sigmaAtmPpm, v)
                || _forward(s, x.phi, e.phiPpb, Limits("phi", s.vols.phiStepPpb, s.vols.phiBudgetPpb), v)
                || _forward(s, x.df, e.dfPpb, Limits("df", s.vols.dfStepPpb, s.vols.dfBudgetPpb), v)
                || _smile(s, x, e, v)
        ) return v;
        (v.what, v.nextAllowed) = ("expiry", 0);
    }

    /// @notice Total variance may not fall from one expiry to the next, of those with strikes: an expiry without has no
    /// marks.  Refuses items until what would apply is in order; those refused already keep what is in force.
    /// @dev What is in force is in order, so that refusing all ends it: σ₁²·(T₁ − t) <= σ₂²·(T₂ − t) held when the two
    /// were published and holds at t = T₁, and both sides are linear in t.
    /// @param items of the expiries, each judged by itself.
    function calendar(
        State memory s,
        IRiskParameters.ExpiryPublication[] memory e,
        IRiskParameters.ItemVerdict[] memory items
    ) internal pure {
        uint256[] memory old = new uint256[](e.length); // σ²T in force, ppm²·s; 0: no strike is
        uint256[] memory fresh = new uint256[](e.length); // of what would apply; 0: refused, or without a strike
        for (uint256 i; i < e.length; ++i) {
            ExpiryState memory x = s.expiries[i];
            uint256 left = x.expiry - s.nowS;
            if (published(x)) old[i] = x.sigma.value * x.sigma.value * left;
            if (items[i].reason.length != 0) continue;
            bool some;
            for (uint256 k; k < x.smile.length && !some; ++k) {
                some = e[i].sigmaPpm[k] != 0;
            }
            if (some) fresh[i] = uint256(e[i].sigmaAtmPpm) * e[i].sigmaAtmPpm * left;
        }
        while (true) {
            (uint256 out, uint256 first, uint256 second) = _clash(old, fresh);
            if (out == e.length) return;
            fresh[out] = 0;
            (items[out].what, items[out].nextAllowed) = ("calendar", NEVER);
            items[out].reason = abi.encodeWithSelector(
                IRiskParameters.CalendarArbitrage.selector, s.expiries[first].expiry, s.expiries[second].expiry
            );
        }
    }

    /// Of two out of order, the new one that does not go with what is in force of the other either: it could not pass
    /// whatever becomes of that.  If there is none, the later of the first two.
    /// @return out which is refused; the count of expiries if all are in order.
    /// @return first of the two.
    /// @return second of the two.
    function _clash(uint256[] memory old, uint256[] memory fresh)
        private
        pure
        returns (uint256 out, uint256 first, uint256 second)
    {
        out = old.length;
        for (uint256 j = 1; j < old.length; ++j) {
            uint256 b = fresh[j] != 0 ? fresh[j] : old[j];
            if (b == 0) continue;
            for (uint256 i; i < j; ++i) {
                if ((fresh[i] != 0 ? fresh[i] : old[i]) <= b) continue;
                if (old[j] != 0 && fresh[i] > old[j]) return (i, i, j);
                if (fresh[j] != 0 && fresh[j] < old[i]) return (j, i, j);
                if (out == old.length && fresh[i] != 0 && fresh[j] != 0) (out, first, second) = (j, i, j);
            }
        }
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
        v.reason = _level(v.what, e.sigmaAtmPpm, old[0], f.sigmaMinPpm, f.sigmaMaxPpm);
        if (v.reason.length != 0) return true;
        v.what = "phi";
        v.reason = _level(v.what, e.phiPpb, old[1], f.phiMinPpb, f.phiMaxPpb);
        if (v.reason.length != 0) return true;
        v.what = "df";
        v.reason = _level(v.what, e.dfPpb, old[2], f.dfMinPpb, 1e9);
        if (v.reason.length != 0) return true;
        v.what = "carry";
        uint256 carry = uint256(f.carryMaxPpm) * 1000 * secs / YEAR + FREE_CARRY_PPB;
        v.reason = _level(v.what, e.phiPpb, old[1], carry > 1e9 ? 0 : 1e9 - carry, 1e9 + carry);
        return v.reason.length != 0;
    }

    /// |Δ ln σ_ATM| within step · m(dte), and within budget · m(dte) of the anchor.
    function _sigma(State memory s, ExpiryState memory x, uint256 value, IRiskParameters.ItemVerdict memory v)
        private
        pure
        returns (bool)
    {
        v.what = "sigmaAtm";
        Number memory n = x.sigma;
        if (n.value == value && n.anchors[0] == value) return false;
        uint256 m = Scenarios.termFactor(x.expiry - s.nowS);
        uint256 limit = uint256(s.vols.atmStepPpm) * m / PPM;
        int256 log = Q64.ln(value << 64);
        if (_logDistance(n.value, log) > limit) {
            v.reason = _step(v.what, n.value, value, 0, limit * PPM >> 64);
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
            if (k == 0) v.reason = _beyond(v.what, a, value, limit * PPM >> 64);
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
        State memory s,
        Number memory n,
        uint256 value,
        Limits memory l,
        IRiskParameters.ItemVerdict memory v
    ) private pure returns (bool) {
        v.what = l.what;
        uint256 move = value > n.value ? value - n.value : n.value - value;
        uint256 step = l.step * _sinceLast(s) / HOUR;
        uint256 start = s.nowS;
        if (move > step) {
            v.reason = _step(l.what, n.value, value, step);
            if (move > l.step) return true;
            start = s.lastTime + (move * HOUR + l.step - 1) / l.step;
        } else if (HourlyRing.allowed(n.anchors[0], n.value, value, l.budget)) {
            return false;
        } else {
            v.reason = _beyond(l.what, n.anchors[0], value, l.budget);
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
    function _sinceLast(State memory s) private pure returns (uint256) {
        if (s.lastId == 0 || s.nowS - s.lastTime > HOUR) return HOUR;
        return s.nowS - s.lastTime;
    }

    /// Each strike's volatility over the expiry's: band, step and budget.  A strike never published has only the band, as
    /// wide as the expiry's other strikes need it, and is left out at 0.
    function _smile(
        State memory s,
        ExpiryState memory x,
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
    function _outside(ExpiryState memory x, uint256 i, uint256 sigma, uint256 low, uint256 high, uint256 atm)
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
    function _strike(State memory s, uint256 slot, uint256 value, uint256 hours_, IRiskParameters.ItemVerdict memory v)
        private
        pure
        returns (bool)
    {
        uint256 old = SmileRing.ratio(slot);
        v.reason = _step(v.what, old, value, s.vols.smileStepPpm);
        if (v.reason.length != 0) return true;
        uint256 budget = s.vols.smileBudgetPpm;
        uint256 hour = s.nowS / 3600;
        uint256 anchor = SmileRing.anchor(slot, hour);
        if (HourlyRing.allowed(anchor, old, value, budget)) return false;
        v.reason = _beyond(v.what, anchor, value, budget);
        for (uint256 k = 1; k < hours_; ++k) {
            if (HourlyRing.allowed(SmileRing.anchor(slot, hour + k), old, value, budget)) {
                v.nextAllowed = uint64((hour + k) * 3600);
                break;
            }
        }
        return true;
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

    // --- one number ---------------------------------------------------------------------------------------------------

    /// |ln(b / a)|, Q64.
    function _logDistance(uint256 a, int256 logB) private pure returns (uint256) {
        int256 d = logB - Q64.ln(a << 64);
        return uint256(d < 0 ? -d : d);
    }

    function _tighter(uint256 base, uint256 relPpm, uint256 abs_) private pure returns (uint256) {
        uint256 rel = base * relPpm / PPM;
        return rel < abs_ ? rel : abs_;
    }

    /// Inside its bounds, or on the way to them: where they were moved away from what is in force, that may stay, and come
    /// nearer by steps.
    /// @param old in force; 0: nothing is.
    function _level(bytes32 what, uint256 value, uint256 old, uint256 min, uint256 max)
        private
        pure
        returns (bytes memory reason)
    {
        if ((value < min && (old == 0 || value < old)) || (value > max && value > old)) {
            reason = abi.encodeWithSelector(IRiskParameters.OutOfRange.selector, what, value, min, max);
        }
    }

    function _step(bytes32 what, uint256 old, uint256 value, uint256 limit) private pure returns (bytes memory) {
        return _step(what, old, value, limit, limit);
    }

    /// @param shown the limit in the number's own unit.
    function _step(bytes32 what, uint256 old, uint256 value, uint256 limit, uint256 shown)
        private
        pure
        returns (bytes memory reason)
    {
        if ((value > old ? value - old : old - value) > limit) {
            reason = abi.encodeWithSelector(IRiskParameters.StepTooLarge.selector, what, old, value, shown);
        }
    }

    function _beyond(bytes32 what, uint256 anchor, uint256 value, uint256 limit) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRiskParameters.BudgetExceeded.selector, what, anchor, value, limit);
    }
}
