// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {House} from "./HouseState.sol";

/// @title The house's storage and the few look-ups every part needs.
abstract contract HouseBase is IClearingHouse {
    House internal _h;

    function _collateral(uint8 c) internal view returns (CollateralConfig storage) {
        if (c >= _h.collaterals.length) revert UnknownCollateral(c);
        return _h.collaterals[c];
    }

    function _market(uint16 underlying) internal view returns (UnderlyingMarket storage market) {
        market = _h.markets[underlying];
        if (market.asset == 0) revert UnknownMarket(underlying);
    }

    /// Wad per unit of the settlement token.
    function _scale() internal view returns (uint256) {
        return 10 ** (18 - _h.collaterals[0].decimals);
    }
}
