// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";
import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FileVersion} from "../interfaces/Types.sol";
import {CalendarFence} from "./CalendarFence.sol";
import {ExpiryFence} from "./ExpiryFence.sol";
import {FenceMath} from "./FenceMath.sol";
import {Fences} from "./Fences.sol";
import {RangeFence} from "./RangeFence.sol";

/// @title How a publication comes into force: judged item by item, made into rows, remembered.
/// @notice A linked library: the publish path of RiskParameters, which calls it after its role checks.
/// @dev An item that does not pass keeps what is in force, so that one bad number does not hold up the others; what was
/// never in force stays out.  A call to the file that reverts without a reason ran out of gas: that fails the publication,
/// and never an item.
library Publishing {
    using Fences for Fences.State;

    uint256 private constant NOW = 1;
    /// Between two stagings of an underlying lies this, or the delay between publications if that is longer: each uses an
    /// epoch up, and there are 2^24.
    uint256 private constant MIN_STAGE_S = 60;

    struct Last {
        uint64 id;
        uint64 time;
        uint64 blockNumber;
        bool frozen; // here, so that a publication reads it in the slot it reads anyway
        uint40 stagedAt; // when one was last opened in several transactions
        bytes32 inputsHash;
    }

    struct Staged {
        uint64 id;
        uint64 validUntil;
        uint24 psrPpm;
        uint24 vsrUpPpm;
        uint24 vsrDownPpm;
        bytes32 inputsHash;
        bytes32 expectedOld;
    }

    /// What of one underlying a publication reads and writes.
    struct Market {
        Fences.State fences;
        Last last;
        Staged staged;
    }

    /// What it reads elsewhere.
    struct Context {
        IRiskFile file;
        uint16 underlying;
        uint24 tailPpm;
        uint32 volFloorPpm;
        uint32 noticeBlocks;
        uint256 pausedUntil;
        uint256 noLooseningUntil;
    }

    /// A publication on its way.
    struct Walk {
        FenceMath.State s;
        Fences.Ranges ranges; // that bind
        Fences.Quote[] quotes; // that bind
        uint64 id;
        bytes32 inputsHash;
        bool whole; // the first refused item refuses all
        uint256 refused; // items but the joint one
        bytes first; // reason of the first refusal
    }

    // --- one transaction ----------------------------------------------------------------------------------------------

    /// @param whole every item must pass, or nothing does.
    function publish(Market storage self, Context memory c, IRiskParameters.Publication calldata p, bool whole)
        external
    {
        Walk memory w = _open(self, c, p.id, p.validUntil, p.expectedOld);
        (w.inputsHash, w.whole) = (p.inputsHash, whole);
        IRiskParameters.Publication memory m = p;
        _require(FenceMath.shape(w.s, m));
        _ranges(w, [uint256(p.psrPpm), p.vsrUpPpm, p.vsrDownPpm]);
        c.file.begin(c.underlying, uint24(w.ranges.psrPpm), uint24(w.ranges.vsrUpPpm), uint24(w.ranges.vsrDownPpm));
        IRiskParameters.ItemVerdict[] memory items = new IRiskParameters.ItemVerdict[](m.expiries.length);
        for (uint256 i; i < items.length; ++i) {
            items[i] = ExpiryFence.expiry(w.s, w.s.expiries[i], m.expiries[i]);
            if (items[i].reason.length == 0) (items[i].what, items[i].reason) = _write(c, p.expiries[i]);
        }
        CalendarFence.calendar(w.s, m.expiries, items);
        for (uint256 i; i < items.length; ++i) {
            if (items[i].reason.length == 0) _emitExpiry(c, m.expiries[i]);
            _bind(self, c, w, i, m.expiries[i], items[i]);
        }
        _goLive(self, c, w);
    }

    function _emitExpiry(Context memory c, IRiskParameters.ExpiryPublication memory e) private {
        emit IRiskParameters.ExpiryPublished(c.underlying, e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm, e.sigmaPpm);
    }

    function _write(Context memory c, IRiskParameters.ExpiryPublication calldata e)
        private
        returns (bytes32, bytes memory)
    {
        try c.file.write(c.underlying, e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm, e.sigmaPpm) {
            return ("expiry", "");
        } catch (bytes memory reason) {
            if (reason.length == 0) revert();
            return ("rows", reason);
        }
    }

    // --- several transactions -----------------------------------------------------------------------------------------

    /// Open the idle bank; ranges are judged now, because rows rest on them, and again at the flip.
    function stage(Market storage self, Context memory c, IRiskParameters.Publication calldata p) external {
        Walk memory w = _open(self, c, p.id, p.validUntil, p.expectedOld);
        uint256 apart = w.s.vols.minDelayS > MIN_STAGE_S ? w.s.vols.minDelayS : MIN_STAGE_S;
        uint256 next = self.last.stagedAt + apart;
        if (block.timestamp < next) revert IRiskParameters.TooEarly(next, block.timestamp);
        self.last.stagedAt = uint40(block.timestamp);
        _ranges(w, [uint256(p.psrPpm), p.vsrUpPpm, p.vsrDownPpm]);
        (uint24 psr, uint24 up, uint24 down) =
            (uint24(w.ranges.psrPpm), uint24(w.ranges.vsrUpPpm), uint24(w.ranges.vsrDownPpm));
        self.staged = Staged(p.id, p.validUntil, psr, up, down, p.inputsHash, p.expectedOld);
        emit IRiskParameters.PublicationStaged(c.underlying, p.id, c.file.begin(c.underlying, psr, up, down));
        _stageExpiries(c, p.id, p.expiries);
    }

    function stageExpiries(Market storage self, Context memory c, IRiskParameters.ExpiryPublication[] calldata expiries)
        external
    {
        _requireOpen(self, c);
        if (self.staged.id == 0) revert IRiskFile.NothingStaged(c.underlying);
        _stageExpiries(c, self.staged.id, expiries);
    }

    function _stageExpiries(Context memory c, uint64 id, IRiskParameters.ExpiryPublication[] calldata expiries)
        private
    {
        for (uint256 i; i < expiries.length; ++i) {
            IRiskParameters.ExpiryPublication calldata e = expiries[i];
            (bytes32 what, bytes memory reason) = _write(c, e);
            if (reason.length == 0) {
                _emitExpiry(c, e);
            } else {
                c.file.carry(c.underlying, e.expiry);
                emit IRiskParameters.ItemRefused(c.underlying, id, e.expiry, what, reason);
            }
        }
    }

    /// Judge what is staged, as if it came now.
    function flip(Market storage self, Context memory c) external {
        _requireOpen(self, c);
        Staged memory staged = self.staged;
        if (staged.id == 0) revert IRiskFile.NothingStaged(c.underlying);
        Walk memory w = _open(self, c, staged.id, staged.validUntil, staged.expectedOld);
        w.inputsHash = staged.inputsHash;
        w.whole = true; // rows rest on these ranges
        _ranges(w, [uint256(staged.psrPpm), staged.vsrUpPpm, staged.vsrDownPpm]);
        w.whole = false;
        (uint32[] memory listed, IRiskFile.ExpiryParams[] memory params) = c.file.staged(c.underlying);
        uint256 gone = listed.length - w.s.expiries.length; // expired since
        IRiskParameters.ExpiryPublication[] memory e = new IRiskParameters.ExpiryPublication[](w.s.expiries.length);
        IRiskParameters.ItemVerdict[] memory items = new IRiskParameters.ItemVerdict[](e.length);
        for (uint256 i; i < e.length; ++i) {
            e[i] = _staged(c, w.s.expiries[i], params[gone + i]);
            items[i] = ExpiryFence.expiry(w.s, w.s.expiries[i], e[i]);
        }
        CalendarFence.calendar(w.s, e, items);
        for (uint256 i; i < e.length; ++i) {
            _bind(self, c, w, i, e[i], items[i]);
        }
        _goLive(self, c, w);
    }

    /// One expiry as it was staged; what was listed since is left out.
    function _staged(Context memory c, FenceMath.ExpiryState memory x, IRiskFile.ExpiryParams memory params)
        private
        view
        returns (IRiskParameters.ExpiryPublication memory e)
    {
        (e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm) = (x.expiry, params.phiPpb, params.dfPpb, params.sigmaAtmPpm);
        e.sigmaPpm = new uint32[](x.strikes.length);
        if (params.epoch == 0) {
            (e.phiPpb, e.dfPpb) = (uint40(x.phi.value), uint40(x.df.value));
            e.sigmaAtmPpm = uint32(x.sigma.value);
            return e;
        }
        for (uint256 k; k < x.strikes.length; ++k) {
            uint40 epoch;
            (e.sigmaPpm[k], epoch,) = c.file.strikeArray(c.underlying, x.expiry, x.strikes[k], FileVersion.Staged);
            if (epoch != params.epoch) e.sigmaPpm[k] = 0;
        }
    }

    // --- what both ways share -----------------------------------------------------------------------------------------

    function _open(Market storage self, Context memory c, uint64 id, uint64 validUntil, bytes32 expectedOld)
        private
        view
        returns (Walk memory w)
    {
        w.s = load(self, c, NOW);
        (bytes memory reason,) = FenceMath.turn(w.s, id, validUntil, expectedOld);
        _require(reason);
        w.id = id;
        w.quotes = new Fences.Quote[](w.s.expiries.length);
    }

    function _requireOpen(Market storage self, Context memory c) private view {
        if (self.last.frozen) revert IRiskParameters.Frozen(c.underlying);
        if (block.timestamp < c.pausedUntil) revert IRiskParameters.Paused(c.underlying, c.pausedUntil);
    }

    /// The ranges that bind, and an event for each that does not.
    function _ranges(Walk memory w, uint256[3] memory wanted) private {
        (uint256[3] memory r, IRiskParameters.ItemVerdict[] memory items) = RangeFence.ranges(w.s, wanted, 0);
        for (uint256 i; i < items.length; ++i) {
            if (items[i].reason.length != 0) _refuse(w, items[i], i != FenceMath.JOINT);
        }
        w.ranges = Fences.Ranges(r[0], r[1], r[2]);
    }

    function _refuse(Walk memory w, IRiskParameters.ItemVerdict memory v, bool counts) private {
        if (w.whole) _require(v.reason);
        if (counts) ++w.refused;
        if (w.first.length == 0) w.first = v.reason;
        emit IRiskParameters.ItemRefused(w.s.underlying, w.id, v.expiry, v.what, v.reason);
    }

    /// The numbers of one expiry bind, or it keeps those in force and strikes that never were stay out.
    function _bind(
        Market storage self,
        Context memory c,
        Walk memory w,
        uint256 i,
        IRiskParameters.ExpiryPublication memory e,
        IRiskParameters.ItemVerdict memory v
    ) private {
        FenceMath.ExpiryState memory x = w.s.expiries[i];
        if (v.reason.length == 0) {
            self.fences.commitExpiry(x, e);
            w.quotes[i] = Fences.Quote(x.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm);
        } else {
            _refuse(w, v, true);
            c.file.carry(c.underlying, x.expiry);
            w.quotes[i] = Fences.Quote(x.expiry, x.phi.value, x.df.value, x.sigma.value);
        }
    }

    function _goLive(Market storage self, Context memory c, Walk memory w) private {
        if (w.refused == 3 + w.s.expiries.length) _require(w.first);
        Fences.Ranges memory r = w.ranges;
        self.fences.commit(r);
        self.fences.digest = keccak256(abi.encode(w.id, r.psrPpm, r.vsrUpPpm, r.vsrDownPpm, w.quotes));
        self.last = Last(w.id, uint64(block.timestamp), uint64(block.number), false, self.last.stagedAt, w.inputsHash);
        delete self.staged;
        uint40 epoch = c.file.flip(c.underlying, c.noticeBlocks);
        emit IRiskParameters.Published(
            c.underlying, w.id, epoch, w.inputsHash, uint24(r.psrPpm), uint24(r.vsrUpPpm), uint24(r.vsrDownPpm)
        );
    }

    /// Where everything stands.
    function load(Market storage self, Context memory c, uint256 hours_)
        internal
        view
        returns (FenceMath.State memory s)
    {
        s = self.fences.load(c.file, c.underlying, live(c.file, c.underlying), hours_);
        (s.frozen, s.lastId, s.lastTime) = (self.last.frozen, self.last.id, self.last.time);
        (s.pausedUntil, s.noLooseningUntil) = (c.pausedUntil, c.noLooseningUntil);
        (s.tailPpm, s.volFloorPpm) = (c.tailPpm, c.volFloorPpm);
    }

    function _require(bytes memory reason) private pure {
        if (reason.length == 0) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    /// Listed, unexpired expiries, ascending.
    function live(IRiskFile file, uint16 underlying) internal view returns (uint32[] memory found) {
        uint32[] memory all = file.expiries(underlying);
        uint256 gone;
        while (gone < all.length && all[gone] <= block.timestamp) ++gone;
        found = new uint32[](all.length - gone);
        for (uint256 i; i < found.length; ++i) {
            found[i] = all[gone + i];
        }
    }
}
