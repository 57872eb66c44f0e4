// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SmileRing} from "../../src/libraries/SmileRing.sol";
import {Test} from "../utils/Test.sol";

/// @notice A smile's day in one slot against a plain list.
contract SmileRingTest is Test {
    uint256[] private _ratios;
    uint256[] private _hours;

    /// What a list says: the last value set before the hour that began 24 hours ago; before the first, the first.
    function _plain(uint256 hour) private view returns (uint256 value, bool exact) {
        value = _ratios[0];
        uint256 n = _hours.length;
        for (uint256 i; i < n; ++i) {
            if (_hours[i] + 25 <= hour) value = _ratios[i];
        }
        return (value, _hours[n - 1] + 25 <= hour);
    }

    /// RNG-3: any history gives the plain list's anchor: exact once it is the value in force, else the middle of its 8,192
    /// ppm; and what is in force is exact.
    /// forge-config: default.fuzz.runs = 64
    /// forge-config: ci.fuzz.runs = 640
    function testFuzz_anchor__any_history__as_a_plain_list(uint256 seed) public {
        uint256 hour = 494_000 + seed % 1000;
        uint256 slot;
        for (uint256 i; i < 30; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            hour += seed % 7 == 0 ? (seed >> 8) % 40 : (seed >> 8) % 3;
            uint256 ratio = 1 + (seed >> 16) % SmileRing.MAX_RATIO_PPM;
            slot = SmileRing.set(slot, ratio, hour);
            _ratios.push(ratio);
            _hours.push(hour);
            assertEq(SmileRing.ratio(slot), ratio, "RNG-3 in force");
            for (uint256 k; k < 27; k += 1 + (seed >> 40) % 9) {
                (uint256 value, bool exact) = _plain(hour + k);
                uint256 expected = exact ? value : ((value >> 13) << 13) + 4096;
                assertEq(SmileRing.anchor(slot, hour + k), expected, "RNG-3 anchor");
            }
        }
    }
}
