// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion} from "../../src/interfaces/Types.sol";
import {Foretold} from "./Foretold.sol";

/// @notice What the contract foretells is what it does: item by item, and when.
contract GuardTest is Foretold {
    uint64 private constant NEVER = type(uint64).max;

    function setUp() public override {
        super.setUp();
        listDays(7, 2);
        listDays(30, 2);
        publish();
        for (uint256 i; i < 6; ++i) {
            pass(5 hours);
            parameters.publish(ETH, _some(uint256(keccak256(abi.encode("past", i))), 50));
        }
        pass(40 minutes);
    }

    function _draw(uint256 seed, uint256 what, uint256 n) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, what))) % n;
    }

    /// A value near one that is in force: there, at about its step, or anywhere within two.
    function _near(uint256 seed, uint256 what, uint256 value, uint256 step, uint256 share)
        private
        pure
        returns (uint256)
    {
        if (_draw(seed, what, 100) >= share) return value;
        uint256 move = _draw(seed, what + 1000, 3) == 0
            ? step - 1 + _draw(seed, what + 2000, 3)
            : _draw(seed, what + 3000, step * 5 / 4);
        return _draw(seed, what + 4000, 2) == 0 ? value + move : value - move;
    }

    /// @param share percent of the numbers that move.
    function _some(uint256 seed, uint256 share) private view returns (IRiskParameters.Publication memory p) {
        p = aPublication();
        p.psrPpm = uint24(_near(seed, 1, p.psrPpm, p.psrPpm / 5, share));
        p.vsrUpPpm = uint24(_near(seed, 2, p.vsrUpPpm, p.vsrUpPpm / 4, share));
        p.vsrDownPpm = uint24(_near(seed, 3, p.vsrDownPpm, p.vsrDownPpm / 4, share));
        for (uint256 i; i < p.expiries.length; ++i) {
            IRiskParameters.ExpiryPublication memory e = p.expiries[i];
            e.phiPpb = uint40(_near(seed, 10 + i, e.phiPpb, 2e6, share / 3));
            e.dfPpb = uint40(_near(seed, 20 + i, e.dfPpb, 1e6, share / 3));
            uint256 sigma = _near(seed, 30 + i, e.sigmaAtmPpm, e.sigmaAtmPpm / 4, share);
            uint256[] memory rings = parameters.smileRings(ETH, e.expiry);
            for (uint256 k; k < rings.length; ++k) {
                uint256 old = rings[k] == 0 ? 1e6 : rings[k] >> 224;
                e.sigmaPpm[k] = uint32(_near(seed, 40 + 10 * i + k, old, 150_000, share / 4) * sigma / 1e6 + 1);
            }
            e.sigmaAtmPpm = uint32(sigma);
        }
    }

    /// FEN-13: the preview tells which items `publish` refuses and why, or why all of it; and the numbers in force are
    /// then those of the items that passed.
    /// forge-config: default.fuzz.runs = 128
    /// forge-config: ci.fuzz.runs = 1024
    function testFuzz_preview__any_publication__publish_does_what_it_says(uint256 seed) public {
        IRiskParameters.Publication memory p = _some(seed, 60);
        if (_draw(seed, 90, 20) == 0) p.expectedOld = keccak256("another");
        if (_draw(seed, 91, 20) == 0) p.validUntil = uint64(block.timestamp - 1);
        if (_draw(seed, 94, 10) == 0) {
            publish(); // still in notice, and past the delay
            vm.warp(block.timestamp + 600);
            (p.id, p.expectedOld) = (nextId(), parameters.targetDigest(ETH));
            p.validUntil = type(uint64).max;
        }
        if (_draw(seed, 92, 20) == 0) p.id = _draw(seed, 93, 2) == 0 ? 1 : type(uint64).max;
        IRiskParameters.Preview memory v = parameters.preview(ETH, p);
        vm.recordLogs();
        try parameters.publish(ETH, p) {
            assertEq(v.reason, "", "FEN-13 it was to be refused whole");
            assertForetold(v, vm.getRecordedLogs());
        } catch (bytes memory reason) {
            assertEq(v.reason, reason, "FEN-13 the whole's reason");
            return;
        }
        for (uint256 i; i < 3; ++i) {
            bool kept = v.items[i].reason.length != 0 || v.items[3].reason.length != 0;
            uint256 wanted = i == 0 ? p.psrPpm : i == 1 ? p.vsrUpPpm : p.vsrDownPpm;
            if (!kept) assertEq(inForce(0, v.items[i].what), wanted, "FEN-13 what passes binds");
        }
    }

    /// FEN-14: a range that only time refuses passes at the second that the preview names, and not one before.
    /// forge-config: default.fuzz.runs = 64
    /// forge-config: ci.fuzz.runs = 256
    function testFuzz_preview__refused_by_a_budget__passes_when_it_says(uint256 seed) public {
        IRiskParameters.Publication memory p = aPublication();
        p.validUntil = type(uint64).max;
        uint256 sign = _draw(seed, 1, 2);
        for (uint256 i; i < 5; ++i) {
            // As far as the day allows, then on.
            p.psrPpm = uint24(sign == 0 ? uint256(p.psrPpm) * 119 / 100 : uint256(p.psrPpm) * 82 / 100);
            p.vsrDownPpm = uint24(sign == 1 ? uint256(p.vsrDownPpm) * 119 / 100 : uint256(p.vsrDownPpm) * 90 / 100);
            IRiskParameters.Preview memory v = parameters.preview(ETH, p);
            for (uint256 k; k < 4; ++k) {
                if (v.items[k].reason.length != 0) return _waits(p, k, v.items[k].nextAllowed);
            }
            parameters.publish(ETH, p);
            pass(20 minutes + _draw(seed, i + 10, 3 hours));
            IRiskParameters.Publication memory next = aPublication();
            (next.validUntil, next.psrPpm, next.vsrDownPpm) = (type(uint64).max, p.psrPpm, p.vsrDownPpm);
            p = next;
        }
    }

    function _waits(IRiskParameters.Publication memory p, uint256 item, uint64 next) private {
        if (next == NEVER) return;
        assertGt(next, block.timestamp, "FEN-14 later");
        vm.warp(next - 1);
        assertGt(parameters.preview(ETH, p).items[item].reason.length, 0, "FEN-14 a second too early");
        vm.warp(next);
        assertEq(parameters.preview(ETH, p).items[item].reason, "", "FEN-14 when it says");
    }

    /// FEN-15: a bad expiry keeps its numbers, rows and volatilities at the new spot and time; everything else binds.
    function test_isolation__one_expiry_refused__the_others_bind() public {
        uint32[] memory live = parameters.listedExpiries(ETH);
        uint64 strike = parameters.listedStrikes(ETH, live[0])[0];
        (uint32 before,,) = file.strikeArray(ETH, live[0], strike, FileVersion.Live);
        uint256 sigma = inForce(live[0], "sigmaAtm");
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[0].phiPpb = 2e9;
        p.expiries[0].sigmaAtmPpm += 1;
        p.expiries[1].dfPpb -= 1e5;
        p.psrPpm += 1000;
        parameters.publish(ETH, p);
        (uint32 after_,,) = file.strikeArray(ETH, live[0], strike, FileVersion.Live);
        assertEq(after_, before, "FEN-15 its volatility");
        assertEq(inForce(live[0], "sigmaAtm"), sigma, "FEN-15 its level");
        assertEq(file.expiryParams(ETH, live[0], FileVersion.Live).sigmaAtmPpm, sigma, "FEN-15 its rows");
        assertEq(inForce(live[1], "df"), p.expiries[1].dfPpb, "FEN-15 the other expiry");
        assertEq(inForce(0, "psr"), p.psrPpm, "FEN-15 the ranges");
        (int256 mid,,) = file.marks(ETH, live[0], strike, true, 2000e18);
        assertGt(mid, 0, "FEN-15 it can be margined");
    }

    /// FEN-15: nothing passes, nothing lands.
    function test_isolation__all_refused__reverts_whole() public {
        IRiskParameters.Publication memory p = aPublication();
        (p.psrPpm, p.vsrUpPpm, p.vsrDownPpm) = (1, 1, 1);
        (p.expiries[0].phiPpb, p.expiries[1].phiPpb) = (2e9, 2e9);
        bytes4 refusal = IRiskParameters.OutOfRange.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, bytes32("psr"), 1, 50_000, 400_000));
        parameters.publish(ETH, p);
    }

    /// FEN-15: staged, the same: rows that could not be made keep what is in force, and so does what a fence refuses at
    /// the flip; ranges that rows rest on are refused with the rest.
    function test_isolation__staged__the_same_at_the_flip() public {
        uint32[] memory live = parameters.listedExpiries(ETH);
        uint256 phi = inForce(live[0], "phi");
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[0].phiPpb = 2e9;
        p.expiries[1].dfPpb -= 1e5;
        parameters.stage(ETH, p);
        parameters.flip(ETH);
        assertEq(inForce(live[0], "phi"), phi, "FEN-15 kept at the flip");
        assertEq(file.expiryParams(ETH, live[0], FileVersion.Live).phiPpb, phi, "FEN-15 in the file too");
        assertEq(inForce(live[1], "df"), p.expiries[1].dfPpb, "FEN-15 the other binds");
    }

    /// FEN-16: replayed, expired or meant for another state, it never lands; the one that does is told by its digest.
    function test_turn__replayed_or_mismatched__never_lands() public {
        bytes32 old = parameters.targetDigest(ETH);
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm += 1000;
        parameters.publish(ETH, p);
        bytes32 digest = parameters.targetDigest(ETH);
        assertNotEq(digest, old);
        pass(1 hours);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.WrongId.selector, p.id, p.id + 1));
        parameters.publish(ETH, p);
        p.id = type(uint64).max; // would leave no id for the next
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.WrongId.selector, p.id, nextId()));
        parameters.publish(ETH, p);
        p.id = nextId();
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.Expired.selector, p.validUntil, block.timestamp));
        parameters.publish(ETH, p);
        p.validUntil = type(uint64).max;
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.UnexpectedOld.selector, old, digest));
        parameters.publish(ETH, p);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.UnexpectedOld.selector, old, digest));
        parameters.stage(ETH, p);
    }

    /// LST-4: an expiry that no publication could keep in calendar order is not listed.
    function test_listing__out_of_calendar_order__refused() public {
        uint32[] memory live = parameters.listedExpiries(ETH);
        uint32 between = live[0] + 1 days;
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.CalendarArbitrage.selector, live[0], between));
        parameters.listExpiry(ETH, between, strikesOf(1, 1500, 100), 150_000, 1e9, 1e9);
        vm.expectRevert(abi.encodeWithSelector(IRiskParameters.CalendarArbitrage.selector, between, live[1]));
        parameters.listExpiry(ETH, between, strikesOf(1, 1500, 100), 2_000_000, 1e9, 1e9);
    }
}
