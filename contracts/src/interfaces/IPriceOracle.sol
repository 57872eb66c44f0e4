// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Prices from Chainlink-shaped feeds.  An unusable price is a revert, never a number.
interface IPriceOracle {
    struct Feed {
        address primary;
        address secondary; // 0 = none
        uint32 maxAgeS;
        uint24 maxDeviationPpm; // between primary and secondary
        uint96 minPrice; // wad; outside reverts
        uint96 maxPrice;
    }

    /// One answer of one of the two feeds.
    struct Round {
        uint40 time; // when the feed was updated
        uint128 wad;
        bool second; // of the secondary feed
    }

    error UnknownAsset(bytes32 asset);
    error StalePrice(bytes32 asset, uint256 ageS, uint256 limitS);
    error BadPrice(bytes32 asset, int256 answer);
    error PriceOutOfBounds(bytes32 asset, uint256 price, uint256 min, uint256 max);
    error FeedsDisagree(bytes32 asset, uint256 primary, uint256 secondary, uint256 limitPpm);
    error SequencerDown();
    error SequencerGrace(uint256 upSinceS, uint256 graceS);
    error IncompleteRound(bytes32 asset, uint80 roundId, uint80 answeredInRound);
    error FuturePrice(bytes32 asset, uint256 updatedAt, uint256 nowS);
    error BadFeed(bytes32 asset);
    error NotPredecessor(uint80 previousRoundId, uint80 roundId);
    error NotFirstRound(uint80 roundId, uint256 updatedAt, uint256 expiry);

    event FeedSet(bytes32 indexed asset, Feed feed);
    event SequencerSet(address feed, uint32 graceS);

    /// Only the owner.
    function setFeed(bytes32 asset, Feed calldata f) external;
    /// Only the owner.  L2 sequencer uptime feed, 0 for none, and the grace after it comes back.
    function setSequencer(address feed_, uint32 graceS) external;

    /// Price of one whole unit, wad USD.  Both feeds must be fresh and agree, and the sequencer be up past its grace.
    function price(bytes32 asset) external view returns (uint256);

    /// Answer of the first round at or after `expiry`, proven by its predecessor, wad USD.
    /// Feeds that run two phases at once have one such round in each; both are honest answers of the same feed.
    /// @param previousRoundId `roundId − 1`, or, for the first round of a phase, the last round of the phase before.
    function settlementPrice(bytes32 asset, uint256 expiry, uint80 roundId, uint80 previousRoundId)
        external
        view
        returns (uint256);

    /// The path of an asset: rounds of both feeds in the last `windowS` seconds, and of each the one in force at the
    /// beginning, oldest first; at the same second the primary's first.  Unusable rounds are left out, nothing reverts
    /// but an unknown asset.
    /// @param maxRounds rounds looked at, of each feed.
    /// @return list the rounds.
    /// @return whole nothing of the window is missing: it was covered within `maxRounds`, or the feed began in it.  What
    /// came before the first round of a later phase cannot be found, so a window that reaches over it is not whole.
    function rounds(bytes32 asset, uint256 windowS, uint256 maxRounds)
        external
        view
        returns (Round[] memory list, bool whole);

    function feed(bytes32 asset) external view returns (Feed memory);
}
