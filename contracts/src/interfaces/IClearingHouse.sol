// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId, FileVersion, InstrumentId, Position} from "./Types.sol";

/// @title Accounts, collateral, positions, trades, funding, expiry and health.
/// @notice Amounts of the settlement token and of collateral are in token units; everything else is wad (1e18): USD,
/// contracts, USD per contract.  Roundings go against the account and to the insurance fund.
interface IClearingHouse {
    struct CollateralConfig {
        address token;
        uint8 decimals;
        bytes32 asset; // oracle id; ignored for the settlement token
        uint24 haircutPpm; // part of the value that does not count
        uint128 capPerAccount; // token units that count as collateral; a deposit may not pass it
        uint128 capTotal; // token units the house accepts
    }

    struct UnderlyingMarket {
        bytes32 asset; // oracle id
        uint24 priceBandPpm; // trades lie within [down, up] marks ± band·spot
        uint128 maxOpenInterestPerp; // wad contracts, long side
        uint128 maxOpenInterestInstrument; // per option
        uint128 maxOpenInterestExpiry; // sum over the expiry's options
        uint128 maxPositionPerAccount; // |size| per instrument
        uint24 maxFundingPpmPerDay;
        uint24 maxFundingStepPpm;
        uint32 minFundingDelayS;
        bool listed; // false: positions may only shrink
    }

    /// A signed willingness to trade.  EIP-712; ERC-1271 too.
    struct Order {
        AccountId account;
        InstrumentId instrument;
        bool isBuy;
        uint128 amount; // wad contracts, partial fills allowed
        uint128 limitPrice; // wad USD per contract
        uint128 maxFee; // wad USD per contract
        uint64 nonce; // below the owner's minimum is cancelled
        uint64 expiry; // unix seconds
        address submitter; // 0 = anyone
    }

    /// Where an account stands.  wad USD.
    struct Margin {
        int256 equity;
        uint256 mm;
        uint256 im;
        uint256 grid; // sum over underlyings of grid + short minimum, before factors
        bool stale; // some file is stale: refresh before flagging
    }

    /// `Margin` with what a liquidation needs.  wad USD.
    struct MarginDetail {
        Margin margin;
        uint256 haircut; // market value of the collateral that equity leaves out: equity + haircut = mark to market
        uint256 flagFee; // part of MM that pays whoever flags
        uint256 pendingLoss; // socialised loss not yet pulled, already taken off equity
    }

    struct PerpState {
        uint16 underlying;
        int128 size;
        int128 openNotional;
        int128 fundingEntry;
    }

    /// An account exactly as stored: what an index rebuilt from events must equal.
    struct AccountState {
        int256 cash;
        uint256 interestEntryRay;
        uint256 keepEntryRay;
        bool inAuction;
        uint256[] collateral; // by collateral id; entry 0 (settlement token) is always 0, it is `cash`
        Position[] positions;
        PerpState[] perps;
    }

    /// One market with its lazily accrued funding.
    struct MarketState {
        UnderlyingMarket market;
        int256 fundingIndex; // now
        int256 storedIndex; // at `fundingTime`
        int32 ratePpmPerDay;
        uint256 fundingSpot;
        uint256 fundingTime;
        uint256 fundingSetTime;
        uint256 perpOpenInterest;
    }

    /// What all accounts share.
    struct HouseState {
        uint256 interestIndexRay; // now
        uint256 storedInterestIndexRay; // at `interestTime`
        uint256 interestTime;
        uint256 interestPpmPerYear;
        uint256 keepRay;
        uint256 socialReceivable;
        uint256 dustE36;
        uint256 feePpm;
        uint256 minEquityToOpen;
        uint256 pausedUntil;
        uint256[] held; // token units by collateral id
    }

    // --- errors ---------------------------------------------------------------------------------------------------

