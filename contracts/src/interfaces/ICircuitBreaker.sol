// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "./Types.sol";

/// @title The flash-crash breaker: a price that jumped has a few minutes to be confirmed before anybody is flagged on it.
/// @notice While an asset's breaker is open, accounts that depend on the asset are not flagged (`LiquidationAuction`) and
/// cannot withdraw, trades in its market may only reduce positions (`ClearingHouse`) and IM is wider
/// (`RiskParameters.widen`).  Auctions
/// that run already go on.  It has no state that anybody could hold: the verdict is a function of the oracle's rounds
/// (`BreakerMath`), so it opens and releases by itself: at most `holdS` in any `windowS` for a jump, and as much again
/// where two feeds are compared.
interface ICircuitBreaker {
    /// What trips the breaker of one asset.
    struct Config {
        uint16 underlying; // whose scan range the move is measured in
        bool hasUnderlying; // false for an asset that is collateral only: `minMovePpm` alone counts
        uint24 kPpm; // a move beyond this part of the scan range in force …
        uint24 minMovePpm; // … and beyond this part of the price is a jump
        uint24 disagreePpm; // feeds further apart than this are doubtful, 0 = not compared; below the feed's deviation limit
        uint32 windowS; // 0 = no breaker for this asset
        uint32 holdS; // longest time open
        uint32 confirmS; // a round so long after the jump, or later, releases it
        uint8 maxRounds; // of each feed; a path with more rounds than that is judged over what they cover, hold and window
        // shrunk alike
    }

    struct State {
        bool open;
        uint40 sinceS; // time of the round that opened it
        uint40 untilS; // it releases by then, or at the next round
        bytes32 why; // "jump" or "feeds"
        bool told; // `sync` has recorded this opening
    }

    error BadConfig(bytes32 asset, bytes32 what, uint256 value, uint256 limit);

    event ConfigSet(bytes32 indexed asset, Config config);
    /// Emitted by the first `sync` or trade after an opening.
    event Tripped(bytes32 indexed asset, uint256 sinceS, uint256 untilS, bytes32 why);

    /// Only the owner, inside fixed bounds.  All zeros: no breaker for this asset.
    function setConfig(bytes32 asset, Config calldata config) external;
    /// Anyone: record an open breaker and widen the IM of its market.  Does nothing while it is closed.
    /// @return untilS as in `State`, 0 while closed.
    function sync(bytes32 asset) external returns (uint256 untilS);
    /// Closed for an asset without a breaker.
    function state(bytes32 asset) external view returns (State memory);
    /// The first asset of an account whose breaker is open: its underlyings in order, then its collaterals.
    /// @return asset 0 if none is open.
    function deferral(AccountId account) external view returns (bytes32 asset, uint256 untilS);
    function config(bytes32 asset) external view returns (Config memory);
}
