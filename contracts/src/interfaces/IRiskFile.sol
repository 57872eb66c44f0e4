// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FileVersion, Leg} from "./Types.sol";

/// @title The risk file: per strike, what a call is worth under 24 scenarios, and the adding machine over it.
/// @notice Rows are computed by `RiskParameters` publications and by anyone's `refresh`; both use only fenced numbers.
/// Two banks per underlying: a publication is written into the idle bank and flipped, so rows of two epochs are never
/// summed, and the bank before it stays readable for the notice window.
interface IRiskFile {
    /// Header of one bank.
    struct Header {
        uint96 refSpot; // wad USD
        uint40 time; // when the rows were computed
        uint40 epoch; // increases with every publication and refresh
        uint24 psrPpm;
        uint24 vsrUpPpm;
        uint24 vsrDownPpm;
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
    }

    error StrikeNotInFile(uint16 underlying, uint32 expiry, uint64 strike);
    error NoFile(uint16 underlying);
    error OnlyParameters(address caller);
    error ArrayOutOfBounds(uint16 underlying, uint32 expiry, uint64 strike, uint8 row, int256 valuePpm);

    event FileComputed(uint16 indexed underlying, uint40 indexed epoch, uint96 refSpot, uint256 strikes, bool refresh);

    /// Sum rows over legs of one underlying, shift to `spot`, value at live spot and `block.timestamp`.
    /// @param legs unexpired options of one underlying, ascending by (expiry, strike, call before put).
    function assess(uint16 underlying, Leg[] calldata legs, int256 perpSize, uint256 spot, FileVersion version)
        external
        view
        returns (Assessment memory);

    /// Mark of one option at live spot and time with mid, up-shocked and down-shocked volatility, wad USD.
    function marks(uint16 underlying, uint32 expiry, uint64 strike, bool isCall, uint256 spot)
        external
        view
        returns (int256 mid, int256 up, int256 down);

    /// Recompute every row of the live bank at the oracle's spot and now, with the last published volatilities.
    /// Changes nothing but the file.  Reverts if the oracle is unusable.  Anyone may call.
    function refresh(uint16 underlying) external;

    function isStale(uint16 underlying, uint256 spot) external view returns (bool);
    function header(uint16 underlying, FileVersion version) external view returns (Header memory);
    function expiryParams(uint16 underlying, uint32 expiry, FileVersion version) external view returns (ExpiryParams memory);
    /// Volatility and 24 unweighted call values (ppm of refSpot) of one strike.
    function strikeArray(uint16 underlying, uint32 expiry, uint64 strike, FileVersion version)
        external
        view
        returns (uint32 sigmaPpm, uint40 epoch, uint32[24] memory values);
}