    error NotOwner(AccountId account, address caller);
    error NotAuction(address caller);
    error NotFund(address caller);
    error NotGuardian(address caller);
    error NotPublisher(address caller);
    error NotWired();
    error AlreadyWired();
    error InAuction(AccountId account);
    error Paused(uint256 untilS);
    /// The market's breaker is open: a jump of its price waits to be confirmed.
    error ReduceOnly(uint16 underlying, uint256 untilS);
    error PauseTooSoon(uint256 nextAllowedS, uint256 nowS);
    error PauseTooLong(uint256 givenS, uint256 maxS);
    error WithdrawalsGated();
    /// The price of an asset of the account jumped and waits to be confirmed, or its feeds disagree: nothing leaves the
    /// account before `untilS` at the latest.  The same selector as `ILiquidationAuction.Deferred`.
    error Deferred(bytes32 asset, uint256 untilS);
    error BadSetting(bytes32 what, uint256 value, uint256 max);
    error UnknownCollateral(uint8 collateral);
    error UnknownMarket(uint16 underlying);
    error WrongReceipt(uint256 expected, uint256 received);
    error CapExceeded(bytes32 what, uint256 value, uint256 cap);
    error NotEnough(uint256 balance, uint256 asked);
    error SizeOverflow(int256 size);
    error TooManyPositions(AccountId account);
    error BelowInitial(AccountId account, int256 equity, uint256 im);
    error EquityTooSmallToOpen(AccountId account, int256 equity, uint256 minimum);
    /// A trade that leaves the account below IM must shrink the position, raise neither IM nor MM, not lower
    /// equity − MM, and not lower equity below 0 or below what it was under 0.
    error NotReducing(AccountId account, int256 equityBefore, int256 equityAfter, uint256 mmBefore, uint256 mmAfter);
    error SameOwner(address owner);
    error WrongSide();
    error WrongInstrument(InstrumentId instrument);
    error ZeroAmount();
    error PriceBeyondLimit(uint256 price, uint256 limit);
    error PriceOutsideBand(uint256 price, int256 low, int256 high);
    error OrderExpired(uint64 expiry, uint256 nowS);
    error OrderCancelled(uint64 nonce, uint64 minimum);
    error OrderOverfilled(uint256 filled, uint256 amount);
    error WrongSubmitter(address caller, address submitter);
    error FeeAboveMaximum(uint256 fee, uint256 maximum);
    error BadSignature(address owner, bytes32 orderHash);
    error InstrumentExpired(uint32 expiry, uint256 nowS);
    /// The account holds an option that expired and whose settlement price is not written: nobody knows yet what it owns.
    error ExpiryUnsettled(AccountId account, uint32 expiry);
    error NotExpired(uint32 expiry, uint256 nowS);
    error AlreadySettled(uint16 underlying, uint32 expiry);
    error TooEarlyByHand(uint256 nextAllowedS, uint256 nowS);
    error FundingTooEarly(uint256 nextAllowedS, uint256 nowS);
    error FundingOutOfRange(int32 rate, uint24 maxPpm);
    error FundingStepTooLarge(int32 oldRate, int32 newRate, uint24 maxStepPpm);
    /// Further from the rate of a day ago than the bound, and not on the way back to it.
    error FundingBudgetSpent(int32 rateADayAgo, int32 newRate, uint24 budgetPpm);

    // --- events ---------------------------------------------------------------------------------------------------
    // Every event that moves an account carries its new absolute value: an index needs no arithmetic.

