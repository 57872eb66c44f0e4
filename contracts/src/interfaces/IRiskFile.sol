// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "./IPriceOracle.sol";
import {FileVersion, Position} from "./Types.sol";

/// @title The risk file: per strike, what a call is worth under 24 scenarios, and the adding machine over it.
/// @notice Rows are computed by `RiskParameters` publications and by anyone's `refresh`; both use only fenced numbers.
/// Two banks per underlying: a publication is written into the idle bank and flipped, so rows of two epochs are never
/// summed, and the bank before it stays readable for the notice window.
interface IRiskFile {
    /// The three scan ranges.
    struct Ranges {
        uint24 psrPpm;
        uint24 vsrUpPpm;
        uint24 vsrDownPpm;
    }

    /// Header of one bank.  Its ranges are those in force, on their way to the published ones.
    struct Header {
        uint96 refSpot; // wad USD
        uint40 time; // when the rows were computed
        uint40 epoch; // increases with every publication and refresh
        uint24 psrPpm;
        uint24 vsrUpPpm;
        uint24 vsrDownPpm;
        uint8 imUpliftPct; // what IM needs to be as tight as under the published ranges
    }

    /// Per expiry.
    struct ExpiryParams {
        uint40 phiPpb; // forward / spot
        uint40 dfPpb;
        uint32 sigmaAtmPpm;
        uint40 epoch;
    }

    /// What one underlying adds to an account.  All wad USD.
    struct Assessment {
        int256 optionMark; // rounded down
        uint256 grid; // worst weighted row loss, rounded up
        uint256 shortMinimum; // rounded up
        uint8 worstRow; // lowest index on ties, 255 if no row loses
        bool stale; // beyond PSR/3 from refSpot, or older than maxAge
        uint24 upliftPpm; // of IM, while the ranges move up to the published ones
    }

    /// What one underlying's rows are computed and summed with, besides the published numbers.
    struct Settings {
        uint24 tailPpm; // c of the tail law
        uint24 shortMinPpm; // charge per naked short option, of spot
        uint32 volFloorPpm; // floor of the shocked-up vol
        uint32 maxAgeS; // before a file is stale
        uint24 slewPpmPerHour; // largest relative move of a range in force
    }

    error StrikeNotInFile(uint16 underlying, uint32 expiry, uint64 strike);
    error NoFile(uint16 underlying);
    error OnlyParameters(address caller);
    /// Rows of a publication out of bounds or out of order; rows of what is in force are never refused.
    error ArrayOutOfBounds(uint16 underlying, uint32 expiry, uint64 strike, uint8 row, int256 valuePpm);

    error LegExpired(uint32 expiry, uint256 nowS);
    /// A perp, a foreign underlying, or legs not strictly ascending.
    error BadLeg(uint256 position);
    error BadSpot(uint256 spot);
    error SizeOverflow(uint256 totalSize);
    error AlreadyConnected(address parameters);
    /// A publication would overwrite the bank that the notice window still needs.
    error InNotice(uint16 underlying, uint256 untilBlock);
    error NothingStaged(uint16 underlying);
    /// Rows wait for their flip for an hour.
    error StagingTooOld(uint16 underlying, uint256 openedAt);
    /// An expiry of the live file is not in the staged bank.
    error ExpiryNotStaged(uint16 underlying, uint32 expiry);
    error BadStrikes(uint32 expiry, uint256 index);
    error TooMany(bytes32 what, uint256 count, uint256 max);

    event Connected(address parameters);
    /// `header.time` is when the rows were computed: for a staged publication, when it was opened.
    /// @param strikes of a refresh: rows computed; of a publication: strikes listed of the expiries that are in the bank.
    event FileComputed(uint16 indexed underlying, uint40 indexed epoch, Header header, uint256 strikes, bool refresh);

    /// Sum rows over legs of one underlying, shift to `spot`, value at live spot and `block.timestamp`.
    /// @param legs unexpired options of one underlying, strictly ascending as numbers: by expiry, strike, call before
    /// put.  The low 128 bits of each are the signed size.
    /// @param spot live spot, wad USD, below 2^96.
    /// `Previous` outside the notice window, or when a leg's strike was first published by the live file, reads Live.
    /// Without options `stale` is false: perps need only the scan range.
    function assess(uint16 underlying, Position[] calldata legs, int256 perpSize, uint256 spot, FileVersion version)
        external
        view
        returns (Assessment memory);

