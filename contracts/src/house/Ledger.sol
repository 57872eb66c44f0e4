// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId, InstrumentId, Position} from "../interfaces/Types.sol";
import {InstrumentIds} from "../libraries/InstrumentIds.sol";
import {Account, Funding, House, MAX_POSITIONS, PPM, Perp, SIZE_LIMIT, WAD, YEAR} from "./HouseState.sol";

/// @title The only code that writes cash, positions and perp state.
/// @notice Law CON-1, exactly, with every sum over all accounts:
///
///     held · 1e18 = 1e18 · (Σ cash − Σ openNotional − socialReceivable) + Σ q·fundingEntry + Σ q·payoff + dustE36
///
/// where held is the settlement token in wad, the fourth sum runs over perps and the fifth over positions of settled
/// expiries not yet paid out.  Each function below changes the two sides alike; remainders of roundings go to `dustE36`.
library Ledger {
    using SafeCast for int256;
    using SafeCast for uint256;
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    function floorDiv(int256 a, int256 positive) internal pure returns (int256 q) {
        q = a / positive;
        if (a < 0 && q * positive != a) q -= 1;
    }

    function ceilDiv(int256 a, int256 positive) internal pure returns (int256) {
        return -floorDiv(-a, positive);
    }

    // --- cash -----------------------------------------------------------------------------------------------------

    function interestIndex(House storage h) internal view returns (uint256) {
        uint256 stored = h.interestIndexRay;
        uint256 dt = block.timestamp - h.interestTime;
        return stored + stored * h.interestPpmPerYear * dt / (PPM * YEAR);
    }

    /// Interest on negative cash since it was written, rounded up.  The fund pays none: it would pay itself.
    function interestOwed(House storage h, AccountId id) internal view returns (uint256) {
        Account storage a = h.accounts[id];
        int256 cash = a.cash;
        if (cash >= 0 || _same(id, h.fundAccount)) return 0;
        uint256 entry = a.interestEntryRay;
        return Math.mulDiv(uint256(-cash), interestIndex(h) - entry, entry, Math.Rounding.Ceil);
    }

    /// Add `delta` to an account's cash, charging the interest it owes to the fund first.
    function addCash(House storage h, AccountId id, int256 delta) internal {
        uint256 owed = interestOwed(h, id);
        if (delta == 0 && owed == 0) return;
        Account storage a = h.accounts[id];
        uint256 index = interestIndex(h);
        int256 cash = int256(a.cash) - int256(owed) + delta;
        a.cash = cash.toInt128();
        a.interestEntryRay = index.toUint128();
        emit IClearingHouse.CashChanged(id, cash, index);
        if (owed > 0) {
            emit IClearingHouse.InterestCharged(id, owed);
            addCash(h, h.fundAccount, int256(owed));
        }
    }

    // --- funding --------------------------------------------------------------------------------------------------

    function fundingIndex(House storage h, uint16 underlying) internal view returns (int256) {
        Funding storage f = h.funding[underlying];
        int256 rate = f.ratePpmPerDay;
        if (rate == 0) return f.index;
        int256 dt = int256(block.timestamp - f.time);
        return f.index + floorDiv(rate * int256(uint256(f.spot)) * dt, int256(PPM * 1 days));
    }

    /// Funding a position owes (negative: is owed), in 1e-36 USD: exact.
    function fundingOwedE36(House storage h, Perp storage p, uint16 underlying, int256 size)
        internal
        view
        returns (int256)
    {
        return size * (fundingIndex(h, underlying) - p.fundingEntry);
    }

    /// Write lazily accrued funding into cash.
    function touchPerp(House storage h, AccountId id, uint16 underlying, int256 size) internal {
        Perp storage p = h.perps[id][underlying];
        int256 index = fundingIndex(h, underlying);
        int256 owedE36 = size * (index - p.fundingEntry);
        if (index == p.fundingEntry) return;
        p.fundingEntry = index.toInt128();
        emit IClearingHouse.PerpTouched(id, underlying, p.openNotional, p.fundingEntry);
        int256 paid = ceilDiv(owedE36, int256(WAD));
        h.dustE36 += uint256(paid * int256(WAD) - owedE36);
        addCash(h, id, -paid);
    }

    // --- positions ------------------------------------------------------------------------------------------------

    /// Where `instrument` is, or belongs, in the sorted array, and its size.
    function find(Account storage a, InstrumentId instrument) internal view returns (uint256 i, int256 size) {
        uint256 n = a.positions.length;
        for (; i < n; ++i) {
            Position p = a.positions[i];
            InstrumentId here = p.instrumentOf();
            if (InstrumentId.unwrap(here) < InstrumentId.unwrap(instrument)) continue;
            if (InstrumentId.unwrap(here) == InstrumentId.unwrap(instrument)) size = p.sizeOf();
            return (i, size);
        }
    }

    /// Change one position by `delta` and keep the array sorted and open interest right.  Moves no money.
    function changePosition(House storage h, AccountId id, InstrumentId instrument, int256 delta, uint256 price)
        internal
        returns (int256 before, int256 afterwards)
    {
        Account storage a = h.accounts[id];
        uint256 i;
        (i, before) = find(a, instrument);
        afterwards = before + delta;
        if (afterwards >= SIZE_LIMIT || afterwards <= -SIZE_LIMIT) revert IClearingHouse.SizeOverflow(afterwards);
        if (afterwards == 0) {
            _removeAt(a, i);
        } else {
            Position packed = InstrumentIds.position(instrument, int128(afterwards));
            if (before != 0) a.positions[i] = packed;
            else _insertAt(a, id, i, packed);
        }
        changeOpenInterest(h, instrument, before, afterwards);
        emit IClearingHouse.PositionChanged(id, instrument, int128(afterwards), int128(delta), price);
    }

    function changeOpenInterest(House storage h, InstrumentId instrument, int256 before, int256 afterwards) internal {
        int256 change = (afterwards > 0 ? afterwards : int256(0)) - (before > 0 ? before : int256(0));
        if (change == 0) return;
        h.openInterest[instrument] = uint256(int256(uint256(h.openInterest[instrument])) + change).toUint128();
        if (instrument.isPerp()) return;
        (uint16 u, uint32 expiry) = (instrument.underlyingOf(), instrument.expiryOf());
        h.expiryOpenInterest[u][expiry] = uint256(int256(uint256(h.expiryOpenInterest[u][expiry])) + change).toUint128();
    }

    function _removeAt(Account storage a, uint256 i) private {
        uint256 last = a.positions.length - 1;
        for (; i < last; ++i) {
            a.positions[i] = a.positions[i + 1];
        }
        a.positions.pop();
    }

    function _insertAt(Account storage a, AccountId id, uint256 i, Position packed) private {
        uint256 n = a.positions.length;
        if (n == MAX_POSITIONS) revert IClearingHouse.TooManyPositions(id);
        a.positions.push(packed);
        for (uint256 j = n; j > i; --j) {
            a.positions[j] = a.positions[j - 1];
        }
        a.positions[i] = packed;
    }

    /// First expired option of a touched account, 0 if none: a touch pays out what is settled, so its price is unknown.
    function unsettled(House storage h, AccountId id) internal view returns (uint32) {
        Position[] storage list = h.accounts[id].positions;
        uint256 n = list.length;
        for (uint256 i; i < n; ++i) {
            uint32 expiry = list[i].instrumentOf().expiryOf(); // 0 of a perp
            if (expiry != 0 && expiry <= block.timestamp) return expiry;
        }
        return 0;
    }

    /// Payoff of one expired option at `price`, wad USD.
    function intrinsic(InstrumentId instrument, uint256 price) internal pure returns (uint256) {
        uint256 strike = uint256(instrument.strikeOf()) * 1e10;
        if (instrument.kindOf() == InstrumentIds.CALL) return price > strike ? price - strike : 0;
        return strike > price ? strike - price : 0;
    }

    // --- perps ----------------------------------------------------------------------------------------------------

    /// Add `delta` contracts bought for `notional` (signed alike) to a perp position whose funding is up to date.
    /// What the trade closes is realised into cash: pro rata of the open notional.  cash − openNotional changes by
    /// exactly −notional.
    function changePerp(
        House storage h,
        AccountId id,
        InstrumentId instrument,
        int256 delta,
        int256 notional,
        uint256 price
    ) internal {
        (int256 before, int256 afterwards) = changePosition(h, id, instrument, delta, price);
        (int256 open, int256 realised) =
            _blend(h.perps[id][instrument.underlyingOf()].openNotional, before, delta, notional);
        writePerp(h, id, instrument.underlyingOf(), open, afterwards);
        addCash(h, id, realised);
    }

    /// The open notional after a trade, and what it realises: realised − open' = −open − notional, exactly.
    function _blend(int256 open, int256 size, int256 delta, int256 notional)
        private
        pure
        returns (int256 next, int256 realised)
    {
        if (size == 0 || (size > 0) == (delta > 0)) return (open + notional, 0);
        int256 left = size + delta;
        if (left == 0 || (left > 0) == (size > 0)) {
            int256 closed = _share(open, -delta, size);
            return (open - closed, -notional - closed);
        }
        int256 closing = _share(notional, -size, delta);
        return (notional - closing, -closing - open);
    }

    /// Store the open notional of a position of `size` whose funding is up to date.
    function writePerp(House storage h, AccountId id, uint16 underlying, int256 open, int256 size) internal {
        int128 entry = size == 0 ? int128(0) : fundingIndex(h, underlying).toInt128();
        h.perps[id][underlying] = Perp(open.toInt128(), entry);
        emit IClearingHouse.PerpTouched(id, underlying, int128(open), entry);
    }

    /// total · part / whole, part / whole in [0, 1]; exact when part = whole.
    function _share(int256 total, int256 part, int256 whole) private pure returns (int256) {
        return part == whole ? total : total * part / whole;
    }

    // --- collateral -----------------------------------------------------------------------------------------------

    function setBalance(House storage h, AccountId id, uint8 c, uint256 balance) internal {
        h.balances[id][c] = balance.toUint128();
        Account storage a = h.accounts[id];
        uint16 bit = uint16(1) << c;
        a.collateralMask = balance == 0 ? a.collateralMask & ~bit : a.collateralMask | bit;
        emit IClearingHouse.CollateralChanged(id, c, balance);
    }

    function _same(AccountId a, AccountId b) private pure returns (bool) {
        return AccountId.unwrap(a) == AccountId.unwrap(b);
    }
}
