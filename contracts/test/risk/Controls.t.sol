// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion} from "../../src/interfaces/Types.sol";
import {Test} from "../utils/Test.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice One underlying with a guardian, a quorum of keepers and a breaker.
abstract contract ControlsFixture is RiskFixture {
    address internal constant GUARDIAN = address(0x6a);
    address internal constant PUBLISHER = address(0x9b);
    address internal constant QUORUM = address(0x77);
    address internal constant BREAKER = address(0xb3);
    uint256 internal constant PPM = 1e6;

    function setUp() public virtual override {
        super.setUp();
        parameters.grantRole(parameters.GUARDIAN_ROLE(), GUARDIAN);
        parameters.grantRole(parameters.PUBLISHER_ROLE(), PUBLISHER);
        parameters.grantRole(parameters.EMERGENCY_ROLE(), QUORUM);
        parameters.grantRole(parameters.BREAKER_ROLE(), BREAKER);
        listDays(30, 3);
        publish();
        pass(1 hours);
    }

    function tighten(uint24 peak) internal {
        vm.prank(QUORUM);
        parameters.tighten(ETH, peak);
    }

    function guardian(bytes memory data) internal {
        vm.prank(GUARDIAN);
        (bool ok, bytes memory answer) = address(parameters).call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    /// MM and IM, ppm of what the grid requires.
    function factors() internal view returns (uint256 mm, uint256 im) {
        IRiskParameters.UnderlyingConfig memory c = parameters.effective(ETH);
        return (uint256(c.kappaPpm) + c.flagFeePpm, PPM + c.imAddOnPpm);
    }

    function controls() internal view returns (IRiskParameters.ControlState memory) {
        return parameters.controls(ETH);
    }

    function aPublication(uint24 psr) internal returns (IRiskParameters.Publication memory p) {
        p = aPublication();
        p.psrPpm = psr;
    }

    function live() internal view returns (IRiskFile.Header memory) {
        return file.header(ETH, FileVersion.Live);
    }

    function targets() internal view returns (IRiskFile.Ranges memory t) {
        (t,,,) = file.slew(ETH);
    }

    function unauthorized(address who, bytes32 role) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, who, role);
    }
}