    /// Mark of one option at live spot and time with mid, up-shocked and down-shocked volatility, wad USD.
    function marks(uint16 underlying, uint32 expiry, uint64 strike, bool isCall, uint256 spot)
        external
        view
        returns (int256 mid, int256 up, int256 down);

    /// Recompute every row of the live bank at the oracle's spot and now, with the last published volatilities, and move
    /// the ranges on to the published ones.  Changes nothing but the file; a staged bank that may hold the ranges no longer is
    /// void when they move.  Reverts if the oracle is unusable.  Anyone may call.
    function refresh(uint16 underlying) external;

    function isStale(uint16 underlying, uint256 spot) external view returns (bool);
    function header(uint16 underlying, FileVersion version) external view returns (Header memory);
    function expiryParams(uint16 underlying, uint32 expiry, FileVersion version)
        external
        view
        returns (ExpiryParams memory);
    /// Volatility and 24 unweighted call values (ppm of refSpot) of one strike.
    function strikeArray(uint16 underlying, uint32 expiry, uint64 strike, FileVersion version)
        external
        view
        returns (uint32 sigmaPpm, uint40 epoch, uint32[24] memory values);

    /// Listed expiries, ascending; those that expired stay until the next publication.
    function expiries(uint16 underlying) external view returns (uint32[] memory);
    /// Listed strikes of an expiry, ascending.
    function strikes(uint16 underlying, uint32 expiry) external view returns (uint64[] memory);
    /// Expiries and their numbers in the bank being staged; epoch 0 for one that is neither staged nor in the live file.
    /// Reverts if one of the live file is not staged.
    function staged(uint16 underlying) external view returns (uint32[] memory, ExpiryParams[] memory);
    /// First block after the notice window of the last publication; 0 if there was none.
    function noticeUntil(uint16 underlying) external view returns (uint256);
    function settings(uint16 underlying) external view returns (Settings memory);
    function assetOf(uint16 underlying) external view returns (bytes32);
    /// Whose price of `assetOf` is the reference spot.
    function oracle() external view returns (IPriceOracle);
    /// Where the ranges in force move, and how fast.
    /// @return target the published ranges.
    /// @return ratePpmPerHour of a range itself.
    /// @return time from which the next move counts.
    /// @return heldUntil until then a refresh leaves them: a staged bank that began from them waits for its flip.  An hour
    /// at most, and an hour more a day, whatever is staged how often; 0 if nothing is.
    function slew(uint16 underlying)
        external
        view
        returns (Ranges memory target, uint256 ratePpmPerHour, uint256 time, uint256 heldUntil);

    // --- only RiskParameters ------------------------------------------------------------------------------------------

    function configure(uint16 underlying, bytes32 asset, Settings calldata s) external;
    /// Add an expiry or more strikes of one.  `strikes` strictly ascending and new.
    function list(uint16 underlying, uint32 expiry, uint64[] calldata strikes) external;
    /// Open the idle bank at the oracle's spot and now; whatever was staged before is void.  Its ranges are those in force
    /// moved towards the given ones.
    function begin(uint16 underlying, uint24 psrPpm, uint24 vsrUpPpm, uint24 vsrDownPpm) external returns (uint40 epoch);
    /// Rows of one expiry into the bank opened by `begin`.  A strike at volatility 0 is left out: it is not in that bank.
    function write(
        uint16 underlying,
        uint32 expiry,
        uint40 phiPpb,
        uint40 dfPpb,
        uint32 sigmaAtmPpm,
        uint32[] calldata sigmaPpm
    ) external;
    /// Rows of one expiry into the same bank, from the numbers that the live file has of it; strikes that it does not have
    /// are not in that bank, whatever was written of them.
    function carry(uint16 underlying, uint32 expiry) external;
    /// Make the staged bank live.  The bank before it stays readable for `noticeBlocks`.
    function flip(uint16 underlying, uint256 noticeBlocks) external returns (uint40 epoch);
    /// Move the live ranges to other ones than the last published, from the next refresh or publication on.
    function retarget(uint16 underlying, Ranges calldata target) external;
}
