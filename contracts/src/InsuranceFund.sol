// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {AccountId} from "./interfaces/Types.sol";

/// @title Pays shortfall under a cap per auction.  Its money is an account of the house.
contract InsuranceFund is IInsuranceFund, Ownable2Step {
    IClearingHouse public immutable house;
    /// @inheritdoc IInsuranceFund
    uint256 public capPerAuction;

    constructor(IClearingHouse house_, address owner_, uint256 capPerAuction_) Ownable(owner_) {
        house = house_;
        _setCap(capPerAuction_);
    }

    /// @inheritdoc IInsuranceFund
    function cover(AccountId account_, uint256 asked, uint256 alreadyPaid) external returns (uint256 paid) {
        if (msg.sender != house.auction()) revert NotAuction(msg.sender);
        int256 own = balance();
        uint256 left = capPerAuction > alreadyPaid ? capPerAuction - alreadyPaid : 0;
        paid = Math.min(asked, Math.min(left, own > 0 ? uint256(own) : 0));
        emit Covered(account_, asked, paid);
        if (paid != 0) house.payFromFund(account_, paid);
    }

    /// @inheritdoc IInsuranceFund
    function withdraw(uint256 amount, address to) external onlyOwner {
        emit FundWithdrawn(amount, to);
        house.withdraw(account(), 0, amount, to);
    }

    /// @inheritdoc IInsuranceFund
    function setCap(uint256 capPerAuction_) external onlyOwner {
        _setCap(capPerAuction_);
    }

    function _setCap(uint256 capPerAuction_) private {
        capPerAuction = capPerAuction_;
        emit CapSet(capPerAuction_);
    }

    /// @inheritdoc IInsuranceFund
    function balance() public view returns (int256) {
        return house.cashOf(account());
    }

    /// @inheritdoc IInsuranceFund
    function account() public view returns (AccountId) {
        return AccountId.wrap(uint256(uint160(address(this))) << 96);
    }
}
