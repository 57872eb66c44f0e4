// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {AccountId, InstrumentId, Position} from "../interfaces/Types.sol";
import {HourlyRing} from "../libraries/HourlyRing.sol";

/// One account as stored.  What accrues lazily (interest, funding, losses, settled expiries) is written by a touch.
struct Account {
    int128 cash; // wad USD, before interest since `interestEntryRay`
    uint128 interestEntryRay; // interest index when `cash` was last written
    uint96 keepEntryRay; // survival index up to which losses were pulled; 0 = never touched
    uint16 collateralMask; // bit c: a balance of collateral c
    bool inAuction;
    Position[] positions; // ascending by instrument, at most 64
}

/// What a perp position carries beside its size.
struct Perp {
    int128 openNotional; // Σ q·p of what is open, signed, wad USD
    int128 fundingEntry; // funding index up to which funding was paid
}

/// Funding of one underlying's perp: index = stored + rate · spot · dt, where spot is the one at the last accrual.
struct Funding {
    int128 index; // wad USD per contract
    int32 ratePpmPerDay;
    uint40 time; // of the last accrual
    uint40 setTime; // when the rate was last set
    uint128 spot; // at the last accrual, wad USD
}

struct Settlement {
    uint128 price; // wad USD
    bool settled;
}

/// All of the house.  One struct, so that the external libraries work on it by reference.
struct House {
    IPriceOracle oracle;
    IRiskFile file;
    IRiskParameters parameters;
    AccountId fundAccount; // 0 until wired
    address auction;
    uint96 keepRay; // survival index of socialised losses, starts at 1e27
    address fund;
    uint40 pausedUntil;
    uint24 interestPpmPerYear;
    uint128 interestIndexRay;
    uint40 interestTime;
    uint128 minEquityToOpen;
    uint24 feePpm;
    uint128 socialReceivable; // losses assigned to accounts, not yet pulled, wad USD
    uint256 dustE36; // remainders of roundings, 1e-36 USD: the fund's, credited in whole wei
    address guardian;
    IClearingHouse.CollateralConfig[] collaterals; // 0 is the settlement token
    mapping(uint8 collateral => uint256) held; // token units
    mapping(AccountId => Account) accounts;
    mapping(AccountId => mapping(uint8 collateral => uint128)) balances; // token units, collateral 1 and up
    mapping(AccountId => mapping(uint16 underlying => Perp)) perps;
    mapping(uint16 underlying => IClearingHouse.UnderlyingMarket) markets;
    mapping(uint16 underlying => Funding) funding;
    mapping(uint16 underlying => mapping(uint32 expiry => Settlement)) settlements;
    mapping(InstrumentId => uint128) openInterest; // sum of long sizes
    mapping(uint16 underlying => mapping(uint32 expiry => uint128)) expiryOpenInterest;
    mapping(bytes32 orderHash => uint128) filled; // max = cancelled
    mapping(address owner => uint64) minNonce;
    address breaker; // 0 = none
    mapping(uint16 underlying => HourlyRing.Ring) fundingRings; // the rate's last day, int32 as uint32
}

uint256 constant WAD = 1e18;
uint256 constant RAY = 1e27;
uint256 constant PPM = 1e6;
uint256 constant MAX_POSITIONS = 64;
uint256 constant MAX_COLLATERALS = 16;
// |size| stays below this, so that two lanes of a risk row never overflow into each other.
int256 constant SIZE_LIMIT = 2 ** 95;
// The survival index never falls below this; a loss beyond it stays an unpulled receivable.
uint256 constant KEEP_MIN_RAY = 1e18;
// Seconds per year of the interest clock (365 days).
uint256 constant YEAR = 31_536_000;
