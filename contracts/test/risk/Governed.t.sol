// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice Whatever fences governance sets, inside its own limits: no legal state is a deadlock (WORST-4), and what is in
/// force outside its bounds may come nearer to them by steps (FEN-17).
contract GovernedTest is RiskFixture {
    uint32 private _expiry;
    uint64 private _strike = 2500e8;

    function setUp() public override {
        super.setUp();
        _expiry = listDays(60, 2);
        publish();
        pass(1 hours);
    }

    function _draw(uint256 seed, uint256 what, uint256 low, uint256 high) private pure returns (uint256) {
        return low + uint256(keccak256(abi.encode(seed, what))) % (high - low + 1);
    }

    /// Bounds anywhere, often beside what is in force; steps and budgets from nothing to plenty.
    function _fence(uint256 seed, uint256 hardMax) private pure returns (IRiskParameters.Fence memory f) {
        f.min = uint40(_draw(seed, 1, 1, hardMax));
        f.max = uint40(_draw(seed, 2, f.min, hardMax));
        f.stepRelPpm = uint24(_draw(seed, 3, 0, 300_000));
        f.stepAbs = uint40(_draw(seed, 4, 0, hardMax / 4));
        f.budgetRelPpm = uint24(_draw(seed, 5, 0, 600_000));
        f.budgetAbs = uint40(_draw(seed, 6, 0, hardMax));
    }

    function _vols(uint256 seed) private pure returns (IRiskParameters.VolFences memory v) {
        v = theVolFences();
        v.sigmaMinPpm = uint32(_draw(seed, 11, 1, 2_000_000));
        v.sigmaMaxPpm = uint32(_draw(seed, 12, v.sigmaMinPpm, 4_000_000));
        v.atmStepPpm = uint24(_draw(seed, 13, 0, 300_000));
        v.atmBudgetPpm = uint24(_draw(seed, 14, 0, 500_000));
        v.smileMinPpm = uint24(_draw(seed, 15, 500_000, 1_000_000));
        v.smileMaxPpm = uint24(_draw(seed, 16, 1_000_000, 2_000_000));
        v.smileStepPpm = uint24(_draw(seed, 17, 0, 200_000));
        v.smileBudgetPpm = uint24(_draw(seed, 18, 0, 400_000));
        v.phiMinPpb = uint40(_draw(seed, 19, 9e8, 1e9));
        v.phiMaxPpb = uint40(_draw(seed, 20, 1e9, 11e8));
        v.phiStepPpb = uint40(_draw(seed, 21, 0, 3e6));
        v.phiBudgetPpb = uint40(_draw(seed, 22, 0, 1e7));
        v.carryMaxPpm = uint24(_draw(seed, 23, 0, 300_000));
        v.dfMinPpb = uint40(_draw(seed, 24, 9e8, 1e9));
        v.dfStepPpb = uint40(_draw(seed, 25, 0, 1e6));
        v.dfBudgetPpb = uint40(_draw(seed, 26, 0, 5e6));
    }

    function _govern(uint256 seed) private {
        if (seed % 4 != 0) parameters.setFence(ETH, "psr", _fence(seed >> 8, 500_000));
        if (seed % 4 != 1) parameters.setFence(ETH, "vsrUp", _fence(seed >> 16, 5_000_000));
        if (seed % 4 != 2) parameters.setFence(ETH, "vsrDown", _fence(seed >> 24, 950_000));
        if (seed % 4 != 3) parameters.setVolFences(ETH, _vols(seed >> 32));
        if (seed % 3 == 0) {
            parameters.setJointFence(ETH, IRiskParameters.JointFence(uint24(1 + seed % 300_000), uint24(1 + seed % 7)));
        }
    }

    /// What is in force, its smile too.
    function _inForce() private view returns (IRiskParameters.Publication memory p) {
        p = aPublication();
        IRiskParameters.ExpiryPublication memory e = p.expiries[0];
        uint256[] memory rings = parameters.smileRings(ETH, e.expiry);
        uint256 some; // a strike listed since takes the volatility of one that has its own
        for (uint256 i; i < rings.length; ++i) {
            if (rings[i] != 0) some = rings[i] >> 224;
        }
        for (uint256 i; i < rings.length; ++i) {
            uint256 ratio = rings[i] == 0 ? some : rings[i] >> 224;
            e.sigmaPpm[i] = uint32((ratio * e.sigmaAtmPpm + 1e6 - 1) / 1e6);
        }
    }

    /// WORST-4: staying put passes, rows included, under whatever fences, with strikes listed in between.
    /// forge-config: default.fuzz.runs = 48
    /// forge-config: ci.fuzz.runs = 384
    function testFuzz_govern__any_fences__staying_put_passes(uint256 seed) public {
        for (uint256 i; i < 6; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            _govern(dice);
            if (dice % 5 == 0) {
                uint64[] memory one = new uint64[](1);
                one[0] = _strike;
                _strike += 100e8;
                parameters.listStrikes(ETH, _expiry, one);
            }
            pass(_draw(dice, 1, 15 minutes, 30 hours));
            IRiskParameters.Publication memory p = _inForce();
            IRiskParameters.Preview memory v = parameters.preview(ETH, p);
            assertTrue(v.ok, "WORST-4 staying put is refused");
            (bool ok,) = parameters.checkPublication(ETH, p);
            assertTrue(ok, "WORST-4 its rows are refused");
            _approach(dice, p);
            parameters.publish(ETH, p); // whatever of it passes
        }
    }

    /// FEN-17: a number outside its bounds is never refused for its level on the way to them, and is for it on the way off.
    function _approach(uint256 seed, IRiskParameters.Publication memory p) private view {
        bytes32[3] memory names = [bytes32("psr"), "vsrUp", "vsrDown"];
        for (uint256 i; i < 3; ++i) {
            IRiskParameters.Fence memory f = parameters.fence(ETH, names[i]);
            uint256 old = inForce(0, names[i]);
            uint256 bound = old > f.max ? f.max : old < f.min ? f.min : old;
            uint256 nearer = old > bound ? _draw(seed, 70 + i, bound, old) : _draw(seed, 70 + i, old, bound);
            uint256 step = old * f.stepRelPpm / 1e6 < f.stepAbs ? old * f.stepRelPpm / 1e6 : f.stepAbs;
            uint256 way = old > nearer ? old - nearer : nearer - old;
            if (way > step) nearer = old > bound ? old - step : old + step;
            _set(p, i, nearer);
            if (bound == old) continue;
            _assertLevel(parameters.preview(ETH, p).items[i].reason, false);
            _set(p, i, old > bound ? old + 1 : old - 1);
            _assertLevel(parameters.preview(ETH, p).items[i].reason, true);
            _set(p, i, nearer);
        }
        IRiskParameters.VolFences memory v = parameters.volFences(ETH);
        IRiskParameters.ExpiryPublication memory e = p.expiries[0];
        uint32 sigma = e.sigmaAtmPpm;
        if (sigma <= v.sigmaMaxPpm && sigma >= v.sigmaMinPpm) return;
        e.sigmaAtmPpm = sigma > v.sigmaMaxPpm ? sigma - 1 : sigma + 1;
        _assertLevel(parameters.preview(ETH, p).items[4].reason, false);
        e.sigmaAtmPpm = sigma > v.sigmaMaxPpm ? sigma + 1 : sigma - 1;
        _assertLevel(parameters.preview(ETH, p).items[4].reason, true);
        e.sigmaAtmPpm = sigma;
    }

    function _set(IRiskParameters.Publication memory p, uint256 i, uint256 value) private pure {
        if (i == 0) p.psrPpm = uint24(value);
        else if (i == 1) p.vsrUpPpm = uint24(value);
        else p.vsrDownPpm = uint24(value);
    }

    function _assertLevel(bytes memory reason, bool refused) private pure {
        assertEq(bytes4(reason) == IRiskParameters.OutOfRange.selector, refused, "FEN-17 its level");
    }

    /// FEN-17: a ceiling more than a step below what is in force is reached in steps, within each day's budget.
    function test_setFence__ceiling_far_below__reached_in_steps() public {
        parameters.setFence(ETH, "psr", IRiskParameters.Fence(50_000, 70_000, 200_000, 50_000, 400_000, 100_000));
        uint256 days_;
        while (inForce(0, "psr") > 70_000) {
            pass(1 hours);
            IRiskParameters.Publication memory p = aPublication();
            p.psrPpm = uint24(inForce(0, "psr") * 82 / 100);
            if (p.psrPpm < 70_000) p.psrPpm = 70_000;
            if (parameters.preview(ETH, p).items[0].reason.length == 0) parameters.publish(ETH, p);
            assertLt(++days_, 80, "FEN-17 arrives");
        }
        assertEq(inForce(0, "psr"), 70_000, "FEN-17 inside");
    }

    /// FEN-17: a forward that time left outside its carry stays or comes back, and a strike listed then does not hold
    /// everything up.
    function test_carry__shrunk_below_the_forward__stays_and_comes_back() public {
        for (uint256 i; i < 16; ++i) {
            IRiskParameters.Publication memory up = aPublication();
            up.expiries[0].phiPpb = uint40(inForce(_expiry, "phi") + 2e6);
            parameters.publish(ETH, up);
            pass(5 hours);
        }
        pass(55 days);
        uint256 phi = inForce(_expiry, "phi");
        assertGt(phi, 1e9 + 1e7 + 2e6, "outside its carry");
        uint64[] memory one = new uint64[](1);
        one[0] = _strike;
        parameters.listStrikes(ETH, _expiry, one);
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm += 100;
        parameters.publish(ETH, p);
        assertEq(inForce(0, "psr"), p.psrPpm, "FEN-17 nothing is held up");
        pass(1 hours);
        p = aPublication();
        p.expiries[0].phiPpb = uint40(phi - 2e6);
        parameters.publish(ETH, p);
        assertEq(inForce(_expiry, "phi"), phi - 2e6, "FEN-17 nearer");
    }
}
