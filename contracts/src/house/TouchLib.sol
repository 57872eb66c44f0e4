// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {AccountId, FileVersion, InstrumentId, Position} from "../interfaces/Types.sol";
import {InstrumentIds} from "../libraries/InstrumentIds.sol";
import {Account, House, Settlement, WAD} from "./HouseState.sol";
import {Ledger} from "./Ledger.sol";
import {MarginLib} from "./MarginLib.sol";

/// @title Write everything that accrues lazily: losses, settled expiries, funding, interest.  Equity does not change,
/// but for a remainder of at most one wei per entry written.
library TouchLib {
    using SafeCast for uint256;
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    function touch(House storage h, AccountId id) external {
        // The loss is a share of equity, so it is measured before anything moves.
        _pullLoss(h, id);
        Account storage a = h.accounts[id];
        uint256 n = a.positions.length;
        uint256 kept;
        for (uint256 i; i < n; ++i) {
            Position p = a.positions[i];
            InstrumentId instrument = p.instrumentOf();
            if (instrument.isPerp()) {
                Ledger.touchPerp(h, id, instrument.underlyingOf(), p.sizeOf());
            } else if (instrument.expiryOf() <= block.timestamp) {
                Settlement storage s = h.settlements[instrument.underlyingOf()][instrument.expiryOf()];
                if (s.settled) {
                    _payOut(h, id, instrument, p.sizeOf(), s.price);
                    continue;
                }
            }
            if (kept != i) a.positions[kept] = p;
            ++kept;
        }
        for (; n > kept; --n) {
            a.positions.pop();
        }
        Ledger.addCash(h, id, 0);
    }

    function _payOut(House storage h, AccountId id, InstrumentId instrument, int128 size, uint256 price) private {
        int256 exactE36 = int256(size) * int256(Ledger.intrinsic(instrument, price));
        int256 payout = Ledger.floorDiv(exactE36, int256(WAD));
        h.dustE36 += uint256(exactE36 - payout * int256(WAD));
        Ledger.changeOpenInterest(h, instrument, size, 0);
        emit IClearingHouse.PositionChanged(id, instrument, 0, -size, 0);
        emit IClearingHouse.PositionExpired(id, instrument, size, payout);
        Ledger.addCash(h, id, payout);
    }

    function _pullLoss(House storage h, AccountId id) private {
        Account storage a = h.accounts[id];
        uint96 keep = h.keepRay;
        uint256 entry = a.keepEntryRay;
        if (entry == keep) return;
        uint256 loss;
        // entry 0: a new account, which owns nothing yet.
        if (entry != 0) loss = MarginLib.detail(h, id, FileVersion.Live).pendingLoss;
        a.keepEntryRay = keep;
        emit IClearingHouse.LossPulled(id, loss, keep);
        if (loss == 0) return;
        Ledger.addCash(h, id, -int256(loss));
        uint256 receivable = h.socialReceivable;
        if (loss <= receivable) {
            h.socialReceivable = (receivable - loss).toUint128();
        } else {
            h.socialReceivable = 0;
            Ledger.addCash(h, h.fundAccount, int256(loss - receivable));
        }
    }
}
