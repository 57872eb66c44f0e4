// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {IRiskFile} from "./interfaces/IRiskFile.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {FileVersion, InstrumentId, Position} from "./interfaces/Types.sol";
import {Black76} from "./libraries/Black76.sol";
import {Grid} from "./libraries/Grid.sol";
import {InstrumentIds} from "./libraries/InstrumentIds.sol";
import {Q64} from "./libraries/Q64.sol";
import {Scenarios} from "./libraries/Scenarios.sol";

/// @title The risk file.  See IRiskFile.
/// @dev Twin: keeper/risk/exact/riskfile.py and grid.py.  A strike's array is four slots behind one hash; `head.epoch`
/// must equal the header's, so rows of two epochs cannot meet in one sum.
contract RiskFile is IRiskFile {
    struct Market {
        uint8 bank; // the live one
        bool staging; // the idle bank is open
        uint24 publications; // also counts abandoned ones, so an epoch is never used twice
        uint40 noticeUntil; // block
        Settings settings;
    }

    struct Head {
        uint32 sigmaPpm;
        uint40 epoch;
        uint32 midPpm; // mark when computed, ppm of the reference spot
    }

    struct Array {
        Head head;
        uint256 w0; // rows 0 … 7, row j at bit 32·(j mod 8)
        uint256 w1;
        uint256 w2;
    }

    /// Working memory of a computation: distinct price levels 0 … 6 (inner), 7, 8 (extreme), 9 … 16 (tails).
    struct Slate {
        uint16 underlying;
        uint8 bank;
        uint32 expiry;
        uint40 epoch;
        uint256 refSpot;
        uint256 time;
        uint256 vsrUp;
        uint256 vsrDown;
        uint256 volFloor;
        int256[17] s;
        int256[17] logS;
        int256[17] forward;
        int256[17] logForward;
        int256 df;
        uint256 sqrtT;
        uint256 m;
    }

    /// Running state of `assess`.
    struct Walk {
        uint256 underlying;
        uint256 bank;
        uint256 epoch;
        uint256 spot;
        uint256 refSpot;
        bool strict; // revert on a strike that is not in the bank, else report the sum as incomplete
        int256 optionMark;
        uint256 last; // instrument of the leg before
        uint32 expiry;
        uint256 phiPpb;
        uint256 dfPpb;
        int256 phi;
        int256 df;
        int256 logPhi;
        uint256 sqrtT;
        int256 putSize; // of the expiry so far
        uint256 naked;
        uint256 total;
    }

    uint256 private constant MAX_EXPIRIES = 16;
    uint256 private constant MAX_STRIKES = 64;
    /// Refreshes between two publications that still get an epoch of their own.
    uint40 private constant REFRESHES = 1 << 16;
    /// Tolerance of the no-arbitrage assertions: 1 ppm, Q64.
    int256 private constant ONE_PPM = 18446744073710;
    /// Tolerance of the butterfly fence, ppm of the reference spot.
    uint256 private constant BUTTERFLY_PPM = 2;

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
        Walk memory w;
        w.underlying = underlying;
        w.bank = _bank(underlying, version);
        w.spot = spot;
        w.strict = w.bank == _markets[underlying].bank;
        if (_assess(w, legs, perpSize, a)) return a;
        // A strike that the live file published first: there is no earlier requirement to compare with.
        Walk memory live;
        live.underlying = underlying;
        live.bank = 1 - w.bank;
        live.spot = spot;
        live.strict = true;
        _assess(live, legs, perpSize, a);
    }

    function _assess(Walk memory w, Position[] calldata legs, int256 perpSize, Assessment memory a)
        private
        view
        returns (bool)
    {
        Settings memory s = _markets[uint16(w.underlying)].settings;
        Header memory h = _headers[uint16(w.underlying)][w.bank];
        if (h.epoch == 0) revert NoFile(uint16(w.underlying));
        w.epoch = h.epoch;
        w.refSpot = h.refSpot;
        uint256[24] memory levels = Scenarios.levels(h.psrPpm);
        Grid.Sums memory sums;
        if (legs.length != 0) {
            if (!_sum(w, legs, sums, levels)) return false;
            a.optionMark = w.optionMark;
            unchecked {
                a.shortMinimum = (w.naked * w.spot * s.shortMinPpm + 1e24 - 1) / 1e24;
            }
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
    function _sum(Walk memory w, Position[] calldata legs, Grid.Sums memory sums, uint256[24] memory levels)
        private
        view
        returns (bool)
    {
        unchecked {
            for (uint256 i; i < legs.length; ++i) {
                uint256 position = Position.unwrap(legs[i]);
                uint256 id = position >> 136;
                // kind is 1 (call) or 2 (put)
                if (id <= w.last || id >> 104 != w.underlying || (id & 0xff) - 1 > 1) revert BadLeg(position);
                int256 callSize;
                int256 putSize = int256(int128(uint128(position)));
                w.last = id;
                if (id & 0xff == InstrumentIds.CALL) {
                    (callSize, putSize) = (putSize, 0);
                    position = i + 1 < legs.length ? Position.unwrap(legs[i + 1]) : 0;
                    if (position >> 136 == id + 1) {
                        putSize = int256(int128(uint128(position)));
                        w.last = id + 1;
                        ++i;
                    }
                }
                if (uint32(id >> 72) != w.expiry) {
                    if (w.putSize != 0) _closeExpiry(w, sums, levels);
                    _openExpiry(w, uint32(id >> 72));
                }
                if (!_addStrike(w, uint64(id >> 8), callSize, putSize, sums)) {
                    if (w.strict) revert StrikeNotInFile(uint16(w.underlying), w.expiry, uint64(id >> 8));
                    return false;
                }
            }
            if (w.putSize != 0) _closeExpiry(w, sums, levels);
            if (w.total >= Grid.MAX_TOTAL_SIZE) revert SizeOverflow(w.total);
            return true;
        }
    }

    function _closeExpiry(Walk memory w, Grid.Sums memory sums, uint256[24] memory levels) private pure {
        Grid.addForwards(sums, levels, w.putSize, w.phiPpb * w.dfPpb);
        w.putSize = 0;
    }

    function _openExpiry(Walk memory w, uint32 expiry) private view {
        if (expiry <= block.timestamp) revert LegExpired(expiry, block.timestamp);
        ExpiryParams memory e = _expiries[_key(w.underlying, w.bank, expiry, 0)];
        w.expiry = expiry;
        if (e.epoch != w.epoch) return; // nor is any of its strikes in the file
        (w.phiPpb, w.dfPpb) = (e.phiPpb, e.dfPpb);
        (w.phi, w.df) = (_fromPpb(e.phiPpb), _fromPpb(e.dfPpb));
        w.logPhi = Q64.ln(uint256(w.phi));
        w.sqrtT = Black76.sqrtYears(expiry - block.timestamp);
    }

    function _addStrike(Walk memory w, uint64 strike, int256 callSize, int256 putSize, Grid.Sums memory sums)
        private
        view
        returns (bool)
    {
        Array storage array = _arrays[_key(w.underlying, w.bank, w.expiry, strike)];
        Head memory head = array.head;
        if (head.epoch != w.epoch) return false;
        unchecked {
            uint256 k = uint256(strike) * 1e10;
            int256 mark = _liveCall(w, k, head.sigmaPpm);
            if (callSize != 0) w.optionMark += Q64.floorDiv(callSize * mark, 1e18);
            if (putSize != 0) {
                w.optionMark += Q64.floorDiv(putSize * _livePut(w, mark, k), 1e18);
                sums.strikes += putSize * int256(k * w.dfPpb * 1e6 / (1e9 * w.refSpot));
                w.putSize += putSize;
            }
            Grid.add(sums, callSize + putSize, array.w0, array.w1, array.w2);
            w.naked += Grid.nakedShort(callSize, putSize);
            w.total += _abs(callSize) + _abs(putSize);
            return true;
        }
    }

    /// Mark of one call at live spot and time, wad USD, rounded down.
    function _liveCall(Walk memory w, uint256 strike, uint256 sigmaPpm) private pure returns (int256) {
        unchecked {
            uint256 kappa = (strike << 64) / w.spot;
            int256 v = int256(Black76.deviation(sigmaPpm, w.sqrtT));
            int256 value = Black76.call(w.phi, int256(kappa), w.logPhi - Q64.ln(kappa), v);
            return (value * w.df >> 64) * int256(w.spot) >> 64;
        }
    }

    /// Mark of one put by parity.  May be a few wei below zero: boxes stay exact.
    function _livePut(Walk memory w, int256 callMark, uint256 strike) private pure returns (int256) {
        unchecked {
            return callMark - int256(w.spot * w.phiPpb * w.dfPpb / 1e18) + int256(strike * w.dfPpb / 1e9);
        }
    }

    /// @inheritdoc IRiskFile
    function marks(uint16 underlying, uint32 expiry, uint64 strike, bool isCall, uint256 spot)
        external
        view
        returns (int256 mid, int256 up, int256 down)
    {
        if (spot == 0 || spot > type(uint96).max) revert BadSpot(spot);
        Walk memory w;
        (w.underlying, w.bank, w.spot) = (underlying, _markets[underlying].bank, spot);
        w.epoch = _headers[underlying][w.bank].epoch;
        if (w.epoch == 0) revert NoFile(underlying);
        _openExpiry(w, expiry);
        Head memory head = _arrays[_key(underlying, w.bank, expiry, strike)].head;
        if (head.epoch != w.epoch) revert StrikeNotInFile(underlying, expiry, strike);
        (uint256 volUp, uint256 volDown) = _shocked(w, head.sigmaPpm);
        uint256 k = uint256(strike) * 1e10;
        mid = _liveCall(w, k, head.sigmaPpm);
        up = _liveCall(w, k, volUp);
        down = _liveCall(w, k, volDown);
        if (!isCall) {
            (mid, up, down) = (_livePut(w, mid, k), _livePut(w, up, k), _livePut(w, down, k));
        }
    }

    function _shocked(Walk memory w, uint256 sigmaPpm) private view returns (uint256 up, uint256 down) {
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
        Array storage array = _arrays[_key(underlying, _bank(underlying, version), expiry, strike)];
        (sigmaPpm, epoch) = (array.head.sigmaPpm, array.head.epoch);
        uint256[3] memory words = [array.w0, array.w1, array.w2];
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
        uint40 epoch = _headers[underlying][bank].epoch;
        if (!_markets[underlying].staging) revert NothingStaged(underlying);
        list_ = _listed[underlying];
        params = new ExpiryParams[](list_.length);
        for (uint256 i; i < list_.length; ++i) {
            params[i] = _expiries[_key(underlying, bank, list_[i], 0)];
            if (params[i].epoch != epoch) revert ExpiryNotStaged(underlying, list_[i]);
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

    // --- writing ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IRiskFile
    function refresh(uint16 underlying) external {
        Market storage market = _markets[underlying];
        uint8 bank = market.bank;
        Header storage h = _headers[underlying][bank];
        uint40 old = h.epoch;
        if (old == 0) revert NoFile(underlying);
        (uint96 spot, uint40 epoch) = (_spot(underlying), old);
        // After 65,535 refreshes without a publication the epoch stays; every row is rewritten all the same.
        if ((old + 1) % REFRESHES != 0) ++epoch;
        (h.refSpot, h.time, h.epoch) = (spot, uint40(block.timestamp), epoch);
        Slate memory slate = _slate(underlying, bank);
        uint32[] memory list_ = _listed[underlying];
        uint256 count;
        for (uint256 i; i < list_.length; ++i) {
            if (list_[i] > block.timestamp) count += _refreshExpiry(slate, list_[i], old);
        }
        emit FileComputed(underlying, epoch, spot, uint40(block.timestamp), count, true);
    }

    /// Recompute what the last publication had of one expiry; what was listed since has no volatility yet.
    function _refreshExpiry(Slate memory slate, uint32 expiry, uint40 old) private returns (uint256 count) {
        ExpiryParams storage e = _expiries[_key(slate.underlying, slate.bank, expiry, 0)];
        if (e.epoch != old) return 0;
        e.epoch = slate.epoch;
        _prepare(slate, expiry, e.phiPpb, e.dfPpb);
        uint64[] memory list_ = _strikes[slate.underlying][expiry];
        for (uint256 k; k < list_.length; ++k) {
            Head memory head = _arrays[_key(slate.underlying, slate.bank, expiry, list_[k])].head;
            if (head.epoch != old) continue;
            _compute(slate, list_[k], head.sigmaPpm);
            ++count;
        }
    }

    /// @inheritdoc IRiskFile
    function configure(uint16 underlying, bytes32 asset, Settings calldata s) external onlyParameters {
        assetOf[underlying] = asset;
        _markets[underlying].settings = s;
    }

    /// @inheritdoc IRiskFile
    function list(uint16 underlying, uint32 expiry, uint64[] calldata strikes_) external onlyParameters {
        _insertExpiry(underlying, expiry);
        uint64[] memory old = _strikes[underlying][expiry];
        uint256 n = old.length + strikes_.length;
        if (n > MAX_STRIKES) revert TooMany("strikes", n, MAX_STRIKES);
        uint64[] memory merged = new uint64[](n);
        (uint256 a, uint256 b) = (0, 0);
        for (uint256 i; i < n; ++i) {
            bool takeOld = b == strikes_.length || (a < old.length && old[a] < strikes_[b]);
            merged[i] = takeOld ? old[a++] : strikes_[b++];
            if (merged[i] <= (i == 0 ? 0 : merged[i - 1])) revert BadStrikes(expiry, i);
        }
        _strikes[underlying][expiry] = merged;
    }

    /// Keep the list ascending; nothing to do if `expiry` is in it.
    function _insertExpiry(uint16 underlying, uint32 expiry) private {
        uint32[] storage listed = _listed[underlying];
        uint256 n = listed.length;
        uint256 place = n;
        while (place > 0 && listed[place - 1] >= expiry) --place;
        if (place < n && listed[place] == expiry) return;
        _prune(listed);
        n = listed.length;
        if (n == MAX_EXPIRIES) revert TooMany("expiries", n + 1, MAX_EXPIRIES);
        listed.push(expiry);
        for (place = n; place > 0 && listed[place - 1] > expiry; --place) {
            (listed[place], listed[place - 1]) = (listed[place - 1], expiry);
        }
    }

    /// Drop expired expiries; they come first.
    function _prune(uint32[] storage listed) private {
        uint256 n = listed.length;
        uint256 gone;
        while (gone < n && listed[gone] <= block.timestamp) ++gone;
        if (gone == 0) return;
        for (uint256 i = gone; i < n; ++i) {
            listed[i - gone] = listed[i];
        }
        for (uint256 i; i < gone; ++i) {
            listed.pop();
        }
    }

    /// @inheritdoc IRiskFile
    function begin(uint16 underlying, uint24 psrPpm, uint24 vsrUpPpm, uint24 vsrDownPpm)
        external
        onlyParameters
        returns (uint40 epoch)
    {
        Market storage market = _markets[underlying];
        if (block.number < market.noticeUntil) revert InNotice(underlying, market.noticeUntil);
        _prune(_listed[underlying]);
        market.staging = true;
        epoch = uint40(++market.publications) * REFRESHES;
        _headers[underlying][1 - market.bank] = Header({
            refSpot: _spot(underlying),
            time: uint40(block.timestamp),
            epoch: epoch,
            psrPpm: psrPpm,
            vsrUpPpm: vsrUpPpm,
            vsrDownPpm: vsrDownPpm
        });
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
        Slate memory slate = _slate(underlying, 1 - _markets[underlying].bank);
        uint64[] memory list_ = _strikes[underlying][expiry];
        if (sigmaPpm.length != list_.length || list_.length == 0) {
            revert IRiskParameters.WrongStrikes(expiry, sigmaPpm.length, list_.length);
        }
        _expiries[_key(underlying, slate.bank, expiry, 0)] =
            ExpiryParams({phiPpb: phiPpb, dfPpb: dfPpb, sigmaAtmPpm: sigmaAtmPpm, epoch: slate.epoch});
        _prepare(slate, expiry, phiPpb, dfPpb);
        // Strike 0 is worth the discounted forward: the first of the convex chain.
        uint256[4] memory chain; // strike and mark of the two before
        chain[3] = uint256(slate.forward[0] * slate.df >> 64) * 1e6 >> 64;
        for (uint256 i; i < list_.length; ++i) {
            uint256 mid = _compute(slate, list_[i], sigmaPpm[i]);
            _fenceButterfly(expiry, i, chain, list_[i], mid);
            (chain[0], chain[1], chain[2], chain[3]) = (chain[2], chain[3], list_[i], mid);
        }
    }

    /// Marks fall with the strike and are convex in it, within `BUTTERFLY_PPM`.
    function _fenceButterfly(uint32 expiry, uint256 i, uint256[4] memory chain, uint256 strike, uint256 mark)
        private
        pure
    {
        (uint256 k0, uint256 c0, uint256 k1, uint256 c1) = (chain[0], chain[1], chain[2], chain[3]);
        if (mark > c1 + BUTTERFLY_PPM) revert IRiskParameters.ButterflyArbitrage(expiry, uint64(strike));
        if (i == 0) return; // the pair (0, first strike) has no third yet
        if ((c1 * (strike - k0)) > c0 * (strike - k1) + mark * (k1 - k0) + BUTTERFLY_PPM * (strike - k0)) {
            revert IRiskParameters.ButterflyArbitrage(expiry, uint64(k1));
        }
    }

    /// @inheritdoc IRiskFile
    function flip(uint16 underlying, uint256 noticeBlocks) external onlyParameters returns (uint40 epoch) {
        Market storage market = _markets[underlying];
        if (!market.staging) revert NothingStaged(underlying);
        uint8 bank = 1 - market.bank;
        Header storage h = _headers[underlying][bank];
        epoch = h.epoch;
        uint32[] memory list_ = _listed[underlying];
        uint256 count;
        for (uint256 i; i < list_.length; ++i) {
            if (_expiries[_key(underlying, bank, list_[i], 0)].epoch != epoch) {
                revert ExpiryNotStaged(underlying, list_[i]);
            }
            count += _strikes[underlying][list_[i]].length;
        }
        bool first = _headers[underlying][market.bank].epoch == 0;
        market.bank = bank;
        market.staging = false;
        market.noticeUntil = first ? 0 : uint40(block.number + noticeBlocks);
        emit FileComputed(underlying, epoch, h.refSpot, h.time, count, false);
    }

    // --- computing ----------------------------------------------------------------------------------------------------

    /// What all strikes of one bank share.
    function _slate(uint16 underlying, uint8 bank) private view returns (Slate memory s) {
        Header memory h = _headers[underlying][bank];
        (s.underlying, s.bank, s.epoch) = (underlying, bank, h.epoch);
        (s.refSpot, s.time) = (h.refSpot, h.time);
        (s.vsrUp, s.vsrDown) = (h.vsrUpPpm, h.vsrDownPpm);
        s.volFloor = _markets[underlying].settings.volFloorPpm;
        uint256[24] memory levels = Scenarios.levels(h.psrPpm);
        unchecked {
            for (uint256 i; i < 17; ++i) {
                uint256 level = (levels[i < 7 ? 2 * i : i + 7] << 64) / 1e6;
                s.s[i] = int256(level);
                s.logS[i] = Q64.ln(level);
            }
        }
    }

    /// What all strikes of one expiry share.
    function _prepare(Slate memory s, uint32 expiry, uint256 phiPpb, uint256 dfPpb) private pure {
        s.expiry = expiry;
        int256 phi = _fromPpb(phiPpb);
        s.df = _fromPpb(dfPpb);
        int256 logPhi = Q64.ln(uint256(phi));
        uint256 tau = expiry - s.time;
        s.sqrtT = Black76.sqrtYears(tau);
        s.m = Scenarios.termFactor(tau);
        unchecked {
            for (uint256 i; i < 17; ++i) {
                s.forward[i] = phi * s.s[i] >> 64;
                s.logForward[i] = s.logS[i] + logPhi;
            }
        }
    }

    /// Compute and store one strike.  Returns its mark, ppm of the reference spot.
    function _compute(Slate memory s, uint64 strike, uint32 sigmaPpm) private returns (uint256 mid) {
        uint256[3] memory w;
        (w[0], w[1], w[2], mid) = _rows(s, strike, sigmaPpm);
        Array storage array = _arrays[_key(s.underlying, s.bank, s.expiry, strike)];
        array.head = Head({sigmaPpm: sigmaPpm, epoch: s.epoch, midPpm: uint32(mid)});
        (array.w0, array.w1, array.w2) = (w[0], w[1], w[2]);
    }

    function _rows(Slate memory s, uint64 strike, uint32 sigmaPpm)
        private
        pure
        returns (uint256 w0, uint256 w1, uint256 w2, uint256 mid)
    {
        unchecked {
            int256 vUp = int256(Black76.deviation(Scenarios.volUp(sigmaPpm, s.vsrUp, s.m, s.volFloor), s.sqrtT));
            int256 vDown = int256(Black76.deviation(Scenarios.volDown(sigmaPpm, s.vsrDown, s.m), s.sqrtT));
            int256 vMid = int256(Black76.deviation(sigmaPpm, s.sqrtT));
            int256 kappa = int256((uint256(strike) * 1e10 << 64) / s.refSpot);
            int256 logKappa = Q64.ln(uint256(kappa));
            mid = _row(s, strike, 255, 0, kappa, logKappa, vMid);
            for (uint256 i; i < 4; ++i) {
                uint256 up = _row(s, strike, 2 * i, i, kappa, logKappa, vUp);
                uint256 down = _row(s, strike, 2 * i + 1, i, kappa, logKappa, vDown);
                if (down > up + 1) revert ArrayOutOfBounds(s.underlying, s.expiry, strike, uint8(2 * i), int256(up));
                w0 |= (up | (down << 32)) << (64 * i);
            }
            if (mid > (w0 & 0xffffffff) + 1 || mid + 1 < uint32(w0 >> 32)) {
                revert ArrayOutOfBounds(s.underlying, s.expiry, strike, 255, int256(mid));
            }
            for (uint256 i = 4; i < 7; ++i) {
                uint256 up = _row(s, strike, 2 * i, i, kappa, logKappa, vUp);
                uint256 down = _row(s, strike, 2 * i + 1, i, kappa, logKappa, vDown);
                if (down > up + 1) revert ArrayOutOfBounds(s.underlying, s.expiry, strike, uint8(2 * i), int256(up));
                w1 |= (up | (down << 32)) << (64 * (i - 4));
            }
            w1 |= _row(s, strike, 14, 7, kappa, logKappa, vMid) << 192;
            w1 |= _row(s, strike, 15, 8, kappa, logKappa, vMid) << 224;
            for (uint256 i; i < 8; ++i) {
                w2 |= _row(s, strike, 16 + i, 9 + i, kappa, logKappa, vUp) << (32 * i);
            }
        }
    }

    /// One value, ppm of the reference spot, with its no-arbitrage bounds asserted within 1 ppm.
    function _row(Slate memory s, uint64 strike, uint256 row, uint256 i, int256 kappa, int256 logKappa, int256 v)
        private
        pure
        returns (uint256)
    {
        unchecked {
            int256 forward = s.forward[i];
            int256 value = Black76.call(forward, kappa, s.logForward[i] - logKappa, v);
            if (value > forward + ONE_PPM || value < forward - kappa - ONE_PPM || value < 0) {
                revert ArrayOutOfBounds(s.underlying, s.expiry, strike, uint8(row), value * 1e6 >> 64);
            }
            value = ((value * s.df >> 64) * 1e6 + (1 << 63)) >> 64;
            if (value > type(int32).max) {
                revert ArrayOutOfBounds(s.underlying, s.expiry, strike, uint8(row), value);
            }
            return uint256(value);
        }
    }

    // --- small things -------------------------------------------------------------------------------------------------

    function _bank(uint16 underlying, FileVersion version) private view returns (uint256) {
        Market storage market = _markets[underlying];
        uint256 bank = market.bank;
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

    function _fromPpb(uint256 ppb) private pure returns (int256) {
        return int256((ppb << 64) / 1e9);
    }

    function _abs(int256 x) private pure returns (uint256) {
        return uint256(x < 0 ? -x : x);
    }
}
