// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion, Position} from "../../src/interfaces/Types.sol";
import {Probes} from "../../src/libraries/Probes.sol";
import {Q64} from "../../src/libraries/Q64.sol";
import {Test} from "../utils/Test.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice What all slew tests ask.
abstract contract SlewFixture is RiskFixture {
    uint256 internal constant PPM = 1e6;

    function setUp() public virtual override {
        super.setUp();
        listDays(30, 3);
        publish();
        pass(1 hours);
    }

    function live() internal view returns (IRiskFile.Header memory) {
        return file.header(ETH, FileVersion.Live);
    }

    function targets() internal view returns (IRiskFile.Ranges memory t) {
        (t,,,) = file.slew(ETH);
    }

    /// Perp and unit straddles at constant price, volatility and tenor.
    function required(uint256 psr, uint256 up, uint256 down) internal view returns (uint256[7] memory) {
        IRiskParameters.UnderlyingConfig memory c = parameters.config(ETH);
        return Probes.requirements(Probes.Triple(psr, up, down, c.tailPpm, c.volFloorPpm));
    }

    function aPublication(uint24 psr, uint24 up, uint24 down)
        internal
        view
        returns (IRiskParameters.Publication memory p)
    {
        p = aPublication();
        (p.psrPpm, p.vsrUpPpm, p.vsrDownPpm) = (psr, up, down);
    }
}

