// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion} from "../../src/interfaces/Types.sol";
import {ListedFixture} from "./ListedFixture.sol";

/// @notice Each fence refuses, with its numbers.
contract RiskParametersTest is ListedFixture {
    /// The whole is refused.
    function _refused(IRiskParameters.Publication memory p, bytes memory reason) private {
        (bool ok, bytes memory why) = parameters.checkPublication(ETH, p);
        assertFalse(ok, "FEN-9 the preview says no");
        assertEq(why, reason, "FEN-9 the preview names the reason");
        vm.expectRevert(reason);
        parameters.publish(ETH, p);
    }

    /// One item is refused, and the others bind; what is published is forgotten again.
    function _kept(IRiskParameters.Publication memory p, uint32 expiry, bytes32 what, bytes memory reason) private {
        (bool ok, bytes memory why) = parameters.checkPublication(ETH, p);
        assertFalse(ok, "FEN-9 the preview says no");
        assertEq(why, reason, "FEN-9 the preview names the reason");
        uint256 before = vm.snapshotState();
        vm.expectEmit(address(parameters));
        emit IRiskParameters.ItemRefused(ETH, p.id, expiry, what, reason);
        parameters.publish(ETH, p);
        vm.revertToState(before);
    }

    function _passes(IRiskParameters.Publication memory p) private {
        (bool ok, bytes memory why) = parameters.checkPublication(ETH, p);
        assertEq(why, "", "FEN-9 no reason");
        assertTrue(ok, "FEN-9 the preview says yes");
        parameters.publish(ETH, p);
    }

    /// FEN-1: bounds and steps of the scan range, relative and absolute, whichever is tighter.
    function test_psr__step_or_bound__refused() public {
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = 180_001; // 20 % of 150,000
        bytes4 refusal = IRiskParameters.StepTooLarge.selector;
        _kept(p, 0, "psr", abi.encodeWithSelector(refusal, bytes32("psr"), 150_000, 180_001, 30_000));
        p.psrPpm = 49_999;
        refusal = IRiskParameters.OutOfRange.selector;
        _kept(p, 0, "psr", abi.encodeWithSelector(refusal, bytes32("psr"), 49_999, 50_000, 400_000));
        p.psrPpm = 180_000;
        _passes(p);
        assertEq(inForce(0, "psr"), 180_000);
        assertEq(file.header(ETH, FileVersion.Live).psrPpm, 151_500, "an hour of the slew rate");
    }

    /// FEN-2: net displacement over a rolling day, however many steps; back towards the anchor is always legal.
    function test_psr__budget__seventy_two_steps_move_no_further_than_one() public {
        uint24 psr = PSR;
        uint256 refusals;
        for (uint256 i; i < 72; ++i) {
            IRiskParameters.Publication memory p = aPublication();
            p.psrPpm = psr + 5_000;
            (bool ok,) = parameters.checkPublication(ETH, p);
            if (ok) psr += 5_000;
            else ++refusals;
            p.psrPpm = psr;
            parameters.publish(ETH, p);
            pass(20 minutes); // 72 of them are a day
        }
        // min(150,000 · 40 %, 100,000)
        assertEq(psr, 210_000, "FEN-2 a day of micro-steps");
        assertEq(refusals, 60, "FEN-2 the rest was refused");
        IRiskParameters.Publication memory back = aPublication();
        back.psrPpm = psr - 20_000;
        _passes(back);
    }

    /// FEN-2: a value outside the budget may still go back towards the anchor.
    function test_psr__beyond_budget__return_is_legal() public {
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = 180_000;
        _passes(p);
        IRiskParameters.RangeFences memory r = theRanges();
        r.psr.budgetAbs = 10_000; // governance tightens: 180,000 is now outside
        parameters.setFence(ETH, "psr", r.psr);
        pass(1 hours);
        p = aPublication();
        p.psrPpm = 180_001;
        bytes4 refusal = IRiskParameters.BudgetExceeded.selector;
        _kept(p, 0, "psr", abi.encodeWithSelector(refusal, bytes32("psr"), 150_000, 180_001, 10_000));
        p.psrPpm = 175_000;
        _passes(p);
    }

    /// FEN-3: |Δ ln σ_ATM| <= 0.20·m, m = 1 at 30 days and 1.547 at 7.
    function test_sigma__step__scales_with_term() public {
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[1] = quote(month, 740_000); // ln(740/600) = .2097 > .2 · 1.0004
        bytes4 refusal = IRiskParameters.StepTooLarge.selector;
        bytes32 what = "sigmaAtm";
        _kept(p, month, what, abi.encodeWithSelector(refusal, what, 600_000, 740_000, 200_083));
        p.expiries[1] = quote(month, 730_000); // .1961
        p.expiries[0] = quote(week, 800_000); // .2877 < .2 · 1.547
        _passes(p);
    }

    /// FEN-4: net |ln σ_ATM| over a day <= 0.45·m.
    function test_sigma__budget__refused() public {
        uint32[3] memory sigmas = [uint32(720_000), 864_000, 945_000];
        for (uint256 i; i < 3; ++i) {
            IRiskParameters.Publication memory p = aPublication();
            p.expiries[1] = quote(month, sigmas[i]); // total ln: .182, .365, .454
            if (i == 2) {
                (bool ok, bytes memory why) = parameters.checkPublication(ETH, p);
                assertFalse(ok, "FEN-4");
                assertEq(bytes32(bytes4(why)), bytes32(IRiskParameters.BudgetExceeded.selector), "FEN-4");
                p.expiries[1] = quote(month, 800_000); // back towards 600,000
            }
            _passes(p);
            pass(1 hours);
        }
        pass(25 hours); // the anchor moves on
        IRiskParameters.Publication memory later = aPublication();
        later.expiries[1] = quote(month, 945_000);
        _passes(later);
    }

    /// FEN-5: the forward: bounds, carry, step, budget.
    function test_phi__every_fence__refused() public {
        IRiskParameters.Publication memory p = aPublication();
        uint40 phi = p.expiries[0].phiPpb;
        p.expiries[0].phiPpb = phi + 2e6 + 1;
        // carry allows 30 % · 7/365 + 1 %, less the hour that passed
        (bool ok,) = parameters.checkPublication(ETH, p);
        assertFalse(ok, "FEN-5");
        p.expiries[0].phiPpb = phi;
        p.expiries[1].phiPpb += 2e6 + 1;
        bytes4 refusal = IRiskParameters.StepTooLarge.selector;
        bytes32 what = "phi";
        _kept(p, month, what, abi.encodeWithSelector(refusal, what, 1_003_000_000, 1_005_000_001, 2_000_000));
        p.expiries[1].phiPpb = 7e8;
        refusal = IRiskParameters.OutOfRange.selector;
        _kept(p, month, what, abi.encodeWithSelector(refusal, what, 7e8, 8e8, 13e8));
        p.expiries[1].phiPpb = 1_003_000_000;
        p.expiries[1].dfPpb = 1e9 + 1;
        what = "df";
        _kept(p, month, what, abi.encodeWithSelector(refusal, what, 1e9 + 1, 8e8, 1e9));
        p.expiries[1].dfPpb = 997_000_000;
        _passes(p);
    }

    /// FEN-18: a forward has of its hourly step what passed of the hour since the last publication, and no more after a day.
    function test_phi__since_the_last_publication__its_part_of_a_step() public {
        publish();
        pass(20 minutes);
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[1].phiPpb += 1_000_000;
        p.expiries[1].dfPpb -= 300_000;
        bytes32 what = "phi";
        bytes memory reason =
            abi.encodeWithSelector(IRiskParameters.StepTooLarge.selector, what, 1_003_000_000, 1_004_000_000, 666_666);
        IRiskParameters.ItemVerdict memory v = parameters.preview(ETH, p).items[5];
        assertEq(keccak256(v.reason), keccak256(reason), "FEN-18");
        assertEq(v.nextAllowed, block.timestamp + 10 minutes, "FEN-18 half a step in half an hour");
        pass(10 minutes);
        p.validUntil = type(uint64).max;
        _passes(p);
        pass(1 days);
        p = aPublication();
        p.expiries[1].phiPpb += 2_000_001;
        reason = abi.encodeWithSelector(
            IRiskParameters.StepTooLarge.selector, what, 1_004_000_000, 1_006_000_001, 2_000_000
        );
        v = parameters.preview(ETH, p).items[5];
        assertEq(keccak256(v.reason), keccak256(reason), "FEN-18 an hour at most");
        assertEq(v.nextAllowed, type(uint64).max, "FEN-18 and never more");
    }

    /// FEN-6: σ_K/σ_ATM stays in its band.
    function test_smile__out_of_band__refused() public {
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[0].sigmaPpm[2] = 419_999;
        bytes4 refusal = IRiskParameters.SmileOutOfBand.selector;
        _kept(p, week, "smile", abi.encodeWithSelector(refusal, week, uint64(1700e8), 419_999, 600_000));
    }

    /// FEN-7: σ²T does not fall with the expiry.
    function test_calendar__variance_falls__refused() public {
        IRiskParameters.VolFences memory v = theVolFences();
        (v.atmStepPpm, v.atmBudgetPpm) = (2_000_000, 2_000_000);
        parameters.setVolFences(ETH, v);
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[0] = quote(week, 1_300_000);
        bytes4 refusal = IRiskParameters.CalendarArbitrage.selector;
        uint256 before = vm.snapshotState();
        _kept(p, week, "calendar", abi.encodeWithSelector(refusal, week, month));
        vm.revertToState(before);
        p = aPublication();
        p.expiries[1] = quote(month, 250_000);
        _kept(p, month, "calendar", abi.encodeWithSelector(refusal, week, month));
    }

    /// FEN-8: call marks fall with the strike and are convex in it.
    function test_butterfly__hump_in_the_smile__refused() public {
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[1].sigmaPpm[2] = 690_000; // 1,700 dearer than its neighbours
        bytes4 refusal = IRiskParameters.ButterflyArbitrage.selector;
        _kept(p, month, "rows", abi.encodeWithSelector(refusal, month, uint64(1700e8)));
    }

    /// FEN-10: id, deadline, delay, completeness.
    function test_turn__id_deadline_delay__refused() public {
        IRiskParameters.Publication memory p = aPublication();
        p.id = 1;
        _refused(p, abi.encodeWithSelector(IRiskParameters.WrongId.selector, 1, 2));
        p.id = 9;
        _refused(p, abi.encodeWithSelector(IRiskParameters.WrongId.selector, 9, 2));
        p.id = 2;
        p.validUntil = uint64(block.timestamp - 1);
        _refused(p, abi.encodeWithSelector(IRiskParameters.Expired.selector, block.timestamp - 1, block.timestamp));
        p.validUntil = uint64(block.timestamp);
        _passes(p);
        (p.id, p.validUntil) = (3, type(uint64).max);
        vm.roll(block.number + 20);
        _refused(p, abi.encodeWithSelector(IRiskParameters.TooEarly.selector, block.timestamp + 600, block.timestamp));
        pass(600);
        bytes32 last = parameters.targetDigest(ETH);
        _refused(p, abi.encodeWithSelector(IRiskParameters.UnexpectedOld.selector, p.expectedOld, last));
        p.expectedOld = last;
        IRiskParameters.ExpiryPublication[] memory one = new IRiskParameters.ExpiryPublication[](1);
        one[0] = p.expiries[0];
        p.expiries = one;
        _refused(p, abi.encodeWithSelector(IRiskParameters.WrongExpiries.selector, 1, 2));
    }

    /// FEN-11: staged rows bind at the flip, not before, and only when every expiry is there.
    function test_stage__in_parts__live_only_after_flip() public {
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = 160_000;
        IRiskParameters.ExpiryPublication[] memory rest = new IRiskParameters.ExpiryPublication[](1);
        rest[0] = p.expiries[1];
        IRiskParameters.ExpiryPublication[] memory first = new IRiskParameters.ExpiryPublication[](1);
        first[0] = p.expiries[0];
        p.expiries = first;
        parameters.stage(ETH, p);
        assertEq(file.header(ETH, FileVersion.Live).psrPpm, PSR, "FEN-11 not live");
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.ExpiryNotStaged.selector, ETH, month));
        parameters.flip(ETH);
        file.refresh(ETH); // never blocked by a staging
        uint40 refreshed = file.header(ETH, FileVersion.Live).epoch;
        parameters.stageExpiries(ETH, rest);
        parameters.flip(ETH);
        assertEq(file.header(ETH, FileVersion.Live).psrPpm, 151_500, "FEN-11 live, an hour on its way");
        assertGt(file.header(ETH, FileVersion.Live).epoch, refreshed, "FEN-11 epochs rise");
        assertEq(inForce(0, "psr"), 160_000, "FEN-11 remembered");
        (uint64 id,,, bytes32 hash) = parameters.lastPublication(ETH);
        assertEq(id, p.id);
        assertEq(hash, keccak256("inputs"));
    }

    /// FEN-11: an abandoned staging leaves nothing behind.
    function test_stage__abandoned__fences_unmoved() public {
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = 170_000;
        parameters.stage(ETH, p);
        assertEq(inForce(0, "psr"), PSR);
        publish();
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.NothingStaged.selector, ETH));
        parameters.flip(ETH);
        assertEq(file.header(ETH, FileVersion.Live).psrPpm, PSR);
    }

    /// FEN-12: the notice window opens with a publication, refuses another, and closes by itself.
    function test_notice__window__opens_and_closes() public {
        publish();
        assertTrue(parameters.inNotice(ETH), "FEN-12 open");
        IRiskParameters.Publication memory p = aPublication();
        vm.warp(block.timestamp + 601);
        p.validUntil = type(uint64).max;
        _refused(p, abi.encodeWithSelector(IRiskFile.InNotice.selector, ETH, block.number + 10));
        vm.roll(block.number + 10);
        assertFalse(parameters.inNotice(ETH), "FEN-12 closed");
        _passes(p);
    }

    /// ROLE-1: who may do what.
    function test_roles__stranger__refused() public {
        IRiskParameters.Publication memory p = aPublication();
        bytes32 role = parameters.PUBLISHER_ROLE();
        vm.prank(address(7));
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(7), role)
        );
        parameters.publish(ETH, p);
        role = parameters.LISTER_ROLE();
        vm.prank(address(7));
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(7), role)
        );
        parameters.listStrikes(ETH, week, strikesOf(1, 5000, 1));
        vm.prank(address(7));
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(7), bytes32(0))
        );
        parameters.setConfig(ETH, aConfig());
        vm.prank(address(7));
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.OnlyParameters.selector, address(7)));
        file.flip(ETH, 0);
    }

    /// CFG-1: hard bounds that no governance passes.
    function test_config__hard_bounds__refused() public {
        IRiskParameters.UnderlyingConfig memory c = aConfig();
        c.kappaPpm = 995_000;
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.BadConfig.selector, bytes32("kappaPpm")));
        parameters.setConfig(ETH, c);
        IRiskParameters.RangeFences memory r = theRanges();
        r.psr.max = 500_001;
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.BadConfig.selector, bytes32("psr")));
        parameters.setFence(ETH, "psr", r.psr);
    }

    /// LST-1: strikes ascend, are new, and at most 64; at most 16 live expiries.
    function test_listing__limits__refused() public {
        uint64[] memory twice = strikesOf(1, 1600, 1);
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.BadStrikes.selector, week, 2));
        parameters.listStrikes(ETH, week, twice);
        uint64[] memory many = strikesOf(61, 5000, 1);
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.TooMany.selector, bytes32("strikes"), 65, 64));
        parameters.listStrikes(ETH, week, many);
        for (uint256 i; i < 14; ++i) {
            listDays(40 + i, 1);
        }
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.TooMany.selector, bytes32("expiries"), 17, 16));
        this.listOne(60);
    }

    /// LST-3: all live strikes together can be refreshed within one transaction, so nobody's listing stops a liquidation.
    function test_listing__all_strikes__refreshable() public {
        uint256 listed;
        uint32[] memory live = parameters.listedExpiries(ETH);
        for (uint256 i; i < live.length; ++i) {
            listed += parameters.listedStrikes(ETH, live[i]).length;
        }
        for (uint256 days_ = 40; listed < 240; ++days_) {
            uint256 n = 240 - listed < 60 ? 240 - listed : 60;
            listDays(days_, n);
            listed += n;
        }
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.TooMany.selector, bytes32("all strikes"), 241, 240));
        this.listOne(60);
        pass(1 hours);
        publish();
        vm.cool(address(file));
        uint256 before = gasleft();
        file.refresh(ETH);
        assertLt(before - gasleft(), 2 ** 24, "LST-3");
    }

    function listOne(uint256 days_) external {
        listDays(days_, 1);
    }

    /// LST-2: strikes in between keep the list sorted; a new strike has rows from the next publication on.
    function test_listing__strike_in_between__sorted_and_published() public {
        parameters.listStrikes(ETH, week, strikesOf(2, 1550, 100));
        uint64[] memory s = parameters.listedStrikes(ETH, week);
        assertEq(s.length, 6);
        for (uint256 i = 1; i < 6; ++i) {
            assertGt(s[i], s[i - 1], "LST-2");
        }
        file.refresh(ETH);
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.StrikeNotInFile.selector, ETH, week, uint64(1550e8)));
        file.marks(ETH, week, 1550e8, true, 2000e18);
        publish();
        (int256 mid,,) = file.marks(ETH, week, 1550e8, true, 2000e18);
        assertGt(mid, 0);
    }
}
