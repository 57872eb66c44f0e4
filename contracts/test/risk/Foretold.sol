// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {Vm} from "../utils/Vm.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice Holds what `preview` foretold of each item against what `publish` then refused (FEN-13, PRV-1).
abstract contract Foretold is RiskFixture {
    bytes32 private constant REFUSED = keccak256("ItemRefused(uint16,uint64,uint32,bytes32,bytes)");

    /// @param logs of the call that published.
    /// @return refused how many items were; `rows` of them for what their rows would have been.
    function assertForetold(IRiskParameters.Preview memory v, Vm.Log[] memory logs)
        internal
        pure
        returns (uint256 refused, uint256 rows)
    {
        uint256 next;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != REFUSED) continue;
            (uint32 expiry, bytes32 what, bytes memory reason) = abi.decode(logs[i].data, (uint32, bytes32, bytes));
            while (v.items[next].reason.length == 0) ++next;
            assertEq(v.items[next].expiry, expiry, "FEN-13, PRV-1 which expiry");
            assertEq(v.items[next].what, what, "FEN-13, PRV-1 which number");
            assertEq(v.items[next].reason, reason, "FEN-13, PRV-1 why");
            if (what == "rows") ++rows;
            ++next;
            ++refused;
        }
        for (; next < v.items.length; ++next) {
            assertEq(v.items[next].reason, "", "FEN-13, PRV-1 foretold and not refused");
        }
    }
}
