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

    error UnknownAsset(bytes32 asset);
    error StalePrice(bytes32 asset, uint256 ageS, uint256 limitS);
    error BadPrice(bytes32 asset, int256 answer);
    error PriceOutOfBounds(bytes32 asset, uint256 price, uint256 min, uint256 max);
    error FeedsDisagree(bytes32 asset, uint256 primary, uint256 secondary, uint256 limitPpm);
    error SequencerDown();
    error SequencerGrace(uint256 upSinceS, uint256 graceS);
    error NotFirstRound(uint80 roundId, uint256 updatedAt, uint256 expiry);

    event FeedSet(bytes32 indexed asset, Feed feed);

    /// Price of one whole unit, wad USD.
    function price(bytes32 asset) external view returns (uint256);

    /// Answer of the first round at or after `expiry`, proven by its predecessor, wad USD.
    /// @param previousRoundId `roundId − 1`, or, for the first round of a phase, the last round of the phase before.
    function settlementPrice(bytes32 asset, uint256 expiry, uint80 roundId, uint80 previousRoundId) external view returns (uint256);

    function feed(bytes32 asset) external view returns (Feed memory);
}
