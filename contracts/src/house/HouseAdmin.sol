// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {AccountId} from "../interfaces/Types.sol";
import {HouseBase} from "./HouseBase.sol";
import {MAX_COLLATERALS, PPM, RAY} from "./HouseState.sol";
import {Ledger} from "./Ledger.sol";

/// @title What the owner (a timelock) sets, inside fixed bounds, and the guardian's pause.
abstract contract HouseAdmin is HouseBase, Ownable2Step, ReentrancyGuardTransient {
    using SafeCast for uint256;

    /// Who may set funding rates: holders of this role in RiskParameters.
    bytes32 public constant PUBLISHER_ROLE = keccak256("PUBLISHER_ROLE");
    /// Longest pause, and the least time between two.
    uint256 public constant MAX_PAUSE_S = 72 hours;
    uint256 public constant PAUSE_GAP_S = 24 hours;
    /// After expiry, before governance may settle by hand.
    uint256 public constant SETTLE_TIMEOUT_S = 3 days;
    /// 1 % of spot.
    uint256 public constant MAX_FEE_PPM = 10_000;
    /// 100 % a year, simple between touches.
    uint256 public constant MAX_INTEREST_PPM = 1_000_000;
    /// Largest minimum equity to open, wad USD.
    uint256 public constant MAX_MIN_EQUITY = 100_000e18;
    /// 5 % of spot a day, the widest fence a market may have.
    uint256 public constant MAX_FUNDING_PPM = 50_000;
    /// Half of spot, the widest price band a market may have.
    uint256 public constant MAX_BAND_PPM = 500_000;
    /// 64 positions of this size still fit the lanes of the risk file: Σ|size| < 2^95.
    uint256 public constant MAX_POSITION = 2 ** 88;

    constructor(
        IPriceOracle oracle_,
        IRiskFile file_,
        IRiskParameters parameters_,
        CollateralConfig memory settlementToken,
        address owner_
    ) Ownable(owner_) {
        _h.oracle = oracle_;
        _h.file = file_;
        _h.parameters = parameters_;
        _h.keepRay = uint96(RAY);
        _h.interestIndexRay = uint128(RAY);
        _h.interestTime = uint40(block.timestamp);
        if (settlementToken.haircutPpm != 0) revert BadSetting("haircut", settlementToken.haircutPpm, 0);
        _addCollateral(settlementToken);
    }

    // --- owner ----------------------------------------------------------------------------------------------------

    /// Once: the auction and the fund know the house, so the house learns them after.
    function wire(address auction_, address fund_) external onlyOwner {
        if (_h.auction != address(0)) revert AlreadyWired();
        _h.auction = auction_;
        _h.fund = fund_;
        AccountId account = IInsuranceFund(fund_).account();
        _h.fundAccount = account;
        _h.accounts[account].keepEntryRay = uint96(RAY);
        emit Wired(auction_, fund_, account);
        emit LossPulled(account, 0, RAY);
    }

    function addCollateral(CollateralConfig calldata config) external onlyOwner returns (uint8 id) {
        return _addCollateral(config);
    }

    /// Haircut and caps; token, decimals and asset stay.
    function setCollateral(uint8 id, uint24 haircutPpm, uint128 capPerAccount, uint128 capTotal) external onlyOwner {
        CollateralConfig storage config = _collateral(id);
        _checkHaircut(id, haircutPpm);
        config.haircutPpm = haircutPpm;
        config.capPerAccount = capPerAccount;
        config.capTotal = capTotal;
        emit CollateralSet(id, config);
    }

    /// The asset of a market never changes: its accounts' positions hang on it.
    function setMarket(uint16 underlying, UnderlyingMarket calldata market) external onlyOwner {
        bytes32 asset = _h.markets[underlying].asset;
        if (market.asset == 0 || (asset != 0 && asset != market.asset)) revert UnknownMarket(underlying);
        if (market.priceBandPpm > MAX_BAND_PPM) revert BadSetting("band", market.priceBandPpm, MAX_BAND_PPM);
        if (market.maxFundingPpmPerDay > MAX_FUNDING_PPM) {
            revert BadSetting("funding", market.maxFundingPpmPerDay, MAX_FUNDING_PPM);
        }
        if (market.maxPositionPerAccount > MAX_POSITION) {
            revert BadSetting("position", market.maxPositionPerAccount, MAX_POSITION);
        }
        _h.markets[underlying] = market;
        if (asset == 0) _h.funding[underlying].time = uint40(block.timestamp);
        emit MarketSet(underlying, market);
    }

    function setFee(uint24 feePpm) external onlyOwner {
        if (feePpm > MAX_FEE_PPM) revert BadSetting("fee", feePpm, MAX_FEE_PPM);
        _h.feePpm = feePpm;
        emit FeeSet(feePpm);
    }

    function setInterest(uint24 ratePpmPerYear) external onlyOwner {
        if (ratePpmPerYear > MAX_INTEREST_PPM) revert BadSetting("interest", ratePpmPerYear, MAX_INTEREST_PPM);
        uint256 index = Ledger.interestIndex(_h);
        _h.interestIndexRay = index.toUint128();
        _h.interestTime = uint40(block.timestamp);
        _h.interestPpmPerYear = ratePpmPerYear;
        emit InterestSet(ratePpmPerYear, index);
    }

    function setMinEquity(uint128 minEquityToOpen) external onlyOwner {
        if (minEquityToOpen > MAX_MIN_EQUITY) revert BadSetting("min equity", minEquityToOpen, MAX_MIN_EQUITY);
        _h.minEquityToOpen = minEquityToOpen;
        emit MinEquitySet(minEquityToOpen);
    }

    function setGuardian(address guardian_) external onlyOwner {
        _h.guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    /// The flash-crash breaker, 0 for none.
    function setBreaker(address breaker_) external onlyOwner {
        _h.breaker = breaker_;
        emit BreakerSet(breaker_);
    }

    // --- guardian -------------------------------------------------------------------------------------------------

    /// Stop withdrawals and trades that raise risk for at most 72 hours.  Ends by itself; a day must pass before the
    /// next one.
    function pause(uint256 seconds_) external {
        if (msg.sender != _h.guardian) revert NotGuardian(msg.sender);
        if (seconds_ > MAX_PAUSE_S) revert PauseTooLong(seconds_, MAX_PAUSE_S);
        uint256 last = _h.pausedUntil;
        if (last != 0 && block.timestamp < last + PAUSE_GAP_S) {
            revert PauseTooSoon(last + PAUSE_GAP_S, block.timestamp);
        }
        _setPause(block.timestamp + seconds_);
    }

    /// End a pause early.  The gap to the next one counts from now.
    function unpause() external {
        if (msg.sender != _h.guardian && msg.sender != owner()) revert NotGuardian(msg.sender);
        if (block.timestamp < _h.pausedUntil) _setPause(block.timestamp);
    }

    function _setPause(uint256 untilS) private {
        _h.pausedUntil = uint40(untilS);
        emit PausedUntil(untilS);
    }

    // --- inner ----------------------------------------------------------------------------------------------------

    function _addCollateral(CollateralConfig memory config) private returns (uint8 id) {
        uint256 n = _h.collaterals.length;
        if (n == MAX_COLLATERALS) revert BadSetting("collaterals", n, MAX_COLLATERALS - 1);
        id = uint8(n);
        uint8 decimals = IERC20Metadata(config.token).decimals();
        if (decimals != config.decimals || decimals > 18) revert BadSetting("decimals", decimals, 18);
        for (uint256 i; i < n; ++i) {
            if (_h.collaterals[i].token == config.token) revert BadSetting("token listed", i, 0);
        }
        _checkHaircut(id, config.haircutPpm);
        _h.collaterals.push(config);
        emit CollateralSet(id, config);
    }

    function _checkHaircut(uint8 id, uint24 haircutPpm) private pure {
        uint256 max = id == 0 ? 0 : PPM;
        if (haircutPpm > max) revert BadSetting("haircut", haircutPpm, max);
    }
}
