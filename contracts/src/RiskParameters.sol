// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

import {IRiskFile} from "./interfaces/IRiskFile.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {Fences} from "./libraries/Fences.sol";

/// @title What the keeper publishes, and the fences around it.  See IRiskParameters.
/// @dev Every fence on a published number is in `Fences.check`, over one set of numbers, whichever way they came in; the
/// fences on rows are in RiskFile.
contract RiskParameters is IRiskParameters, AccessControl {
    using Fences for Fences.State;

    /// Publishes, within the fences.
    bytes32 public constant PUBLISHER_ROLE = keccak256("PUBLISHER_ROLE");
    /// Lists expiries and strikes.
    bytes32 public constant LISTER_ROLE = keccak256("LISTER_ROLE");
    /// Holds the brake: may freeze an underlying, and nothing else.  The emergency lane of a later part is its too.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    uint256 private constant PPM = 1e6;
    uint256 private constant YEAR = 31_536_000;

    struct Last {
        uint64 id;
        uint64 time;
        uint64 blockNumber;
        bool frozen; // here, so that a publication reads it in the slot it reads anyway
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
    mapping(uint16 underlying => Fences.State) private _fences;
    mapping(uint16 underlying => Last) private _last;
    mapping(uint16 underlying => Staged) private _staged;

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
        Fences.State storage f = _fences[underlying];
        f.setFence(underlying, "psr", ranges.psr);
        f.setFence(underlying, "vsrUp", ranges.vsrUp);
        f.setFence(underlying, "vsrDown", ranges.vsrDown);
        f.setVolFences(underlying, vols);
        f.start(Fences.Ranges(psrPpm, vsrUpPpm, vsrDownPpm));
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
        _fences[underlying].setFence(underlying, what, f);
    }

    /// @inheritdoc IRiskParameters
    function setVolFences(uint16 underlying, VolFences calldata v)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        onlyListed(underlying)
    {
        _fences[underlying].setVolFences(underlying, v);
    }

    /// @inheritdoc IRiskParameters
    function freeze(uint16 underlying) external onlyListed(underlying) {
        if (!hasRole(GUARDIAN_ROLE, msg.sender) && !hasRole(DEFAULT_ADMIN_ROLE, msg.sender)) {
            revert NotGuardian(msg.sender);
        }
        delete _staged[underlying];
        _setFrozen(underlying, true);
    }

    /// @inheritdoc IRiskParameters
    function thaw(uint16 underlying) external onlyRole(DEFAULT_ADMIN_ROLE) onlyListed(underlying) {
        _setFrozen(underlying, false);
    }

    function _setFrozen(uint16 underlying, bool frozen_) private {
        if (_last[underlying].frozen == frozen_) return;
        _last[underlying].frozen = frozen_;
        emit FrozenSet(underlying, frozen_, msg.sender);
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
        // So slow that a range of 1 % still moves in an hour; so fast that nothing is smoothed.
        if (c.slewPpmPerHour < 100 || c.slewPpmPerHour > PPM) revert BadConfig("slewPpmPerHour");
        _configs[underlying] = c;
        file.configure(
            underlying,
            asset,
            IRiskFile.Settings({
                tailPpm: c.tailPpm,
                shortMinPpm: c.shortMinPpm,
                volFloorPpm: c.volFloorPpm,
                maxAgeS: c.maxAgeS,
                slewPpmPerHour: c.slewPpmPerHour
            })
        );
        emit UnderlyingConfigured(underlying, c);
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
        _fences[underlying].startExpiry(Fences.Quote(expiry, phiPpb, dfPpb, sigmaAtmPpm));
        file.list(underlying, expiry, strikes);
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
        Fences.Quote[] memory quotes = _quotes(p.expiries);
        _check(underlying, Fences.Ranges(p.psrPpm, p.vsrUpPpm, p.vsrDownPpm), quotes);
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
        if (_last[underlying].frozen) revert Frozen(underlying);
        if (_staged[underlying].id == 0) revert IRiskFile.NothingStaged(underlying);
        _write(underlying, expiries);
    }

    /// @inheritdoc IRiskParameters
    function flip(uint16 underlying) external onlyRole(PUBLISHER_ROLE) onlyListed(underlying) {
        if (_last[underlying].frozen) revert Frozen(underlying);
        Staged memory s = _staged[underlying];
        if (s.id == 0) revert IRiskFile.NothingStaged(underlying);
        _checkTurn(underlying, s.id, s.validUntil);
        (uint32[] memory listed, IRiskFile.ExpiryParams[] memory params) = file.staged(underlying);
        uint256 live;
        while (live < listed.length && listed[live] <= block.timestamp) ++live;
        Fences.Quote[] memory quotes = new Fences.Quote[](listed.length - live);
        for (uint256 i; i < quotes.length; ++i) {
            IRiskFile.ExpiryParams memory e = params[live + i];
            quotes[i] = Fences.Quote(listed[live + i], e.phiPpb, e.dfPpb, e.sigmaAtmPpm);
        }
        _check(underlying, Fences.Ranges(s.psrPpm, s.vsrUpPpm, s.vsrDownPpm), quotes);
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
        _check(underlying, Fences.Ranges(p.psrPpm, p.vsrUpPpm, p.vsrDownPpm), _quotes(p.expiries));
        file.begin(underlying, p.psrPpm, p.vsrUpPpm, p.vsrDownPpm);
        _write(underlying, p.expiries);
        file.flip(underlying, 0);
        revert DryRunPassed();
    }

    function _checkTurn(uint16 underlying, uint64 id, uint64 validUntil) private view {
        Last memory last = _last[underlying];
        if (last.frozen) revert Frozen(underlying);
        if (id <= last.id) revert IdNotIncreasing(id, last.id);
        if (block.timestamp > validUntil) revert Expired(validUntil, block.timestamp);
        uint256 next = last.time + _fences[underlying].vols.minDelayS;
        if (last.id != 0 && block.timestamp < next) revert TooEarly(next, block.timestamp);
    }

    function _quotes(ExpiryPublication[] calldata expiries) private pure returns (Fences.Quote[] memory quotes) {
        quotes = new Fences.Quote[](expiries.length);
        for (uint256 i; i < expiries.length; ++i) {
            ExpiryPublication calldata e = expiries[i];
            quotes[i] = Fences.Quote(e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm);
        }
    }

    function _write(uint16 underlying, ExpiryPublication[] calldata expiries) private {
        (uint256 minPpm, uint256 maxPpm) = (_fences[underlying].vols.smileMinPpm, _fences[underlying].vols.smileMaxPpm);
        for (uint256 i; i < expiries.length; ++i) {
            ExpiryPublication calldata e = expiries[i];
            _checkSmile(underlying, e, minPpm, maxPpm);
            file.write(underlying, e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm, e.sigmaPpm);
            emit ExpiryPublished(underlying, e.expiry, e.phiPpb, e.dfPpb, e.sigmaAtmPpm, e.sigmaPpm);
        }
    }

    function _goLive(uint16 underlying, Staged memory s, Fences.Quote[] memory quotes) private {
        _fences[underlying].commit(Fences.Ranges(s.psrPpm, s.vsrUpPpm, s.vsrDownPpm), quotes);
        _last[underlying] = Last(s.id, uint64(block.timestamp), uint64(block.number), false, s.inputsHash);
        delete _staged[underlying];
        uint40 epoch = file.flip(underlying, _configs[underlying].noticeBlocks);
        emit Published(underlying, s.id, epoch, s.inputsHash, s.psrPpm, s.vsrUpPpm, s.vsrDownPpm);
    }

    /// Every fence on the numbers.  The joint post-condition of a later part belongs here too.
    function _check(uint16 underlying, Fences.Ranges memory r, Fences.Quote[] memory quotes) private view {
        _fences[underlying].check(r, quotes, listedExpiries(underlying));
    }

    /// Every strike's volatility within the band around the expiry's.
    function _checkSmile(uint16 underlying, ExpiryPublication calldata e, uint256 minPpm, uint256 maxPpm) private view {
        uint256 low = uint256(e.sigmaAtmPpm) * minPpm;
        uint256 high = uint256(e.sigmaAtmPpm) * maxPpm;
        for (uint256 i; i < e.sigmaPpm.length; ++i) {
            uint256 sigma = uint256(e.sigmaPpm[i]) * PPM;
            if (sigma < low || sigma > high) {
                uint64[] memory strikes = file.strikes(underlying, e.expiry);
                uint64 strike = i < strikes.length ? strikes[i] : 0;
                revert SmileOutOfBand(e.expiry, strike, e.sigmaPpm[i], e.sigmaAtmPpm);
            }
        }
    }

    // --- views --------------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskParameters
    function config(uint16 underlying) external view returns (UnderlyingConfig memory) {
        return _configs[underlying];
    }

    /// @inheritdoc IRiskParameters
    function frozen(uint16 underlying) external view returns (bool) {
        return _last[underlying].frozen;
    }

    /// @inheritdoc IRiskParameters
    function fence(uint16 underlying, bytes32 what) external view returns (Fence memory) {
        return _fences[underlying].ranges[what];
    }

    /// @inheritdoc IRiskParameters
    function volFences(uint16 underlying) external view returns (VolFences memory) {
        return _fences[underlying].vols;
    }

    /// @inheritdoc IRiskParameters
    function inForce(uint16 underlying, uint32 expiry, bytes32 what)
        external
        view
        returns (uint256 value, uint256 anchor)
    {
        return _fences[underlying].inForce(expiry, what);
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
