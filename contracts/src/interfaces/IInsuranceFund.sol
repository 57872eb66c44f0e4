// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "./Types.sol";

/// @title Pays shortfall under a cap per auction.  Its money is an account of the house.
/// @notice To donate, deposit into `account()`.  It earns the trading fees, interest on negative cash and roundings.
interface IInsuranceFund {
    error NotAuction(address caller);

    event Covered(AccountId indexed account, uint256 asked, uint256 paid);
    event CapSet(uint256 capPerAuction);
    event FundWithdrawn(uint256 amount, address to);

    /// Only the auction.  Pays up to min(asked, cap − paid so far in this auction, balance).  wad USD.
    function cover(AccountId account, uint256 asked, uint256 alreadyPaid) external returns (uint256 paid);
    /// Only the owner.  Settlement token units.
    function withdraw(uint256 amount, address to) external;
    /// Only the owner.  wad USD.
    function setCap(uint256 capPerAuction) external;
    function balance() external view returns (int256);
    function capPerAuction() external view returns (uint256);
    /// The fund's account in the house.
    function account() external view returns (AccountId);
}
