// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "./Types.sol";

/// @title Permissionless flag, then a Dutch auction of a pro-rata slice of the whole account.
interface ILiquidationAuction {
    struct Auction {
        uint64 startTime; // kept across a re-flag within the cool-off
        uint64 flagBlock;
        bool active;
        bool insolvent; // equity < 0 when it (or the insolvent phase) began
        uint256 reserved; // R: cash paid in by bidders of this auction, wad
        uint256 paidByFund; // wad, against the cap per auction
    }

    struct Params {
        uint32 fastS; // discount start → cutoff
        uint32 slowS; // cutoff → 0
        uint24 startPpm; // d at start, e.g. 980_000
        uint24 cutoffPpm; // d after the fast period, e.g. 800_000
        uint32 insolventS; // payout −MtM → −MtM + MM
        uint24 bufferPpm; // b: un-flag at health >= 1 + b
        uint32 coolOffS; // re-flag within this resumes the clock
        uint128 dustUsd; // an account smaller than this is closed whole, wad
        uint128 minGateUsd; // insolvency above this and above the fund gates withdrawals, wad
    }

    error Healthy(AccountId account, int256 equity, uint256 mm);
    error HealthyUnderPreviousFile(AccountId account, int256 equity, uint256 mm);
    error NotInAuction(AccountId account);
    error AlreadyInAuction(AccountId account);
    error PublisherMayNotLiquidate(address caller);
    error WrongEpoch(uint16 underlying, uint40 given, uint40 live);
    error PayoutTooSmall(int256 payout, int256 minimum);
    error PriceTooHigh(uint256 price, uint256 maximum);
    error BidderBelowInitial(AccountId bidder, int256 equity, uint256 im);

    event Flagged(AccountId indexed account, address indexed by, int256 equity, uint256 mm, uint256 fee, bool insolvent, uint64 startTime);
    event Unflagged(AccountId indexed account, int256 equity, uint256 mm);
    /// `cost` > 0: the bidder paid; < 0: the bidder was paid.
    event Bid(AccountId indexed account, AccountId indexed bidder, uint256 fractionWad, int256 cost, uint256 fromFund, uint256 socialised);
    event AuctionEnded(AccountId indexed account, bool restored, int256 equityLeft);

    /// Anyone but the publisher.  Refreshes stale files it needs in the same transaction.  The fee goes to `feeTo`.
    function flag(AccountId account, AccountId feeTo) external;
    /// Anyone, once health >= 1 + b.
    function unflag(AccountId account) external;
    /// Take `fractionWad` (at most the closed form) of what is left.
    /// @param epochs live file epoch of each underlying the account holds, ascending by underlying: the bid is void if a publication landed in between.
    /// @param maxCost most the bidder pays; negative: the least the bidder must be paid.  wad USD.
    function bid(AccountId account, AccountId bidder, uint256 fractionWad, uint40[] calldata epochs, int256 maxCost) external returns (uint256 taken, int256 cost);

    function auction(AccountId account) external view returns (Auction memory);
    /// Largest fraction, and cost of taking it, now.
    function quote(AccountId account, uint256 fractionWad) external view returns (uint256 maxFractionWad, int256 cost);
    function insolvencyGated() external view returns (bool);
}
