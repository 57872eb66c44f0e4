// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockERC20} from "./MockERC20.sol";

/// @title A token that keeps a part of every transfer: what the house must refuse.
contract MockFeeERC20 is MockERC20 {
    uint256 public immutable feePpm;

    constructor(string memory name_, string memory symbol_, uint8 decimals_, uint256 feePpm_)
        MockERC20(name_, symbol_, decimals_)
    {
        feePpm = feePpm_;
    }

    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : value * feePpm / 1e6;
        if (fee != 0) super._update(from, address(0), fee);
        super._update(from, to, value - fee);
    }
}
