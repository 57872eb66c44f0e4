// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {AccountId, FileVersion, InstrumentId, Position} from "../interfaces/Types.sol";
import {InstrumentIds} from "../libraries/InstrumentIds.sol";
import {Account, House, PPM, Perp, Settlement, WAD} from "./HouseState.sol";
import {Ledger} from "./Ledger.sol";

/// @title Where an account stands: one pass over its packed positions.
/// @notice Every term of equity is rounded down, every requirement up.
library MarginLib {
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    /// Running sums of one pass.
    struct Pass {
        int256 equity;
        uint256 haircut;
        uint256 mmE6;
        uint256 im;
        uint256 grid;
        uint256 flagFeeE6;
        bool stale;
        FileVersion version;
        // of the underlying at hand
        uint16 underlying;
        uint256 spot; // 0 until needed
        int256 perpSize;
        uint256 legCount;
    }

    function detail(House storage h, AccountId id, FileVersion version)
        external
        view
        returns (IClearingHouse.MarginDetail memory d)
    {
        Account storage a = h.accounts[id];
        Pass memory s;
        s.version = version;
        s.equity = int256(a.cash) - int256(Ledger.interestOwed(h, id));
        if (a.collateralMask != 0) _addCollateral(h, id, a.collateralMask, s);
        if (a.positions.length != 0) _addPositions(h, id, a.positions, s);

        d.pendingLoss = _pendingLoss(h, id, a.keepEntryRay, s.equity);
        d.margin.equity = s.equity - int256(d.pendingLoss);
        d.margin.mm = Math.ceilDiv(s.mmE6, PPM);
        d.margin.im = s.im;
        d.margin.grid = s.grid;
        d.margin.stale = s.stale;
        d.haircut = s.haircut;
        d.flagFee = s.flagFeeE6 / PPM;
    }

    /// The account's share of losses socialised since its entry: equity above 0 times what the index lost, rounded up.
    function _pendingLoss(House storage h, AccountId id, uint256 entry, int256 equity) private view returns (uint256) {
        uint256 keep = h.keepRay;
        if (equity <= 0 || entry <= keep || AccountId.unwrap(id) == AccountId.unwrap(h.fundAccount)) return 0;
        return Math.mulDiv(uint256(equity), entry - keep, entry, Math.Rounding.Ceil);
    }

    function _addCollateral(House storage h, AccountId id, uint256 mask, Pass memory s) private view {
        for (uint8 c = 1; mask >> c != 0; ++c) {
            if (mask >> c & 1 == 0) continue;
            IClearingHouse.CollateralConfig storage config = h.collaterals[c];
            uint256 price = h.oracle.price(config.asset);
            uint256 unit = 10 ** config.decimals;
            uint256 balance = h.balances[id][c];
            uint256 value = balance * price / unit;
            uint256 counted = Math.min(balance, config.capPerAccount) * price / unit;
            counted = counted * (PPM - config.haircutPpm) / PPM;
            s.equity += int256(counted);
            s.haircut += value - counted;
        }
    }

    function _addPositions(House storage h, AccountId id, Position[] storage list, Pass memory s) private view {
        uint256 n = list.length;
        Position[] memory legs = new Position[](n);
        for (uint256 i; i < n; ++i) {
            Position p = list[i];
            InstrumentId instrument = p.instrumentOf();
            uint16 u = instrument.underlyingOf();
            if (i != 0 && u != s.underlying) _assess(h, s, legs, n);
            s.underlying = u;
            int128 size = p.sizeOf();
            if (instrument.isPerp()) {
                s.perpSize = size;
                s.equity += _perpValue(h, id, s, size);
            } else if (instrument.expiryOf() > block.timestamp) {
                legs[s.legCount++] = p;
            } else {
                s.equity += Ledger.floorDiv(size * int256(_payoff(h, s, instrument)), int256(WAD));
            }
        }
        _assess(h, s, legs, n);
    }

    function _perpValue(House storage h, AccountId id, Pass memory s, int256 size) private view returns (int256) {
        Perp storage p = h.perps[id][s.underlying];
        return Ledger.floorDiv(size * int256(_spot(h, s)), int256(WAD)) - p.openNotional
            - Ledger.ceilDiv(Ledger.fundingOwedE36(h, p, s.underlying, size), int256(WAD));
    }

    /// Expired: intrinsic value at the settlement price, until that is known at live spot.
    function _payoff(House storage h, Pass memory s, InstrumentId instrument) private view returns (uint256) {
        Settlement storage settled = h.settlements[s.underlying][instrument.expiryOf()];
        return Ledger.intrinsic(instrument, settled.settled ? settled.price : _spot(h, s));
    }

    function _spot(House storage h, Pass memory s) private view returns (uint256) {
        if (s.spot == 0) s.spot = h.oracle.price(h.markets[s.underlying].asset);
        return s.spot;
    }

    /// Add what the underlying at hand requires, and start the next one.
    function _assess(House storage h, Pass memory s, Position[] memory legs, uint256 capacity) private view {
        if (s.legCount != 0 || s.perpSize != 0) {
            uint256 count = s.legCount;
            assembly ("memory-safe") {
                mstore(legs, count) // shorter for the call, restored below
            }
            _addRequirement(h, s, legs);
            assembly ("memory-safe") {
                mstore(legs, capacity)
            }
        }
        (s.spot, s.perpSize, s.legCount) = (0, 0, 0);
    }

    function _addRequirement(House storage h, Pass memory s, Position[] memory legs) private view {
        IRiskFile.Assessment memory a = h.file.assess(s.underlying, legs, s.perpSize, _spot(h, s), s.version);
        IRiskParameters.UnderlyingConfig memory c = h.parameters.effective(s.underlying);
        uint256 r = a.grid + a.shortMinimum;
        s.equity += a.optionMark;
        s.grid += r;
        s.mmE6 += r * (uint256(c.kappaPpm) + c.flagFeePpm);
        s.flagFeeE6 += r * c.flagFeePpm;
        s.im += Math.ceilDiv(r * (PPM + c.imAddOnPpm + a.upliftPpm + (a.stale ? c.staleAddOnPpm : 0)), PPM);
        s.stale = s.stale || a.stale;
    }
}
