// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

import {IRiskFile} from "./interfaces/IRiskFile.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {HourlyRing} from "./libraries/HourlyRing.sol";
import {Q64} from "./libraries/Q64.sol";
import {Scenarios} from "./libraries/Scenarios.sol";

/// @title What the keeper publishes, and the fences around it.  See IRiskParameters.
/// @dev Every fence on a published number is in `_check`, over one set of numbers, whichever way they came in; the
/// fences on rows are in RiskFile.  A fence that remembers is a ring, written only when a publication goes live.
contract RiskParameters is IRiskParameters, AccessControl {
    using HourlyRing for HourlyRing.Ring;

    /// Publishes, within the fences.
    bytes32 public constant PUBLISHER_ROLE = keccak256("PUBLISHER_ROLE");
    /// Lists expiries and strikes.
    bytes32 public constant LISTER_ROLE = keccak256("LISTER_ROLE");
    /// Holds the brake of the emergency lane, which a later part builds; it can do nothing yet.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    bytes32 private constant PSR = "psr";
    bytes32 private constant VSR_UP = "vsrUp";
    bytes32 private constant VSR_DOWN = "vsrDown";
    bytes32 private constant SIGMA_ATM = "sigmaAtm";
    bytes32 private constant PHI = "phi";

    uint256 private constant PPM = 1e6;
    /// Whatever governance sets, the scan range stays below half the price.
    uint256 private constant MAX_PSR_PPM = 500_000;
    uint256 private constant MAX_VSR_UP_PPM = 5_000_000;
    uint256 private constant MAX_VSR_DOWN_PPM = 950_000;
    uint256 private constant MAX_SIGMA_PPM = 50_000_000;
    /// Basis that is there without any carry.
    uint256 private constant FREE_CARRY_PPB = 1e7;
    uint256 private constant YEAR = 31_536_000;

    /// One expiry's published numbers, as `_check` sees them.
    struct Quote {
        uint32 expiry;
        uint256 phiPpb;
        uint256 dfPpb;
        uint256 sigmaAtmPpm;
    }

    struct Last {
        uint64 id;
        uint64 time;
        uint64 blockNumber;
        bytes32 inputsHash;
    }

    struct Staged {
        uint64 id;
        uint64 validUntil;
        uint24 psrPpm;
        uint24 vsrUpPpm;
        uint24 vsrDownPpm;
        bytes32 inputsHash;
    }

    IRiskFile public immutable file;

    mapping(uint16 underlying => UnderlyingConfig) private _configs;
    mapping(uint16 underlying => VolFences) private _volFences;
    mapping(uint16 underlying => mapping(bytes32 what => Fence)) private _fences;
    mapping(uint16 underlying => Last) private _last;
    mapping(uint16 underlying => Staged) private _staged;
    /// Expiry 0 for the ranges of the underlying.
    mapping(uint16 underlying => mapping(uint32 expiry => mapping(bytes32 what => HourlyRing.Ring))) private _rings;

    constructor(IRiskFile file_, address owner_) {
        file = file_;
        _grantRole(DEFAULT_ADMIN_ROLE, owner_);
    }

    modifier onlyListed(uint16 underlying) {
        if (!_configs[underlying].listed) revert NotListed(underlying);
        _;
    }

    // --- governance ---------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskParameters
    function listUnderlying(
        uint16 underlying,
        bytes32 asset,
        UnderlyingConfig calldata c,
        RangeFences calldata ranges,
        VolFences calldata vols,
        uint24 psrPpm,
        uint24 vsrUpPpm,
        uint24 vsrDownPpm
    ) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (_configs[underlying].listed) revert BadConfig("listed");
        if (asset == 0 || !c.listed) revert BadConfig("asset");
        _setConfig(underlying, asset, c);
        _setFence(underlying, PSR, ranges.psr);
        _setFence(underlying, VSR_UP, ranges.vsrUp);
        _setFence(underlying, VSR_DOWN, ranges.vsrDown);
        _setVolFences(underlying, vols);
        _start(underlying, PSR, psrPpm);
        _start(underlying, VSR_UP, vsrUpPpm);
        _start(underlying, VSR_DOWN, vsrDownPpm);
    }

    /// @inheritdoc IRiskParameters
    function setConfig(uint16 underlying, UnderlyingConfig calldata c)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        onlyListed(underlying)
    {
        _setConfig(underlying, file.assetOf(underlying), c);
    }

    /// @inheritdoc IRiskParameters
    function setFence(uint16 underlying, bytes32 what, Fence calldata f)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        onlyListed(underlying)
    {
        _setFence(underlying, what, f);
    }

    /// @inheritdoc IRiskParameters
    function setVolFences(uint16 underlying, VolFences calldata v)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        onlyListed(underlying)
    {
        _setVolFences(underlying, v);
    }

    function _setConfig(uint16 underlying, bytes32 asset, UnderlyingConfig calldata c) private {
        if (c.tailPpm == 0 || c.tailPpm > PPM) revert BadConfig("tailPpm");
        if (c.shortMinPpm > 200_000) revert BadConfig("shortMinPpm");
        // IM >= MM rests on this.
        if (c.kappaPpm < 100_000 || uint256(c.kappaPpm) + c.flagFeePpm > PPM) revert BadConfig("kappaPpm");
        if (c.staleAddOnPpm > PPM) revert BadConfig("staleAddOnPpm");
        if (c.imAddOnPpm > PPM) revert BadConfig("imAddOnPpm");
        if (c.volFloorPpm > 10 * PPM) revert BadConfig("volFloorPpm");
        if (c.maxAgeS < 60 || c.maxAgeS > 7 days) revert BadConfig("maxAgeS");
        // A day of one-second blocks: a publisher must not be able to hold off a flag for longer.
        if (c.noticeBlocks > 86_400) revert BadConfig("noticeBlocks");
        _configs[underlying] = c;
        file.configure(
            underlying,
            asset,
            IRiskFile.Settings({
                tailPpm: c.tailPpm, shortMinPpm: c.shortMinPpm, volFloorPpm: c.volFloorPpm, maxAgeS: c.maxAgeS
            })
        );
        emit UnderlyingConfigured(underlying, c);
    }

    function _setFence(uint16 underlying, bytes32 what, Fence calldata f) private {
        uint256 hardMax =
            what == PSR ? MAX_PSR_PPM : what == VSR_UP ? MAX_VSR_UP_PPM : what == VSR_DOWN ? MAX_VSR_DOWN_PPM : 0;
        if (f.min == 0 || f.min > f.max || f.max > hardMax) revert BadConfig(what);
        _fences[underlying][what] = f;
        emit FencesSet(underlying, what);
    }

    function _setVolFences(uint16 underlying, VolFences calldata v) private {
        if (v.sigmaMinPpm == 0 || v.sigmaMinPpm > v.sigmaMaxPpm || v.sigmaMaxPpm > MAX_SIGMA_PPM) {
            revert BadConfig(SIGMA_ATM);
        }
        if (v.smileMinPpm == 0 || v.smileMinPpm > PPM || v.smileMaxPpm < PPM) revert BadConfig("smile");
        if (v.phiMinPpb < 5e8 || v.phiMinPpb > 1e9 || v.phiMaxPpb < 1e9 || v.phiMaxPpb > 2e9) revert BadConfig(PHI);
        if (v.dfMinPpb < 1e8 || v.dfMinPpb > 1e9) revert BadConfig("df");
        _volFences[underlying] = v;
        emit FencesSet(underlying, SIGMA_ATM);
    }

    function _start(uint16 underlying, bytes32 what, uint24 value) private {
        Fence memory f = _fences[underlying][what];
        _requireRange(what, value, f.min, f.max);
        _rings[underlying][0][what].start(value, block.timestamp);
    }

    // --- listing ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskParameters
    function listExpiry(
        uint16 underlying,
        uint32 expiry,
        uint64[] calldata strikes,
        uint32 sigmaAtmPpm,
        uint40 phiPpb,
        uint40 dfPpb
    ) external onlyRole(LISTER_ROLE) onlyListed(underlying) {
        if (expiry <= block.timestamp || expiry > block.timestamp + 3 * YEAR) revert BadConfig("expiry");
        if (strikes.length == 0 || file.strikes(underlying, expiry).length != 0) revert BadConfig("strikes");
        Quote memory q = Quote(expiry, phiPpb, dfPpb, sigmaAtmPpm);
        _checkLevels(q, _volFences[underlying]);
        file.list(underlying, expiry, strikes);
        _rings[underlying][expiry][SIGMA_ATM].start(sigmaAtmPpm, block.timestamp);
        _rings[underlying][expiry][PHI].start(uint32(phiPpb), block.timestamp);
        emit ExpiryListed(underlying, expiry, strikes, sigmaAtmPpm, phiPpb, dfPpb);
    }

    /// @inheritdoc IRiskParameters
    function listStrikes(uint16 underlying, uint32 expiry, uint64[] calldata strikes)
        external
        onlyRole(LISTER_ROLE)
        onlyListed(underlying)
    {
        if (expiry <= block.timestamp) revert BadConfig("expiry");
        if (strikes.length == 0 || file.strikes(underlying, expiry).length == 0) revert BadConfig("strikes");
        file.list(underlying, expiry, strikes);
        emit StrikesListed(underlying, expiry, strikes);
    }

    // --- publishing ---------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskParameters
    function publish(uint16 underlying, Publication calldata p)
        external
        onlyRole(PUBLISHER_ROLE)
        onlyListed(underlying)
    {
        _checkTurn(underlying, p.id, p.validUntil);
        Quote[] memory quotes = _quotes(p.expiries);
        _check(underlying, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm, quotes);
        file.begin(underlying, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm);
        _write(underlying, p.expiries);
        _goLive(underlying, Staged(p.id, p.validUntil, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm, p.inputsHash), quotes);
    }

    /// @inheritdoc IRiskParameters
    function stage(uint16 underlying, Publication calldata p) external onlyRole(PUBLISHER_ROLE) onlyListed(underlying) {
        _checkTurn(underlying, p.id, p.validUntil);
        _staged[underlying] = Staged(p.id, p.validUntil, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm, p.inputsHash);
        uint40 epoch = file.begin(underlying, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm);
        emit PublicationStaged(underlying, p.id, epoch);
        _write(underlying, p.expiries);
    }

    /// @inheritdoc IRiskParameters
    function stageExpiries(uint16 underlying, ExpiryPublication[] calldata expiries)
        external
        onlyRole(PUBLISHER_ROLE)
        onlyListed(underlying)
    {
        if (_staged[underlying].id == 0) revert IRiskFile.NothingStaged(underlying);
        _write(underlying, expiries);
    }

    /// @inheritdoc IRiskParameters
    function flip(uint16 underlying) external onlyRole(PUBLISHER_ROLE) onlyListed(underlying) {
        Staged memory s = _staged[underlying];
        if (s.id == 0) revert IRiskFile.NothingStaged(underlying);
        _checkTurn(underlying, s.id, s.validUntil);
        (uint32[] memory listed, IRiskFile.ExpiryParams[] memory params) = file.staged(underlying);
        uint256 live;
        while (live < listed.length && listed[live] <= block.timestamp) ++live;
        Quote[] memory quotes = new Quote[](listed.length - live);
        for (uint256 i; i < quotes.length; ++i) {
            IRiskFile.ExpiryParams memory e = params[live + i];
            quotes[i] = Quote(listed[live + i], e.phiPpb, e.dfPpb, e.sigmaAtmPpm);
        }
        _check(underlying, s.psrPpm, s.vsrUpPpm, s.vsrDownPpm, quotes);
        _goLive(underlying, s, quotes);
    }

    /// @inheritdoc IRiskParameters
    function checkPublication(uint16 underlying, Publication calldata p)
        external
        returns (bool ok, bytes memory reason)
    {
        try this.dryRun(underlying, p) {
            return (true, "");
        } catch (bytes memory answer) {
            if (bytes4(answer) == DryRunPassed.selector) return (true, "");
            return (false, answer);
        }
    }

    /// @notice Every check of `publish`, rows included; always reverts, with `DryRunPassed` if all hold.
    function dryRun(uint16 underlying, Publication calldata p) external onlyListed(underlying) {
        _checkTurn(underlying, p.id, p.validUntil);
        _check(underlying, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm, _quotes(p.expiries));
        file.begin(underlying, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm);
        _write(underlying, p.expiries);
        file.flip(underlying, 0);
        revert DryRunPassed();
    }

    function _checkTurn(uint16 underlying, uint64 id, uint64 validUntil) private view {
        Last memory last = _last[underlying];
        if (id <= last.id) revert IdNotIncreasing(id, last.id);
        if (block.timestamp > validUntil) revert Expired(validUntil, block.timestamp);
        uint256 next = last.time + _volFences[underlying].minDelayS;
        if (last.id != 0 && block.timestamp < next) revert TooEarly(next, block.timestamp);
    }

    function _quotes(ExpiryPublication[] calldata expiries) private pure returns (Quote[] memory quotes) {
        quotes = new Quote[](expiries.length);
        for (uint256 i; i < expiries.length; ++i) {
            ExpiryPublication calldata e = expiries[i];
            quotes[i] = Quote(e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm);
        }
    }

    function _write(uint16 underlying, ExpiryPublication[] calldata expiries) private {
        VolFences memory v = _volFences[underlying];
        for (uint256 i; i < expiries.length; ++i) {
            ExpiryPublication calldata e = expiries[i];
            _checkSmile(underlying, e, v);
            file.write(underlying, e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm, e.sigmaPpm);
            emit ExpiryPublished(underlying, e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm, e.sigmaPpm);
        }
    }

    function _goLive(uint16 underlying, Staged memory s, Quote[] memory quotes) private {
        _rings[underlying][0][PSR].set(s.psrPpm, block.timestamp);
        _rings[underlying][0][VSR_UP].set(s.vsrUpPpm, block.timestamp);
        _rings[underlying][0][VSR_DOWN].set(s.vsrDownPpm, block.timestamp);
        for (uint256 i; i < quotes.length; ++i) {
            Quote memory q = quotes[i];
            _rings[underlying][q.expiry][SIGMA_ATM].set(uint32(q.sigmaAtmPpm), block.timestamp);
            _rings[underlying][q.expiry][PHI].set(uint32(q.phiPpb), block.timestamp);
        }
        _last[underlying] = Last(s.id, uint64(block.timestamp), uint64(block.number), s.inputsHash);
        delete _staged[underlying];
        uint40 epoch = file.flip(underlying, _configs[underlying].noticeBlocks);
        emit Published(underlying, s.id, epoch, s.inputsHash, s.psrPpm, s.vsrUpPpm, s.vsrDownPpm);
    }

    // --- fences -------------------------------------------------------------------------------------------------------

    /// Every fence on the numbers of one publication.  The joint post-condition of a later part belongs at its end.
    function _check(uint16 underlying, uint256 psr, uint256 up, uint256 down, Quote[] memory quotes) private view {
        _checkRange(underlying, PSR, psr);
        _checkRange(underlying, VSR_UP, up);
        _checkRange(underlying, VSR_DOWN, down);
        _checkExpiries(underlying, quotes);
        VolFences memory v = _volFences[underlying];
        uint256 variance;
        for (uint256 i; i < quotes.length; ++i) {
            Quote memory q = quotes[i];
            _checkLevels(q, v);
            _checkSigma(underlying, q, v);
            _checkPhi(underlying, q, v);
            uint256 next = q.sigmaAtmPpm * q.sigmaAtmPpm * (q.expiry - block.timestamp);
            if (next < variance) revert CalendarArbitrage(quotes[i - 1].expiry, q.expiry);
            variance = next;
        }
    }

    /// The publication covers every listed, unexpired expiry, in order.
    function _checkExpiries(uint16 underlying, Quote[] memory quotes) private view {
        uint32[] memory listed = listedExpiries(underlying);
        if (quotes.length != listed.length) revert WrongExpiries(quotes.length, listed.length);
        for (uint256 i; i < listed.length; ++i) {
            if (quotes[i].expiry != listed[i]) revert WrongExpiries(quotes[i].expiry, listed[i]);
        }
    }

    /// Bounds, step and budget, each the tighter of relative and absolute.
    function _checkRange(uint16 underlying, bytes32 what, uint256 value) private view {
        Fence memory f = _fences[underlying][what];
        HourlyRing.Ring storage ring = _rings[underlying][0][what];
        _requireRange(what, value, f.min, f.max);
        uint256 old = ring.value;
        uint256 anchor = ring.anchor(block.timestamp);
        _requireStep(what, old, value, _tighter(old, f.stepRelPpm, f.stepAbs));
        _requireBudget(what, anchor, old, value, _tighter(anchor, f.budgetRelPpm, f.budgetAbs));
    }

    /// What holds for one expiry by itself.
    function _checkLevels(Quote memory q, VolFences memory v) private view {
        _requireRange(SIGMA_ATM, q.sigmaAtmPpm, v.sigmaMinPpm, v.sigmaMaxPpm);
        _requireRange(PHI, q.phiPpb, v.phiMinPpb, v.phiMaxPpb);
        _requireRange("df", q.dfPpb, v.dfMinPpb, 1e9);
        uint256 carry = uint256(v.carryMaxPpm) * 1000 * (q.expiry - block.timestamp) / YEAR + FREE_CARRY_PPB;
        _requireRange("carry", q.phiPpb, carry > 1e9 ? 0 : 1e9 - carry, 1e9 + carry);
    }

    /// |Δ ln σ_ATM| within step · m(dte), and within budget · m(dte) of the anchor.
    function _checkSigma(uint16 underlying, Quote memory q, VolFences memory v) private view {
        HourlyRing.Ring storage ring = _rings[underlying][q.expiry][SIGMA_ATM];
        uint256 m = Scenarios.termFactor(q.expiry - block.timestamp);
        uint256 old = ring.value;
        uint256 anchor = ring.anchor(block.timestamp);
        uint256 step = (uint256(v.atmStepPpm) * m) / PPM;
        uint256 budget = (uint256(v.atmBudgetPpm) * m) / PPM;
        if (_logDistance(old, q.sigmaAtmPpm) > step) {
            revert StepTooLarge(SIGMA_ATM, old, q.sigmaAtmPpm, step * PPM >> 64);
        }
        if (_logDistance(anchor, q.sigmaAtmPpm) > budget && !HourlyRing.allowed(anchor, old, q.sigmaAtmPpm, 0)) {
            revert BudgetExceeded(SIGMA_ATM, anchor, q.sigmaAtmPpm, budget * PPM >> 64);
        }
    }

    function _checkPhi(uint16 underlying, Quote memory q, VolFences memory v) private view {
        HourlyRing.Ring storage ring = _rings[underlying][q.expiry][PHI];
        _requireStep(PHI, ring.value, q.phiPpb, v.phiStepPpb);
        _requireBudget(PHI, ring.anchor(block.timestamp), ring.value, q.phiPpb, v.phiBudgetPpb);
    }

    /// Every strike's volatility within the band around the expiry's.
    function _checkSmile(uint16 underlying, ExpiryPublication calldata e, VolFences memory v) private view {
        uint256 low = uint256(e.sigmaAtmPpm) * v.smileMinPpm;
        uint256 high = uint256(e.sigmaAtmPpm) * v.smileMaxPpm;
        for (uint256 i; i < e.sigmaPpm.length; ++i) {
            uint256 sigma = uint256(e.sigmaPpm[i]) * PPM;
            if (sigma < low || sigma > high) {
                uint64[] memory strikes = file.strikes(underlying, e.expiry);
                uint64 strike = i < strikes.length ? strikes[i] : 0;
                revert SmileOutOfBand(e.expiry, strike, e.sigmaPpm[i], e.sigmaAtmPpm);
            }
        }
    }

    /// |ln(b / a)|, Q64.
    function _logDistance(uint256 a, uint256 b) private pure returns (uint256) {
        int256 d = Q64.ln(b << 64) - Q64.ln(a << 64);
        return uint256(d < 0 ? -d : d);
    }

    function _tighter(uint256 base, uint256 relPpm, uint256 abs_) private pure returns (uint256) {
        uint256 rel = base * relPpm / PPM;
        return rel < abs_ ? rel : abs_;
    }

    function _requireRange(bytes32 what, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert OutOfRange(what, value, min, max);
    }

    function _requireStep(bytes32 what, uint256 old, uint256 value, uint256 limit) private pure {
        if ((value > old ? value - old : old - value) > limit) revert StepTooLarge(what, old, value, limit);
    }

    function _requireBudget(bytes32 what, uint256 anchor, uint256 old, uint256 value, uint256 limit) private pure {
        if (!HourlyRing.allowed(anchor, old, value, limit)) revert BudgetExceeded(what, anchor, value, limit);
    }

    // --- views --------------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskParameters
    function config(uint16 underlying) external view returns (UnderlyingConfig memory) {
        return _configs[underlying];
    }

    /// @inheritdoc IRiskParameters
    function fence(uint16 underlying, bytes32 what) external view returns (Fence memory) {
        return _fences[underlying][what];
    }

    /// @inheritdoc IRiskParameters
    function volFences(uint16 underlying) external view returns (VolFences memory) {
        return _volFences[underlying];
    }

    /// @inheritdoc IRiskParameters
    function inForce(uint16 underlying, uint32 expiry, bytes32 what)
        external
        view
        returns (uint256 value, uint256 anchor)
    {
        HourlyRing.Ring storage ring = _rings[underlying][expiry][what];
        return (ring.value, ring.anchor(block.timestamp));
    }

    /// @inheritdoc IRiskParameters
    function listedExpiries(uint16 underlying) public view returns (uint32[] memory live) {
        uint32[] memory all = file.expiries(underlying);
        uint256 gone;
        while (gone < all.length && all[gone] <= block.timestamp) ++gone;
        live = new uint32[](all.length - gone);
        for (uint256 i; i < live.length; ++i) {
            live[i] = all[gone + i];
        }
    }

    /// @inheritdoc IRiskParameters
    function listedStrikes(uint16 underlying, uint32 expiry) external view returns (uint64[] memory) {
        return file.strikes(underlying, expiry);
    }

    /// @inheritdoc IRiskParameters
    function lastPublication(uint16 underlying)
        external
        view
        returns (uint64 id, uint64 time, uint64 blockNumber, bytes32 inputsHash)
    {
        Last memory last = _last[underlying];
        return (last.id, last.time, last.blockNumber, last.inputsHash);
    }

    /// @inheritdoc IRiskParameters
    function inNotice(uint16 underlying) external view returns (bool) {
        return block.number < file.noticeUntil(underlying);
    }
}
