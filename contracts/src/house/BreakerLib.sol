// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICircuitBreaker} from "../interfaces/ICircuitBreaker.sol";
import {AccountId, InstrumentId, Position} from "../interfaces/Types.sol";
import {InstrumentIds} from "../libraries/InstrumentIds.sol";
import {House} from "./HouseState.sol";

/// @title What the house asks its breaker.  Without one, nothing is ever doubtful.
library BreakerLib {
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    /// Until when trades of a market may only reduce, 0 if they may do more.  An open breaker widens IM at once.
    function reduceOnlyUntil(House storage h, bytes32 asset) internal returns (uint256) {
        address breaker = h.breaker;
        return breaker == address(0) ? 0 : ICircuitBreaker(breaker).sync(asset);
    }

    /// Widen IM for every market of an account whose breaker is open: money that leaves must not wait for somebody to
    /// have called `sync`.
    function syncAll(House storage h, AccountId account) external {
        if (h.breaker == address(0)) return;
        Position[] storage list = h.accounts[account].positions;
        uint256 done; // the last underlying looked at, plus one
        for (uint256 i; i < list.length; ++i) {
            uint16 u = list[i].instrumentOf().underlyingOf();
            if (uint256(u) + 1 == done) continue;
            done = uint256(u) + 1;
            reduceOnlyUntil(h, h.markets[u].asset);
        }
    }
}
