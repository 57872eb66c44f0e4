// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion} from "../../src/interfaces/Types.sol";
import {Foretold} from "./Foretold.sol";

/// @notice What `preview` says of rows, of the notice window and of the oracle is what `publish` does.
contract PreviewTest is Foretold {
    /// How often what was met.
    struct Met {
        uint256 whole; // every item bound
        uint256 butterfly;
        uint256 others;
        uint256 unpriced;
        uint256 inNotice;
        uint256 outside; // strikes that stayed outside
    }

    Met private _met;
    uint256 private _seed;
    int256 private _spot = 2000e8;

    function setUp() public override {
        super.setUp();
        _list(3, 5, 40);
        _list(20, 6, 15);
        publish();
        _list(45, 4, 60);
        _draws("walk");
    }

    /// Strikes around 2,000 USD, near each other.
    function _list(uint256 days_, uint256 n, uint256 stepUsd) private {
        uint32 expiry = uint32(block.timestamp + days_ * 1 days);
        parameters.listExpiry(ETH, expiry, strikesOf(n, 2000 - n / 2 * stepUsd, stepUsd), 600_000, 1e9 + 1e5, 1e9 - 1e5);
    }

    function _draws(string memory what) private {
        _seed = uint256(keccak256(bytes(what)));
    }

    function _draw(uint256 n) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % n;
    }

    /// A number, or one up to `most` beside it.
    function _about(uint256 value, uint256 most, uint256 percent) private returns (uint256) {
        if (_draw(100) >= percent) return value;
        return value + _draw(2 * most + 1) - most;
    }

    /// Smiles from flat to torn; strikes never published left out or brought in.
    function _some() private returns (IRiskParameters.Publication memory p) {
        p = aPublication();
        p.psrPpm = uint24(_about(p.psrPpm, p.psrPpm / 4, 30));
        p.vsrUpPpm = uint24(_about(p.vsrUpPpm, p.vsrUpPpm / 4, 30));
        for (uint256 i; i < p.expiries.length; ++i) {
            IRiskParameters.ExpiryPublication memory e = p.expiries[i];
            e.sigmaAtmPpm = uint32(_about(e.sigmaAtmPpm, e.sigmaAtmPpm / 12, 30));
            e.phiPpb = uint40(_about(e.phiPpb, 5e6, 10));
            uint256[] memory rings = parameters.smileRings(ETH, e.expiry);
            uint256 wild = _draw(4) * 2500 + 1;
            for (uint256 k; k < rings.length; ++k) {
                uint256 ratio = rings[k] == 0 ? 1e6 : rings[k] >> 224;
                ratio = _draw(3) == 0 ? ratio : _about(1e6, wild * (_draw(20) == 0 ? 100 : 1), 80);
                bool out = rings[k] == 0 && _draw(4) != 0;
                e.sigmaPpm[k] = out ? 0 : uint32(ratio * e.sigmaAtmPpm / 1e6);
            }
        }
    }

    /// Time passes and the price moves; now and then the feed is late or broken.
    function _world() private returns (IRiskParameters.Publication memory p) {
        vm.warp(block.timestamp + 600 + _draw(4) * _draw(3 hours));
        vm.roll(block.number + 100);
        _spot = _spot * int256(9_700 + _draw(601)) / 10_000;
        feed.push(_spot);
        if (_draw(4) == 0) file.refresh(ETH);
        if (_draw(8) == 0) {
            publish();
            vm.warp(block.timestamp + 600); // past the delay, in the same block: in notice
            feed.push(_spot);
        }
        uint256 kind = _draw(12);
        if (kind == 0) vm.warp(block.timestamp + 3601);
        if (kind == 1) feed.push(-1);
        if (kind == 2) feed.push(1e24);
        p = _some();
        p.validUntil = type(uint64).max;
    }

    /// One publication, foretold and sent.
    function _step() private {
        IRiskParameters.Publication memory p = _world();
        IRiskParameters.Preview memory v = parameters.preview(ETH, p);
        (bool ok,) = parameters.checkPublication(ETH, p);
        assertEq(v.ok, ok, "PRV-1 whole or not, as the dry run says");
        vm.recordLogs();
        try parameters.publish(ETH, p) {
            assertEq(v.reason, "", "PRV-1 it was to be refused whole");
            (uint256 refused, uint256 rows) = assertForetold(v, vm.getRecordedLogs());
            _met.butterfly += rows;
            _met.others += refused - rows;
            assertEq(v.ok, refused == 0, "PRV-1 ok means every item");
            if (v.ok) ++_met.whole;
            _bound(p, v);
        } catch (bytes memory reason) {
            assertEq(v.reason, reason, "PRV-1 the whole's reason");
            assertFalse(v.ok, "PRV-1 nothing of it passes");
            if (bytes4(reason) == IRiskFile.InNotice.selector) ++_met.inNotice;
            else ++_met.unpriced;
        }
    }

    /// Of an expiry that passed, every strike with a volatility has its rows, and no other has.
    function _bound(IRiskParameters.Publication memory p, IRiskParameters.Preview memory v) private {
        uint40 epoch = file.header(ETH, FileVersion.Live).epoch;
        for (uint256 i; i < p.expiries.length; ++i) {
            if (v.items[4 + i].reason.length != 0) continue;
            uint64[] memory strikes = parameters.listedStrikes(ETH, p.expiries[i].expiry);
            for (uint256 k; k < strikes.length; ++k) {
                uint32 wanted = p.expiries[i].sigmaPpm[k];
                (uint32 sigma, uint40 of_,) = file.strikeArray(ETH, p.expiries[i].expiry, strikes[k], FileVersion.Live);
                assertEq(of_ == epoch, wanted != 0, "PRV-1 in the file or out of it");
                if (wanted != 0) assertEq(sigma, wanted, "PRV-1 its volatility");
                else ++_met.outside;
            }
        }
    }

    /// PRV-1: item by item and as a whole, `preview`, the dry run and `publish` agree: smiles that are torn, strikes left
    /// out or brought in, ranges on their way, moving prices, feeds that fail, the notice window.
    /// forge-config: default.fuzz.runs = 32
    /// forge-config: ci.fuzz.runs = 320
    function testFuzz_preview__any_walk__publish_does_what_it_says(string memory seed) public {
        _draws(seed);
        for (uint256 i; i < 6; ++i) {
            _step();
        }
    }

    /// PRV-1: a long walk meets every kind of answer.
    function test_preview__long_walk__every_kind_met() public {
        for (uint256 i; i < 80; ++i) {
            _step();
        }
        assertGt(_met.whole, 5, "some pass whole");
        assertGt(_met.butterfly, 10, "rows are refused");
        assertGt(_met.others, 10, "and numbers");
        assertGt(_met.unpriced, 3, "the oracle fails");
        assertGt(_met.inNotice, 2, "the notice window");
        assertGt(_met.outside, 0, "strikes are left out");
    }

    /// PRV-2: the item says which strike's mark is out of order, and that waiting does not help.
    function test_preview__torn_smile__rows_refused_by_name() public {
        pass(600);
        IRiskParameters.Publication memory p = aPublication();
        IRiskParameters.ExpiryPublication memory e = p.expiries[1];
        e.sigmaPpm[3] = e.sigmaPpm[3] * 103 / 100;
        IRiskParameters.Preview memory v = parameters.preview(ETH, p);
        uint64 strike = parameters.listedStrikes(ETH, e.expiry)[3];
        bytes memory reason = abi.encodeWithSelector(IRiskParameters.ButterflyArbitrage.selector, e.expiry, strike);
        assertEq(v.items[5].reason, reason, "PRV-2 which");
        assertEq(v.items[5].what, "rows", "PRV-2 what");
        assertEq(v.items[5].nextAllowed, type(uint64).max, "PRV-2 when");
        assertFalse(v.ok, "PRV-2 not whole");
        assertEq(v.reason, "", "PRV-2 the others pass");
        assertEq(v.nextAllowed, type(uint64).max, "PRV-2 when, of all");
    }

    /// PRV-3: an oracle without a price refuses all, in its own words; numbers are judged all the same.
    function test_preview__no_price__the_oracles_reason() public {
        pass(600);
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = 1;
        vm.warp(block.timestamp + 3601);
        p.validUntil = type(uint64).max;
        IRiskParameters.Preview memory v = parameters.preview(ETH, p);
        bytes memory stale = abi.encodeWithSelector(IPriceOracle.StalePrice.selector, ASSET, 3601, 3600);
        assertEq(v.reason, stale, "PRV-3 why");
        assertEq(v.nextAllowed, type(uint64).max, "PRV-3 no time is known");
        assertEq(v.items.length, 7, "PRV-3 items");
        assertGt(v.items[0].reason.length, 0, "PRV-3 a number's refusal");
        vm.expectRevert(stale);
        parameters.publish(ETH, p);
    }

    /// PRV-3: a feed that is no contract gives no reason; the answer is still no.
    function test_preview__feed_gone__refused_without_a_price() public {
        pass(600);
        vm.etch(address(feed), "");
        IRiskParameters.Preview memory v = parameters.preview(ETH, aPublication());
        assertEq(v.reason, abi.encodeWithSelector(IRiskFile.BadSpot.selector, 0), "PRV-3 no price");
        assertFalse(v.ok, "PRV-3 no");
    }

    /// PRV-4: the dearest preview, of 240 strikes, fits the gas that nodes give a call.
    function test_preview__everything_listed__fits_a_call() public {
        uint256 listed = 15;
        for (uint256 i; listed < 240; ++i) {
            uint256 n = 240 - listed < 45 ? 240 - listed : 45;
            _list(60 + i, n, 10);
            listed += n;
        }
        pass(600);
        IRiskParameters.Publication memory p = aPublication();
        uint256 gas = gasleft();
        IRiskParameters.Preview memory v = parameters.preview(ETH, p);
        gas -= gasleft();
        assertTrue(v.ok, "PRV-4 flat smiles pass");
        assertLt(gas, 25_000_000, "PRV-4 gas of a call");
    }
}
