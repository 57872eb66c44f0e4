// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICircuitBreaker} from "../interfaces/ICircuitBreaker.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId} from "../interfaces/Types.sol";
import {Account, House} from "./HouseState.sol";

/// @title What the house asks its breaker.  Without one, nothing is ever doubtful.
library BreakerLib {
    /// Until when trades of a market may only reduce, 0 if they may do more.  An open breaker widens IM at once.
    function reduceOnlyUntil(House storage h, bytes32 asset) internal returns (uint256) {
        address breaker = h.breaker;
        return breaker == address(0) ? 0 : ICircuitBreaker(breaker).sync(asset);
    }

    /// Nothing leaves an account against a price that waits to be confirmed, whichever way it jumped: what a wick showed
    /// would be gone before it is taken back.  Judged on what would remain, so one with neither position nor debt owes
    /// nothing at any price and may go.
    function requireConfirmed(House storage h, AccountId account) external view {
        address breaker = h.breaker;
        Account storage a = h.accounts[account];
        if (breaker == address(0) || (a.positions.length == 0 && a.cash >= 0)) return;
        (bytes32 asset, uint256 untilS) = ICircuitBreaker(breaker).deferral(account);
        if (untilS != 0) revert IClearingHouse.Deferred(asset, untilS);
    }
}
