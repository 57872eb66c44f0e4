// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {HouseAdmin} from "./house/HouseAdmin.sol";
import {HouseViews} from "./house/HouseViews.sol";
import {BreakerLib} from "./house/BreakerLib.sol";
import {FundingLib} from "./house/FundingLib.sol";
import {Settlement, WAD} from "./house/HouseState.sol";
import {Ledger} from "./house/Ledger.sol";
import {MarginLib} from "./house/MarginLib.sol";
import {OrderLib} from "./house/OrderLib.sol";
import {SeizeLib} from "./house/SeizeLib.sol";
import {TouchLib} from "./house/TouchLib.sol";
import {TradeLib} from "./house/TradeLib.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {ILiquidationAuction} from "./interfaces/ILiquidationAuction.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {IRiskFile} from "./interfaces/IRiskFile.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {AccountId, FileVersion} from "./interfaces/Types.sol";

/// @title Accounts, collateral, positions, trades, funding, expiry and health.
/// @notice The documentation is on `IClearingHouse`; the laws are numbered in contracts/README.md.
contract ClearingHouse is HouseAdmin, HouseViews {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;
    using SafeCast for int256;

    constructor(
        IPriceOracle oracle_,
        IRiskFile file_,
        IRiskParameters parameters_,
        CollateralConfig memory settlementToken,
        address owner_
    ) HouseAdmin(oracle_, file_, parameters_, settlementToken, owner_) {}

    modifier onlyAuction() {
        if (msg.sender != _h.auction) revert NotAuction(msg.sender);
        _;
    }

    // --- accounts -------------------------------------------------------------------------------------------------

    function deposit(AccountId account, uint8 c, uint256 amount) external nonReentrant {
        if (_h.auction == address(0)) revert NotWired();
        if (amount == 0) revert ZeroAmount();
        CollateralConfig storage config = _collateral(c);
        TouchLib.touch(_h, account);
        _pull(IERC20(config.token), amount);
        uint256 total = _h.held[c] + amount;
        if (total > config.capTotal) revert CapExceeded("total", total, config.capTotal);
        _h.held[c] = total;
        emit Deposited(account, c, amount);
        if (c == 0) {
            uint256 scale = _scale();
            Ledger.addCash(_h, account, (amount * scale).toInt256());
            int256 cash = _h.accounts[account].cash;
            bool capped = AccountId.unwrap(account) != AccountId.unwrap(_h.fundAccount);
            if (capped && cash > int256(uint256(config.capPerAccount) * scale)) {
                revert CapExceeded("account", uint256(cash) / scale, config.capPerAccount);
            }
        } else {
            uint256 balance = _h.balances[account][c] + amount;
            if (balance > config.capPerAccount) revert CapExceeded("account", balance, config.capPerAccount);
            Ledger.setBalance(_h, account, c, balance);
        }
    }

    function withdraw(AccountId account, uint8 c, uint256 amount, address to) external nonReentrant {
        if (msg.sender != OrderLib.ownerOf(account)) revert NotOwner(account, msg.sender);
        if (amount == 0) revert ZeroAmount();
        if (_h.accounts[account].inAuction) revert InAuction(account);
        if (block.timestamp < _h.pausedUntil) revert Paused(_h.pausedUntil);
        if (ILiquidationAuction(_h.auction).insolvencyGated()) revert WithdrawalsGated();
        CollateralConfig storage config = _collateral(c);
        TouchLib.touch(_h, account);
        uint32 open = Ledger.unsettled(_h, account);
        if (open != 0) revert ExpiryUnsettled(account, open);
        uint256 held = _h.held[c];
        if (amount > held) revert NotEnough(held, amount);
        _h.held[c] = held - amount;
        if (c == 0) {
            Ledger.addCash(_h, account, -(amount * _scale()).toInt256());
        } else {
            uint256 balance = _h.balances[account][c];
            if (amount > balance) revert NotEnough(balance, amount);
            Ledger.setBalance(_h, account, c, balance - amount);
        }
        BreakerLib.requireConfirmed(_h, account);
        _requireInitial(account);
        emit Withdrawn(account, c, amount, to);
        IERC20(config.token).safeTransfer(to, amount);
    }

    function touch(AccountId account) external nonReentrant {
        TouchLib.touch(_h, account);
    }

    // --- trading --------------------------------------------------------------------------------------------------

    function trade(
        Order calldata buy,
        bytes calldata buySig,
        Order calldata sell,
        bytes calldata sellSig,
        uint128 amount,
        uint128 price
    ) external nonReentrant {
        TradeLib.trade(_h, buy, buySig, sell, sellSig, amount, price);
    }

    function cancel(Order calldata order) external nonReentrant {
        if (msg.sender != OrderLib.ownerOf(order.account)) revert NotOwner(order.account, msg.sender);
        bytes32 orderHash = OrderLib.hash(order);
        _h.filled[orderHash] = type(uint128).max;
        emit OrderCancelledByOwner(orderHash);
    }

    function raiseNonce(uint64 minimum) external nonReentrant {
        uint64 present = _h.minNonce[msg.sender];
        if (minimum <= present) revert OrderCancelled(minimum, present);
        _h.minNonce[msg.sender] = minimum;
        emit NonceRaised(msg.sender, minimum);
    }

    // --- funding and expiry ---------------------------------------------------------------------------------------

    function setFundingRate(uint16 underlying, int32 ratePpmPerDay) external nonReentrant {
        if (!IAccessControl(address(_h.parameters)).hasRole(PUBLISHER_ROLE, msg.sender)) {
            revert NotPublisher(msg.sender);
        }
        FundingLib.setRate(_h, underlying, ratePpmPerDay);
    }

    function accrueFunding(uint16 underlying) external nonReentrant {
        FundingLib.accrue(_h, underlying);
    }

    function settleExpiry(uint16 underlying, uint32 expiry, uint80 roundId, uint80 previousRoundId)
        external
        nonReentrant
    {
        _requireUnsettled(underlying, expiry);
        uint256 price = _h.oracle.settlementPrice(_market(underlying).asset, expiry, roundId, previousRoundId);
        _settle(underlying, expiry, price);
    }

    function settleExpiryByHand(uint16 underlying, uint32 expiry, uint256 price) external onlyOwner nonReentrant {
        _requireUnsettled(underlying, expiry);
        _market(underlying);
        uint256 next = uint256(expiry) + SETTLE_TIMEOUT_S;
        if (block.timestamp < next) revert TooEarlyByHand(next, block.timestamp);
        emit ExpirySettledByHand(underlying, expiry, price);
        _settle(underlying, expiry, price);
    }

    function _requireUnsettled(uint16 underlying, uint32 expiry) private view {
        if (expiry == 0 || block.timestamp < expiry) revert NotExpired(expiry, block.timestamp);
        if (_h.settlements[underlying][expiry].settled) revert AlreadySettled(underlying, expiry);
    }

    function _settle(uint16 underlying, uint32 expiry, uint256 price) private {
        _h.settlements[underlying][expiry] = Settlement(price.toUint128(), true);
        emit ExpirySettled(underlying, expiry, price);
    }

    // --- liquidation ----------------------------------------------------------------------------------------------

    function setInAuction(AccountId account, bool inAuction_) external onlyAuction nonReentrant {
        _h.accounts[account].inAuction = inAuction_;
        emit AuctionSet(account, inAuction_);
    }

    function moveCash(AccountId from, AccountId to, uint256 amount) external onlyAuction nonReentrant {
        TouchLib.touch(_h, to);
        Ledger.addCash(_h, from, -amount.toInt256());
        Ledger.addCash(_h, to, amount.toInt256());
    }

    function seize(AccountId account, AccountId bidder, uint256 fractionWad, uint256 reserved, int256 cost)
        external
        onlyAuction
        nonReentrant
    {
        if (fractionWad > WAD) revert BadSetting("fraction", fractionWad, WAD);
        TouchLib.touch(_h, account);
        TouchLib.touch(_h, bidder);
        SeizeLib.seize(_h, account, bidder, fractionWad, reserved, cost);
    }

    function socialise(AccountId source, uint256 amount) external onlyAuction nonReentrant {
        SeizeLib.socialise(_h, source, amount);
    }

    function payFromFund(AccountId account, uint256 amount) external nonReentrant {
        if (msg.sender != _h.fund) revert NotFund(msg.sender);
        Ledger.addCash(_h, _h.fundAccount, -amount.toInt256());
        Ledger.addCash(_h, account, amount.toInt256());
    }

    function sweepDust() external nonReentrant {
        uint256 amount = _h.dustE36 / WAD;
        if (amount == 0) return;
        _h.dustE36 -= amount * WAD;
        emit DustSwept(amount);
        Ledger.addCash(_h, _h.fundAccount, amount.toInt256());
    }

    // --- inner ----------------------------------------------------------------------------------------------------

    function _pull(IERC20 token, uint256 amount) private {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert WrongReceipt(amount, received);
    }

    function _requireInitial(AccountId account) private view {
        Margin memory m = MarginLib.detail(_h, account, FileVersion.Live).margin;
        if (m.equity < int256(m.im)) revert BelowInitial(account, m.equity, m.im);
    }
}
