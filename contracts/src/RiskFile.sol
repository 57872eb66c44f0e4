// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {IRiskFile} from "./interfaces/IRiskFile.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {FileVersion, Position} from "./interfaces/Types.sol";
import {Grid} from "./libraries/Grid.sol";
import {Legs} from "./libraries/Legs.sol";
import {Listings} from "./libraries/Listings.sol";
import {RowFence} from "./libraries/RowFence.sol";
import {Rows} from "./libraries/Rows.sol";
import {Scenarios} from "./libraries/Scenarios.sol";
import {Slew} from "./libraries/Slew.sol";

/// @title The risk file.  See IRiskFile.
/// @dev Twin: keeper/risk/exact/riskfile.py and grid.py.  A strike's array is three slots behind one hash; the
/// epoch in it must equal the header's, so rows of two epochs cannot meet in one sum.  The ranges of a header are those
/// in force; the published ones are the target that `Slew` moves them to.
contract RiskFile is IRiskFile {
    using Legs for Legs.Walk;
    using Listings for uint32[];
    using Rows for Rows.Slate;
    using Slew for Slew.State;

    struct Market {
        uint8 bank; // the live one
        bool staging; // the idle bank is open
        uint24 publications; // also counts abandoned ones, so an epoch is never used twice
        uint40 noticeUntil; // block
        Settings settings;
        Slew.State slew;
    }

    /// Three words of eight rows, row j in word j/8 at bit 32·(j mod 8), 29 bits each; the three bits above them hold
    /// the strike's volatility and epoch (Rows.seal).
    struct Array {
        uint256 w0;
        uint256 w1;
        uint256 w2;
    }

    /// Refreshes between two publications that still get an epoch of their own.
    uint40 private constant REFRESHES = 1 << 16;
    /// For so long a bank may wait for its flip.
    uint256 private constant STAGING_S = 1 hours;

    IPriceOracle public immutable oracle;
    address private immutable _deployer;
    /// The one contract that may write.
    address public parameters;

    mapping(uint16 underlying => Market) private _markets;
    mapping(uint16 underlying => bytes32) public assetOf;
    mapping(uint16 underlying => Header[2]) private _headers;
    mapping(uint16 underlying => uint32[]) private _listed;
    mapping(uint16 underlying => mapping(uint32 expiry => uint64[])) private _strikes;
    /// Key: underlying | bank | expiry.
    mapping(uint256 key => ExpiryParams) private _expiries;
    /// Key: underlying | bank | expiry | strike.
    mapping(uint256 key => Array) private _arrays;

    modifier onlyParameters() {
        if (msg.sender != parameters) revert OnlyParameters(msg.sender);
        _;
    }

    constructor(IPriceOracle oracle_) {
        oracle = oracle_;
        _deployer = msg.sender;
    }

    /// @notice Name the writer, once, by the deployer: the two contracts need each other's address.
    function connect(address parameters_) external {
        if (msg.sender != _deployer) revert OnlyParameters(msg.sender);
        if (parameters != address(0)) revert AlreadyConnected(parameters);
        parameters = parameters_;
        emit Connected(parameters_);
    }

    // --- reading ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskFile
    function assess(uint16 underlying, Position[] calldata legs, int256 perpSize, uint256 spot, FileVersion version)
        external
        view
        returns (Assessment memory a)
    {
        if (spot == 0 || spot > type(uint96).max) revert BadSpot(spot);
        Legs.Walk memory w;
        w.underlying = underlying;
        w.bank = _bank(underlying, version);
        w.spot = spot;
        w.strict = w.bank == _markets[underlying].bank;
        if (_assess(w, legs, perpSize, a)) return a;
        // A strike that the live file published first: there is no earlier requirement to compare with.
        Legs.Walk memory live;
        live.underlying = underlying;
        live.bank = 1 - w.bank;
        live.spot = spot;
        live.strict = true;
        _assess(live, legs, perpSize, a);
    }

    function _assess(Legs.Walk memory w, Position[] calldata legs, int256 perpSize, Assessment memory a)
        private
        view
        returns (bool)
    {
        Settings memory s = _markets[uint16(w.underlying)].settings;
        Header memory h = _headers[uint16(w.underlying)][w.bank];
        if (h.epoch == 0) revert NoFile(uint16(w.underlying));
        w.epoch = h.epoch;
        w.refSpot = h.refSpot;
        a.upliftPpm = uint24(h.imUpliftPct) * 10_000;
        uint256[24] memory levels = Scenarios.levels(h.psrPpm);
        Grid.Sums memory sums;
        if (legs.length != 0) {
            if (!_sum(w, legs, sums, levels)) return false;
            a.optionMark = w.optionMark;
            a.shortMinimum = w.shortMinimum(s.shortMinPpm);
            a.stale = _isStale(h, s.maxAgeS, w.spot);
        }
        (a.grid, a.worstRow) = Grid.worst(
            sums,
            levels,
            Grid.Context({
                refSpot: h.refSpot,
                spot: w.spot,
                psrPpm: h.psrPpm,
                tailPpm: s.tailPpm,
                optionMark: a.optionMark,
                perpSize: perpSize
            })
        );
        return true;
    }

    /// @return whether every leg is in the bank.
    function _sum(Legs.Walk memory w, Position[] calldata legs, Grid.Sums memory sums, uint256[24] memory levels)
        private
        view
        returns (bool)
    {
        unchecked {
            uint256 i;
            while (i < legs.length) {
                uint256 id;
                (id, i) = w.read(legs, i);
                if (uint32(id >> 72) != w.expiry) {
                    w.close(sums, levels);
                    _openExpiry(w, uint32(id >> 72));
                }
                if (!_addStrike(w, uint64(id >> 8), sums)) {
                    if (w.strict) revert StrikeNotInFile(uint16(w.underlying), w.expiry, uint64(id >> 8));
                    return false;
                }
            }
            w.close(sums, levels);
            if (w.total >= Grid.MAX_TOTAL_SIZE) revert SizeOverflow(w.total);
            return true;
        }
    }

    /// @return whether the strike is in the bank.
    function _addStrike(Legs.Walk memory w, uint64 strike, Grid.Sums memory sums) private view returns (bool) {
        Array storage array = _arrays[_key(w.underlying, w.bank, w.expiry, strike)];
        (uint256 w0, uint256 w1, uint256 w2) = (array.w0, array.w1, array.w2);
        uint256 meta = Rows.metaOf(w0, w1, w2);
        if (meta >> 32 != w.epoch) return false;
        int256 size = w.value(sums, strike, uint32(meta));
        Grid.add(sums, size, Rows.valuesOf(w0), Rows.valuesOf(w1), Rows.valuesOf(w2));
        return true;
    }

    function _openExpiry(Legs.Walk memory w, uint32 expiry) private view {
        ExpiryParams memory e = _expiries[_key(w.underlying, w.bank, expiry, 0)];
        w.expiry = expiry;
        if (e.epoch == w.epoch) w.open(expiry, e.phiPpb, e.dfPpb, block.timestamp); // else its strikes are not there either
    }

    /// @inheritdoc IRiskFile
    function marks(uint16 underlying, uint32 expiry, uint64 strike, bool isCall, uint256 spot)
        external
        view
        returns (int256 mid, int256 up, int256 down)
    {
        if (spot == 0 || spot > type(uint96).max) revert BadSpot(spot);
        Legs.Walk memory w;
        (w.underlying, w.bank, w.spot) = (underlying, _markets[underlying].bank, spot);
        w.epoch = _headers[underlying][w.bank].epoch;
        if (w.epoch == 0) revert NoFile(underlying);
        _openExpiry(w, expiry);
        (uint32 sigma, uint40 epoch) = _meta(_key(underlying, w.bank, expiry, strike));
        if (epoch != w.epoch) revert StrikeNotInFile(underlying, expiry, strike);
        (uint256 volUp, uint256 volDown) = _shocked(w, sigma);
        uint256 k = uint256(strike) * 1e10;
        mid = w.liveCall(k, sigma);
        up = w.liveCall(k, volUp);
        down = w.liveCall(k, volDown);
        if (!isCall) {
            (mid, up, down) = (w.livePut(mid, k), w.livePut(up, k), w.livePut(down, k));
        }
    }

    function _shocked(Legs.Walk memory w, uint256 sigmaPpm) private view returns (uint256 up, uint256 down) {
        Header memory h = _headers[uint16(w.underlying)][w.bank];
        uint256 m = Scenarios.termFactor(w.expiry - block.timestamp);
        up = Scenarios.volUp(sigmaPpm, h.vsrUpPpm, m, _markets[uint16(w.underlying)].settings.volFloorPpm);
        down = Scenarios.volDown(sigmaPpm, h.vsrDownPpm, m);
    }

    /// @inheritdoc IRiskFile
    function isStale(uint16 underlying, uint256 spot) external view returns (bool) {
        Header memory h = header(underlying, FileVersion.Live);
        if (h.epoch == 0) revert NoFile(underlying);
        return _isStale(h, _markets[underlying].settings.maxAgeS, spot);
    }

    function _isStale(Header memory h, uint256 maxAgeS, uint256 spot) private view returns (bool) {
        uint256 distance = spot > h.refSpot ? spot - h.refSpot : h.refSpot - spot;
        return distance * 3e6 > uint256(h.psrPpm) * h.refSpot || block.timestamp - h.time > maxAgeS;
    }

    /// @inheritdoc IRiskFile
    function header(uint16 underlying, FileVersion version) public view returns (Header memory) {
        return _headers[underlying][_bank(underlying, version)];
    }

    /// @inheritdoc IRiskFile
    function expiryParams(uint16 underlying, uint32 expiry, FileVersion version)
        external
        view
        returns (ExpiryParams memory)
    {
        return _expiries[_key(underlying, _bank(underlying, version), expiry, 0)];
    }

    /// @inheritdoc IRiskFile
    function strikeArray(uint16 underlying, uint32 expiry, uint64 strike, FileVersion version)
        external
        view
        returns (uint32 sigmaPpm, uint40 epoch, uint32[24] memory values)
    {
        uint256 key = _key(underlying, _bank(underlying, version), expiry, strike);
        (sigmaPpm, epoch) = _meta(key);
        Array memory array = _arrays[key];
        uint256[3] memory words = [Rows.valuesOf(array.w0), Rows.valuesOf(array.w1), Rows.valuesOf(array.w2)];
        for (uint256 j; j < 24; ++j) {
            values[j] = uint32(words[j / 8] >> (32 * (j % 8)));
        }
    }

    /// @inheritdoc IRiskFile
    function expiries(uint16 underlying) external view returns (uint32[] memory) {
        return _listed[underlying];
    }

    /// @inheritdoc IRiskFile
    function strikes(uint16 underlying, uint32 expiry) external view returns (uint64[] memory) {
        return _strikes[underlying][expiry];
    }

    /// @inheritdoc IRiskFile
    function staged(uint16 underlying) external view returns (uint32[] memory list_, ExpiryParams[] memory params) {
        uint256 bank = 1 - _markets[underlying].bank;
        if (!_markets[underlying].staging) revert NothingStaged(underlying);
        list_ = _listed[underlying];
        params = new ExpiryParams[](list_.length);
        for (uint256 i; i < list_.length; ++i) {
            if (_isStaged(underlying, bank, list_[i])) params[i] = _expiries[_key(underlying, bank, list_[i], 0)];
        }
    }

    /// @inheritdoc IRiskFile
    function noticeUntil(uint16 underlying) external view returns (uint256) {
        return _markets[underlying].noticeUntil;
    }

    /// @inheritdoc IRiskFile
    function settings(uint16 underlying) external view returns (Settings memory) {
        return _markets[underlying].settings;
    }

    /// @inheritdoc IRiskFile
    function slew(uint16 underlying)
        external
        view
        returns (Ranges memory target, uint256 ratePpmPerHour, uint256 time, uint256 heldUntil)
    {
        Market storage market = _markets[underlying];
        Slew.State memory s = market.slew;
        target = Ranges(s.psrPpm, s.vsrUpPpm, s.vsrDownPpm);
        return (target, market.settings.slewPpmPerHour, s.time, market.staging ? market.slew.heldUntil() : 0);
    }

    // --- writing ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskFile
    function refresh(uint16 underlying) external {
        Market storage market = _markets[underlying];
        uint8 bank = market.bank;
        Header storage h = _headers[underlying][bank];
        uint40 old = h.epoch;
        if (old == 0) revert NoFile(underlying);
        // What is staged rests on ranges that are not in force any more.
        if (market.slew.refresh(market.settings, h, market.staging)) market.staging = false;
        // After 65,535 refreshes without a publication the epoch stays; every row is rewritten all the same.
        uint40 epoch = (old + 1) % REFRESHES != 0 ? old + 1 : old;
        (h.refSpot, h.time, h.epoch) = (_spot(underlying), uint40(block.timestamp), epoch);
        Rows.Slate memory slate = _slate(underlying, bank);
        uint32[] memory list_ = _listed[underlying];
        uint256 count;
        for (uint256 i; i < list_.length; ++i) {
            if (list_[i] > block.timestamp) count += _recompute(slate, bank, list_[i], old);
        }
        emit FileComputed(underlying, epoch, h, count, true);
    }

    /// Recompute what one bank had of an expiry at an epoch; what it did not have, the bank written to has not either.
    function _recompute(Rows.Slate memory slate, uint256 from, uint32 expiry, uint40 old)
        private
        returns (uint256 count)
    {
        bool other = from != slate.bank;
        ExpiryParams memory e = _expiries[_key(slate.underlying, from, expiry, 0)];
        bool has = e.epoch == old && old != 0;
        if (has) {
            e.epoch = slate.epoch;
            slate.kept = true;
            slate.prepare(expiry, e.phiPpb, e.dfPpb);
        } else {
            if (!other) return 0;
            e = ExpiryParams(0, 0, 0, 0);
        }
        _expiries[_key(slate.underlying, slate.bank, expiry, 0)] = e;
        uint64[] memory list_ = _strikes[slate.underlying][expiry];
        for (uint256 k; k < list_.length; ++k) {
            (uint32 sigma, uint40 epoch) = _meta(_key(slate.underlying, from, expiry, list_[k]));
            if (has && epoch == old) {
                _compute(slate, list_[k], sigma);
                ++count;
            } else if (other) {
                _leaveOut(slate, expiry, list_[k]);
            }
        }
    }

    /// A row that was written in this epoch is gone.
    function _leaveOut(Rows.Slate memory slate, uint32 expiry, uint64 strike) private {
        delete _arrays[_key(slate.underlying, slate.bank, expiry, strike)];
    }

    /// @inheritdoc IRiskFile
    function configure(uint16 underlying, bytes32 asset, Settings calldata s) external onlyParameters {
        assetOf[underlying] = asset;
        _markets[underlying].settings = s;
    }

    /// @inheritdoc IRiskFile
    function list(uint16 underlying, uint32 expiry, uint64[] calldata strikes_) external onlyParameters {
        _listed[underlying].add(_strikes[underlying], expiry, strikes_);
    }

    /// @inheritdoc IRiskFile
    function begin(uint16 underlying, uint24 psrPpm, uint24 vsrUpPpm, uint24 vsrDownPpm)
        external
        onlyParameters
        returns (uint40 epoch)
    {
        Market storage market = _markets[underlying];
        if (block.number < market.noticeUntil) revert InNotice(underlying, market.noticeUntil);
        _listed[underlying].prune();
        epoch = uint40(++market.publications) * REFRESHES;
        Header storage h = _headers[underlying][1 - market.bank];
        Ranges memory target = Ranges(psrPpm, vsrUpPpm, vsrDownPpm);
        market.slew.begin(market.settings, _headers[underlying][market.bank], h, target, market.staging);
        market.staging = true;
        (h.refSpot, h.time, h.epoch) = (_spot(underlying), uint40(block.timestamp), epoch);
    }

    /// @inheritdoc IRiskFile
    function write(
        uint16 underlying,
        uint32 expiry,
        uint40 phiPpb,
        uint40 dfPpb,
        uint32 sigmaAtmPpm,
        uint32[] calldata sigmaPpm
    ) external onlyParameters {
        if (!_markets[underlying].staging) revert NothingStaged(underlying);
        Rows.Slate memory slate = _slate(underlying, 1 - _markets[underlying].bank);
        uint64[] memory list_ = _strikes[underlying][expiry];
        if (sigmaPpm.length != list_.length || list_.length == 0) {
            revert IRiskParameters.WrongStrikes(expiry, sigmaPpm.length, list_.length);
        }
        _expiries[_key(underlying, slate.bank, expiry, 0)] =
            ExpiryParams({phiPpb: phiPpb, dfPpb: dfPpb, sigmaAtmPpm: sigmaAtmPpm, epoch: slate.epoch});
        slate.prepare(expiry, phiPpb, dfPpb);
        uint256[4] memory chain = RowFence.start(slate);
        for (uint256 i; i < list_.length; ++i) {
            if (sigmaPpm[i] == 0) {
                _leaveOut(slate, expiry, list_[i]);
            } else {
                RowFence.follow(chain, expiry, list_[i], _compute(slate, list_[i], sigmaPpm[i]));
            }
        }
    }

    /// @inheritdoc IRiskFile
    function carry(uint16 underlying, uint32 expiry) external onlyParameters {
        Market storage market = _markets[underlying];
        if (!market.staging) revert NothingStaged(underlying);
        uint8 bank = market.bank;
        _recompute(_slate(underlying, 1 - bank), bank, expiry, _headers[underlying][bank].epoch);
    }

    /// @inheritdoc IRiskFile
    function flip(uint16 underlying, uint256 noticeBlocks) external onlyParameters returns (uint40 epoch) {
        Market storage market = _markets[underlying];
        if (!market.staging) revert NothingStaged(underlying);
        uint8 bank = 1 - market.bank;
        Header memory h = _headers[underlying][bank];
        if (block.timestamp > h.time + STAGING_S) revert StagingTooOld(underlying, h.time);
        epoch = h.epoch;
        uint32[] memory list_ = _listed[underlying];
        uint256 count;
        for (uint256 i; i < list_.length; ++i) {
            if (_isStaged(underlying, bank, list_[i])) count += _strikes[underlying][list_[i]].length;
        }
        bool first = _headers[underlying][market.bank].epoch == 0;
        market.bank = bank;
        market.staging = false;
        market.noticeUntil = first ? 0 : uint40(block.number + noticeBlocks);
        market.slew.flip(h.time);
        emit FileComputed(underlying, epoch, h, count, false);
    }

    /// @inheritdoc IRiskFile
    function retarget(uint16 underlying, Ranges calldata target) external onlyParameters {
        _markets[underlying].slew.retarget(target);
    }

    // --- computing ----------------------------------------------------------------------------------------------------

    /// What all strikes of one bank share.
    function _slate(uint16 underlying, uint8 bank) private view returns (Rows.Slate memory s) {
        Header memory h = _headers[underlying][bank];
        (s.underlying, s.bank, s.epoch) = (underlying, bank, h.epoch);
        (s.refSpot, s.time) = (h.refSpot, h.time);
        (s.vsrUp, s.vsrDown) = (h.vsrUpPpm, h.vsrDownPpm);
        s.volFloor = _markets[underlying].settings.volFloorPpm;
        s.open(h.psrPpm);
    }

    /// Compute and store one strike.  Returns its mark, ppm of the reference spot.
    function _compute(Rows.Slate memory s, uint64 strike, uint32 sigmaPpm) private returns (uint256 mid) {
        uint256[3] memory w;
        (w[0], w[1], w[2], mid) = s.rows(strike, sigmaPpm);
        Array storage array = _arrays[_key(s.underlying, s.bank, s.expiry, strike)];
        uint256 meta = sigmaPpm | (uint256(s.epoch) << 32);
        (array.w0, array.w1, array.w2) = (Rows.seal(w[0], meta, 0), Rows.seal(w[1], meta, 1), Rows.seal(w[2], meta, 2));
    }

    /// Volatility and epoch of one strike.
    function _meta(uint256 key) private view returns (uint32 sigmaPpm, uint40 epoch) {
        Array storage array = _arrays[key];
        uint256 meta = Rows.metaOf(array.w0, array.w1, array.w2);
        return (uint32(meta), uint40(meta >> 32));
    }

    /// Whether the bank being written has an expiry.  What the live bank has, it must have.
    function _isStaged(uint16 underlying, uint256 bank, uint32 expiry) private view returns (bool) {
        if (_expiries[_key(underlying, bank, expiry, 0)].epoch == _headers[underlying][bank].epoch) return true;
        uint40 live = _headers[underlying][1 - bank].epoch;
        if (live == 0 || _expiries[_key(underlying, 1 - bank, expiry, 0)].epoch != live) return false;
        revert ExpiryNotStaged(underlying, expiry);
    }

    // --- small things -------------------------------------------------------------------------------------------------

    function _bank(uint16 underlying, FileVersion version) private view returns (uint256) {
        Market storage market = _markets[underlying];
        uint256 bank = market.bank;
        if (version == FileVersion.Staged) return 1 - bank;
        return version == FileVersion.Previous && block.number < market.noticeUntil ? 1 - bank : bank;
    }

    function _spot(uint16 underlying) private view returns (uint96) {
        uint256 spot = oracle.price(assetOf[underlying]);
        if (spot == 0 || spot > type(uint96).max) revert BadSpot(spot);
        return uint96(spot);
    }

    function _key(uint256 underlying, uint256 bank, uint256 expiry, uint256 strike) private pure returns (uint256) {
        return (underlying << 104) | (bank << 96) | (expiry << 64) | strike;
    }
}
