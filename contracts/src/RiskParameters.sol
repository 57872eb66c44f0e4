// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

import {IRiskFile} from "./interfaces/IRiskFile.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {Controls} from "./libraries/Controls.sol";
import {Fences} from "./libraries/Fences.sol";
import {Previews} from "./libraries/Previews.sol";
import {Publishing} from "./libraries/Publishing.sol";
import {Slew} from "./libraries/Slew.sol";

/// @title What the keeper publishes, and the fences around it.  See IRiskParameters.
/// @dev What the fences say is in FenceMath, over one set of numbers, whichever way they came in; how a publication comes
/// into force is in Publishing; the fences on rows are in RiskFile.
contract RiskParameters is IRiskParameters, AccessControl {
    using Controls for Controls.State;
    using Fences for Fences.State;
    using Publishing for Publishing.Market;

    /// Publishes, within the fences.
    bytes32 public constant PUBLISHER_ROLE = keccak256("PUBLISHER_ROLE");
    /// Lists expiries and strikes.
    bytes32 public constant LISTER_ROLE = keccak256("LISTER_ROLE");
    /// Holds the brake: may pause publications and veto a loosening, and nothing else.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");
    /// Tightens in an emergency: a quorum of keepers.
    bytes32 public constant EMERGENCY_ROLE = keccak256("EMERGENCY_ROLE");
    /// Widens IM for minutes: the flash-crash breaker.
    bytes32 public constant BREAKER_ROLE = keccak256("BREAKER_ROLE");

    uint256 private constant PPM = 1e6;
    uint256 private constant YEAR = 31_536_000;

    IRiskFile public immutable file;

    mapping(uint16 underlying => UnderlyingConfig) private _configs;
    mapping(uint16 underlying => Publishing.Market) private _markets;
    mapping(uint16 underlying => Controls.State) private _controls;

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
        Fences.State storage f = _markets[underlying].fences;
        f.setFence(underlying, "psr", ranges.psr);
        f.setFence(underlying, "vsrUp", ranges.vsrUp);
        f.setFence(underlying, "vsrDown", ranges.vsrDown);
        f.setJointFence(underlying, ranges.joint);
        f.setVolFences(underlying, vols, c.slewPpmPerHour);
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
        _markets[underlying].fences.setFence(underlying, what, f);
    }

    /// @inheritdoc IRiskParameters
    function setVolFences(uint16 underlying, VolFences calldata v)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        onlyListed(underlying)
    {
        _markets[underlying].fences.setVolFences(underlying, v, _configs[underlying].slewPpmPerHour);
    }

    /// @inheritdoc IRiskParameters
    function setJointFence(uint16 underlying, JointFence calldata f)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
        onlyListed(underlying)
    {
        _markets[underlying].fences.setJointFence(underlying, f);
    }

    /// @inheritdoc IRiskParameters
    function freeze(uint16 underlying) external onlyRole(DEFAULT_ADMIN_ROLE) onlyListed(underlying) {
        delete _markets[underlying].staged;
        _setFrozen(underlying, true);
    }

    /// @inheritdoc IRiskParameters
    function thaw(uint16 underlying) external onlyRole(DEFAULT_ADMIN_ROLE) onlyListed(underlying) {
        _setFrozen(underlying, false);
    }

    function _setFrozen(uint16 underlying, bool frozen_) private {
        if (_markets[underlying].last.frozen == frozen_) return;
        _markets[underlying].last.frozen = frozen_;
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
        if (c.breakerAddOnPpm > PPM) revert BadConfig("breakerAddOnPpm");
        if (c.slewPpmPerHour < 250 || c.slewPpmPerHour > 5 * PPM / 2) revert BadConfig("slewPpmPerHour");
        _markets[underlying].fences.requireSlower(c.slewPpmPerHour);
        _configs[underlying] = c;
        file.configure(
            underlying,
            asset,
            IRiskFile.Settings({
                tailPpm: c.tailPpm,
                shortMinPpm: c.shortMinPpm,
                volFloorPpm: c.volFloorPpm,
                maxAgeS: c.maxAgeS,
                slewPpmPerHour: Slew.ofRanges(c.slewPpmPerHour)
            })
        );
        emit UnderlyingConfigured(underlying, c);
    }

    // --- faster than a publication ------------------------------------------------------------------------------------

    /// @inheritdoc IRiskParameters
    function pause(uint16 underlying) external onlyRole(GUARDIAN_ROLE) onlyListed(underlying) {
        _controls[underlying].pause(underlying);
    }

    /// @inheritdoc IRiskParameters
    function veto(uint16 underlying) external onlyRole(GUARDIAN_ROLE) onlyListed(underlying) {
        IRiskFile.Ranges memory r = _controls[underlying].veto(file, underlying);
        Fences.State storage f = _markets[underlying].fences;
        f.commit(Fences.Ranges(r.psrPpm, r.vsrUpPpm, r.vsrDownPpm));
        // A publication that was made for the old target does not know of the veto.
        f.digest = keccak256(abi.encode(f.digest, r));
        delete _markets[underlying].staged;
    }

    /// @inheritdoc IRiskParameters
    function tighten(uint16 underlying, uint24 peakPpm) external onlyRole(EMERGENCY_ROLE) onlyListed(underlying) {
        if (_markets[underlying].last.frozen) revert Frozen(underlying);
        _controls[underlying].tighten(underlying, peakPpm);
    }

    /// @inheritdoc IRiskParameters
    function setStateAddOn(uint16 underlying, uint24 addOnPpm, uint40 validUntil)
        external
        onlyRole(PUBLISHER_ROLE)
        onlyListed(underlying)
    {
        if (_markets[underlying].last.frozen) revert Frozen(underlying);
        uint256 until = _controls[underlying].pausedUntil;
        if (block.timestamp < until) revert Paused(underlying, until);
        _controls[underlying].setStateAddOn(underlying, addOnPpm, validUntil);
    }

    /// @inheritdoc IRiskParameters
    function widen(uint16 underlying, uint40 until) external onlyRole(BREAKER_ROLE) onlyListed(underlying) {
        _controls[underlying].widen(underlying, until);
    }

    /// @inheritdoc IRiskParameters
    function controls(uint16 underlying) external view returns (ControlState memory) {
        return _controls[underlying].standing();
    }

    /// @inheritdoc IRiskParameters
    function effective(uint16 underlying) external view returns (UnderlyingConfig memory c) {
        c = _configs[underlying];
        _controls[underlying].bind(c);
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
        _markets[underlying].fences
            .startExpiry(file, underlying, Fences.Quote(expiry, phiPpb, dfPpb, sigmaAtmPpm), listedExpiries(underlying));
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
        _markets[underlying].publish(_context(underlying), p, false);
    }

    /// @inheritdoc IRiskParameters
    function stage(uint16 underlying, Publication calldata p) external onlyRole(PUBLISHER_ROLE) onlyListed(underlying) {
        _markets[underlying].stage(_context(underlying), p);
    }

    /// @inheritdoc IRiskParameters
    function stageExpiries(uint16 underlying, ExpiryPublication[] calldata expiries)
        external
        onlyRole(PUBLISHER_ROLE)
        onlyListed(underlying)
    {
        _markets[underlying].stageExpiries(_context(underlying), expiries);
    }

    /// @inheritdoc IRiskParameters
    function flip(uint16 underlying) external onlyRole(PUBLISHER_ROLE) onlyListed(underlying) {
        _markets[underlying].flip(_context(underlying));
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

    /// @notice `publish`, if every item passes, rows included; always reverts, with `DryRunPassed` if they do.
    function dryRun(uint16 underlying, Publication calldata p) external onlyListed(underlying) {
        _markets[underlying].publish(_context(underlying), p, true);
        revert DryRunPassed();
    }

    /// @inheritdoc IRiskParameters
    function preview(uint16 underlying, Publication calldata p)
        external
        view
        onlyListed(underlying)
        returns (Preview memory)
    {
        return Previews.preview(_markets[underlying], _context(underlying), p);
    }

    /// What a publication reads besides fences.
    function _context(uint16 underlying) private view returns (Publishing.Context memory c) {
        UnderlyingConfig storage config_ = _configs[underlying];
        (c.file, c.underlying) = (file, underlying);
        (c.tailPpm, c.volFloorPpm, c.noticeBlocks) = (config_.tailPpm, config_.volFloorPpm, config_.noticeBlocks);
        Controls.State storage s = _controls[underlying];
        (c.pausedUntil, c.noLooseningUntil) = (s.pausedUntil, s.noLooseningUntil);
    }

    // --- views --------------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskParameters
    function config(uint16 underlying) external view returns (UnderlyingConfig memory) {
        return _configs[underlying];
    }

    /// @inheritdoc IRiskParameters
    function frozen(uint16 underlying) external view returns (bool) {
        return _markets[underlying].last.frozen;
    }

    /// @inheritdoc IRiskParameters
    function fence(uint16 underlying, bytes32 what) external view returns (Fence memory) {
        return _markets[underlying].fences.ranges[what];
    }

    /// @inheritdoc IRiskParameters
    function volFences(uint16 underlying) external view returns (VolFences memory) {
        return _markets[underlying].fences.vols;
    }

    /// @inheritdoc IRiskParameters
    function inForce(uint16 underlying, uint32 expiry, bytes32 what)
        external
        view
        returns (uint256 value, uint256 anchor)
    {
        return _markets[underlying].fences.inForce(expiry, what);
    }

    /// @inheritdoc IRiskParameters
    function standing(uint16 underlying, uint32 expiry, bytes32 what)
        external
        view
        returns (uint256 value, uint32[26] memory anchors)
    {
        return _markets[underlying].fences.standing(expiry, what);
    }

    /// @inheritdoc IRiskParameters
    function smileRings(uint16 underlying, uint32 expiry) external view returns (uint256[] memory) {
        return _markets[underlying].fences.smileRings(expiry, file.strikes(underlying, expiry));
    }

    /// @inheritdoc IRiskParameters
    function jointFence(uint16 underlying) external view returns (JointFence memory) {
        return _markets[underlying].fences.joint;
    }

    /// @inheritdoc IRiskParameters
    function targetDigest(uint16 underlying) external view returns (bytes32) {
        return _markets[underlying].fences.digest;
    }

    /// @inheritdoc IRiskParameters
    function listedExpiries(uint16 underlying) public view returns (uint32[] memory) {
        return Publishing.live(file, underlying);
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
        Publishing.Last memory last = _markets[underlying].last;
        return (last.id, last.time, last.blockNumber, last.inputsHash);
    }

    /// @inheritdoc IRiskParameters
    function inNotice(uint16 underlying) external view returns (bool) {
        return block.number < file.noticeUntil(underlying);
    }
}
