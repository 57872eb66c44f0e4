// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {GridHarness} from "../../src/mocks/GridHarness.sol";
import {Test} from "../utils/Test.sol";

/// @notice The golden cases that Python's twin wrote: same calldata, same bytes back.
contract ExactTest is Test {
    /// PAR-1: the contract's integers are the twin's, bit for bit.
    function test_exact__every_golden_case__same_bytes() public {
        GridHarness harness = new GridHarness();
        string memory json = vm.readFile("../tests/cases/exact.json");
        uint256 n;
        for (; vm.keyExistsJson(json, _key(n, ".name")); ++n) {
            (bool ok, bytes memory answer) = address(harness).staticcall(vm.parseJsonBytes(json, _key(n, ".data")));
            string memory name = vm.parseJsonString(json, _key(n, ".name"));
            assertTrue(ok, string.concat("PAR-1 reverted: ", name));
            assertEq(answer, vm.parseJsonBytes(json, _key(n, ".answer")), string.concat("PAR-1 ", name));
        }
        assertGt(n, 20, "PAR-1 cases are there");
    }

    function _key(uint256 i, string memory field) private pure returns (string memory) {
        return string.concat(".cases[", vm.toString(i), "]", field);
    }
}
