// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HourlyRing} from "../../src/libraries/HourlyRing.sol";
import {Test} from "../utils/Test.sol";

contract HourlyRingTest is Test {
    using HourlyRing for HourlyRing.Ring;

    HourlyRing.Ring private _ring;
    uint32[] private _values;
    uint256[] private _times;

    uint256 private constant START = 1_780_000_000;

    /// RNG-1: the anchor is what a plain history says was in force at ⌊now/1h⌋ − 24 h, whatever the gaps.
    function testFuzz_anchor__any_history__as_a_plain_list(uint256 seed) public {
        uint256 t = START;
        _ring.start(1000, t);
        _values.push(1000);
        _times.push(t);
        for (uint256 i; i < 60; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 kind = seed % 5;
            uint256 gap = kind == 0 ? seed % 600 : kind == 1 ? seed % 7200 : kind == 2 ? 3600 : seed % 200_000;
            t += kind == 4 ? (20 + seed % 16) * 3600 : gap; // about as long as the ring remembers
            assertEq(_ring.anchor(t), _plain(t), "RNG-1");
            uint32 value = uint32(seed >> 200);
            _ring.set(value, t);
            _values.push(value);
            _times.push(t);
            assertEq(_ring.anchor(t), _plain(t), "RNG-1 after");
        }
    }

    /// GAS-5: a silence of any length costs a publication no more than an hour's.
    function test_set__after_a_silence__no_dearer() public {
        _ring.start(1000, START);
        for (uint256 i = 1; i < 40; ++i) {
            _ring.set(uint32(1000 + i), START + i * 3600);
        }
        uint256 hourly = _cost(START + 40 * 3600);
        assertLt(_cost(START + 90 * 3600), hourly + 500, "GAS-5");
    }

    function _cost(uint256 t) private returns (uint256 used) {
        vm.cool(address(this));
        used = gasleft();
        _ring.set(2000, t);
        used -= gasleft();
    }

    function _plain(uint256 t) private view returns (uint256) {
        uint256 instant = (t / 3600 - 24) * 3600;
        for (uint256 i = _values.length; i > 0; --i) {
            if (_times[i - 1] < instant) return _values[i - 1];
        }
        return _values[0];
    }

    /// RNG-2: within the budget, or between the old value and the anchor.
    function testFuzz_allowed__beyond_budget__only_towards_anchor(uint32 from, uint32 old, uint32 next, uint32 budget)
        public
        pure
    {
        uint256 before = old > from ? old - from : from - old;
        uint256 afterwards = next > from ? next - from : from - next;
        bool sameSide = (old >= from) == (next >= from);
        bool expected = afterwards <= budget || (afterwards <= before && sameSide);
        assertEq(HourlyRing.allowed(from, old, next, budget), expected, "RNG-2");
    }
}
