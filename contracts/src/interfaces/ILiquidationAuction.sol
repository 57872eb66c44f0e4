// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId} from "./Types.sol";

/// @title Permissionless flag, then a Dutch auction of a pro-rata slice of the whole account.
/// @notice With E = equity, H = what haircuts leave out, G = E + H the mark to market, M = MM, b = the buffer and
/// R = cash that earlier bidders of this auction paid in:
///   solvent    cost of a fraction f = d(t)·(G − R)·f,  f at most −BM / (−BM + d·G + (1 − d)·R),  BM = E − (1 + b)·M
///   insolvent  payout for f = (−G + (H + M)·min(1, t/insolventS))·f,  f at most 1
/// After the largest f, health is 1 + b.  A negative payout is a cost.  Costs round up, payouts down.
interface ILiquidationAuction {
    struct Auction {
        uint64 startTime; // a re-flag within the cool-off resumes the clock: moved by the time between
        uint64 flagBlock;
        bool active;
        bool insolvent; // equity was below 0 when last measured
        uint256 reserved; // R: cash paid in by bidders of this auction, wad
        uint256 paidByFund; // wad, against the cap per auction
        uint64 insolventSince; // first insolvency of this auction, 0 = none; its clock resumes alike
        uint64 endTime; // of the last auction: the cool-off counts from here
        uint256 deficit; // −equity when last measured, wad; what withdrawals are gated by
    }

    struct Params {
        uint32 fastS; // discount start → cutoff
        uint32 slowS; // cutoff → 0
        uint24 startPpm; // d at start, e.g. 980_000
        uint24 cutoffPpm; // d after the fast period, e.g. 800_000
        uint32 insolventS; // payout −G → −E + MM
        uint24 bufferPpm; // b: un-flag at health >= 1 + b
        uint32 coolOffS; // re-flag within this resumes the clock
        uint128 dustUsd; // an account worth less than this is closed whole, wad
        uint128 minGateUsd; // insolvency above this and above the fund gates withdrawals, wad
    }

    error Healthy(AccountId account, int256 equity, uint256 mm);
    error HealthyUnderPreviousFile(AccountId account, int256 equity, uint256 mm);
    /// The price of an asset of the account jumped and waits to be confirmed, or its feeds disagree: at `untilS` at the
    /// latest the account may be flagged.
    error Deferred(bytes32 asset, uint256 untilS);
    error NotRestored(AccountId account, int256 equity, uint256 mm);
    error NotInAuction(AccountId account);
    error AlreadyInAuction(AccountId account);
    error BidderInAuction(AccountId bidder);
    /// The caller neither owns the account that bids nor is approved by its owner.
    error NotBidder(AccountId bidder, address caller);
    /// Nobody buys what is his own: neither with another account of his, nor as the approved key of somebody else's.
    error SameOwner(address owner);
    error FundAccount(AccountId account);
    error PublisherMayNotLiquidate(address caller);
    error WrongEpochs(uint256 given, uint256 underlyings);
    error WrongEpoch(uint16 underlying, uint40 given, uint40 live);
    error ZeroFraction();
    error PayoutTooSmall(int256 payout, int256 minimum);
    error PriceTooHigh(uint256 price, uint256 maximum);
    error BidderBelowInitial(AccountId bidder, int256 equity, uint256 im);
    error BadParams(bytes32 what);

    event Flagged(
        AccountId indexed account,
        address indexed by,
        int256 equity,
        uint256 mm,
        uint256 fee,
        bool insolvent,
        uint64 startTime
    );
    event Unflagged(AccountId indexed account, int256 equity, uint256 mm);
    /// An account in auction crossed equity 0, either way.  `since` starts the insolvent clock.
    event InsolvencyChanged(AccountId indexed account, bool insolvent, int256 equity, uint64 since);
    /// `cost` > 0: the bidder paid; < 0: the bidder was paid.
    event Bid(
        AccountId indexed account,
        AccountId indexed bidder,
        uint256 fractionWad,
        int256 cost,
        uint256 fromFund,
        uint256 socialised
    );
    /// `key` may bid for `account` from now on, or may not any more.
    event BidderApproved(AccountId indexed account, address indexed key, bool approved);
    event AuctionEnded(AccountId indexed account, bool restored, int256 equityLeft);
    /// Nothing was left of an account but debt.
    event DebtCleared(AccountId indexed account, uint256 debt, uint256 fromFund, uint256 socialised);
    event ParamsSet(Params params);

    /// Anyone but the publisher.  Refreshes stale files it needs in the same transaction.  While a publication of an
    /// underlying of the account is in its notice window, the account must be below MM under the file before it too.
    /// The fee goes to `feeTo`, from the account's equity; none within the cool-off of the last auction.
    /// An account of which only debt is left is cleared at once.
    /// While the breaker of an asset of the account is open, a flag waits (`Deferred`).
    /// Reverts, like `bid`, while an expired option of the account awaits its settlement price: settle first.
    function flag(AccountId account, AccountId feeTo) external;
    /// Anyone, once health >= 1 + b.
    function unflag(AccountId account) external;
    /// Anyone: measure an account in auction again, so that its insolvency starts or stops to count.
    function remeasure(AccountId account) external;
    /// Take `fractionWad` (at most the closed form) of what is left.  The bidder's owner calls, or a key that the owner
    /// approved for it; the bidder must be above IM after.  Never a publisher, nor the owner of `account`.
    /// @param epochs live file epoch of each underlying the account holds, ascending by underlying: the bid is void if a publication landed in between; a refresh does not matter.
    /// @param maxCost most the bidder pays; negative: the least the bidder must be paid.  wad USD.
    function bid(AccountId account, AccountId bidder, uint256 fractionWad, uint40[] calldata epochs, int256 maxCost)
        external
        returns (uint256 taken, int256 cost);
    /// Let a key bid for an account, and nothing else: it cannot trade, withdraw, transfer or approve.  So bids need not
    /// all pass through one key's nonces.  Only the account's owner gives and takes this back (else
    /// `IClearingHouse.NotOwner`); the key itself may give it up.  Revoking binds at once: a bid that is mined afterwards reverts.
    /// At worst a stolen key buys for the account what is up for auction, at the auction's terms (never above the mark at
    /// the oracle's prices), until the account stands at its IM: positions nobody chose, and no room for other bids.
    /// The owner is part of an account's id and never changes, and an approval is read under that id alone: nobody
    /// inherits one.  A contract that owns an account approves by calling, there is no way by signature (so none to
    /// replay); who takes such a contract over finds its approvals standing.
    function approveBidder(AccountId account, address key, bool approved) external;
    /// Whether `bid` takes this key's word for the account: its owner's, or an approved key's, unless it may publish.
    function mayBid(AccountId account, address key) external view returns (bool);
    /// Only the owner, inside fixed bounds.
    function setParams(Params calldata params) external;

    function auction(AccountId account) external view returns (Auction memory);
    function params() external view returns (Params memory);
    /// Largest fraction, and cost of taking min(fractionWad, largest), now.
    function quote(AccountId account, uint256 fractionWad) external view returns (uint256 maxFractionWad, int256 cost);
    /// Sum of the deficits of accounts in auction, as last measured.
    function knownDeficit() external view returns (uint256);
    function insolvencyGated() external view returns (bool);
}