/// @notice EMG-1 … EMG-4, SAO-1, WID-1, GRD… of the guardian: PAU-1, PAU-2, VET-1, VET-2.
contract ControlsTest is ControlsFixture {
    // --- emergency lane -----------------------------------------------------------------------------------------------

    /// EMG-1: IM at once, MM over an hour, both gone within the day.
    function test_tighten__course__up_in_an_hour_gone_in_a_day() public {
        tighten(1e6);
        (uint256 mm, uint256 im) = factors();
        assertEq(mm, 810_000, "EMG-1 MM begins where it was");
        assertEq(im, 2e6, "EMG-1 IM at once");
        skipTime(30 minutes);
        (mm, im) = factors();
        assertEq(mm, 1_215_000, "EMG-1 half way");
        assertEq(im, 2e6);
        skipTime(30 minutes);
        (mm, im) = factors();
        assertEq(mm, 1_620_000, "EMG-1 double MM");
        assertEq(im, 2e6);
        skipTime(11.5 hours);
        (mm, im) = factors();
        assertEq(mm, 1_215_000, "EMG-1 half of it is gone");
        assertEq(im, 1.5e6);
        skipTime(11.5 hours);
        (mm, im) = factors();
        assertEq(mm, 810_000, "EMG-1 gone");
        assertEq(im, PPM);
        assertEq(controls().emergencyPeakPpm, 0);
    }

    /// EMG-2: tighten only, at most double, by its role alone.
    function test_tighten__lower_or_beyond_double_or_by_others__refused() public {
        tighten(300_000);
        vm.startPrank(QUORUM);
        bytes32 what = "emergency";
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.OutOfRange.selector, what, 300_000, 300_001, PPM));
        parameters.tighten(ETH, 300_000);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.OutOfRange.selector, what, 1_000_001, 300_001, PPM));
        parameters.tighten(ETH, 1_000_001);
        vm.stopPrank();
        address[3] memory others = [GUARDIAN, PUBLISHER, BREAKER];
        bytes32 role = parameters.EMERGENCY_ROLE();
        for (uint256 i; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(unauthorized(others[i], role));
            parameters.tighten(ETH, 500_000);
        }
    }

    /// EMG-3: a budget of its own: one doubling out of rest, refilled in a week.
    function test_tighten__budget__one_doubling_a_week() public {
        tighten(600_000);
        skipTime(1 days);
        assertEq(controls().emergencyLeftPpm, 400_000 + 142_857, "EMG-3 a seventh a day");
        vm.prank(QUORUM);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.EmergencyBudget.selector, ETH, 542_858, 542_857));
        parameters.tighten(ETH, 542_858);
        tighten(542_857);
        skipTime(7 days);
        assertEq(controls().emergencyLeftPpm, PPM, "EMG-3 refilled");
        tighten(1e6);
    }

    /// EMG-3: renewed at the end of its ramp, just above what is left, an emergency costs the time by which it is prolonged:
    /// nothing holds MM up for longer than the bucket pays for, twelve hours of doubling a call out of rest and a week.
    function test_tighten__renewed_for_a_month__held_to_its_budget() public {
        uint24[3] memory starts = [uint24(990_000), 500_000, 70_000];
        uint256[3] memory paces = [uint256(3600), 1800, 7200];
        vm.pauseGasMetering();
        uint256 most;
        for (uint256 i; i < 9; ++i) {
            uint256 rest = vm.snapshotState();
            uint256 sum = _holdUp(starts[i / 3], paces[i % 3]);
            assertLe(sum, 1e6 * (13 hours + 12 hours * uint256(30) / 7), "EMG-3 held up for longer than was paid for");
            if (sum > most) most = sum;
            vm.revertToState(rest);
        }
        assertGt(most, 1e6 * 45 hours, "EMG-3 the budget is used");
    }

    /// @return sum ppm · s of MM's part in thirty days.
    function _holdUp(uint24 peak, uint256 every) private returns (uint256 sum) {
        tighten(peak);
        uint256 begun = block.timestamp;
        while (block.timestamp < begun + 30 days) {
            vm.warp(block.timestamp + every);
            uint256 e = controls().emergencyMmPpm;
            sum += e * every;
            vm.startPrank(QUORUM);
            // As little as may be, else what the bucket has for it.
            try parameters.tighten(ETH, uint24(e) + 1) {}
            catch {
                try parameters.tighten(ETH, uint24(e + controls().emergencyLeftPpm / 2)) {} catch {}
            }
            vm.stopPrank();
        }
    }

    /// EMG-3: what a renewal costs is what it adds to the course, to the second.
    function test_tighten__renewed_half_way_down__costs_what_it_adds() public {
        tighten(400_000);
        skipTime(12.5 hours); // half way down: 200,000 in force
        assertEq(controls().emergencyMmPpm, 200_000);
        uint256 left = controls().emergencyLeftPpm;
        tighten(300_000);
        // 300,000 − 200,000 + 200,000 · (1 h + 12.5 h) / 24 h
        assertEq(left - controls().emergencyLeftPpm, 212_500, "EMG-3");
    }

    /// EMG-4: neither a pause nor a stale file stops it; a freeze does.
    function test_tighten__paused_passes__frozen_does_not() public {
        guardian(abi.encodeCall(parameters.pause, (ETH)));
        tighten(100_000);
        parameters.freeze(ETH);
        vm.prank(QUORUM);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.Frozen.selector, ETH));
        parameters.tighten(ETH, 200_000);
    }

    // --- add-ons ------------------------------------------------------------------------------------------------------

    /// SAO-1: the state of the market widens IM, bounded, for a while; MM stands.
    function test_state_add_on__lives_and_lapses__initial_only() public {
        vm.startPrank(PUBLISHER);
        uint40 until = uint40(block.timestamp + 1 days);
        parameters.setStateAddOn(ETH, 500_000, until);
        (uint256 mm, uint256 im) = factors();
        assertEq(mm, 810_000, "SAO-1 MM stands");
        assertEq(im, 1.5e6, "SAO-1");
        vm.expectRevert(
            abi.encodeWithSelector(IRiskParameters.OutOfRange.selector, bytes32("stateAddOn"), 500_001, 0, 500_000)
        );
        parameters.setStateAddOn(ETH, 500_001, until);
        vm.expectPartialRevert(IRiskParameters.OutOfRange.selector);
        parameters.setStateAddOn(ETH, 1, until + 1);
        vm.expectPartialRevert(IRiskParameters.OutOfRange.selector);
        parameters.setStateAddOn(ETH, 1, uint40(block.timestamp));
        vm.stopPrank();
        vm.warp(until);
        (, im) = factors();
        assertEq(im, PPM, "SAO-1 lapsed");
    }

    /// SAO-1: frozen or paused, a publisher's key widens nothing either.
    function test_state_add_on__paused_or_frozen_or_by_others__refused() public {
        uint40 until = uint40(block.timestamp + 1 hours);
        bytes memory refusal = unauthorized(GUARDIAN, parameters.PUBLISHER_ROLE());
        vm.prank(GUARDIAN);
        vm.expectRevert(refusal);
        parameters.setStateAddOn(ETH, 1, until);
        guardian(abi.encodeCall(parameters.pause, (ETH)));
        vm.prank(PUBLISHER);
        vm.expectPartialRevert(IRiskParameters.Paused.selector);
        parameters.setStateAddOn(ETH, 1, until);
        parameters.freeze(ETH);
        vm.prank(PUBLISHER);
        vm.expectPartialRevert(IRiskParameters.Frozen.selector);
        parameters.setStateAddOn(ETH, 1, until);
    }

    /// WID-1: the breaker widens IM for a quarter of an hour at most, and never cuts short what it promised.
    function test_widen__by_the_breaker__bounded_and_over_by_itself() public {
        vm.startPrank(BREAKER);
        uint40 latest = uint40(block.timestamp + 15 minutes);
        vm.expectPartialRevert(IRiskParameters.OutOfRange.selector);
        parameters.widen(ETH, latest + 1);
        parameters.widen(ETH, latest);
        parameters.widen(ETH, latest - 100);
        vm.stopPrank();
        assertEq(controls().widenUntil, latest, "WID-1 not cut short");
        (uint256 mm, uint256 im) = factors();
        assertEq(mm, 810_000, "WID-1 MM stands");
        assertEq(im, 1.25e6, "WID-1");
        vm.warp(latest);
        (, im) = factors();
        assertEq(im, PPM, "WID-1 over");
        bytes memory refusal = unauthorized(PUBLISHER, parameters.BREAKER_ROLE());
        vm.prank(PUBLISHER);
        vm.expectRevert(refusal);
        parameters.widen(ETH, latest);
    }

    // --- guardian -----------------------------------------------------------------------------------------------------

    /// PAU-1: every path of a publisher is shut for 72 hours; refreshing goes on; it ends by itself.
    function test_pause__publishing__stops_for_72_hours() public {
        IRiskParameters.Publication memory p = aPublication(PSR);
        guardian(abi.encodeCall(parameters.pause, (ETH)));
        uint256 until = block.timestamp + 72 hours;
        assertEq(controls().pausedUntil, until);
        bytes memory paused = abi.encodeWithSelector(IRiskParameters.Paused.selector, ETH, until);
        vm.startPrank(PUBLISHER);
        vm.expectRevert(paused);
        parameters.publish(ETH, p);
        vm.expectRevert(paused);
        parameters.stage(ETH, p);
        vm.expectRevert(paused);
        parameters.stageExpiries(ETH, p.expiries);
        vm.expectRevert(paused);
        parameters.flip(ETH);
        vm.stopPrank();
        (bool ok, bytes memory why) = parameters.checkPublication(ETH, p);
        assertFalse(ok);
        assertEq(why, paused, "PAU-1 the preview says so");
        file.refresh(ETH);
        pass(72 hours);
        publish();
    }

    /// PAU-2: one guardian stops publications for 72 hours in every 96; a timelock of 72 hours acts before the second.
    function test_pause__again__after_a_day_of_rest() public {
        guardian(abi.encodeCall(parameters.pause, (ETH)));
        uint256 rests = block.timestamp + 96 hours;
        bytes memory refusal = abi.encodeWithSelector(IRiskParameters.GuardianRests.selector, ETH, rests);
        vm.startPrank(GUARDIAN);
        vm.expectRevert(refusal);
        parameters.pause(ETH);
        vm.warp(rests - 1);
        vm.expectRevert(refusal);
        parameters.pause(ETH);
        vm.warp(rests);
        parameters.pause(ETH);
        vm.stopPrank();
        refusal = unauthorized(PUBLISHER, parameters.GUARDIAN_ROLE());
        vm.prank(PUBLISHER);
        vm.expectRevert(refusal);
        parameters.pause(ETH);
    }

    /// VET-1: a loosening on its way stops where it is; nothing is lowered for a day; what was staged is void.
    function test_veto__loosening_on_its_way__stays_where_it_is() public {
        parameters.publish(ETH, aPublication(130_000));
        assertEq(live().psrPpm, 148_500);
        bytes32 digest = parameters.targetDigest(ETH);
        pass(1 hours);
        IRiskParameters.Publication memory p = aPublication(129_000);
        guardian(abi.encodeCall(parameters.veto, (ETH)));
        assertEq(targets().psrPpm, 148_500, "VET-1 the range in force is the target");
        assertEq(inForce(0, "psr"), 148_500, "VET-1 and what steps are measured from");
        assertNotEq(parameters.targetDigest(ETH), digest); // VET-1 an update for the old target is void
        vm.expectPartialRevert(IRiskParameters.UnexpectedOld.selector);
        parameters.publish(ETH, p);
        pass(1 hours);
        file.refresh(ETH);
        assertEq(live().psrPpm, 148_500, "VET-1");
        p = aPublication(148_499);
        parameters.publish(ETH, p); // the item is refused, the rest applies
        assertEq(targets().psrPpm, 148_500, "VET-1 no loosening");
        pass(1 hours);
        parameters.publish(ETH, aPublication(150_000)); // a tightening passes
        pass(24 hours);
        parameters.publish(ETH, aPublication(140_000));
        assertEq(targets().psrPpm, 140_000, "VET-1 over by itself");
    }

    /// VET-2: there must be a loosening; a tightening is not the guardian's to stop; a day of rest.
    function test_veto__no_loosening__refused() public {
        bytes memory nothing = abi.encodeWithSelector(IRiskParameters.NothingToVeto.selector, ETH);
        vm.prank(GUARDIAN);
        vm.expectRevert(nothing);
        parameters.veto(ETH);
        parameters.publish(ETH, aPublication(170_000));
        vm.prank(GUARDIAN);
        vm.expectRevert(nothing);
        parameters.veto(ETH);
        pass(1 hours);
        parameters.publish(ETH, aPublication(140_000));
        guardian(abi.encodeCall(parameters.veto, (ETH)));
        uint256 rests = block.timestamp + 48 hours;
        pass(30 hours);
        parameters.publish(ETH, aPublication(130_000));
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.GuardianRests.selector, ETH, rests));
        parameters.veto(ETH);
    }
}

