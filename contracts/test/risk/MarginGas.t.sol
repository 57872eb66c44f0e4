// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FileVersion} from "../../src/interfaces/Types.sol";
import {BaseTest} from "../BaseTest.sol";

/// @notice What an account's check costs through the clearing house, everything cold.
contract MarginGasTest is BaseTest {
    function setUp() public override {
        super.setUp();
        give(alice, 1_000_000);
        give(bob, 1_000_000);
    }

    function _hold(uint256 from, uint256 to) private {
        for (uint256 i = from; i < to; ++i) {
            (uint32 expiry, uint256 strike) = (i < 10 ? near : far, 1200 + (i % 10) * 200);
            (address long, address short) = i % 2 == 0 ? (alice, bob) : (bob, alice);
            trade(long, short, i % 3 == 0 ? put_(ETH, expiry, strike) : call_(ETH, expiry, strike), 1e18);
        }
    }

    function _margin() private returns (uint256 used) {
        setSpot(ETH, 2030); // away from the reference: the ladder is shifted
        vm.cool(address(house));
        vm.cool(address(file));
        vm.cool(address(parameters));
        vm.cool(address(oracle));
        vm.cool(address(ethFeed));
        uint256 before = gasleft();
        house.margin(acct(alice), FileVersion.Live);
        used = before - gasleft();
        setSpot(ETH, 2000);
    }

    /// GAS-3: a check of ten options at most 250k, each further one at most 16k, whole and cold.
    function test_margin__cold__within_target() public {
        _hold(0, 10);
        uint256 ten = _margin();
        _hold(10, 20);
        uint256 twenty = _margin();
        vm.snapshotValue("risk", "margin 10 options, cold", ten);
        vm.snapshotValue("risk", "margin each further option, cold", (twenty - ten) / 10);
        assertLt(ten, 250_000, "GAS-3 ten options");
        assertLt((twenty - ten) / 10, 16_000, "GAS-3 a further option");
    }
}
