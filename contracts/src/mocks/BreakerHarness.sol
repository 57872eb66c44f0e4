// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {BreakerMath} from "../libraries/BreakerMath.sol";

/// @title Verdicts of the breaker, in batches: what Python's twin is compared with.
/// @notice Never part of a deployment.
contract BreakerHarness {
    /// @param paths rounds of each case, oldest first.
    /// @param rules one for each path.
    /// @param nowS seconds at which each path is judged; rounds after them are not known yet.
    function verdicts(
        IPriceOracle.Round[][] calldata paths,
        BreakerMath.Rule[] calldata rules,
        uint256[][] calldata nowS
    ) external pure returns (uint256[][] memory since, bytes32[][] memory why) {
        since = new uint256[][](paths.length);
        why = new bytes32[][](paths.length);
        for (uint256 i; i < paths.length; ++i) {
            since[i] = new uint256[](nowS[i].length);
            why[i] = new bytes32[](nowS[i].length);
            for (uint256 k; k < nowS[i].length; ++k) {
                (since[i][k], why[i][k]) = BreakerMath.verdict(_known(paths[i], nowS[i][k]), rules[i], nowS[i][k]);
            }
        }
    }

    function _known(IPriceOracle.Round[] calldata path, uint256 nowS)
        private
        pure
        returns (IPriceOracle.Round[] memory list)
    {
        uint256 n;
        while (n < path.length && path[n].time <= nowS) ++n;
        list = path[:n];
    }
}
