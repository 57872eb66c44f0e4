// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion} from "../../src/interfaces/Types.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice What a publication of 50 strikes costs at its dearest: volatilities so high that no row is cut short, every
/// number of every expiry and every smile new, the scan ranges on their way and elsewhere a day ago.
contract WorstGasTest is RiskFixture {
    uint16 private constant WILD = 2;
    uint256 private constant TARGET = 5_000_000;

    uint256 private _turn;

    function setUp() public override {
        super.setUp();
        IRiskParameters.UnderlyingConfig memory c = aConfig();
        c.slewPpmPerHour = 2_500; // a ramp outlasts the hour between two publications
        IRiskParameters.VolFences memory v = theVolFences();
        (v.phiStepPpb, v.dfStepPpb) = (2e5, 1e5);
        parameters.listUnderlying(WILD, ASSET, c, theRanges(), v, 300_000, 1_000_000, 400_000);
        for (uint256 i = 1; i <= 5; ++i) {
            parameters.listExpiry(
                WILD,
                uint32(block.timestamp + 30 days * i),
                strikesOf(10, 1500, 100),
                1_200_000,
                1e9 + uint40(i * 1e6),
                1e9 - uint40(i * 1e6)
            );
        }
        // Both banks and every bucket of the rings written.
        for (uint256 i; i < 34; ++i) {
            _publish(3600);
        }
    }

    /// Every number other than it was, and the ranges wider by a little every hour.
    function _next() private returns (IRiskParameters.Publication memory p) {
        (uint64 last,,,) = parameters.lastPublication(WILD);
        (p.id, p.validUntil, p.inputsHash) = (last + 1, uint64(block.timestamp + 600), keccak256("inputs"));
        p.expectedOld = parameters.targetDigest(WILD);
        uint256 wiggle = ++_turn % 2 * 2_000;
        p.psrPpm = uint24(300_000 + _turn * 1_000);
        p.vsrUpPpm = uint24(1_000_000 + _turn * 5_000);
        p.vsrDownPpm = uint24(400_000 + _turn * 1_000);
        uint32[] memory expiries = parameters.listedExpiries(WILD);
        p.expiries = new IRiskParameters.ExpiryPublication[](expiries.length);
        for (uint256 i; i < expiries.length; ++i) {
            IRiskParameters.ExpiryPublication memory e = p.expiries[i];
            (e.expiry, e.sigmaAtmPpm) = (expiries[i], uint32(1_200_000 + wiggle + _turn * 1_000));
            (e.phiPpb, e.dfPpb) =
            (uint40(1e9 + (i + 1) * 1e6 + _turn * 3e4), uint40(1e9 - (i + 1) * 1e6 - _turn * 15e3));
            e.sigmaPpm = new uint32[](10);
            for (uint256 k; k < 10; ++k) {
                e.sigmaPpm[k] = uint32(uint256(e.sigmaAtmPpm) * (1_000_000 - (1_000 + wiggle / 4) * k) / 1e6);
            }
        }
    }

    /// Publish after a pause, every slot cold.
    function _publish(uint256 pause) private returns (uint256 used) {
        pass(pause);
        IRiskParameters.Publication memory p = _next();
        address[4] memory touched = [address(file), address(parameters), address(oracle), address(feed)];
        for (uint256 i; i < 4; ++i) {
            vm.cool(touched[i]);
        }
        used = gasleft();
        parameters.publish(WILD, p);
        used -= gasleft();
        _assertBinds(p);
    }

    /// Every item passed.
    function _assertBinds(IRiskParameters.Publication memory p) private view {
        assertEq(_bound(0, "psr"), p.psrPpm);
        assertEq(_bound(0, "vsrUp"), p.vsrUpPpm);
        assertEq(_bound(0, "vsrDown"), p.vsrDownPpm);
        for (uint256 i; i < p.expiries.length; ++i) {
            assertEq(_bound(p.expiries[i].expiry, "sigmaAtm"), p.expiries[i].sigmaAtmPpm);
        }
    }

    function _bound(uint32 expiry, bytes32 what) private view returns (uint256 value) {
        (value,) = parameters.inForce(WILD, expiry, what);
    }

    /// GAS-4: every hour, and the surcharge of IM is weighed against a ramp that has not arrived.
    function test_publish__everything_new_and_on_its_way__within_target() public {
        uint256 used = _publish(3600);
        assertGt(file.header(WILD, FileVersion.Live).imUpliftPct, 0, "on their way");
        assertLt(file.header(WILD, FileVersion.Live).psrPpm, _bound(0, "psr"));
        vm.snapshotValue("risk", "publish 50 strikes, everything new and on its way, cold", used);
        assertLe(used, TARGET, "GAS-4");
    }

    /// GAS-4: twice in an hour, when the buckets of the hour are written already, and after days of silence.
    function test_publish__everything_new_at_any_distance__within_target() public {
        assertLe(_publish(700), TARGET, "GAS-4 within the hour");
        assertLe(_publish(2 hours), TARGET, "GAS-4 after two hours");
        uint256 used = _publish(40 hours);
        vm.snapshotValue("risk", "publish 50 strikes, everything new after 40 hours of silence, cold", used);
        assertLe(used, TARGET, "GAS-4 after a silence");
    }

    /// GAS-4: a refresh in the midst of such a ramp.
    function test_refresh__on_its_way__below_a_publication() public {
        _publish(3600);
        pass(600);
        vm.cool(address(file));
        uint256 used = gasleft();
        file.refresh(WILD);
        used -= gasleft();
        vm.snapshotValue("risk", "refresh 50 strikes at their dearest, ranges on their way, cold", used);
        assertLe(used, 3_800_000, "GAS-4");
    }
}
