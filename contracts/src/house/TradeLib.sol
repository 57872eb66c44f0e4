// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId, FileVersion, InstrumentId} from "../interfaces/Types.sol";
import {InstrumentIds} from "../libraries/InstrumentIds.sol";
import {BreakerLib} from "./BreakerLib.sol";
import {Account, House, PPM, WAD} from "./HouseState.sol";
import {Ledger} from "./Ledger.sol";
import {MarginLib} from "./MarginLib.sol";
import {OrderLib} from "./OrderLib.sol";
import {TouchLib} from "./TouchLib.sol";

/// @title One trade between two signed orders.
/// @notice In this order: what the orders say, what the market allows, touch, move, what margin says.
library TradeLib {
    using InstrumentIds for InstrumentId;

    /// The fill at hand.
    struct Fill {
        InstrumentId instrument;
        uint128 amount;
        uint128 price;
        uint256 spot;
        uint256 fee; // each side
        uint256 reduceOnlyUntil; // 0 = positions may grow
        address caller;
    }

    /// One side of it.
    struct Side {
        AccountId account;
        int256 delta;
        bool shrinks;
        bool grows; // not `!shrinks`: a flip is neither shrinking nor free of the checks of growth
        uint32 unsettled; // an expired option of the account has no settlement price yet
        IClearingHouse.Margin before; // only if it shrinks
    }

    function trade(
        House storage h,
        IClearingHouse.Order calldata buy,
        bytes calldata buySignature,
        IClearingHouse.Order calldata sell,
        bytes calldata sellSignature,
        uint128 amount,
        uint128 price
    ) external {
        Fill memory f = Fill(buy.instrument, amount, price, 0, 0, 0, msg.sender);
        _checkPair(buy, sell, f);
        _checkMarket(h, f);
        bytes32 buyHash = OrderLib.consume(h, buy, buySignature, amount, price, f.fee, f.caller);
        bytes32 sellHash = OrderLib.consume(h, sell, sellSignature, amount, price, f.fee, f.caller);
        emit IClearingHouse.Traded(buyHash, sellHash, f.instrument, amount, price, f.fee);

        uint256 interestBefore = h.openInterest[f.instrument];
        Side memory buyer = _side(h, buy.account, f, int256(uint256(amount)));
        Side memory seller = _side(h, sell.account, f, -int256(uint256(amount)));
        _move(h, f, buyer, seller);
        if (h.openInterest[f.instrument] > interestBefore) _checkOpenInterest(h, f.instrument);
        _checkMargin(h, buyer);
        _checkMargin(h, seller);
    }

    function _checkPair(IClearingHouse.Order calldata buy, IClearingHouse.Order calldata sell, Fill memory f)
        private
        pure
    {
        if (f.amount == 0) revert IClearingHouse.ZeroAmount();
        if (!buy.isBuy || sell.isBuy) revert IClearingHouse.WrongSide();
        if (InstrumentId.unwrap(buy.instrument) != InstrumentId.unwrap(sell.instrument) || !buy.instrument.isValid()) {
            revert IClearingHouse.WrongInstrument(sell.instrument);
        }
        address owner = OrderLib.ownerOf(buy.account);
        if (owner == OrderLib.ownerOf(sell.account)) revert IClearingHouse.SameOwner(owner);
    }

    /// Known market, unexpired and listed instrument, price inside the band; sets spot, fee and what
    /// the breaker says.
    function _checkMarket(House storage h, Fill memory f) private {
        uint16 u = f.instrument.underlyingOf();
        IClearingHouse.UnderlyingMarket storage market = h.markets[u];
        if (market.asset == 0) revert IClearingHouse.UnknownMarket(u);
        uint256 spot = h.oracle.price(market.asset);
        int256 band = int256(spot * market.priceBandPpm / PPM);
        int256 low = int256(spot);
        int256 high = int256(spot);
        if (!f.instrument.isPerp()) {
            uint32 expiry = f.instrument.expiryOf();
            if (expiry <= block.timestamp) revert IClearingHouse.InstrumentExpired(expiry, block.timestamp);
            // Reverts if the strike is not listed.
            (, high, low) =
                h.file.marks(u, expiry, f.instrument.strikeOf(), f.instrument.kindOf() == InstrumentIds.CALL, spot);
        }
        (low, high) = (low - band, high + band);
        int256 price = int256(uint256(f.price));
        if (price < low || price > high) revert IClearingHouse.PriceOutsideBand(f.price, low, high);
        f.spot = spot;
        f.reduceOnlyUntil = BreakerLib.reduceOnlyUntil(h, market.asset);
        f.fee = Math.mulDiv(uint256(f.amount) * spot, h.feePpm, WAD * PPM, Math.Rounding.Ceil);
    }

    function _side(House storage h, AccountId id, Fill memory f, int256 delta) private returns (Side memory s) {
        if (h.accounts[id].inAuction) revert IClearingHouse.InAuction(id);
        TouchLib.touch(h, id);
        (, int256 size) = Ledger.find(h.accounts[id], f.instrument);
        int256 next = size + delta;
        (uint256 was, uint256 becomes) = (_abs(size), _abs(next));
        (s.account, s.delta) = (id, delta);
        s.shrinks = becomes < was && (becomes == 0 || (size > 0) == (next > 0));
        s.grows = !s.shrinks;
        s.unsettled = Ledger.unsettled(h, id);
        if (s.shrinks) {
            s.before = MarginLib.detail(h, id, FileVersion.Live).margin;
            return s;
        }
        if (f.reduceOnlyUntil != 0) revert IClearingHouse.ReduceOnly(f.instrument.underlyingOf(), f.reduceOnlyUntil);
        if (s.unsettled != 0) revert IClearingHouse.ExpiryUnsettled(id, s.unsettled);
        IClearingHouse.UnderlyingMarket storage market = h.markets[f.instrument.underlyingOf()];
        if (!market.listed) revert IClearingHouse.UnknownMarket(f.instrument.underlyingOf());
        if (becomes > market.maxPositionPerAccount) {
            revert IClearingHouse.CapExceeded("position", becomes, market.maxPositionPerAccount);
        }
    }

    /// The buyer pays rounded up, the seller receives rounded down, the fund has the wei between and both fees.
    function _move(House storage h, Fill memory f, Side memory buyer, Side memory seller) private {
        uint256 exact = uint256(f.amount) * f.price;
        int256 paid = int256(Math.ceilDiv(exact, WAD));
        int256 received = int256(exact / WAD);
        int256 fee = int256(f.fee);
        if (f.instrument.isPerp()) {
            Ledger.changePerp(h, buyer.account, f.instrument, buyer.delta, paid, f.price);
            Ledger.changePerp(h, seller.account, f.instrument, seller.delta, -received, f.price);
            Ledger.addCash(h, buyer.account, -fee);
            Ledger.addCash(h, seller.account, -fee);
        } else {
            Ledger.changePosition(h, buyer.account, f.instrument, buyer.delta, f.price);
            Ledger.changePosition(h, seller.account, f.instrument, seller.delta, f.price);
            Ledger.addCash(h, buyer.account, -paid - fee);
            Ledger.addCash(h, seller.account, received - fee);
        }
        Ledger.addCash(h, h.fundAccount, 2 * fee + paid - received);
    }

    function _checkOpenInterest(House storage h, InstrumentId instrument) private view {
        uint16 u = instrument.underlyingOf();
        IClearingHouse.UnderlyingMarket storage market = h.markets[u];
        uint256 open = h.openInterest[instrument];
        if (instrument.isPerp()) {
            _cap("perp open interest", open, market.maxOpenInterestPerp);
            return;
        }
        _cap("instrument open interest", open, market.maxOpenInterestInstrument);
        _cap("expiry open interest", h.expiryOpenInterest[u][instrument.expiryOf()], market.maxOpenInterestExpiry);
    }

    function _cap(bytes32 what, uint256 value, uint256 cap) private pure {
        if (value > cap) revert IClearingHouse.CapExceeded(what, value, cap);
    }

    function _checkMargin(House storage h, Side memory s) private view {
        IClearingHouse.Margin memory m = MarginLib.detail(h, s.account, FileVersion.Live).margin;
        bool paused = block.timestamp < h.pausedUntil;
        // A trade that raises what the account must hold is one that raises risk, whatever it does to the position.
        if (paused && (s.grows || m.im > s.before.im)) revert IClearingHouse.Paused(h.pausedUntil);
        if (s.grows && m.equity < int256(uint256(h.minEquityToOpen))) {
            revert IClearingHouse.EquityTooSmallToOpen(s.account, m.equity, h.minEquityToOpen);
        }
        // An expired option requires nothing, so IM says little until it is settled.
        if (m.equity >= int256(m.im) && s.unsettled == 0) return;
        if (s.grows) revert IClearingHouse.BelowInitial(s.account, m.equity, m.im);
        // The last condition keeps a shrinking trade at a bad price from pushing the account into insolvency:
        // MM that a close sets free must not leave through its price (else two accounts of one person take it
        // from the fund).
        int256 floor_ = s.before.equity < 0 ? s.before.equity : int256(0);
        bool reducing = m.im <= s.before.im && m.mm <= s.before.mm
            && m.equity - int256(m.mm) >= s.before.equity - int256(s.before.mm) && m.equity >= floor_;
        if (!reducing) {
            revert IClearingHouse.NotReducing(s.account, s.before.equity, m.equity, s.before.mm, m.mm);
        }
    }

    function _abs(int256 x) private pure returns (uint256) {
        return uint256(x < 0 ? -x : x);
    }
}
