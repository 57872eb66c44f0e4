// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion, Position} from "../../src/interfaces/Types.sol";
import {InstrumentIds} from "../../src/libraries/InstrumentIds.sol";
import {RiskFixture} from "./RiskFixture.sol";

contract RiskFileTest is RiskFixture {
    uint256 private constant SPOT = 2000e18;
    uint32 private _day;
    uint32 private _month;

    function setUp() public override {
        super.setUp();
        _day = listDays(1, 11);
        _month = listDays(30, 11);
        publish();
    }

    function _one(Position a) private pure returns (Position[] memory legs) {
        legs = new Position[](1);
        legs[0] = a;
    }

    // --- the file -----------------------------------------------------------------------------------------------------

    /// FIL-1: every array keeps df·max(0, φs − k) <= V <= df·φ·s, up >= down, and falls with the strike.
    function test_rows__every_strike__no_arbitrage() public view {
        uint32[2] memory expiries = [_day, _month];
        uint256[24] memory levels = _levels();
        for (uint256 e; e < 2; ++e) {
            IRiskFile.ExpiryParams memory p = file.expiryParams(ETH, expiries[e], FileVersion.Live);
            uint32[24] memory before;
            uint64[] memory strikes = file.strikes(ETH, expiries[e]);
            for (uint256 k; k < strikes.length; ++k) {
                (uint32 sigma, uint40 epoch, uint32[24] memory v) =
                    file.strikeArray(ETH, expiries[e], strikes[k], FileVersion.Live);
                assertEq(sigma, 600_000);
                assertEq(epoch, file.header(ETH, FileVersion.Live).epoch, "FIL-1 epoch");
                for (uint256 j; j < 24; ++j) {
                    uint256 forward = levels[j] * p.phiPpb * p.dfPpb / 1e18;
                    uint256 strike = uint256(strikes[k]) * 1e10 * p.dfPpb / 1e9 * 1e6 / SPOT;
                    assertLe(v[j], forward + 1, "FIL-1 upper");
                    assertGe(uint256(v[j]) + strike + 2, forward, "FIL-1 lower");
                    if (j < 14 && j % 2 == 1) assertGe(uint256(v[j - 1]) + 1, v[j], "FIL-1 up and down");
                    if (k > 0) assertGe(uint256(before[j]) + 1, v[j], "FIL-1 strikes");
                }
                before = v;
            }
        }
    }

    function _levels() private pure returns (uint256[24] memory l) {
        l = [
            uint256(1e6),
            1e6,
            1_050_000,
            1_050_000,
            950_000,
            950_000,
            1_100_000,
            1_100_000,
            900_000,
            900_000,
            1_150_000,
            1_150_000,
            850_000,
            850_000,
            1_450_000,
            550_000,
            340_000,
            670_000,
            1_500_000,
            2_000_000,
            3_000_000,
            4_000_000,
            5_000_000,
            6_000_000
        ];
    }

    /// FIL-2: a refresh at the same spot and time changes the epoch and nothing else.
    function test_refresh__same_world__same_rows() public {
        bytes32 before = _digest();
        IRiskFile.Header memory h = file.header(ETH, FileVersion.Live);
        file.refresh(ETH);
        assertEq(_digest(), before, "FIL-2 rows");
        IRiskFile.Header memory after_ = file.header(ETH, FileVersion.Live);
        assertEq(after_.epoch, h.epoch + 1, "FIL-2 epoch");
        after_.epoch = h.epoch;
        assertEq(keccak256(abi.encode(after_)), keccak256(abi.encode(h)), "FIL-2 header");
    }

    /// FIL-2: a refresh moves the file and touches neither fences nor the notice window nor the published numbers.
    function test_refresh__by_anyone__changes_nothing_but_the_file() public {
        pass(2 hours);
        publish();
        feed.push(2090e8);
        bytes32 numbers = _numbers();
        uint256 until = file.noticeUntil(ETH);
        vm.record();
        vm.prank(address(99));
        file.refresh(ETH);
        (, bytes32[] memory writes) = vm.accesses(address(parameters));
        assertEq(writes.length, 0, "FIL-2 the parameters are untouched");
        assertEq(_numbers(), numbers, "FIL-2 published numbers");
        assertEq(file.noticeUntil(ETH), until, "FIL-2 the notice clock does not restart");
        IRiskFile.Header memory h = file.header(ETH, FileVersion.Live);
        assertEq(h.refSpot, 2090e18);
        assertEq(h.time, block.timestamp);
        assertFalse(file.isStale(ETH, 2090e18));
    }

    function _numbers() private view returns (bytes32) {
        IRiskFile.ExpiryParams memory a = file.expiryParams(ETH, _day, FileVersion.Live);
        IRiskFile.ExpiryParams memory b = file.expiryParams(ETH, _month, FileVersion.Live);
        (a.epoch, b.epoch) = (0, 0);
        return keccak256(abi.encode(a, b));
    }

    function _digest() private view returns (bytes32 d) {
        uint64[] memory strikes = file.strikes(ETH, _month);
        for (uint256 k; k < strikes.length; ++k) {
            (uint32 sigma,, uint32[24] memory v) = file.strikeArray(ETH, _month, strikes[k], FileVersion.Live);
            d = keccak256(abi.encode(d, sigma, v));
        }
    }

    /// FIL-3: a refresh needs a usable oracle.
    function test_refresh__oracle_stale__reverts() public {
        vm.warp(block.timestamp + 3601);
        vm.expectPartialRevert(IPriceOracle.StalePrice.selector);
        file.refresh(ETH);
    }

    /// FIL-4: stale beyond PSR/3 of distance or maxAge of age, not before.
    function test_stale__distance_and_age__at_the_limit() public {
        assertFalse(file.isStale(ETH, 2100e18), "FIL-4 exactly PSR/3");
        assertTrue(file.isStale(ETH, 2100e18 + 1), "FIL-4 beyond");
        assertFalse(file.isStale(ETH, 1900e18), "FIL-4 exactly PSR/3 below");
        assertTrue(file.isStale(ETH, 1900e18 - 1), "FIL-4 beyond below");
        vm.warp(block.timestamp + 3600);
        assertFalse(file.isStale(ETH, SPOT), "FIL-4 exactly maxAge");
        vm.warp(block.timestamp + 1);
        assertTrue(file.isStale(ETH, SPOT), "FIL-4 older");
        assertTrue(assess(_one(call_(_month, 2000, -1e18)), 0, SPOT).stale);
        assertFalse(assess(new Position[](0), 1e18, SPOT).stale, "FIL-4 perps do not depend on the file");
    }

    /// FIL-5: within the notice window Previous reads the file before, and Live once the window is over.
    function test_previous__notice_window__reads_the_bank_before() public {
        pass(1 hours);
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = 180_000;
        parameters.publish(ETH, p);
        assertEq(file.header(ETH, FileVersion.Previous).psrPpm, PSR, "FIL-5");
        Position[] memory legs = _one(call_(_month, 2000, -1e18));
        uint256 before = file.assess(ETH, legs, 0, SPOT, FileVersion.Previous).grid;
        assertLt(before, assess(legs, 0, SPOT).grid, "FIL-5 wider scan range");
        vm.roll(block.number + 10);
        assertEq(file.assess(ETH, legs, 0, SPOT, FileVersion.Previous).grid, assess(legs, 0, SPOT).grid, "FIL-5 over");
    }

    /// FIL-6: a strike that the live file published first has no earlier requirement: Previous reads Live.
    function test_previous__new_strike__reads_live() public {
        parameters.listStrikes(ETH, _month, strikesOf(1, 3000, 1));
        pass(1 hours);
        publish();
        Position[] memory legs = new Position[](2);
        (legs[0], legs[1]) = (call_(_month, 2000, -1e18), call_(_month, 3000, -1e18));
        assertEq(
            keccak256(abi.encode(file.assess(ETH, legs, 5e17, SPOT, FileVersion.Previous))),
            keccak256(abi.encode(assess(legs, 5e17, SPOT))),
            "FIL-6"
        );
    }

    /// FIL-7: an expired expiry is pruned at the next publication and refreshes pass over it.
    function test_expiry__over__pruned() public {
        pass(1 days);
        file.refresh(ETH);
        assertEq(file.expiries(ETH).length, 2);
        assertEq(parameters.listedExpiries(ETH).length, 1, "FIL-7 live ones");
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.StrikeNotInFile.selector, ETH, _day, uint64(2000e8)));
        assess(_one(call_(_day, 2000, 1e18)), 0, SPOT);
        publish();
        assertEq(file.expiries(ETH).length, 1, "FIL-7 pruned");
    }

    // --- the adding machine -------------------------------------------------------------------------------------------

    /// GRD-1: legs must ascend strictly, belong to the underlying, and be options.
    function test_assess__bad_legs__refused() public {
        Position[] memory legs = new Position[](2);
        legs[0] = legs[1] = call_(_month, 2000, 1e18);
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.BadLeg.selector, Position.unwrap(legs[1])));
        this.assessOf(legs);
        (legs[0], legs[1]) = (put_(_month, 2000, 1e18), call_(_month, 2000, 1e18));
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.BadLeg.selector, Position.unwrap(legs[1])));
        this.assessOf(legs);
        legs = _one(InstrumentIds.position(InstrumentIds.perp(ETH), 1e18));
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.BadLeg.selector, Position.unwrap(legs[0])));
        this.assessOf(legs);
        legs = _one(InstrumentIds.position(InstrumentIds.option(2, _month, 2000e8, true), 1e18));
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.BadLeg.selector, Position.unwrap(legs[0])));
        this.assessOf(legs);
        legs = _one(call_(_month, 2000, 1 << 95));
        vm.expectRevert(abi.encodeWithSelector(IRiskFile.SizeOverflow.selector, uint256(1 << 95)));
        this.assessOf(legs);
    }

    function assessOf(Position[] memory legs) external view returns (IRiskFile.Assessment memory) {
        return assess(legs, 0, SPOT);
    }

    /// GRD-2: a box is worth its discounted width, whatever happens: it requires at most rounding.
    function test_assess__box__flat() public view {
        Position[] memory legs = new Position[](4);
        (legs[0], legs[1]) = (call_(_month, 1800, 1e18), put_(_month, 1800, -1e18));
        (legs[2], legs[3]) = (call_(_month, 2200, -1e18), put_(_month, 2200, 1e18));
        IRiskFile.Assessment memory a = assess(legs, 0, SPOT);
        assertApproxEqAbs(a.optionMark, 398_800_000_000_000_000_000, 4, "GRD-2 mark"); // 400 at .997
        assertLt(a.grid, 1e16, "GRD-2 two units of a ppm of spot at most");
        assertEq(a.shortMinimum, 0, "GRD-2 nothing naked");
    }

    /// GRD-3: a short one-day butterfly between two rows is invisible to the grid and charged all the same.
    function test_assess__short_butterfly__charged() public {
        parameters.listStrikes(ETH, _day, strikesOf(2, 2030, 20)); // 2030, 2050: between rows at 2000 and 2100
        pass(1 hours);
        publish();
        vm.warp(uint256(_day) - 600); // ten minutes left
        feed.push(2000e8);
        file.refresh(ETH);
        Position[] memory legs = new Position[](3);
        (legs[0], legs[1], legs[2]) = (call_(_day, 2030, -1e18), call_(_day, 2050, 2e18), call_(_day, 2100, -1e18));
        IRiskFile.Assessment memory a = assess(legs, 0, SPOT);
        assertEq(a.shortMinimum, 40e18, "GRD-3 two naked shorts at 1 % of spot");
    }

    /// GRD-4: doubling every position doubles the grid, to within rounding, never below; so does the short minimum.
    function testFuzz_assess__doubled__doubles(uint256 seed) public view {
        (Position[] memory legs, int256 perp, uint256 spot) = _portfolio(seed, 1);
        (Position[] memory twice,,) = _portfolio(seed, 2);
        IRiskFile.Assessment memory a = assess(legs, perp, spot);
        IRiskFile.Assessment memory b = assess(twice, 2 * perp, spot);
        // A mark is rounded down, and the loss is measured from it: what must not shrink is the loss less the mark.
        int256 one = int256(a.grid) - a.optionMark;
        int256 two = int256(b.grid) - b.optionMark;
        assertLe(two, 2 * one, "GRD-4 rounding is against the account, once");
        assertGe(two + 16, 2 * one, "GRD-4 to a wei a leg");
        assertLe(b.shortMinimum, 2 * a.shortMinimum, "GRD-4");
    }

    /// GRD-5: splitting an account never lowers what it must hold: no wei in its favour.
    function testFuzz_assess__split__never_cheaper(uint256 seed) public view {
        (Position[] memory legs, int256 perp, uint256 spot) = _portfolio(seed, 1);
        uint256 half = legs.length / 2;
        Position[] memory a = new Position[](half);
        Position[] memory b = new Position[](legs.length - half);
        for (uint256 i; i < legs.length; ++i) {
            if (i < half) a[i] = legs[i];
            else b[i - half] = legs[i];
        }
        IRiskFile.Assessment memory whole = assess(legs, perp, spot);
        IRiskFile.Assessment memory one = assess(a, perp, spot);
        IRiskFile.Assessment memory two = assess(b, 0, spot);
        assertGe(whole.optionMark, one.optionMark + two.optionMark, "GRD-5 marks round down");
        // Marks enter the losses too, so a wei of rounding moves from one to the other.
        assertGe(
            int256(one.grid + two.grid) - one.optionMark - two.optionMark + 2,
            int256(whole.grid) - whole.optionMark,
            "GRD-5 sub-additive"
        );
    }

    /// GRD-6: a perp alone pays its scan range, whatever the file's age.
    function testFuzz_assess__perp_alone__psr_of_notional(int96 size, uint256 spotSeed) public view {
        uint256 spot = 1000e18 + spotSeed % 2000e18;
        IRiskFile.Assessment memory a = assess(new Position[](0), size, spot);
        uint256 notional = (size < 0 ? uint256(-int256(size)) : uint256(int256(size))) * spot / 1e18;
        assertGe(a.grid * 1e6 + 2e6 + notional, notional * PSR, "GRD-6 at least");
        // −3 ranges at 33 % may pass one range by nothing: .33·3 = .99; tails pay .75.
        assertLe(a.grid, notional * PSR / 1e6 + 2 + notional / 1e6, "GRD-6 at most");
        assertEq(a.optionMark, 0);
    }

    function _portfolio(uint256 seed, int256 scale)
        private
        view
        returns (Position[] memory legs, int256 perp, uint256 spot)
    {
        legs = new Position[](12);
        uint256 n;
        for (uint256 i; i < 11 && n < 12; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            int256 size = (int256(r % 2001) - 1000) * 1e15 + int256((r >> 64) % 1000);
            if (r & (1 << 200) != 0) legs[n++] = call_(_month, 1500 + 100 * i, size * scale);
            if (r & (1 << 201) != 0 && n < 12) legs[n++] = put_(_month, 1500 + 100 * i, -size * scale + scale);
        }
        assembly ("memory-safe") {
            mstore(legs, n)
        }
        perp = int256(seed % 2e18) - 1e18;
        spot = 1900e18 + seed % 200e18;
    }

    /// GRD-7: the marks that bound a trade are in order, and mid is what the assessment uses.
    function testFuzz_marks__any_spot__ordered(uint256 seed) public view {
        uint256 spot = 1500e18 + seed % 1000e18;
        uint64 strike = uint64((1500 + 100 * (seed % 11)) * 1e8);
        (int256 mid, int256 up, int256 down) = file.marks(ETH, _month, strike, seed % 2 == 0, spot);
        assertGe(up, mid, "GRD-7");
        assertGe(mid, down, "GRD-7");
        Position[] memory legs =
            _one(InstrumentIds.position(InstrumentIds.option(ETH, _month, strike, seed % 2 == 0), 1e18));
        assertEq(assess(legs, 0, spot).optionMark, mid, "GRD-7 one mark");
    }
}