/// @notice All five keys at once, in any order.
contract ControlsHandler is ControlsFixture {
    uint256 public lastMm;
    uint256 public lastTime;
    uint256 public ramped; // MM rose faster than to double in an hour
    uint256 public initialBelow;
    uint256 public guardianLoosened;
    uint256 public pausedTooLong;
    uint256 public overBudget;
    uint256 public lowered; // by a call of the emergency lane
    uint256 public calls;
    uint256 public vetoes;
    uint256 public pauses;
    uint256[] private _areas; // ppm · s of MM's part between two looks, at most
    uint256[] private _times;
    uint256 private _e; // MM's part at the last look
    uint256 private _pausedSince;

    function setUp() public override {
        super.setUp();
        (lastMm,) = factors();
        lastTime = block.timestamp;
    }

    function _look() private {
        (uint256 mm, uint256 im) = factors();
        if (im < mm) ++initialBelow;
        uint256 base = 810_000;
        // A rounding a step.
        if (mm > lastMm && (mm - lastMm) * 1 hours > base * (block.timestamp - lastTime) + 2 * 1 hours) ++ramped;
        _measure();
        (lastMm, lastTime) = (mm, block.timestamp);
        uint256 week;
        for (uint256 i = _areas.length; i != 0 && _times[i - 1] + 7 days > block.timestamp; --i) {
            week += _areas[i - 1];
        }
        if (week > 25 hours * PPM) ++overBudget;
        if (mm > base * 2 || im > 2 * PPM + 750_000) ++overBudget;
    }

    /// The integral of MM's part since the last look, by trapezia: none is longer than an hour, so it is exact but for the
    /// hour in which the course turns, where it falls short.
    function _measure() private {
        uint256 e = controls().emergencyMmPpm;
        if (block.timestamp == lastTime) {
            _e = e;
            return;
        }
        _areas.push((_e + e) * (block.timestamp - lastTime) / 2);
        _times.push(lastTime);
        _e = e;
    }

    function actTighten(uint256 seed) external {
        (uint256 mm, uint256 im) = factors();
        uint24 peak = uint24(seed % 1_100_000);
        // Every other time just above what is in force, which is what prolongs it at the least height.
        if (seed >> 200 & 1 == 1) peak = controls().emergencyImPpm + uint24(1 + seed % 3000);
        vm.prank(QUORUM);
        try parameters.tighten(ETH, peak) {
            ++calls;
            (uint256 mmAfter, uint256 imAfter) = factors();
            if (mmAfter < mm || imAfter < im) ++lowered;
        } catch {}
        _look();
    }

    /// Out of rest all that the bucket has, then hour after hour the least that prolongs it.
    function actRenew(uint256 hours_) external {
        for (uint256 i; i < 12; ++i) {
            pass(2 hours);
            _look();
        }
        pass(hours_ % 6 days); // nothing is left of it
        _look();
        vm.startPrank(QUORUM);
        try parameters.tighten(ETH, controls().emergencyLeftPpm) {} catch {}
        for (uint256 i = bound(hours_, 1, 30); i != 0; --i) {
            pass(1 hours);
            _look();
            try parameters.tighten(ETH, controls().emergencyImPpm + 1) {} catch {}
        }
        vm.stopPrank();
        _look();
    }

    function actAddOn(uint256 seed) external {
        vm.prank(PUBLISHER);
        try parameters.setStateAddOn(ETH, uint24(seed % 600_000), uint40(block.timestamp + (seed >> 32) % 2 days)) {}
            catch {}
        _look();
    }

    function actWiden(uint256 seed) external {
        vm.prank(BREAKER);
        try parameters.widen(ETH, uint40(block.timestamp + seed % 20 minutes)) {} catch {}
        _look();
    }

    function actPublish(uint256 seed) external {
        uint256 psr = inForce(0, "psr") * (850_000 + seed % 300_001) / 1e6;
        IRiskParameters.Publication memory p = aPublication(uint24(psr));
        vm.prank(PUBLISHER);
        try parameters.publish(ETH, p) {
            if (_pausedSince != 0 && block.timestamp < _pausedSince + 72 hours) ++pausedTooLong;
        } catch (bytes memory why) {
            bool paused = bytes4(why) == IRiskParameters.Paused.selector;
            if (paused && block.timestamp >= _pausedSince + 72 hours) ++pausedTooLong;
        }
        _look();
    }

    function actGuardian(uint256 seed) external {
        bytes32 before = _state();
        IRiskFile.Ranges memory t = targets();
        (uint256 mm, uint256 im) = factors();
        vm.prank(GUARDIAN);
        if (seed % 3 == 0) {
            try parameters.pause(ETH) {
                if (_pausedSince != 0 && block.timestamp < _pausedSince + 96 hours) ++pausedTooLong;
                _pausedSince = block.timestamp;
                ++pauses;
            } catch {}
        } else {
            try parameters.veto(ETH) {
                ++vetoes;
            } catch {}
        }
        IRiskFile.Ranges memory after_ = targets();
        (uint256 mmAfter, uint256 imAfter) = factors();
        bool looser = after_.psrPpm < t.psrPpm || after_.vsrUpPpm < t.vsrUpPpm || after_.vsrDownPpm < t.vsrDownPpm;
        if (looser || mmAfter < mm || imAfter < im || _state() != before) ++guardianLoosened;
        _look();
    }

    /// What is in force: a guardian touches none of it.
    function _state() private view returns (bytes32) {
        return keccak256(abi.encode(live(), parameters.config(ETH), parameters.frozen(ETH)));
    }

    function actRefresh() external {
        file.refresh(ETH);
        _look();
    }

    function actPass(uint256 seconds_) external {
        uint256 whole = bound(seconds_, 60, 30 hours);
        // In parts, so that a ramp is seen on its way and its area measured.
        uint256 parts = 3 + whole / 1 hours;
        for (uint256 i; i < parts; ++i) {
            pass(whole / parts);
            _look();
        }
    }
}

