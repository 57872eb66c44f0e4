// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {BreakerMath} from "../libraries/BreakerMath.sol";

/// @title Verdicts of the breaker, in batches: what Python's twin is compared with.
/// @notice Never part of a deployment.
contract BreakerHarness {
    struct Case {
        IPriceOracle.Round[] path; // oldest first
        BreakerMath.Rule rule;
        uint256[] nowS; // when to judge it; rounds after that are not known yet
        bool whole; // the path covers the rule's reach; else the rule is fitted to it
    }

    struct Verdict {
        uint256 since;
        bytes32 why;
    }

    /// Of every case at every time, one after the other.
    function verdicts(Case[] calldata cases) external pure returns (Verdict[] memory found) {
        uint256 count;
        for (uint256 i; i < cases.length; ++i) {
            count += cases[i].nowS.length;
        }
        found = new Verdict[](count);
        for (uint256 i = cases.length; i != 0; --i) {
            Case calldata c = cases[i - 1];
            for (uint256 k = c.nowS.length; k != 0; --k) {
                uint256 nowS = c.nowS[k - 1];
                IPriceOracle.Round[] memory known = _known(c.path, nowS);
                BreakerMath.Rule memory rule = c.rule;
                if (!c.whole) rule = BreakerMath.fitted(known, rule);
                (uint256 since, bytes32 why) = BreakerMath.verdict(known, rule, nowS);
                found[--count] = Verdict(since, why);
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
