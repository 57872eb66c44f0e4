// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId, FileVersion, InstrumentId, Position} from "./Types.sol";

/// @title Accounts, collateral, positions, trades, funding, expiry and health.
interface IClearingHouse {
    struct CollateralConfig {
        address token;
        uint8 decimals;
        bytes32 asset; // oracle id; ignored for the settlement token
        uint24 haircutPpm; // part of the value that does not count
        uint128 capPerAccount; // token units that count as collateral
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
        bool listed;
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

    event Deposited(AccountId indexed account, uint8 indexed collateral, uint256 amount);
    event Withdrawn(AccountId indexed account, uint8 indexed collateral, uint256 amount, address to);
    /// Every change of a position, with its new absolute size: the indexer needs no arithmetic.
    event PositionChanged(AccountId indexed account, InstrumentId indexed instrument, int128 size, int128 delta, uint256 price);
    /// Every change of cash, with its new absolute value (before lazy interest and loss since).
    event CashChanged(AccountId indexed account, int256 cash);
    /// Every change of a perp's lazily accrued state.
    event PerpTouched(AccountId indexed account, uint16 indexed underlying, int128 openNotional, int128 fundingEntry);
    event CollateralChanged(AccountId indexed account, uint8 indexed collateral, uint256 balance);
    event Traded(bytes32 indexed buyHash, bytes32 indexed sellHash, InstrumentId indexed instrument, uint128 amount, uint128 price, uint256 fee);
    event FundingSet(uint16 indexed underlying, int32 ratePpmPerDay, int256 index);
    event ExpirySettled(uint16 indexed underlying, uint32 indexed expiry, uint256 price);
    event PositionExpired(AccountId indexed account, InstrumentId indexed instrument, int128 size, int256 payout);
    event LossSocialised(AccountId indexed source, uint256 amount, uint256 keepRay);
    event LossPulled(AccountId indexed account, uint256 amount);
    event InterestCharged(AccountId indexed account, uint256 amount);

    function deposit(AccountId account, uint8 collateral, uint256 amount) external;
    function withdraw(AccountId account, uint8 collateral, uint256 amount, address to) external;
    function trade(Order calldata buy, bytes calldata buySig, Order calldata sell, bytes calldata sellSig, uint128 amount, uint128 price) external;
    function settleExpiry(uint16 underlying, uint32 expiry, uint80 roundId, uint80 previousRoundId) external;
    /// Cash out settled expired positions, pull socialised losses, accrue interest and funding.  Anyone may call.
    function touch(AccountId account) external;
    function setFundingRate(uint16 underlying, int32 ratePpmPerDay) external;

    /// Reverts if a price it needs is unusable.
    function margin(AccountId account, FileVersion version) external view returns (Margin memory);
    /// Health in ppm: equity / MM; type(uint256).max when MM is 0 and equity >= 0; 0 when equity < 0.
    function healthPpm(AccountId account) external view returns (uint256);
    function positions(AccountId account) external view returns (Position[] memory);
}
