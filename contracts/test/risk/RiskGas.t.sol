// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion, Position} from "../../src/interfaces/Types.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice What the key operations cost with cold storage.  The numbers are in snapshots/ and contracts/README.md.
contract RiskGasTest is RiskFixture {
    uint32[] private _expiries;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 5; ++i) {
            _expiries.push(listDays(7 * (i + 1), 10));
        }
        // Both banks written: what a keeper pays from its third publication on.
        publish();
        pass(1 hours);
        publish();
        pass(1 hours);
        publish();
        pass(1 hours);
    }

    function _legs(uint256 n, bool shortPuts) private view returns (Position[] memory legs) {
        legs = new Position[](n);
        for (uint256 i; i < n; ++i) {
            (uint32 expiry, uint256 strike) = (_expiries[i / 10], 1500 + (i % 10) * 100);
            int256 size = i % 2 == 0 ? int256(1e18) : -2e18;
            legs[i] = shortPuts && i % 3 == 0 ? put_(expiry, strike, size) : call_(expiry, strike, size);
        }
    }

    function _cold(uint256 n) private returns (uint256 used) {
        Position[] memory legs = _legs(n, true);
        vm.cool(address(file));
        uint256 before = gasleft();
        file.assess(ETH, legs, 3e18, 2030e18, FileVersion.Live);
        used = before - gasleft();
    }

    /// GAS-1: ten options, cold, leave the house room under 250k; each further one costs at most 16k.
    function test_assess__cold__within_target() public {
        uint256 ten = _cold(10);
        uint256 twenty = _cold(20);
        vm.snapshotValue("risk", "assess 10 options, cold", ten);
        vm.snapshotValue("risk", "assess each further option, cold", (twenty - ten) / 10);
        assertLt(ten, 175_000, "GAS-1 ten options");
        assertLt((twenty - ten) / 10, 12_500, "GAS-1 a further option");
    }

    /// GAS-4: where every range moves and stood elsewhere both now and a day ago, three triples are probed besides.
    function test_publish__ranges_move__probes_besides() public {
        IRiskParameters.Publication memory p = aPublication();
        (p.psrPpm, p.vsrUpPpm, p.vsrDownPpm) = (p.psrPpm + 1000, p.vsrUpPpm + 1000, p.vsrDownPpm + 1000);
        parameters.publish(ETH, p);
        pass(1 hours);
        p = aPublication();
        (p.psrPpm, p.vsrUpPpm, p.vsrDownPpm) = (p.psrPpm + 1000, p.vsrUpPpm + 1000, p.vsrDownPpm + 1000);
        vm.cool(address(file));
        vm.cool(address(parameters));
        uint256 before = gasleft();
        parameters.publish(ETH, p);
        uint256 published = before - gasleft();
        vm.snapshotValue("risk", "publish 50 strikes and new ranges, cold", published);
        assertLt(published, 5_000_000, "GAS-4");
    }

    /// GAS-2: 50 strikes = 100 instruments, fences included, at most 5M; a refresh is no dearer.
    function test_publish_and_refresh__fifty_strikes__within_target() public {
        IRiskParameters.Publication memory p = aPublication();
        vm.cool(address(file));
        vm.cool(address(parameters));
        uint256 before = gasleft();
        parameters.publish(ETH, p);
        uint256 published = before - gasleft();
        vm.cool(address(file));
        before = gasleft();
        file.refresh(ETH);
        uint256 refreshed = before - gasleft();
        vm.snapshotValue("risk", "publish 50 strikes, cold", published);
        vm.snapshotValue("risk", "refresh 50 strikes, cold", refreshed);
        assertLt(published, 5_000_000, "GAS-2 publish");
        assertLt(refreshed, published, "GAS-2 refresh");
    }

    /// GAS-2: where scan ranges change, the joint fence and IM's surcharge are weighed too, five times seven portfolios.
    function test_publish_and_refresh__ranges_on_their_way__within_target() public {
        IRiskParameters.Publication memory p = aPublication();
        (p.psrPpm, p.vsrUpPpm) = (170_000, 420_000);
        vm.cool(address(file));
        vm.cool(address(parameters));
        uint256 before = gasleft();
        parameters.publish(ETH, p);
        uint256 published = before - gasleft();
        pass(1 hours);
        vm.cool(address(file));
        before = gasleft();
        file.refresh(ETH);
        uint256 refreshed = before - gasleft();
        vm.snapshotValue("risk", "publish 50 strikes and wider ranges, cold", published);
        vm.snapshotValue("risk", "refresh 50 strikes, ranges on their way, cold", refreshed);
        assertLt(published, 5_000_000, "GAS-2 publish");
        assertLt(refreshed, 3_800_000, "GAS-2 refresh");
    }
}
