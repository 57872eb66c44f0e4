// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccountId, FileVersion, InstrumentId, Position} from "../interfaces/Types.sol";
import {InstrumentIds} from "../libraries/InstrumentIds.sol";
import {FundingLib} from "./FundingLib.sol";
import {HouseBase} from "./HouseBase.sol";
import {Account, Funding, PPM, Perp, Settlement} from "./HouseState.sol";
import {Ledger} from "./Ledger.sol";
import {MarginLib} from "./MarginLib.sol";
import {OrderLib} from "./OrderLib.sol";

/// @title Everything there is to read.
abstract contract HouseViews is HouseBase {
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    function margin(AccountId account, FileVersion version) external view returns (Margin memory) {
        return MarginLib.detail(_h, account, version).margin;
    }

    function marginDetail(AccountId account, FileVersion version) external view returns (MarginDetail memory) {
        return MarginLib.detail(_h, account, version);
    }

    function healthPpm(AccountId account) external view returns (uint256) {
        Margin memory m = MarginLib.detail(_h, account, FileVersion.Live).margin;
        if (m.equity < 0) return 0;
        return m.mm == 0 ? type(uint256).max : uint256(m.equity) * PPM / m.mm;
    }

    function positions(AccountId account) external view returns (Position[] memory) {
        return _h.accounts[account].positions;
    }

    function accountState(AccountId account) external view returns (AccountState memory s) {
        Account storage a = _h.accounts[account];
        s.cash = a.cash;
        s.interestEntryRay = a.interestEntryRay;
        s.keepEntryRay = a.keepEntryRay;
        s.inAuction = a.inAuction;
        s.positions = a.positions;
        uint256 n = _h.collaterals.length;
        s.collateral = new uint256[](n);
        for (uint8 c = 1; c < n; ++c) {
            s.collateral[c] = _h.balances[account][c];
        }
        uint256 perps;
        for (uint256 i; i < s.positions.length; ++i) {
            if (s.positions[i].instrumentOf().isPerp()) ++perps;
        }
        s.perps = new PerpState[](perps);
        for (uint256 i = s.positions.length; i != 0; --i) {
            Position p = s.positions[i - 1];
            if (!p.instrumentOf().isPerp()) continue;
            uint16 u = p.instrumentOf().underlyingOf();
            Perp storage perp = _h.perps[account][u];
            s.perps[--perps] = PerpState(u, p.sizeOf(), perp.openNotional, perp.fundingEntry);
        }
    }

    function marketState(uint16 underlying) external view returns (MarketState memory s) {
        Funding storage f = _h.funding[underlying];
        s.market = _h.markets[underlying];
        s.fundingIndex = Ledger.fundingIndex(_h, underlying);
        s.storedIndex = f.index;
        s.ratePpmPerDay = f.ratePpmPerDay;
        s.fundingSpot = f.spot;
        s.fundingTime = f.time;
        s.fundingSetTime = f.setTime;
        s.perpOpenInterest = _h.openInterest[InstrumentIds.perp(underlying)];
    }

    function fundingAnchor(uint16 underlying) external view returns (int32 ratePpmPerDay) {
        return FundingLib.anchor(_h, underlying);
    }

    function houseState() external view returns (HouseState memory s) {
        s.interestIndexRay = Ledger.interestIndex(_h);
        s.storedInterestIndexRay = _h.interestIndexRay;
        s.interestTime = _h.interestTime;
        s.interestPpmPerYear = _h.interestPpmPerYear;
        s.keepRay = _h.keepRay;
        s.socialReceivable = _h.socialReceivable;
        s.dustE36 = _h.dustE36;
        s.feePpm = _h.feePpm;
        s.minEquityToOpen = _h.minEquityToOpen;
        s.pausedUntil = _h.pausedUntil;
        uint256 n = _h.collaterals.length;
        s.held = new uint256[](n);
        for (uint8 c; c < n; ++c) {
            s.held[c] = _h.held[c];
        }
    }

    function collateral(uint8 id) external view returns (CollateralConfig memory) {
        return _collateral(id);
    }

    function collateralCount() external view returns (uint256) {
        return _h.collaterals.length;
    }

    function settlement(uint16 underlying, uint32 expiry) external view returns (bool settled, uint256 price) {
        Settlement storage s = _h.settlements[underlying][expiry];
        return (s.settled, s.price);
    }

    function openInterest(InstrumentId instrument) external view returns (uint256) {
        return _h.openInterest[instrument];
    }

    function expiryOpenInterest(uint16 underlying, uint32 expiry) external view returns (uint256) {
        return _h.expiryOpenInterest[underlying][expiry];
    }

    function cashOf(AccountId account) external view returns (int256) {
        return _h.accounts[account].cash;
    }

    function inAuction(AccountId account) external view returns (bool) {
        return _h.accounts[account].inAuction;
    }

    function hashOrder(Order calldata order) external view returns (bytes32) {
        return OrderLib.hash(order);
    }

    function domainSeparator() external view returns (bytes32) {
        return OrderLib.domainSeparator();
    }

    function filled(bytes32 orderHash) external view returns (uint256) {
        return _h.filled[orderHash];
    }

    function minNonce(address owner_) external view returns (uint64) {
        return _h.minNonce[owner_];
    }

    function oracle() external view returns (address) {
        return address(_h.oracle);
    }

    function riskFile() external view returns (address) {
        return address(_h.file);
    }

    function parameters() external view returns (address) {
        return address(_h.parameters);
    }

    function auction() external view returns (address) {
        return _h.auction;
    }

    function fund() external view returns (address) {
        return _h.fund;
    }

    function fundAccount() external view returns (AccountId) {
        return _h.fundAccount;
    }

    function guardian() external view returns (address) {
        return _h.guardian;
    }

    function breaker() external view returns (address) {
        return _h.breaker;
    }
}
