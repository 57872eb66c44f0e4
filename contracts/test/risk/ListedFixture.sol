// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RiskFixture} from "./RiskFixture.sol";

/// @notice The underlying with a week and a month of four strikes each, published an hour ago.
abstract contract ListedFixture is RiskFixture {
    uint32 internal week;
    uint32 internal month;

    function setUp() public virtual override {
        super.setUp();
        week = listDays(7, 4);
        month = listDays(30, 4);
        publish();
        pass(1 hours);
    }
}
