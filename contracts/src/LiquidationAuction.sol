// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICircuitBreaker} from "./interfaces/ICircuitBreaker.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {ILiquidationAuction} from "./interfaces/ILiquidationAuction.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {IRiskFile} from "./interfaces/IRiskFile.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {AccountId, FileVersion, InstrumentId, Position} from "./interfaces/Types.sol";
import {AuctionMath} from "./libraries/AuctionMath.sol";
import {InstrumentIds} from "./libraries/InstrumentIds.sol";

/// @title Permissionless flag, then a Dutch auction of a pro-rata slice of the whole account.
/// @notice Why nobody is liquidated while healthy: `flag` and `bid` measure the account themselves, in this order:
/// 1. touch, so that nothing lazily accrued is left out; 2. refresh stale files; 3. margin at the live oracle, which
/// reverts if a price is unusable; 4. no price that waits to be confirmed (flag), no option that awaits its settlement
/// price; 5. act only below MM (flag) or below
/// the un-flag level (bid).
contract LiquidationAuction is ILiquidationAuction, Ownable2Step, ReentrancyGuardTransient {
    using SafeCast for uint256;
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    bytes32 public constant PUBLISHER_ROLE = keccak256("PUBLISHER_ROLE");
    uint256 private constant WAD = 1e18;
    uint256 private constant PPM = 1e6;

    IClearingHouse public immutable house;
    IRiskFile public immutable file;
    IRiskParameters public immutable parameters;
    IPriceOracle public immutable oracle;

    /// @inheritdoc ILiquidationAuction
    uint256 public knownDeficit;
    Params private _params;
    mapping(AccountId => Auction) private _auctions;
    /// By account and key.  An account's owner is part of its id, so an approval is never another owner's.
    mapping(AccountId => mapping(address => bool)) private _approved;

    constructor(IClearingHouse house_, address owner_, Params memory params_) Ownable(owner_) {
        house = house_;
        file = IRiskFile(house_.riskFile());
        parameters = IRiskParameters(house_.parameters());
        oracle = IPriceOracle(house_.oracle());
        _setParams(params_);
    }

    modifier notPublisher() {
        if (_publishes(msg.sender)) revert PublisherMayNotLiquidate(msg.sender);
        _;
    }

    // --- flag -----------------------------------------------------------------------------------------------------

    /// @inheritdoc ILiquidationAuction
    function flag(AccountId account, AccountId feeTo) external nonReentrant notPublisher {
        Auction storage a = _auctions[account];
        if (a.active) revert AlreadyInAuction(account);
        if (_same(account, house.fundAccount())) revert FundAccount(account);
        IClearingHouse.MarginDetail memory d = _measure(account);
        if (!_below(d.margin)) revert Healthy(account, d.margin.equity, d.margin.mm);
        _requireCalm(account);
        Position[] memory list = _settled(account);
        if (_inNotice(list)) {
            IClearingHouse.Margin memory m = house.margin(account, FileVersion.Previous);
            if (!_below(m)) revert HealthyUnderPreviousFile(account, m.equity, m.mm);
        }

        bool resumed = a.endTime != 0 && block.timestamp <= uint256(a.endTime) + _params.coolOffS;
        if (resumed) {
            // The clocks stood still while the account was not in auction: nobody could bid, so nothing gets cheaper.
            uint64 away = uint64(block.timestamp) - a.endTime;
            a.startTime += away;
            if (a.insolventSince != 0) a.insolventSince += away;
        } else {
            (a.startTime, a.insolventSince, a.paidByFund) = (uint64(block.timestamp), 0, 0);
        }
        (a.active, a.flagBlock, a.reserved) = (true, uint64(block.number), 0);
        bool insolvent = d.margin.equity < 0;
        uint256 fee = insolvent || resumed ? 0 : Math.min(d.flagFee, uint256(d.margin.equity));
        emit Flagged(account, msg.sender, d.margin.equity, d.margin.mm, fee, insolvent, a.startTime);
        _note(account, a, d.margin.equity);
        house.setInAuction(account, true);
        if (fee != 0) house.moveCash(account, feeTo, fee);
        if (list.length == 0 && d.haircut == 0) _clearIfOnlyDebt(account, a);
    }

    /// A price that jumped must be confirmed before anybody is flagged on it.
    function _requireCalm(AccountId account) private view {
        address breaker = house.breaker();
        if (breaker == address(0)) return;
        (bytes32 asset, uint256 untilS) = ICircuitBreaker(breaker).deferral(account);
        if (untilS != 0) revert Deferred(asset, untilS);
    }

    /// @inheritdoc ILiquidationAuction
    function unflag(AccountId account) external nonReentrant {
        Auction storage a = _active(account);
        IClearingHouse.Margin memory m = _measure(account).margin;
        if (!_restored(m)) revert NotRestored(account, m.equity, m.mm);
        emit Unflagged(account, m.equity, m.mm);
        _end(account, a, m.equity);
    }

    /// @inheritdoc ILiquidationAuction
    function remeasure(AccountId account) external nonReentrant {
        int256 equity = _measure(account).margin.equity;
        _settled(account);
        _note(account, _active(account), equity);
    }

    // --- bid ------------------------------------------------------------------------------------------------------

    /// @inheritdoc ILiquidationAuction
    function bid(AccountId account, AccountId bidder, uint256 fractionWad, uint40[] calldata epochs, int256 maxCost)
        external
        nonReentrant
        notPublisher
        returns (uint256 taken, int256 cost)
    {
        Auction storage a = _active(account);
        _checkBidder(account, bidder);
        if (fractionWad == 0) revert ZeroFraction();
        _checkEpochs(house.positions(account), epochs);
        IClearingHouse.MarginDetail memory d = _measure(account);
        _settled(account);
        if (_restored(d.margin)) revert Healthy(account, d.margin.equity, d.margin.mm);
        _note(account, a, d.margin.equity);

        uint256 reserved;
        (taken, cost, reserved) = _price(a, d, fractionWad);
        if (cost > maxCost) {
            if (maxCost < 0) revert PayoutTooSmall(-cost, -maxCost);
            revert PriceTooHigh(uint256(cost), uint256(maxCost));
        }
        house.seize(account, bidder, taken, reserved, cost);
        a.reserved = a.insolvent || cost < 0 ? 0 : reserved + uint256(cost);
        (uint256 fromFund, uint256 socialised) = cost < 0 ? _cover(account, a, uint256(-cost)) : (0, 0);
        emit Bid(account, bidder, taken, cost, fromFund, socialised);

        _conclude(account, a, taken == WAD);
        _settled(bidder);
        IClearingHouse.Margin memory m = house.margin(bidder, FileVersion.Live);
        if (m.equity < int256(m.im)) revert BidderBelowInitial(bidder, m.equity, m.im);
    }

    function _checkBidder(AccountId account, AccountId bidder) private view {
        address owner_ = _ownerOf(bidder);
        address sold = _ownerOf(account);
        if (msg.sender != owner_) {
            if (!_approved[bidder][msg.sender]) revert NotBidder(bidder, msg.sender);
            if (msg.sender == sold) revert SameOwner(sold);
        }
        if (owner_ == sold) revert SameOwner(sold);
        if (house.inAuction(bidder)) revert BidderInAuction(bidder);
    }

    /// @inheritdoc ILiquidationAuction
    function approveBidder(AccountId account, address key, bool approved) external {
        // A key may give up what it was given, for instance once it may have leaked; nobody but the owner gives.
        bool givesUp = msg.sender == key && !approved;
        if (msg.sender != _ownerOf(account) && !givesUp) revert IClearingHouse.NotOwner(account, msg.sender);
        _approved[account][key] = approved;
        emit BidderApproved(account, key, approved);
    }

    /// @inheritdoc ILiquidationAuction
    function mayBid(AccountId account, address key) external view returns (bool) {
        return (key == _ownerOf(account) || _approved[account][key]) && !_publishes(key);
    }

    /// What is left after a bid: restored, closed, or still in auction.
    function _conclude(AccountId account, Auction storage a, bool whole) private {
        if (whole && _clearIfOnlyDebt(account, a)) return;
        IClearingHouse.Margin memory m = house.margin(account, FileVersion.Live);
        if (_restored(m)) _end(account, a, m.equity);
        else _note(account, a, m.equity);
    }

    /// Fraction taken, what it costs, and the cash that is not part of the slice.
    function _price(Auction memory a, IClearingHouse.MarginDetail memory d, uint256 asked)
        private
        view
        returns (uint256 taken, int256 cost, uint256 reserved)
    {
        Params memory p = _params;
        int256 mtm = d.margin.equity + int256(d.haircut);
        uint256 max;
        if (d.margin.equity < 0) {
            uint256 t = a.insolventSince == 0 ? 0 : Math.min(block.timestamp - a.insolventSince, p.insolventS);
            taken = Math.min(asked, WAD);
            cost = AuctionMath.insolventCostUp(mtm, d.haircut + d.margin.mm, t, p.insolventS, taken);
            return (taken, cost, 0);
        }
        uint256 discount =
            AuctionMath.discountPpm(block.timestamp - a.startTime, p.fastS, p.slowS, p.startPpm, p.cutoffPpm);
        // Earlier bidders' cash stays out of the slice only while the rest is worth something.
        reserved = mtm > int256(a.reserved) ? a.reserved : 0;
        max = uint256(mtm) < p.dustUsd
            ? WAD
            : AuctionMath.maxFractionUp(d.margin.equity, d.margin.mm, p.bufferPpm, uint256(mtm), discount, reserved);
        taken = uint256(mtm) < p.dustUsd ? WAD : Math.min(asked, max);
        cost = int256(AuctionMath.costUp(uint256(mtm) - reserved, discount, taken));
    }

    // --- insolvency -----------------------------------------------------------------------------------------------

    /// The fund pays up to its cap for this auction, everybody the rest.  `amount` was already taken off the account.
    function _cover(AccountId account, Auction storage a, uint256 amount)
        private
        returns (uint256 fromFund, uint256 socialised)
    {
        fromFund = IInsuranceFund(house.fund()).cover(account, amount, a.paidByFund);
        a.paidByFund += fromFund;
        socialised = amount - fromFund;
        if (socialised != 0) house.socialise(account, socialised);
    }

    /// Once nothing but debt is left, the fund and everybody pay it and the auction is over.
    function _clearIfOnlyDebt(AccountId account, Auction storage a) private returns (bool cleared) {
        int256 cash = house.cashOf(account);
        IClearingHouse.MarginDetail memory d = house.marginDetail(account, FileVersion.Live);
        // Nothing else is worth anything either way: equity is the cash.
        if (cash >= 0 || d.haircut != 0 || d.margin.equity != cash || house.positions(account).length != 0) {
            return false;
        }
        (uint256 fromFund, uint256 socialised) = _cover(account, a, uint256(-cash));
        emit DebtCleared(account, uint256(-cash), fromFund, socialised);
        _end(account, a, 0);
        return true;
    }

    /// Keep the insolvency of an account in auction, its clock and the sum of deficits in step with its equity.
    function _note(AccountId account, Auction storage a, int256 equity) private {
        bool insolvent = equity < 0;
        uint256 deficit = insolvent ? uint256(-equity) : 0;
        knownDeficit = knownDeficit - a.deficit + deficit;
        a.deficit = deficit;
        if (insolvent == a.insolvent) return;
        a.insolvent = insolvent;
        if (insolvent && a.insolventSince == 0) a.insolventSince = uint64(block.timestamp);
        emit InsolvencyChanged(account, insolvent, equity, a.insolventSince);
    }

    function _end(AccountId account, Auction storage a, int256 equity) private {
        _note(account, a, equity > 0 ? equity : int256(0));
        (a.active, a.reserved, a.endTime) = (false, 0, uint64(block.timestamp));
        house.setInAuction(account, false);
        emit AuctionEnded(account, equity > 0, equity);
    }

    /// @inheritdoc ILiquidationAuction
    function insolvencyGated() external view returns (bool) {
        uint256 deficit = knownDeficit;
        if (deficit == 0 || deficit <= _params.minGateUsd) return false;
        return int256(deficit) > IInsuranceFund(house.fund()).balance();
    }

    // --- measuring ------------------------------------------------------------------------------------------------

    /// Touch, refresh what is stale, and measure.
    function _measure(AccountId account) private returns (IClearingHouse.MarginDetail memory d) {
        house.touch(account);
        d = house.marginDetail(account, FileVersion.Live);
        if (!d.margin.stale) return d;
        Position[] memory list = house.positions(account);
        uint256 done; // the last underlying looked at, plus one
        for (uint256 i; i < list.length; ++i) {
            InstrumentId instrument = list[i].instrumentOf();
            uint16 u = instrument.underlyingOf();
            // Perps and expired options need no rows.
            if (uint256(u) + 1 == done || instrument.expiryOf() <= block.timestamp) continue;
            done = uint256(u) + 1;
            if (file.isStale(u, oracle.price(file.assetOf(u)))) file.refresh(u);
        }
        d = house.marginDetail(account, FileVersion.Live);
    }

    /// Positions of a touched account, none of which awaits its settlement price: at live spot instead, whoever delays
    /// the settlement would choose whether the account is healthy, and buy or sell it the difference.
    function _settled(AccountId account) private view returns (Position[] memory list) {
        list = house.positions(account);
        for (uint256 i; i < list.length; ++i) {
            uint32 expiry = list[i].instrumentOf().expiryOf(); // 0 of a perp
            if (expiry != 0 && expiry <= block.timestamp) revert IClearingHouse.ExpiryUnsettled(account, expiry);
        }
    }

    function _inNotice(Position[] memory list) private view returns (bool) {
        for (uint256 i; i < list.length; ++i) {
            uint16 u = list[i].instrumentOf().underlyingOf();
            if (i != 0 && u == list[i - 1].instrumentOf().underlyingOf()) continue;
            if (parameters.inNotice(u)) return true;
        }
        return false;
    }

    function _checkEpochs(Position[] memory list, uint40[] calldata epochs) private view {
        uint256 n;
        for (uint256 i; i < list.length; ++i) {
            uint16 u = list[i].instrumentOf().underlyingOf();
            if (i != 0 && u == list[i - 1].instrumentOf().underlyingOf()) continue;
            if (n == epochs.length) revert WrongEpochs(epochs.length, n + 1);
            uint40 live = file.header(u, FileVersion.Live).epoch;
            // Of one publication is enough: anyone may refresh, as often as there are bids to make void.
            if (epochs[n] >> 16 != live >> 16) revert WrongEpoch(u, epochs[n], live);
            ++n;
        }
        if (n != epochs.length) revert WrongEpochs(epochs.length, n);
    }

    function _below(IClearingHouse.Margin memory m) private pure returns (bool) {
        return m.equity < 0 || m.equity < int256(m.mm);
    }

    function _restored(IClearingHouse.Margin memory m) private view returns (bool) {
        return m.equity >= 0 && uint256(m.equity) * PPM >= m.mm * (PPM + _params.bufferPpm);
    }

    function _publishes(address key) private view returns (bool) {
        return IAccessControl(address(parameters)).hasRole(PUBLISHER_ROLE, key);
    }

    function _active(AccountId account) private view returns (Auction storage a) {
        a = _auctions[account];
        if (!a.active) revert NotInAuction(account);
    }

    function _ownerOf(AccountId account) private pure returns (address) {
        return address(uint160(AccountId.unwrap(account) >> 96));
    }

    function _same(AccountId a, AccountId b) private pure returns (bool) {
        return AccountId.unwrap(a) == AccountId.unwrap(b);
    }

    // --- settings and views ---------------------------------------------------------------------------------------

    /// @inheritdoc ILiquidationAuction
    function setParams(Params calldata params_) external onlyOwner {
        _setParams(params_);
    }

    function _setParams(Params memory p) private {
        if (p.fastS == 0 || p.fastS > 1 days) revert BadParams("fastS");
        if (p.slowS == 0 || p.slowS > 7 days) revert BadParams("slowS");
        if (p.startPpm > PPM || p.startPpm < PPM / 2) revert BadParams("startPpm");
        if (p.cutoffPpm > p.startPpm) revert BadParams("cutoffPpm");
        if (p.insolventS == 0 || p.insolventS > 7 days) revert BadParams("insolventS");
        if (p.bufferPpm > PPM / 2) revert BadParams("bufferPpm");
        if (p.coolOffS > 7 days) revert BadParams("coolOffS");
        if (p.dustUsd > 10_000e18) revert BadParams("dustUsd");
        _params = p;
        emit ParamsSet(p);
    }

    /// @inheritdoc ILiquidationAuction
    function auction(AccountId account) external view returns (Auction memory) {
        return _auctions[account];
    }

    /// @inheritdoc ILiquidationAuction
    function params() external view returns (Params memory) {
        return _params;
    }

    /// @inheritdoc ILiquidationAuction
    function quote(AccountId account, uint256 fractionWad) external view returns (uint256 maxFractionWad, int256 cost) {
        Auction memory a = _active(account);
        IClearingHouse.MarginDetail memory d = house.marginDetail(account, FileVersion.Live);
        if (_restored(d.margin)) return (0, 0);
        (maxFractionWad,,) = _price(a, d, WAD);
        (, cost,) = _price(a, d, fractionWad);
    }
}