/// @notice SLW-1 … SLW-5 case by case.
contract SlewTest is SlewFixture {
    /// SLW-2: a tightening binds IM at once and maintenance by the rate; a loosening both by the rate.
    function test_publish__tighter__initial_at_once_maintenance_by_the_rate() public {
        parameters.publish(ETH, aPublication(180_000, 400_000, 250_000));
        assertEq(live().psrPpm, 151_500, "SLW-2 an hour's move, from the hour before");
        assertEq(targets().psrPpm, 180_000);
        uint256 uplift = live().imUpliftPct;
        uint256[7] memory has = required(151_500, 400_000, 250_000);
        uint256[7] memory needs = required(180_000, 400_000, 250_000);
        bool exact;
        for (uint256 i; i < 7; ++i) {
            assertGe(has[i] * (100 + uplift), needs[i] * 100, "SLW-2 IM is the target's");
            if (has[i] * (99 + uplift) < needs[i] * 100) exact = true;
        }
        assertTrue(exact, "SLW-2 no dearer than the dearest probe, to a percent");
        assertEq(file.assess(ETH, new Position[](0), 1e18, 2000e18, FileVersion.Live).upliftPpm, uplift * 10_000);
    }

    function test_publish__looser__both_by_the_rate() public {
        parameters.publish(ETH, aPublication(130_000, 400_000, 250_000));
        assertEq(live().psrPpm, 148_500, "SLW-2");
        assertEq(live().imUpliftPct, 0, "SLW-2 nothing to make up for");
    }

    /// SLW-3: anyone moves the ranges on; time that nobody used counts for an hour; in the end they are there.
    function test_refresh__ramp__arrives_and_stays() public {
        parameters.publish(ETH, aPublication(180_000, 480_000, 200_000));
        uint256 hours_;
        while (keccak256(abi.encode(_triple())) != keccak256(abi.encode(targets()))) {
            uint256 before = live().psrPpm;
            pass(5 hours);
            vm.prank(address(77));
            file.refresh(ETH);
            uint256 most = before + before / 100;
            assertEq(uint256(live().psrPpm), most < 180_000 ? most : 180_000, "SLW-3 one hour's move, however long");
            assertLt(++hours_, 30, "SLW-3 arrives");
        }
        assertEq(live().imUpliftPct, 0, "SLW-3 the surcharge is gone");
        pass(1 hours);
        file.refresh(ETH);
        assertEq(keccak256(abi.encode(_triple())), keccak256(abi.encode(targets())), "SLW-3 stays");
    }

    function _triple() private view returns (IRiskFile.Ranges memory) {
        return IRiskFile.Ranges(live().psrPpm, live().vsrUpPpm, live().vsrDownPpm);
    }

    /// SLW-3: refreshing every few seconds neither stops a ramp nor hastens it.
    function test_refresh__every_few_seconds__same_speed() public {
        parameters.publish(ETH, aPublication(180_000, 400_000, 250_000));
        for (uint256 i; i < 150; ++i) {
            pass(24);
            file.refresh(ETH);
        }
        // An hour in moves of 72 seconds, each rounded down.
        assertLe(uint256(live().psrPpm), uint256(151_500) * 1_010_051 / 1e6, "SLW-1");
        assertGt(uint256(live().psrPpm), 152_900, "SLW-3 only the roundings are missing");
    }

    /// SLW-4: the ranges that a staged bank began from stay in force until its flip, for an hour at most.
    function test_stage__waits__ranges_stand_still_for_an_hour() public {
        parameters.publish(ETH, aPublication(180_000, 400_000, 250_000));
        pass(1 hours);
        IRiskParameters.Publication memory p = aPublication(150_000, 400_000, 250_000);
        p.validUntil = uint64(block.timestamp + 1 days);
        parameters.stage(ETH, p);
        pass(30 minutes);
        file.refresh(ETH);
        assertEq(live().psrPpm, 151_500, "SLW-4 held");
        uint256 opened = live().time - 30 minutes;
        pass(31 minutes);
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.StagingTooOld.selector, ETH, opened));
        parameters.flip(ETH);
        file.refresh(ETH);
        assertGt(uint256(live().psrPpm), 151_500, "SLW-4 and on again");
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.NothingStaged.selector, ETH));
        parameters.flip(ETH);
    }

    /// SLW-1: what passed while a bank waited for its flip does not count twice.
    function test_flip__late__an_hours_move_at_most() public {
        parameters.publish(ETH, aPublication(180_000, 400_000, 250_000));
        pass(1 hours);
        IRiskParameters.Publication memory p = aPublication(180_000, 400_000, 250_000);
        p.validUntil = type(uint64).max;
        parameters.stage(ETH, p);
        pass(59 minutes);
        parameters.flip(ETH);
        file.refresh(ETH);
        assertEq(live().psrPpm, 153_015, "SLW-1 one hour of the two");
        pass(1 hours);
        file.refresh(ETH);
        assertEq(live().psrPpm, 154_545, "SLW-1 and the next");
    }

    /// SLW-1: a flip after half an hour of rest and a quarter of waiting leaves the quarter.
    function test_flip__early__the_waiting_counts_from_then_on() public {
        parameters.publish(ETH, aPublication(180_000, 400_000, 250_000));
        pass(30 minutes);
        IRiskParameters.Publication memory p = aPublication(180_000, 400_000, 250_000);
        p.validUntil = type(uint64).max;
        parameters.stage(ETH, p);
        pass(15 minutes);
        parameters.flip(ETH);
        assertEq(live().psrPpm, 152_257, "SLW-1 half an hour");
        file.refresh(ETH);
        assertEq(live().psrPpm, 152_637, "SLW-1 and the quarter");
    }

    /// SLW-4: stagings may come one a minute at the fastest, or an epoch each would be used up in a year.
    function test_stage__again_at_once__refused() public {
        IRiskParameters.VolFences memory v = theVolFences();
        v.minDelayS = 0;
        parameters.setVolFences(ETH, v);
        pass(1 hours);
        parameters.stage(ETH, aPublication());
        IRiskParameters.Publication memory p = aPublication();
        vm.expectRevert(
            abi.encodeWithSelector(IRiskParameters.TooEarly.selector, block.timestamp + 60, block.timestamp)
        );
        parameters.stage(ETH, p);
        pass(60);
        p.validUntil = type(uint64).max;
        parameters.stage(ETH, p);
    }

    /// SLW-4: whatever is staged, abandoned or flipped, refreshes move the ranges on for all but an hour, and an hour a day.
    /// forge-config: default.fuzz.runs = 32
    /// forge-config: ci.fuzz.runs = 256
    function testFuzz_stage__any_story__the_ramp_goes_on(uint256 seed) public {
        IRiskParameters.VolFences memory v = theVolFences();
        v.minDelayS = 60;
        parameters.setVolFences(ETH, v);
        parameters.publish(ETH, aPublication(178_000, 400_000, 250_000));
        uint256 from = live().psrPpm;
        uint256 patience = 1 + seed % 8; // flips come late, or never
        for (uint256 i; i < 16 * 12; ++i) {
            pass(5 minutes);
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            if (dice % patience == 0) try parameters.flip(ETH) {} catch {}
            file.refresh(ETH);
            if ((dice >> 32) % 4 != 0) {
                IRiskParameters.Publication memory p = aPublication(178_000, 400_000, 250_000);
                p.validUntil = type(uint64).max;
                if ((dice >> 64) % 3 == 0) p.expiries = new IRiskParameters.ExpiryPublication[](0);
                try parameters.stage(ETH, p) {} catch {}
            }
        }
        // 16 hours less one and two thirds, less roundings and what a bank at its beginning has not counted yet.
        uint256 least = from * (PPM + 14 * 10_000) / PPM;
        assertGe(uint256(live().psrPpm), least, "SLW-4 the ramp was held back");
    }

    /// SLW-5: a rate that governance changed holds from the next move.
    function test_setConfig__rate__bounds_and_effect() public {
        IRiskParameters.UnderlyingConfig memory c = aConfig();
        c.slewPpmPerHour = 249;
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.BadConfig.selector, bytes32("slewPpmPerHour")));
        parameters.setConfig(ETH, c);
        c.slewPpmPerHour = 2_500_001;
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.BadConfig.selector, bytes32("slewPpmPerHour")));
        parameters.setConfig(ETH, c);
        c.slewPpmPerHour = 2_500_000;
        parameters.setConfig(ETH, c);
        parameters.publish(ETH, aPublication(180_000, 400_000, 250_000));
        assertEq(live().psrPpm, 180_000, "SLW-5");
    }

    /// SLW-9: what forwards and discounts may move in an hour is a fifth of the slew rate at most, whichever is set.
    function test_setVolFences__forwards_faster_than_a_fifth__refused() public {
        IRiskParameters.VolFences memory v = theVolFences();
        v.phiStepPpb = 3_000_000; // 3e6 / 0.8 + 1e6 / 0.8 = 5e6: a fifth of 2.5 % to the billionth
        parameters.setVolFences(ETH, v);
        IRiskParameters.UnderlyingConfig memory c = aConfig();
        c.slewPpmPerHour -= 1;
        bytes4 refusal = IRiskParameters.ForwardsFasterThanSlew.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, 5_000_000, 4_999_800));
        parameters.setConfig(ETH, c);
        v.dfStepPpb += 1;
        vm.expectRevert(abi.encodeWithSelector(refusal, 5_000_002, 5_000_000));
        parameters.setVolFences(ETH, v);
    }

    /// How much faster than the ranges a straddle's requirement moves, over all ranges that fences allow: at most twice.
    function testFuzz_probes__all_ranges_one_percent_wider__at_most_twice(uint256 psr, uint256 up, uint256 down)
        public
        view
    {
        (psr, up, down) = (bound(psr, 5_000, 490_000), bound(up, 5_000, 4_900_000), bound(down, 5_000, 930_000));
        uint256[7] memory a = required(psr, up, down);
        uint256[7] memory b = required(psr * 101 / 100, up * 101 / 100, down * 101 / 100);
        for (uint256 i; i < 7; ++i) {
            assertLe(b[i] * PPM, (a[i] + 4) * 1_020_100, "SLW-1 elasticity");
        }
    }
}

