// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {ICircuitBreaker} from "./interfaces/ICircuitBreaker.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {IRiskFile} from "./interfaces/IRiskFile.sol";
import {IRiskParameters} from "./interfaces/IRiskParameters.sol";
import {AccountId, FileVersion, InstrumentId, Position} from "./interfaces/Types.sol";
import {BreakerMath} from "./libraries/BreakerMath.sol";
import {InstrumentIds} from "./libraries/InstrumentIds.sol";

/// @title See ICircuitBreaker.
/// @dev Stores nothing but settings and what was already told: nothing here can be pushed open or held open.  Holds
/// BREAKER_ROLE of RiskParameters.
contract CircuitBreaker is ICircuitBreaker, Ownable2Step {
    using InstrumentIds for InstrumentId;
    using InstrumentIds for Position;

    uint256 private constant PPM = 1e6;
    /// Bounds of the settings.  The hold bounds how late a liquidation may come.
    uint256 public constant MIN_HOLD_S = 60;
    uint256 public constant MAX_HOLD_S = 900;
    uint256 public constant MAX_WINDOW_S = 1 hours;
    uint256 public constant MIN_MOVE_PPM = 5_000;

    IClearingHouse public immutable house;
    IPriceOracle public immutable oracle;
    IRiskFile public immutable file;
    IRiskParameters public immutable parameters;

    mapping(bytes32 asset => Config) private _configs;
    /// Of the last opening that was told.
    mapping(bytes32 asset => uint256) private _toldSinceS;

    constructor(IClearingHouse house_, address owner_) Ownable(owner_) {
        house = house_;
        oracle = IPriceOracle(house_.oracle());
        file = IRiskFile(house_.riskFile());
        parameters = IRiskParameters(house_.parameters());
    }

    /// @inheritdoc ICircuitBreaker
    function setConfig(bytes32 asset, Config calldata c) external onlyOwner {
        if (c.windowS != 0) _check(asset, c);
        _configs[asset] = c;
        emit ConfigSet(asset, c);
    }

    function _check(bytes32 asset, Config calldata c) private view {
        if (c.holdS < MIN_HOLD_S) revert BadConfig(asset, "hold", c.holdS, MIN_HOLD_S);
        if (c.holdS > MAX_HOLD_S) revert BadConfig(asset, "hold", c.holdS, MAX_HOLD_S);
        if (c.windowS < 2 * c.holdS) revert BadConfig(asset, "window", c.windowS, 2 * c.holdS);
        if (c.windowS > MAX_WINDOW_S) revert BadConfig(asset, "window", c.windowS, MAX_WINDOW_S);
        if (c.confirmS > c.holdS) revert BadConfig(asset, "confirm", c.confirmS, c.holdS);
        if (c.minMovePpm < MIN_MOVE_PPM) revert BadConfig(asset, "min move", c.minMovePpm, MIN_MOVE_PPM);
        if (c.minMovePpm > PPM) revert BadConfig(asset, "min move", c.minMovePpm, PPM);
        if (c.maxRounds < 2) revert BadConfig(asset, "rounds", c.maxRounds, 2);
        // Feeds that differ by more have no price at all; 0 where there is no second feed.
        uint256 deviation = oracle.feed(asset).maxDeviationPpm;
        if (c.disagreePpm != 0 && c.disagreePpm >= deviation) {
            revert BadConfig(asset, "disagree", c.disagreePpm, deviation);
        }
        if (c.hasUnderlying && file.assetOf(c.underlying) != asset) {
            revert BadConfig(asset, "underlying", c.underlying, 0);
        }
    }

    /// @inheritdoc ICircuitBreaker
    function sync(bytes32 asset) external returns (uint256 untilS) {
        State memory s = state(asset);
        if (!s.open) return 0;
        untilS = s.untilS;
        if (s.told) return untilS;
        Config memory c = _configs[asset];
        if (c.hasUnderlying) {
            // Without the role, or listed no more: who wants to close must not be held up by that, and whoever gives too
            // little gas for it has told nothing.
            try parameters.widen(c.underlying, s.untilS) {}
            catch {
                return untilS;
            }
        }
        _toldSinceS[asset] = s.sinceS;
        emit Tripped(asset, s.sinceS, s.untilS, s.why);
    }

    /// @inheritdoc ICircuitBreaker
    function state(bytes32 asset) public view returns (State memory s) {
        Config memory c = _configs[asset];
        if (c.windowS == 0) return s;
        uint256 reachS = 2 * uint256(c.windowS) + c.holdS;
        (IPriceOracle.Round[] memory rounds, bool whole) = oracle.rounds(asset, reachS, c.maxRounds);
        BreakerMath.Rule memory rule = BreakerMath.Rule(_movePpm(c), c.disagreePpm, c.windowS, c.holdS, c.confirmS);
        if (!whole) rule = BreakerMath.fitted(rounds, rule);
        (uint256 since, bytes32 why) = BreakerMath.verdict(rounds, rule, block.timestamp);
        if (since == 0) return s;
        return State(true, uint40(since), uint40(since + rule.holdS), why, _toldSinceS[asset] == since);
    }

    function _movePpm(Config memory c) private view returns (uint256 move) {
        if (c.hasUnderlying) move = uint256(file.header(c.underlying, FileVersion.Live).psrPpm) * c.kPpm / PPM;
        if (move < c.minMovePpm) move = c.minMovePpm;
    }

    /// @inheritdoc ICircuitBreaker
    function deferral(AccountId account) external view returns (bytes32 asset, uint256 untilS) {
        IClearingHouse.AccountState memory a = house.accountState(account);
        uint256 done; // the last underlying looked at, plus one
        for (uint256 i; i < a.positions.length; ++i) {
            uint16 u = a.positions[i].instrumentOf().underlyingOf();
            if (uint256(u) + 1 == done) continue;
            done = uint256(u) + 1;
            asset = file.assetOf(u);
            untilS = state(asset).untilS;
            if (untilS != 0) return (asset, untilS);
        }
        for (uint8 c = 1; c < a.collateral.length; ++c) {
            if (a.collateral[c] == 0) continue;
            asset = house.collateral(c).asset;
            untilS = state(asset).untilS;
            if (untilS != 0) return (asset, untilS);
        }
        return (0, 0);
    }

    /// @inheritdoc ICircuitBreaker
    function config(bytes32 asset) external view returns (Config memory) {
        return _configs[asset];
    }
}
