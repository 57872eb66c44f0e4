// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion} from "../../src/interfaces/Types.sol";
import {ListedFixture} from "./ListedFixture.sol";

/// @notice Whatever was listed and never came into force holds nothing up, and comes in as soon as it fits; what is in
/// the file stays there (OUT-1 … OUT-6).
contract LeftOutTest is ListedFixture {
    uint64 private constant NEW = 1650e8;

    function _inFile(uint32 expiry, uint64 strike) private view returns (bool) {
        (, uint40 epoch,) = file.strikeArray(ETH, expiry, strike, FileVersion.Live);
        return epoch == file.header(ETH, FileVersion.Live).epoch;
    }

    function _listNew() private {
        uint64[] memory one = new uint64[](1);
        one[0] = NEW;
        parameters.listStrikes(ETH, month, one);
    }

    /// What is in force, exactly, and 0 for what is not.
    function _null() private view returns (IRiskParameters.Publication memory p) {
        p = aPublication();
        for (uint256 i; i < p.expiries.length; ++i) {
            IRiskParameters.ExpiryPublication memory e = p.expiries[i];
            uint64[] memory strikes = parameters.listedStrikes(ETH, e.expiry);
            for (uint256 k; k < strikes.length; ++k) {
                (uint32 sigma,,) = file.strikeArray(ETH, e.expiry, strikes[k], FileVersion.Live);
                e.sigmaPpm[k] = _inFile(e.expiry, strikes[k]) ? sigma : 0;
            }
        }
    }

    function _place(uint32 expiry, uint64 strike) private view returns (uint256 k) {
        uint64[] memory strikes = parameters.listedStrikes(ETH, expiry);
        while (strikes[k] != strike) ++k;
    }

    // --- strikes ------------------------------------------------------------------------------------------------------

    /// OUT-1: a new strike whose rows are refused holds nothing but its expiry's move up, and nothing at all at 0; it
    /// comes in when it fits, and then stays: 0 is refused.
    function test_strike__rows_refused__left_out_until_it_fits() public {
        _listNew();
        uint256 k = _place(month, NEW);
        IRiskParameters.Publication memory p = _null();
        p.expiries[1].sigmaPpm[k] = 900_000; // a hump
        p.psrPpm += 1000;
        parameters.publish(ETH, p);
        assertEq(inForce(0, "psr"), p.psrPpm, "OUT-1 the others bind");
        assertFalse(_inFile(month, NEW), "OUT-1 not in the file");
        assertTrue(_inFile(month, 1700e8), "OUT-1 its neighbour is");
        pass(1 hours);
        p = _null();
        p.expiries[1].dfPpb -= 1e6;
        (bool ok,) = parameters.checkPublication(ETH, p);
        assertTrue(ok, "OUT-1 all of it passes without the strike");
        parameters.publish(ETH, p);
        assertEq(inForce(month, "df"), p.expiries[1].dfPpb, "OUT-1 its expiry moves");
        assertFalse(_inFile(month, NEW), "OUT-1 still out");
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.StrikeNotInFile.selector, ETH, month, NEW));
        file.marks(ETH, month, NEW, true, 2000e18);
        pass(1 hours);
        file.refresh(ETH);
        assertFalse(_inFile(month, NEW), "OUT-1 a refresh brings nothing in");
        p = _null();
        p.expiries[1].sigmaPpm[k] = p.expiries[1].sigmaAtmPpm;
        parameters.publish(ETH, p);
        assertTrue(_inFile(month, NEW), "OUT-1 in");
        pass(1 hours);
        p = _null();
        p.expiries[1].sigmaPpm[k] = 0;
        parameters.publish(ETH, p);
        assertTrue(_inFile(month, NEW), "OUT-1 it stays");
        (uint32 sigma,,) = file.strikeArray(ETH, month, NEW, FileVersion.Live);
        assertEq(sigma, p.expiries[1].sigmaAtmPpm, "OUT-1 with its volatility");
    }

    /// OUT-2: a refused expiry leaves no row of a strike that never was in force, though one had been written.
    function test_strike__written_and_then_refused__no_row_left() public {
        IRiskParameters.VolFences memory v = theVolFences();
        (v.atmStepPpm, v.atmBudgetPpm) = (2_000_000, 2_000_000);
        parameters.setVolFences(ETH, v);
        _listNew();
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[1] = quote(month, 250_000); // rows are fine, the calendar is not
        parameters.publish(ETH, p);
        assertEq(inForce(month, "sigmaAtm"), 600_000, "OUT-2 refused");
        assertFalse(_inFile(month, NEW), "OUT-2 no row");
        pass(1 hours);
        p = aPublication();
        parameters.stage(ETH, p);
        IRiskParameters.ExpiryPublication[] memory again = new IRiskParameters.ExpiryPublication[](1);
        again[0] = p.expiries[1];
        again[0].sigmaPpm[_place(month, NEW)] = 0;
        parameters.stageExpiries(ETH, again); // second thoughts
        parameters.flip(ETH);
        assertFalse(_inFile(month, NEW), "OUT-2 staged anew without it");
        assertTrue(_inFile(month, 1700e8), "OUT-2 the others");
    }

    // --- expiries -----------------------------------------------------------------------------------------------------

    /// OUT-3: a new expiry that is refused stays out, and all else binds; so does one staged and refused, and one listed
    /// while others were staged.
    function test_expiry__never_published_and_refused__the_others_bind() public {
        uint32 fresh = listDays(60, 2);
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[2].dfPpb = 1e9 + 1;
        p.psrPpm += 1000;
        parameters.publish(ETH, p);
        assertEq(inForce(0, "psr"), p.psrPpm, "OUT-3 the ranges bind");
        assertFalse(_inFile(fresh, 1500e8), "OUT-3 not in the file");
        assertEq(file.expiryParams(ETH, fresh, FileVersion.Live).epoch, 0, "OUT-3 nor its numbers");
        pass(1 hours);
        p = aPublication();
        p.expiries[2].sigmaPpm[0] = 1_150_000;
        parameters.stage(ETH, p); // its rows are refused: a hump
        uint32 later = listDays(90, 2);
        _listNew();
        parameters.flip(ETH);
        assertFalse(_inFile(fresh, 1500e8), "OUT-3 staged and refused");
        assertFalse(_inFile(later, 1500e8), "OUT-3 listed since");
        assertFalse(_inFile(month, NEW), "OUT-3 a strike listed since");
        assertTrue(_inFile(month, 1700e8), "OUT-3 what was there");
        pass(1 hours);
        publish();
        assertTrue(_inFile(fresh, 1500e8) && _inFile(later, 1500e8) && _inFile(month, NEW), "OUT-3 all in");
    }

    /// OUT-3: the very first publication may leave an expiry out too.
    function test_expiry__first_publication__one_refused() public {
        uint16 btc = 2;
        parameters.listUnderlying(btc, ASSET, aConfig(), theRanges(), theVolFences(), PSR, 400_000, 250_000);
        uint32 expiry = uint32(block.timestamp + 10 days);
        parameters.listExpiry(btc, expiry, strikesOf(2, 1500, 100), 600_000, 1e9, 1e9);
        IRiskParameters.Publication memory p;
        (p.id, p.validUntil, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm) =
        (1, uint64(block.timestamp), PSR, uint24(400_000), uint24(250_000));
        p.expiries = new IRiskParameters.ExpiryPublication[](1);
        p.expiries[0] = IRiskParameters.ExpiryPublication(expiry, 2e9, 1e9, 600_000, new uint32[](2));
        parameters.publish(btc, p);
        assertGt(file.header(btc, FileVersion.Live).epoch, 0, "OUT-3 perps have their file");
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.StrikeNotInFile.selector, btc, expiry, uint64(1500e8)));
        file.marks(btc, expiry, 1500e8, true, 2000e18);
    }

    /// OUT-4: an expiry listed long ago, whose neighbours moved on, walks to where it fits by steps, without strikes; then
    /// it comes in.  Until then it holds nobody up, nor the listing of another.
    function test_expiry__left_behind__walks_until_it_fits() public {
        uint32 stale = uint32(block.timestamp + 8 days);
        parameters.listExpiry(ETH, stale, strikesOf(2, 1500, 100), 600_000, 1e9, 1e9);
        for (uint256 i; i < 6; ++i) {
            IRiskParameters.Publication memory up = _null();
            for (uint256 k; k < 3; ++k) {
                if (up.expiries[k].expiry != stale) {
                    up.expiries[k] = quote(up.expiries[k].expiry, up.expiries[k].sigmaAtmPpm * 118 / 100);
                }
            }
            parameters.publish(ETH, up);
            pass(13 hours);
        }
        uint256 next = inForce(week, "sigmaAtm");
        assertGt(next, 1_300_000, "OUT-4 the neighbours moved on");
        // In order with the week, and not with the number that was left behind.
        parameters.listExpiry(ETH, stale - 12 hours, strikesOf(2, 1500, 100), uint32(next), 1e9, 1e9);
        IRiskParameters.Publication memory p = aPublication();
        uint256 before = vm.snapshotState();
        parameters.publish(ETH, p);
        assertFalse(_inFile(stale, 1500e8), "OUT-4 out of order");
        assertTrue(_inFile(week, 1500e8) && _inFile(month, 1500e8), "OUT-4 the others stay");
        vm.revertToState(before);
        uint256 steps;
        while (inForce(stale, "sigmaAtm") < next) {
            p = _null();
            uint256 sigma = inForce(stale, "sigmaAtm") * 125 / 100;
            p.expiries[2].sigmaAtmPpm = uint32(sigma < next ? sigma : next);
            parameters.publish(ETH, p);
            pass(13 hours);
            assertLt(++steps, 12, "OUT-4 it arrives");
        }
        assertFalse(_inFile(stale, 1500e8), "OUT-4 without strikes until then");
        p = _null();
        p.expiries[2] = quote(stale, p.expiries[2].sigmaAtmPpm);
        parameters.publish(ETH, p);
        assertTrue(_inFile(stale, 1500e8), "OUT-4 in");
    }

    // --- calendar -----------------------------------------------------------------------------------------------------

    /// OUT-5: of two expiries out of order the new one gives way to what is kept, on either side, and a third applies.
    function test_calendar__kept_against_new__the_new_one_gives_way() public {
        IRiskParameters.VolFences memory v = theVolFences();
        (v.atmStepPpm, v.atmBudgetPpm) = (2_000_000, 2_000_000);
        parameters.setVolFences(ETH, v);
        uint256 before = vm.snapshotState();
        for (uint256 side; side < 2; ++side) {
            IRiskParameters.Publication memory p = _null();
            (uint256 moved, uint256 kept) = side == 0 ? (0, 1) : (1, 0);
            p.expiries[moved] = quote(p.expiries[moved].expiry, side == 0 ? 1_300_000 : 250_000);
            p.expiries[kept].dfPpb = 1e9 + 1; // refused for itself
            p.psrPpm += 1000;
            IRiskParameters.Preview memory w = parameters.preview(ETH, p);
            bytes4 refusal = IRiskParameters.CalendarArbitrage.selector;
            assertEq(w.items[4 + moved].reason, abi.encodeWithSelector(refusal, week, month), "OUT-5 why");
            parameters.publish(ETH, p);
            assertEq(inForce(week, "sigmaAtm"), 600_000, "OUT-5 the week stays");
            assertEq(inForce(month, "sigmaAtm"), 600_000, "OUT-5 the month stays");
            assertEq(inForce(0, "psr"), p.psrPpm, "OUT-5 the ranges bind");
            vm.revertToState(before);
        }
    }

    // --- any state ----------------------------------------------------------------------------------------------------

    function _draw(uint256 seed, uint256 what, uint256 low, uint256 high) private pure returns (uint256) {
        return low + uint256(keccak256(abi.encode(seed, what))) % (high - low + 1);
    }

    /// A publisher who does not mean well: levels at the edge of their steps, smiles anywhere in the band, zeros.
    function _hostile(uint256 seed) private view returns (IRiskParameters.Publication memory p) {
        p = _null();
        p.psrPpm = uint24(_draw(seed, 1, uint256(p.psrPpm) * 85 / 100, uint256(p.psrPpm) * 118 / 100));
        for (uint256 i; i < p.expiries.length; ++i) {
            IRiskParameters.ExpiryPublication memory e = p.expiries[i];
            uint256 old = e.sigmaAtmPpm;
            if (_draw(seed, 10 + i, 0, 2) != 0) {
                e.sigmaAtmPpm = uint32(_draw(seed, 20 + i, old * 80 / 100, old * 130 / 100));
            }
            if (_draw(seed, 30 + i, 0, 9) == 0) e.dfPpb = 2e9;
            bool tame = _draw(seed, 40 + i, 0, 2) != 0;
            for (uint256 k; k < e.sigmaPpm.length; ++k) {
                uint256 what = 100 * (i + 1) + k;
                uint256 dice = _draw(seed, what, 0, 19);
                if (dice == 0) e.sigmaPpm[k] = 0;
                else if (e.sigmaPpm[k] != 0) e.sigmaPpm[k] = uint32(uint256(e.sigmaPpm[k]) * e.sigmaAtmPpm / old + 1);
                else if (tame && dice < 14) e.sigmaPpm[k] = e.sigmaAtmPpm;
                else if (dice < 14) e.sigmaPpm[k] = uint32(_draw(seed, what + 50, 7, 20) * e.sigmaAtmPpm / 10);
                if (!tame && dice > 15) {
                    e.sigmaPpm[k] = uint32(uint256(e.sigmaPpm[k]) * _draw(seed, what + 50, 90, 112) / 100);
                }
            }
        }
    }

    function _list(uint256 seed) private {
        uint32[] memory live = parameters.listedExpiries(ETH);
        if (_draw(seed, 60, 0, 1) == 0 && live.length < 6) {
            uint32 expiry = uint32(block.timestamp + _draw(seed, 61, 1 hours, 50 days));
            uint32 sigma = uint32(_draw(seed, 62, 400_000, 900_000));
            try parameters.listExpiry(ETH, expiry, strikesOf(_draw(seed, 63, 1, 3), 1500, 200), sigma, 1e9, 1e9) {}
                catch {}
        } else {
            uint64[] memory one = new uint64[](1);
            one[0] = uint64(_draw(seed, 64, 500, 6000) * 1e8);
            try parameters.listStrikes(ETH, live[_draw(seed, 65, 0, live.length - 1)], one) {} catch {}
        }
    }

    /// Strikes that have a slot in the fences are those in the file.
    function _assertFile() private view {
        uint32[] memory live = parameters.listedExpiries(ETH);
        for (uint256 i; i < live.length; ++i) {
            uint64[] memory strikes = parameters.listedStrikes(ETH, live[i]);
            uint256[] memory slots = parameters.smileRings(ETH, live[i]);
            for (uint256 k; k < strikes.length; ++k) {
                assertEq(_inFile(live[i], strikes[k]), slots[k] != 0, "OUT-6 fences and file agree");
            }
        }
    }

    /// OUT-6: from wherever listings and a hostile publisher lead, by one transaction or by several, publishing what is in
    /// force passes, the ranges as a whole and every expiry's rows; a strike once in the file stays in it.
    /// forge-config: default.fuzz.runs = 48
    /// forge-config: ci.fuzz.runs = 384
    function testFuzz_any_state__what_is_in_force__passes(uint256 seed) public {
        for (uint256 i; i < 7; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            _list(dice);
            feed.push(int256(_draw(dice, 70, 300e8, 12_000e8)));
            IRiskParameters.Publication memory p = _hostile(dice);
            if (dice % 3 == 0) {
                parameters.stage(ETH, p);
                if (dice % 2 == 0) _list(dice >> 8);
                if (dice % 5 == 0) file.refresh(ETH);
                (bool flipped,) = address(parameters).call(abi.encodeCall(parameters.flip, (ETH)));
                assertTrue(flipped, "OUT-6 a flip is in part refused, not whole");
            } else {
                parameters.publish(ETH, p);
            }
            _assertFile();
            pass(_draw(dice, 71, 15 minutes, 40 hours));
            feed.push(int256(_draw(dice, 72, 100e8, 30_000e8)));
            if (parameters.listedExpiries(ETH).length == 0) return;
            uint256 before = vm.snapshotState();
            p = _null();
            IRiskParameters.Preview memory v = parameters.preview(ETH, p);
            _assertPasses(v);
            parameters.publish(ETH, p);
            _assertSame(p);
            vm.revertToState(before);
            file.refresh(ETH);
            _assertFile();
        }
    }

    /// Nothing but the order of call marks, which is another at another spot; then the expiry keeps what it has.
    function _assertPasses(IRiskParameters.Preview memory v) private pure {
        assertEq(v.reason, "", "OUT-6 it passes");
        for (uint256 i; i < v.items.length; ++i) {
            if (v.items[i].reason.length == 0) continue;
            assertEq(v.items[i].what, "rows", "OUT-6 no fence on numbers refuses what is in force");
            bytes4 why = bytes4(v.items[i].reason);
            assertEq(bytes32(why), bytes32(IRiskParameters.ButterflyArbitrage.selector), "OUT-6 its rows can be made");
        }
    }

    /// What was in force is in the file, with its volatilities.
    function _assertSame(IRiskParameters.Publication memory p) private view {
        for (uint256 i; i < p.expiries.length; ++i) {
            IRiskParameters.ExpiryPublication memory e = p.expiries[i];
            uint64[] memory strikes = parameters.listedStrikes(ETH, e.expiry);
            for (uint256 k; k < strikes.length; ++k) {
                (uint32 sigma,,) = file.strikeArray(ETH, e.expiry, strikes[k], FileVersion.Live);
                assertEq(_inFile(e.expiry, strikes[k]), e.sigmaPpm[k] != 0, "OUT-6 a strike once in the file stays");
                if (e.sigmaPpm[k] != 0) assertEq(sigma, e.sigmaPpm[k], "OUT-6 as it was");
            }
        }
    }
}