    event Deposited(AccountId indexed account, uint8 indexed collateral, uint256 amount);
    event Withdrawn(AccountId indexed account, uint8 indexed collateral, uint256 amount, address to);
    /// Every change of a position, with its new absolute size.  `price` is 0 where the position moved without a trade.
    event PositionChanged(
        AccountId indexed account, InstrumentId indexed instrument, int128 size, int128 delta, uint256 price
    );
    /// Every change of cash, with its new absolute value (before lazy interest and loss since) and interest entry.
    event CashChanged(AccountId indexed account, int256 cash, uint256 interestEntryRay);
    /// Every change of a perp's lazily accrued state; both are 0 once the position is closed.
    event PerpTouched(AccountId indexed account, uint16 indexed underlying, int128 openNotional, int128 fundingEntry);
    event CollateralChanged(AccountId indexed account, uint8 indexed collateral, uint256 balance);
    /// `fee` is what each side paid.
    event Traded(
        bytes32 indexed buyHash,
        bytes32 indexed sellHash,
        InstrumentId indexed instrument,
        uint128 amount,
        uint128 price,
        uint256 fee
    );
    /// `index` at this block's time; from here it grows by ratePpmPerDay · spot / 1e6 / 86400 a second.
    event FundingSet(uint16 indexed underlying, int32 ratePpmPerDay, int256 index, uint256 spot);
    event ExpirySettled(uint16 indexed underlying, uint32 indexed expiry, uint256 price);
    /// Governance settled by hand after the time-out; `ExpirySettled` follows.
    event ExpirySettledByHand(uint16 indexed underlying, uint32 indexed expiry, uint256 price);
    event PositionExpired(AccountId indexed account, InstrumentId indexed instrument, int128 size, int256 payout);
    event LossSocialised(AccountId indexed source, uint256 amount, uint256 keepRay);
    /// An account pulled its share of socialised losses up to `keepEntryRay` (first touch: amount 0).
    event LossPulled(AccountId indexed account, uint256 amount, uint256 keepEntryRay);
    event InterestCharged(AccountId indexed account, uint256 amount);
    event AuctionSet(AccountId indexed account, bool inAuction);
    event OrderFilled(bytes32 indexed orderHash, uint256 filled);
    event OrderCancelledByOwner(bytes32 indexed orderHash);
    event NonceRaised(address indexed owner, uint64 minNonce);
    event DustSwept(uint256 amount);

    event Wired(address auction, address fund, AccountId fundAccount);
    event CollateralSet(uint8 indexed collateral, CollateralConfig config);
    event MarketSet(uint16 indexed underlying, UnderlyingMarket market);
    /// `index` at this block's time; from here it grows by ratePpmPerYear / 1e6 / 365 days of itself a second.
    event InterestSet(uint24 ratePpmPerYear, uint256 indexRay);
    event FeeSet(uint24 feePpm);
    event MinEquitySet(uint128 minEquityToOpen);
    event GuardianSet(address guardian);
    event BreakerSet(address breaker);
    event PausedUntil(uint256 untilS);

    // --- accounts -------------------------------------------------------------------------------------------------

    /// Anyone may pay into any account.  A token that delivers another amount than asked is refused.
    /// Warning: an account that holds a collateral depends on that collateral's feed being usable.
    function deposit(AccountId account, uint8 collateral, uint256 amount) external;
    /// Only the account's owner.  IM must hold afterwards.  While the breaker of an asset of the account is open it waits
    /// (`Deferred`), unless neither a position nor a debt remains: a price that is not confirmed pays nobody out.
    function withdraw(AccountId account, uint8 collateral, uint256 amount, address to) external;
    /// Cash out settled expired positions, pull socialised losses, accrue interest and funding.  Anyone may call.
    function touch(AccountId account) external;
    /// Credit the fund with the whole wei that roundings left.  Anyone may call.
    function sweepDust() external;

    // --- trading --------------------------------------------------------------------------------------------------

    /// Match two signed orders of different owners.  Anyone may submit, unless an order names its submitter.
    function trade(
        Order calldata buy,
        bytes calldata buySig,
        Order calldata sell,
        bytes calldata sellSig,
        uint128 amount,
        uint128 price
    ) external;
    /// The owner voids one order.
    function cancel(Order calldata order) external;
    /// The owner voids every order with a nonce below `minimum`.
    function raiseNonce(uint64 minimum) external;
    function hashOrder(Order calldata order) external view returns (bytes32);
    function domainSeparator() external view returns (bytes32);
    /// Filled amount; type(uint128).max = cancelled.
    function filled(bytes32 orderHash) external view returns (uint256);
    function minNonce(address owner) external view returns (uint64);

