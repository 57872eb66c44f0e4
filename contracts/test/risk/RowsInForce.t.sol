// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../../src/interfaces/IRiskFile.sol";
import {Rows} from "../../src/libraries/Rows.sol";
import {SmileRing} from "../../src/libraries/SmileRing.sol";
import {Test} from "../utils/Test.sol";

/// @notice Rows of what is in force are never refused, wherever spot goes: else a refresh or a publication could fail for
/// ever (ROW-3).
contract RowsInForceTest is Test {
    using Rows for Rows.Slate;

    /// Hard limits of Fences and RiskParameters, whatever governance sets.
    uint256 private constant MAX_SIGMA = 50_000_000 * SmileRing.MAX_RATIO_PPM / 1e6;
    uint256 private constant MAX_TERM = 10 * 365 days;

    function _draw(uint256 seed, uint256 what, uint256 low, uint256 high) private pure returns (uint256) {
        return low + uint256(keccak256(abi.encode(seed, what))) % (high - low + 1);
    }

    /// Of any magnitude between two bounds, and the bounds themselves often.
    function _any(uint256 seed, uint256 what, uint256 low, uint256 high) private pure returns (uint256) {
        uint256 dice = _draw(seed, what + 1000, 0, 9);
        if (dice == 0) return low;
        if (dice == 1) return high;
        uint256 bits;
        while (high >> bits != 0) ++bits;
        uint256 value = uint256(keccak256(abi.encode(seed, what + 2000))) >> (256 - _draw(seed, what + 3000, 1, bits));
        return value < low ? low : value > high ? high : value;
    }

    function _slate(uint256 seed) private pure returns (Rows.Slate memory s) {
        s.refSpot = _any(seed, 1, 1, type(uint96).max);
        s.vsrUp = _any(seed, 2, 1, 5_000_000);
        s.vsrDown = _any(seed, 3, 1, 950_000);
        s.volFloor = _any(seed, 4, 0, 10_000_000);
        s.open(_any(seed, 5, 1, 500_000));
        s.prepare(uint32(_any(seed, 6, 1, MAX_TERM)), _draw(seed, 7, 5e8, 2e9), _draw(seed, 8, 1e8, 1e9));
    }

    /// ROW-3: rows of what is in force are not refused at any spot, strike, volatility, term, forward, discount and ranges
    /// within the hard limits.
    /// forge-config: default.fuzz.runs = 600
    /// forge-config: ci.fuzz.runs = 4000
    function testFuzz_rows__in_force_at_any_spot__never_refused(uint256 seed) public pure {
        Rows.Slate memory s = _slate(seed);
        s.kept = true;
        for (uint256 i; i < 6; ++i) {
            (,,, uint256 mid) = s.rows(_strike(seed, i, s.refSpot), uint32(_any(seed, 50 + i, 1, MAX_SIGMA)));
            assertLe(mid, 2e6, "ROW-3 a call is worth the forward at most");
        }
    }

    /// Half of them where rounding has a say: at a level, give or take parts in a thousand million.
    function _strike(uint256 seed, uint256 i, uint256 spot) private pure returns (uint64) {
        uint256 strike = _any(seed, 20 + i, 1, type(uint64).max);
        if (i % 2 != 0) return uint64(strike);
        uint256 near = spot / 1e10 * _draw(seed, 30 + i, 999_999_000, 1_000_001_000) / 1e9;
        near = near * (i == 0 ? 100 : _draw(seed, 40 + i, 5, 600)) / 100;
        return uint64(near > 0 && near <= type(uint64).max ? near : strike);
    }

    /// ROW-4: nor is anything published refused for the order of its rows at strikes from a millionth of spot to a hundred
    /// thousand times it.
    /// forge-config: default.fuzz.runs = 600
    /// forge-config: ci.fuzz.runs = 4000
    function testFuzz_rows__strikes_not_beyond_all_reason__never_refused(uint256 seed) public pure {
        Rows.Slate memory s = _slate(seed);
        s.refSpot = _any(seed, 9, 1e16, 1e24);
        for (uint256 i; i < 6; ++i) {
            uint256 strike = s.refSpot / 1e10 * _any(seed, 60 + i, 1, 1e11) / 1e6;
            s.rows(uint64(strike == 0 ? 1 : strike), uint32(_any(seed, 50 + i, 1, MAX_SIGMA)));
        }
    }

    /// ROW-3: where the normal tail is cut, a strike of millions of times spot may be worth a little more at less
    /// volatility: that refuses a publication and no refresh.
    function test_rows__beyond_the_cut_of_the_tail__refused_unless_in_force() public {
        Rows.Slate memory s;
        (s.refSpot, s.vsrUp, s.vsrDown, s.volFloor) = (68_567_125_269_790, 2_332, 126, 1_383_951);
        s.open(500_000);
        s.prepare(40_127, 1_649_921_492, 584_050_128);
        vm.expectPartialRevert(IRiskFile.ArrayOutOfBounds.selector);
        this.computed(s, 3_700_287_560_259, 104_447_950);
        s.kept = true;
        this.computed(s, 3_700_287_560_259, 104_447_950);
    }

    function computed(Rows.Slate memory s, uint64 strike, uint32 sigmaPpm) external pure {
        s.rows(strike, sigmaPpm);
    }
}
