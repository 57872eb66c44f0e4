// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IAggregator} from "./interfaces/IAggregator.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";

/// @title Prices from Chainlink-shaped feeds.  See IPriceOracle.
/// @dev One rule: whatever is doubtful reverts with its numbers.
contract PriceOracle is IPriceOracle, Ownable2Step {
    /// Chainlink proxies put the phase of the aggregator above 64 bits of its own round number.
    uint256 private constant PHASE_SHIFT = 64;
    /// Larger answers are no price; below this the scaling to wad cannot overflow.
    uint256 private constant MAX_ANSWER = type(uint128).max;

    /// L2 sequencer uptime feed; 0 on a chain without one.
    address public sequencerFeed;
    /// Seconds after the sequencer came back during which prices stay unusable.
    uint32 public sequencerGraceS;
    mapping(bytes32 asset => Feed) private _feeds;

    constructor(address owner_) Ownable(owner_) {}

    /// @inheritdoc IPriceOracle
    function setFeed(bytes32 asset, Feed calldata f) external onlyOwner {
        if (f.primary == address(0) || f.maxAgeS == 0 || f.minPrice == 0 || f.minPrice >= f.maxPrice) {
            revert BadFeed(asset);
        }
        if (f.secondary != address(0) && (f.maxDeviationPpm == 0 || f.secondary == f.primary)) revert BadFeed(asset);
        _feeds[asset] = f;
        emit FeedSet(asset, f);
    }

    /// @inheritdoc IPriceOracle
    function setSequencer(address feed_, uint32 graceS) external onlyOwner {
        (sequencerFeed, sequencerGraceS) = (feed_, graceS);
        emit SequencerSet(feed_, graceS);
    }

    /// @inheritdoc IPriceOracle
    function price(bytes32 asset) external view returns (uint256 wad) {
        _requireSequencer();
        Feed memory f = _feed(asset);
        wad = _latest(asset, f.primary, f.maxAgeS);
        _requireBounds(asset, wad, f);
        if (f.secondary != address(0)) {
            uint256 other = _latest(asset, f.secondary, f.maxAgeS);
            (uint256 low, uint256 high) = wad < other ? (wad, other) : (other, wad);
            if ((high - low) * 1e6 > low * f.maxDeviationPpm) {
                revert FeedsDisagree(asset, wad, other, f.maxDeviationPpm);
            }
        }
    }

    /// @inheritdoc IPriceOracle
    function settlementPrice(bytes32 asset, uint256 expiry, uint80 roundId, uint80 previousRoundId)
        external
        view
        returns (uint256 wad)
    {
        Feed memory f = _feed(asset);
        IAggregator aggregator = IAggregator(f.primary);
        (int256 answer, uint256 updatedAt) = _round(asset, aggregator, roundId);
        if (updatedAt < expiry) revert NotFirstRound(roundId, updatedAt, expiry);
        if (!_precedes(aggregator, previousRoundId, roundId)) revert NotPredecessor(previousRoundId, roundId);
        // The predecessor's answer does not matter, only that it came before expiry.
        uint256 before = _updatedAt(aggregator, previousRoundId);
        if (before == 0 || before >= expiry) revert NotFirstRound(roundId, before, expiry);
        wad = _toWad(asset, answer, aggregator.decimals());
        _requireBounds(asset, wad, f);
    }

    /// @inheritdoc IPriceOracle
    function rounds(bytes32 asset, uint256 windowS, uint256 maxRounds)
        external
        view
        returns (Round[] memory list, bool whole)
    {
        Feed memory f = _feed(asset);
        uint256 from = windowS < block.timestamp ? block.timestamp - windowS : 0;
        (list, whole) = _walk(f.primary, from, maxRounds, false);
        if (f.secondary == address(0)) return (list, whole);
        (Round[] memory others, bool wholeToo) = _walk(f.secondary, from, maxRounds, true);
        return (_merged(list, others), whole && wholeToo);
    }

    /// @inheritdoc IPriceOracle
    function feed(bytes32 asset) external view returns (Feed memory) {
        return _feeds[asset];
    }

    // --- one feed -----------------------------------------------------------------------------------------------------

    function _latest(bytes32 asset, address source, uint256 maxAgeS) private view returns (uint256) {
        (uint80 roundId, int256 answer,, uint256 updatedAt, uint80 answeredInRound) =
            IAggregator(source).latestRoundData();
        _requireAnswer(asset, roundId, answer, updatedAt, answeredInRound);
        uint256 age = block.timestamp - updatedAt;
        if (age > maxAgeS) revert StalePrice(asset, age, maxAgeS);
        return _toWad(asset, answer, IAggregator(source).decimals());
    }

    function _round(bytes32 asset, IAggregator aggregator, uint80 roundId)
        private
        view
        returns (int256 answer, uint256 updatedAt)
    {
        uint80 answeredInRound;
        (, answer,, updatedAt, answeredInRound) = aggregator.getRoundData(roundId);
        _requireAnswer(asset, roundId, answer, updatedAt, answeredInRound);
    }

    function _requireAnswer(bytes32 asset, uint80 roundId, int256 answer, uint256 updatedAt, uint80 answeredInRound)
        private
        view
    {
        if (answer <= 0) revert BadPrice(asset, answer);
        if (updatedAt == 0 || answeredInRound < roundId) revert IncompleteRound(asset, roundId, answeredInRound);
        if (updatedAt > block.timestamp) revert FuturePrice(asset, updatedAt, block.timestamp);
    }

    /// Rounds of one feed back to the one in force at `from`, oldest first.
    function _walk(address source, uint256 from, uint256 maxRounds, bool second)
        private
        view
        returns (Round[] memory list, bool whole)
    {
        IAggregator aggregator = IAggregator(source);
        uint8 decimals = aggregator.decimals();
        (uint80 roundId,,,,) = aggregator.latestRoundData();
        list = new Round[](maxRounds);
        uint256 start = maxRounds; // of the part of `list` that is filled, from its end
        for (uint256 looked; looked < maxRounds && !whole; ++looked) {
            (uint256 wad, uint256 updatedAt) = _tryRound(aggregator, roundId, decimals);
            if (wad != 0) {
                list[--start] = Round(uint40(updatedAt), uint128(wad), second);
                whole = updatedAt <= from;
            }
            if (uint64(roundId) <= 1) {
                whole = whole || roundId >> PHASE_SHIFT <= 1;
                break;
            }
            --roundId;
        }
        return (_tail(list, start), whole);
    }

    /// 0 if there is no such round, or none that could be a price.
    function _tryRound(IAggregator aggregator, uint80 roundId, uint8 decimals)
        private
        view
        returns (uint256 wad, uint256 updatedAt)
    {
        try aggregator.getRoundData(roundId) returns (uint80, int256 answer, uint256, uint256 time, uint80) {
            if (time == 0 || time > block.timestamp || answer <= 0 || answer > int256(MAX_ANSWER)) return (0, 0);
            wad = _toWad(0, answer, decimals);
            return wad > type(uint128).max ? (0, 0) : (wad, time);
        } catch {
            return (0, 0);
        }
    }

    function _tail(Round[] memory list, uint256 start) private pure returns (Round[] memory tail) {
        tail = new Round[](list.length - start);
        for (uint256 i; i < tail.length; ++i) {
            tail[i] = list[start + i];
        }
    }

    function _merged(Round[] memory a, Round[] memory b) private pure returns (Round[] memory list) {
        list = new Round[](a.length + b.length);
        uint256 i;
        uint256 k;
        for (uint256 n; n < list.length; ++n) {
            bool first = k == b.length || (i < a.length && a[i].time <= b[k].time);
            list[n] = first ? a[i++] : b[k++];
        }
    }

    /// `previous` is the round before `roundId`: the number before in its phase, or the last round of the phase before.
    function _precedes(IAggregator aggregator, uint80 previous, uint80 roundId) private view returns (bool) {
        uint256 phase = roundId >> PHASE_SHIFT;
        uint256 previousPhase = previous >> PHASE_SHIFT;
        if (previousPhase == phase) return previous < roundId && roundId - previous == 1;
        if (previousPhase + 1 != phase || uint64(roundId) != 1) return false;
        return uint64(previous) == type(uint64).max || _updatedAt(aggregator, previous + 1) == 0;
    }

    /// 0 if there is no such round: old aggregators revert, new ones answer zeros.
    function _updatedAt(IAggregator aggregator, uint80 roundId) private view returns (uint256) {
        try aggregator.getRoundData(roundId) returns (uint80, int256, uint256, uint256 updatedAt, uint80) {
            return updatedAt;
        } catch {
            return 0;
        }
    }

    /// Rounded down where a feed has more than 18 decimals.
    function _toWad(bytes32 asset, int256 answer, uint8 decimals) private pure returns (uint256) {
        uint256 raw = uint256(answer);
        if (raw > MAX_ANSWER || decimals > 36) revert BadPrice(asset, answer);
        return decimals <= 18 ? raw * 10 ** (18 - decimals) : raw / 10 ** (decimals - 18);
    }

    function _requireBounds(bytes32 asset, uint256 wad, Feed memory f) private pure {
        if (wad < f.minPrice || wad > f.maxPrice) revert PriceOutOfBounds(asset, wad, f.minPrice, f.maxPrice);
    }

    function _feed(bytes32 asset) private view returns (Feed memory f) {
        f = _feeds[asset];
        if (f.primary == address(0)) revert UnknownAsset(asset);
    }

    function _requireSequencer() private view {
        address source = sequencerFeed;
        if (source == address(0)) return;
        (, int256 answer, uint256 startedAt,,) = IAggregator(source).latestRoundData();
        // 0 = up; startedAt 0 = the feed has no round yet.
        if (answer != 0 || startedAt == 0 || startedAt > block.timestamp) revert SequencerDown();
        uint256 upSince = block.timestamp - startedAt;
        if (upSince <= sequencerGraceS) revert SequencerGrace(upSince, sequencerGraceS);
    }
}