    // --- funding and expiry ---------------------------------------------------------------------------------------

    /// Only a publisher of the risk parameters, and not while they are frozen or the guardian paused them.  Inside the
    /// market's fences: a delay, a step, an absolute bound, and a net displacement within a rolling day of that bound.  A
    /// bound that governance lowered below the rate in force lets it stay and come nearer by steps.  Accrues at the old
    /// rate first.
    function setFundingRate(uint16 underlying, int32 ratePpmPerDay) external;
    /// Accrue at the present rate and take the oracle's spot for the time ahead.  Anyone may call.
    function accrueFunding(uint16 underlying) external;
    /// Anyone, with the first oracle round at or after expiry, proven by its predecessor.
    function settleExpiry(uint16 underlying, uint32 expiry, uint80 roundId, uint80 previousRoundId) external;
    /// Governance, once nobody settled for `SETTLE_TIMEOUT_S`.
    function settleExpiryByHand(uint16 underlying, uint32 expiry, uint256 price) external;

    // --- liquidation: only the auction, or the fund ---------------------------------------------------------------

    function setInAuction(AccountId account, bool inAuction) external;
    /// Move cash between accounts: the flag fee.
    function moveCash(AccountId from, AccountId to, uint256 amount) external;
    /// Move the slice `fractionWad` of everything `account` has (of its cash, what exceeds `reserved`) to `bidder`, who
    /// pays `cost` (negative: is paid).  Sizes are truncated, the rest rounds for `account`.
    function seize(AccountId account, AccountId bidder, uint256 fractionWad, uint256 reserved, int256 cost) external;
    /// Credit `amount` to `source`, charged to every account with equity through the survival index.
    function socialise(AccountId source, uint256 amount) external;
    /// Only the insurance fund: pay `account` from the fund's own.
    function payFromFund(AccountId account, uint256 amount) external;

    // --- views ----------------------------------------------------------------------------------------------------

    /// Reverts if a price it needs is unusable.
    function margin(AccountId account, FileVersion version) external view returns (Margin memory);
    function marginDetail(AccountId account, FileVersion version) external view returns (MarginDetail memory);
    /// Health in ppm: equity / MM; type(uint256).max when MM is 0 and equity >= 0; 0 when equity < 0.
    function healthPpm(AccountId account) external view returns (uint256);
    function positions(AccountId account) external view returns (Position[] memory);
    function accountState(AccountId account) external view returns (AccountState memory);
    function marketState(uint16 underlying) external view returns (MarketState memory);
    /// The rate 24 to 25 hours ago, which the day's budget of the funding rate is counted from.
    function fundingAnchor(uint16 underlying) external view returns (int32 ratePpmPerDay);
    function houseState() external view returns (HouseState memory);
    function collateral(uint8 id) external view returns (CollateralConfig memory);
    function collateralCount() external view returns (uint256);
    function settlement(uint16 underlying, uint32 expiry) external view returns (bool settled, uint256 price);
    function openInterest(InstrumentId instrument) external view returns (uint256);
    function expiryOpenInterest(uint16 underlying, uint32 expiry) external view returns (uint256);
    function cashOf(AccountId account) external view returns (int256);
    function inAuction(AccountId account) external view returns (bool);

    function oracle() external view returns (address);
    function riskFile() external view returns (address);
    function parameters() external view returns (address);
    function auction() external view returns (address);
    function fund() external view returns (address);
    function fundAccount() external view returns (AccountId);
    function guardian() external view returns (address);
    /// The flash-crash breaker, 0 for none.
    function breaker() external view returns (address);
}
