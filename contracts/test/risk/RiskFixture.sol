// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PriceOracle} from "../../src/PriceOracle.sol";
import {RiskFile} from "../../src/RiskFile.sol";
import {RiskParameters} from "../../src/RiskParameters.sol";
import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {FileVersion, Position} from "../../src/interfaces/Types.sol";
import {InstrumentIds} from "../../src/libraries/InstrumentIds.sol";
import {MockAggregator} from "../../src/mocks/MockAggregator.sol";
import {Listing} from "../utils/Listing.sol";
import {Test} from "../utils/Test.sol";

/// @notice One underlying at 2,000 USD with whatever expiries a test lists; the test itself is every role.
abstract contract RiskFixture is Test, Listing {
    uint16 internal constant ETH = 1;
    bytes32 internal constant ASSET = "ETH";
    uint256 internal constant START = 1_780_000_000;
    uint24 internal constant PSR = 150_000;

    MockAggregator internal feed;
    PriceOracle internal oracle;
    RiskFile internal file;
    RiskParameters internal parameters;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(1000);
        feed = new MockAggregator(8, 2000e8);
        oracle = new PriceOracle(address(this));
        oracle.setFeed(ASSET, IPriceOracle.Feed(address(feed), address(0), 3600, 0, 1e18, 1e24));
        file = new RiskFile(oracle);
        parameters = new RiskParameters(file, address(this));
        file.connect(address(parameters));
        parameters.grantRole(parameters.PUBLISHER_ROLE(), address(this));
        parameters.grantRole(parameters.LISTER_ROLE(), address(this));
        parameters.listUnderlying(ETH, ASSET, aConfig(), theRanges(), theVolFences(), PSR, 400_000, 250_000);
    }

    // --- worlds -------------------------------------------------------------------------------------------------------

    /// `n` strikes from 1,000 USD in steps of `stepUsd`.
    function strikesOf(uint256 n, uint256 firstUsd, uint256 stepUsd) internal pure returns (uint64[] memory s) {
        s = new uint64[](n);
        for (uint256 i; i < n; ++i) {
            s[i] = uint64((firstUsd + i * stepUsd) * 1e8);
        }
    }

    function listDays(uint256 days_, uint256 n) internal returns (uint32 expiry) {
        expiry = uint32(block.timestamp + days_ * 1 days);
        parameters.listExpiry(
            ETH, expiry, strikesOf(n, 1500, 100), 600_000, 1e9 + uint40(days_ * 1e5), 1e9 - uint40(days_ * 1e5)
        );
    }

    function nextId() internal view returns (uint64) {
        (uint64 last,,,) = parameters.lastPublication(ETH);
        return last + 1;
    }

    /// What is in force, again, with a flat smile: legal by construction.
    function aPublication() internal view returns (IRiskParameters.Publication memory p) {
        (p.id, p.validUntil, p.inputsHash) = (nextId(), uint64(block.timestamp + 600), keccak256("inputs"));
        p.expectedOld = parameters.targetDigest(ETH);
        (p.psrPpm, p.vsrUpPpm, p.vsrDownPpm) =
        (uint24(inForce(0, "psr")), uint24(inForce(0, "vsrUp")), uint24(inForce(0, "vsrDown")));
        uint32[] memory expiries = parameters.listedExpiries(ETH);
        p.expiries = new IRiskParameters.ExpiryPublication[](expiries.length);
        for (uint256 i; i < expiries.length; ++i) {
            p.expiries[i] = quote(expiries[i], uint32(inForce(expiries[i], "sigmaAtm")));
        }
    }

    function quote(uint32 expiry, uint32 sigma) internal view returns (IRiskParameters.ExpiryPublication memory e) {
        (e.expiry, e.sigmaAtmPpm) = (expiry, sigma);
        (e.phiPpb, e.dfPpb) = (uint40(inForce(expiry, "phi")), uint40(inForce(expiry, "df")));
        e.sigmaPpm = new uint32[](parameters.listedStrikes(ETH, expiry).length);
        for (uint256 k; k < e.sigmaPpm.length; ++k) {
            e.sigmaPpm[k] = sigma;
        }
    }

    function inForce(uint32 expiry, bytes32 what) internal view returns (uint256 value) {
        (value,) = parameters.inForce(ETH, expiry, what);
    }

    function publish() internal {
        parameters.publish(ETH, aPublication());
    }

    /// Time passes, and the feed speaks.
    function pass(uint256 seconds_) internal {
        vm.warp(block.timestamp + seconds_);
        vm.roll(block.number + seconds_ / 12 + 1);
        (, int256 answer,,,) = feed.latestRoundData();
        feed.push(answer);
    }

    function call_(uint32 expiry, uint256 strikeUsd, int256 size) internal pure returns (Position) {
        return InstrumentIds.position(InstrumentIds.option(ETH, expiry, uint64(strikeUsd * 1e8), true), int128(size));
    }

    function put_(uint32 expiry, uint256 strikeUsd, int256 size) internal pure returns (Position) {
        return InstrumentIds.position(InstrumentIds.option(ETH, expiry, uint64(strikeUsd * 1e8), false), int128(size));
    }

    function assess(Position[] memory legs, int256 perp, uint256 spot)
        internal
        view
        returns (IRiskFile.Assessment memory)
    {
        return file.assess(ETH, legs, perp, spot, FileVersion.Live);
    }
}