/// @notice Publishes, stages, refreshes and waits in any order, and writes down what binds after every step.  A straddle is
/// struck at its forward: its requirement is the probe's times phi and df (`tests/parity/test_slew.py` says so of rows).
contract SlewHandler is SlewFixture {
    struct Seen {
        uint256 time;
        int256[3] ranges; // ln
        int256[7] required; // ln
    }

    Seen[] private _seen;
    uint256 public moves;
    uint256 public tooFast;
    uint256 public initialTooLow;
    uint256 public beyondTarget;
    uint256 public forwards; // steps that landed
    uint256 private _forwards;
    uint32 private _expiry;

    function setUp() public override {
        super.setUp();
        // Nothing but the rate holds forwards: a publication a minute, and plenty for a day.
        IRiskParameters.VolFences memory v = theVolFences();
        (v.minDelayS, v.phiStepPpb, v.phiBudgetPpb, v.dfBudgetPpb) = (60, 3e6, 2e8, 1e8);
        parameters.setVolFences(ETH, v);
        _expiry = parameters.listedExpiries(ETH)[0];
        _look();
    }

    /// An hour of the rate for every hour, and one more: requirements at the slew rate, ranges and perps at two fifths.
    function _look() private {
        IRiskFile.Header memory h = live();
        Seen memory now_;
        now_.time = block.timestamp;
        now_.ranges = [_ln(h.psrPpm), _ln(h.vsrUpPpm), _ln(h.vsrDownPpm)];
        uint256[7] memory r = required(h.psrPpm, h.vsrUpPpm, h.vsrDownPpm);
        uint256[7] memory t = required(targets().psrPpm, targets().vsrUpPpm, targets().vsrDownPpm);
        uint256 forward = inForce(_expiry, "phi") * inForce(_expiry, "df");
        if (forward != _forwards) (_forwards, forwards) = (forward, forwards + 1);
        for (uint256 i; i < 7; ++i) {
            now_.required[i] = _ln(r[i]) + (i == 0 ? int256(0) : _ln(forward / 1e9));
            if (r[i] * (100 + h.imUpliftPct) < t[i] * 100) ++initialTooLow;
        }
        for (uint256 i; i < _seen.length; ++i) {
            Seen memory before = _seen[i];
            // ln(1 − x) lies below −x by less than x²; the last part is what a ppm of rounding may be of a range.
            uint256 rate = uint256(aConfig().slewPpmPerHour);
            int256 most = int256((block.timestamp - before.time + 1 hours) * rate * 1011 / 1000 << 64) / (3600 * 1e6);
            int256 rounding = int256(uint256(1) << 64) / 10_000;
            for (uint256 k; k < 3; ++k) {
                if (_distance(now_.ranges[k], before.ranges[k]) > most * 2 / 5 + rounding) ++tooFast;
            }
            if (_distance(now_.required[0], before.required[0]) > most * 2 / 5 + rounding) ++tooFast;
            for (uint256 k = 1; k < 7; ++k) {
                if (_distance(now_.required[k], before.required[k]) > most + 10 * rounding) ++tooFast;
            }
        }
        if (_seen.length < 24) _seen.push(now_);
        else _seen[moves % 24] = now_;
        ++moves;
    }

    function _ln(uint256 x) private pure returns (int256) {
        return Q64.ln(x << 64);
    }

    function _distance(int256 a, int256 b) private pure returns (int256) {
        return a > b ? a - b : b - a;
    }

    function _some(uint256 seed) private view returns (IRiskParameters.Publication memory p) {
        p = aPublication(
            _near(seed, inForce(0, "psr")),
            _near(seed >> 32, inForce(0, "vsrUp")),
            _near(seed >> 64, inForce(0, "vsrDown"))
        );
        // The rest as far as it may, or just beyond.
        (, uint256 time,,) = parameters.lastPublication(ETH);
        uint256 hour = block.timestamp - time < 3600 ? block.timestamp - time : 3600;
        uint256 beyond = (seed >> 96) % 8 == 0 ? 1 : 0;
        p.expiries[0].phiPpb = uint40(_by(seed >> 104, p.expiries[0].phiPpb, 3e6 * hour / 3600 + beyond));
        p.expiries[0].dfPpb = uint40(_by(seed >> 112, p.expiries[0].dfPpb, 1e6 * hour / 3600 + beyond));
    }

    function _by(uint256 seed, uint256 value, uint256 step) private pure returns (uint256) {
        return seed % 3 == 0 ? value : seed % 3 == 1 ? value + step : value - step;
    }

    /// Within a step, or just beyond.
    function _near(uint256 seed, uint256 value) private pure returns (uint24) {
        return uint24(value * (790_000 + seed % 420_001) / 1e6);
    }

    function actPublish(uint256 seed) external {
        try parameters.publish(ETH, _some(seed)) {} catch {}
        _look();
    }

    function actStage(uint256 seed) external {
        try parameters.stage(ETH, _some(seed)) {} catch {}
        _look();
    }

    function actFlip() external {
        try parameters.flip(ETH) {} catch {}
        _look();
    }

    /// A bank that waits for long, and everything at once at its flip.
    function actLateFlip(uint256 seed) external {
        pass(bound(seed, 10, 70 minutes));
        IRiskParameters.Publication memory p = aPublication();
        p.validUntil = type(uint64).max;
        if (seed % 3 == 0) p = _some(seed);
        try parameters.stage(ETH, p) {} catch {}
        _look();
        pass(bound(seed >> 64, 10, 1 hours));
        file.refresh(ETH);
        _look();
        try parameters.flip(ETH) {} catch {}
        _look();
        file.refresh(ETH);
        _look();
    }

    /// One direction, as often as publications may come, and of forwards what an hour has or what was earned.
    function actRush(uint256 seed) external {
        bool up = seed % 2 == 0;
        for (uint256 i; i < 8; ++i) {
            pass(450);
            IRiskParameters.Publication memory p = aPublication(
                _nudged(inForce(0, "psr"), up), _nudged(inForce(0, "vsrUp"), up), _nudged(inForce(0, "vsrDown"), up)
            );
            uint256 hour = (seed >> (8 + i)) % 2 == 0 ? 3600 : 450;
            (uint256 phi, uint256 df) = (p.expiries[0].phiPpb, p.expiries[0].dfPpb);
            p.expiries[0].phiPpb = uint40(up ? phi + 3e6 * hour / 3600 : phi - 3e6 * hour / 3600);
            df = up ? df + 1e6 * hour / 3600 : df - 1e6 * hour / 3600;
            p.expiries[0].dfPpb = uint40(df > 1e9 ? 1e9 : df);
            try parameters.publish(ETH, p) {} catch {}
            _look();
        }
    }

    function _nudged(uint256 value, bool up) private pure returns (uint24) {
        return uint24(up ? value * 104 / 100 : value * 96 / 100);
    }

    function actRefresh() external {
        IRiskFile.Header memory before = live();
        file.refresh(ETH);
        IRiskFile.Header memory h = live();
        IRiskFile.Ranges memory t = targets();
        if (_away(before.psrPpm, h.psrPpm, t.psrPpm)) ++beyondTarget;
        if (_away(before.vsrUpPpm, h.vsrUpPpm, t.vsrUpPpm)) ++beyondTarget;
        if (_away(before.vsrDownPpm, h.vsrDownPpm, t.vsrDownPpm)) ++beyondTarget;
        _look();
    }

    /// Moved away from the target, or past it.
    function _away(uint256 old, uint256 value, uint256 target) private pure returns (bool) {
        return old <= target ? value < old || value > target : value > old || value < target;
    }

    function actPass(uint256 seconds_) external {
        pass(bound(seconds_, 10, 5 hours));
    }
}

/// @notice SLW-1 … SLW-3 over any story.
contract SlewInvariants is Test {
    SlewHandler internal handler;

    function setUp() public {
        handler = new SlewHandler();
        handler.setUp();
        targetContract(address(handler));
        bytes4[] memory list = new bytes4[](9);
        list[0] = handler.actPublish.selector;
        list[1] = handler.actStage.selector;
        list[2] = handler.actFlip.selector;
        list[3] = handler.actRefresh.selector;
        list[4] = handler.actPass.selector;
        list[5] = handler.actPublish.selector;
        list[6] = handler.actPass.selector;
        list[7] = handler.actLateFlip.selector;
        list[8] = handler.actRush.selector;
        targetSelector(address(handler), list);
        targetSender(address(0xbeef));
    }

    function invariant_slew_holds() public view {
        assertEq(handler.tooFast(), 0, "SLW-1 faster than the slew rate");
        assertEq(handler.initialTooLow(), 0, "SLW-2 IM below what the target asks");
        assertEq(handler.beyondTarget(), 0, "SLW-3 away from the target, or past it");
    }
}
