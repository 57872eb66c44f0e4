// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {InstrumentId, Position} from "../interfaces/Types.sol";

/// @title Packing of instrument ids and positions, as laid out in Types.sol.
library InstrumentIds {
    uint8 internal constant PERP = 0;
    uint8 internal constant CALL = 1;
    uint8 internal constant PUT = 2;

    function perp(uint16 underlying_) internal pure returns (InstrumentId) {
        return InstrumentId.wrap(uint120(underlying_) << 104);
    }

    function option(uint16 underlying_, uint32 expiry_, uint64 strike_, bool isCall_)
        internal
        pure
        returns (InstrumentId)
    {
        return InstrumentId.wrap(
            (uint120(underlying_) << 104) | (uint120(expiry_) << 72) | (uint120(strike_) << 8) | (isCall_ ? CALL : PUT)
        );
    }

    function underlyingOf(InstrumentId id) internal pure returns (uint16) {
        return uint16(InstrumentId.unwrap(id) >> 104);
    }

    function expiryOf(InstrumentId id) internal pure returns (uint32) {
        return uint32(InstrumentId.unwrap(id) >> 72);
    }

    function strikeOf(InstrumentId id) internal pure returns (uint64) {
        return uint64(InstrumentId.unwrap(id) >> 8);
    }

    function kindOf(InstrumentId id) internal pure returns (uint8) {
        return uint8(InstrumentId.unwrap(id));
    }

    function isPerp(InstrumentId id) internal pure returns (bool) {
        return uint8(InstrumentId.unwrap(id)) == PERP;
    }

    function isCall(InstrumentId id) internal pure returns (bool) {
        return uint8(InstrumentId.unwrap(id)) == CALL;
    }

    /// @notice Whether `id` is well formed: a perp has neither expiry nor strike, an option has both.
    function isValid(InstrumentId id) internal pure returns (bool) {
        uint8 k = kindOf(id);
        if (k == PERP) return strikeOf(id) == 0 && expiryOf(id) == 0;
        return k <= PUT && expiryOf(id) != 0 && strikeOf(id) != 0;
    }

    function position(InstrumentId id, int128 size_) internal pure returns (Position) {
        return Position.wrap((uint256(InstrumentId.unwrap(id)) << 136) | uint128(size_));
    }

    function instrumentOf(Position p) internal pure returns (InstrumentId) {
        return InstrumentId.wrap(uint120(Position.unwrap(p) >> 136));
    }

    function sizeOf(Position p) internal pure returns (int128) {
        return int128(uint128(Position.unwrap(p)));
    }
}
