// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId, InstrumentId, Position} from "../interfaces/Types.sol";
import {InstrumentIds} from "../libraries/InstrumentIds.sol";
import {Account, House, KEEP_MIN_RAY, PPM, WAD} from "./HouseState.sol";
import {Ledger} from "./Ledger.sol";

/// @title What only the auction may do: move a slice of an account, and charge a loss to everybody.
library SeizeLib {
    using SafeCast for uint256;
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    /// Both accounts are touched.  See `IClearingHouse.seize`.
    function seize(
        House storage h,
        AccountId account,
        AccountId bidder,
        uint256 fraction,
        uint256 reserved,
        int256 cost
    ) external {
        // Rounded down: less of a credit, more of a debt goes to the bidder.
        int256 cash =
            Ledger.floorDiv((int256(h.accounts[account].cash) - int256(reserved)) * int256(fraction), int256(WAD));
        Ledger.addCash(h, account, cost - cash);
        Ledger.addCash(h, bidder, cash - cost);

        uint256 mask = h.accounts[account].collateralMask;
        for (uint8 c = 1; mask >> c != 0; ++c) {
            if (mask >> c & 1 == 0) continue;
            uint256 balance = h.balances[account][c];
            uint256 slice = balance * fraction / WAD;
            if (slice == 0) continue;
            Ledger.setBalance(h, account, c, balance - slice);
            Ledger.setBalance(h, bidder, c, h.balances[bidder][c] + slice);
        }

        Position[] storage list = h.accounts[account].positions;
        for (uint256 i = list.length; i != 0; --i) {
            Position p = list[i - 1];
            // Truncated toward zero; the whole at fraction 1.
            int256 slice = int256(p.sizeOf()) * int256(fraction) / int256(WAD);
            if (slice != 0) _move(h, account, bidder, p.instrumentOf(), p.sizeOf(), slice);
        }
    }

    function _move(
        House storage h,
        AccountId account,
        AccountId bidder,
        InstrumentId instrument,
        int256 size,
        int256 slice
    ) private {
        Ledger.changePosition(h, account, instrument, -slice, 0);
        if (!instrument.isPerp()) {
            Ledger.changePosition(h, bidder, instrument, slice, 0);
            return;
        }
        uint16 u = instrument.underlyingOf();
        int256 open = h.perps[account][u].openNotional;
        // Rounded up: the bidder's entry price is never better than the account's.
        int256 moved = size == slice ? open : _shareUp(open, slice, size);
        Ledger.writePerp(h, account, u, open - moved, size - slice);
        Ledger.changePerp(h, bidder, instrument, slice, moved, 0);
    }

    /// total · part / whole rounded up, part and whole of one sign.
    function _shareUp(int256 total, int256 part, int256 whole) private pure returns (int256) {
        if (whole < 0) (part, whole) = (-part, -whole);
        return Ledger.ceilDiv(total * part, whole);
    }

    /// See `IClearingHouse.socialise`.  What all solvent accounts own together is known without visiting them: positions
    /// sum to zero, so it is the tokens held, valued, less the fund's share, plus what insolvent accounts lack (of which
    /// `amount` is known, the rest ignored: a smaller base charges more, and the surplus reaches the fund).
    function socialise(House storage h, AccountId source, uint256 amount) external {
        uint256 base = _solventEquity(h) + amount;
        uint256 keep = h.keepRay;
        uint256 left = base > amount ? Math.mulDiv(keep, base - amount, base) : 0;
        uint96 next = uint96(Math.max(left, Math.min(keep, KEEP_MIN_RAY)));
        h.keepRay = next;
        h.socialReceivable = (uint256(h.socialReceivable) + amount).toUint128();
        emit IClearingHouse.LossSocialised(source, amount, next);
        Ledger.addCash(h, source, int256(amount));
    }

    function _solventEquity(House storage h) private view returns (uint256 total) {
        total = h.held[0] * 10 ** (18 - h.collaterals[0].decimals);
        int256 fundCash = h.accounts[h.fundAccount].cash;
        if (fundCash > 0) total = total > uint256(fundCash) ? total - uint256(fundCash) : 0;
        uint256 n = h.collaterals.length;
        for (uint8 c = 1; c < n; ++c) {
            uint256 units = h.held[c];
            if (units == 0) continue;
            IClearingHouse.CollateralConfig storage config = h.collaterals[c];
            uint256 value = units * h.oracle.price(config.asset) / 10 ** config.decimals;
            total += value * (PPM - config.haircutPpm) / PPM;
        }
    }
}