/// @notice EMG-1 … EMG-3, PAU-2, VET-2 and IM >= MM over any story.
contract ControlsInvariants is Test {
    ControlsHandler internal handler;

    function setUp() public {
        handler = new ControlsHandler();
        handler.setUp();
        targetContract(address(handler));
        bytes4[] memory list = new bytes4[](9);
        list[0] = handler.actTighten.selector;
        list[1] = handler.actAddOn.selector;
        list[2] = handler.actWiden.selector;
        list[3] = handler.actPublish.selector;
        list[4] = handler.actGuardian.selector;
        list[5] = handler.actRefresh.selector;
        list[6] = handler.actPass.selector;
        list[7] = handler.actPass.selector;
        list[8] = handler.actRenew.selector;
        targetSelector(address(handler), list);
        targetSender(address(0xbeef));
    }

    function invariant_controls_hold() public view {
        assertEq(handler.initialBelow(), 0, "MAR-6 IM >= MM in every state");
        assertEq(handler.ramped(), 0, "EMG-1 no faster than double in an hour");
        assertEq(handler.lowered(), 0, "EMG-2 a call lowers nothing");
        assertEq(handler.overBudget(), 0, "EMG-3 its budget and its bounds");
        assertEq(handler.guardianLoosened(), 0, "VET-2 the guardian loosens nothing and touches nothing in force");
        assertEq(handler.pausedTooLong(), 0, "PAU-2 72 hours in every 96, and no minute more");
    }

    /// The stories reach what they are for.
    function test_stories__coverage() public {
        vm.pauseGasMetering();
        for (uint256 i; i < 400; ++i) {
            uint256 r = uint256(keccak256(abi.encode("controls", i)));
            uint256 what = r % 12;
            if (what < 2) handler.actTighten(r >> 8);
            else if (what < 3) handler.actAddOn(r >> 8);
            else if (what < 4) handler.actWiden(r >> 8);
            else if (what < 7) handler.actPublish(r >> 8);
            else if (what < 9) handler.actGuardian(r >> 8);
            else if (what < 10) handler.actRefresh();
            else handler.actPass(r >> 8);
            if (i % 80 == 79) handler.actRenew(r >> 8);
            invariant_controls_hold();
        }
        assertGt(handler.calls(), 5, "emergencies");
        assertGt(handler.vetoes(), 2, "vetoes");
        assertGt(handler.pauses(), 3, "pauses");
    }
}
