// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../../src/interfaces/IRiskParameters.sol";
import {Probes} from "../../src/libraries/Probes.sol";
import {Q64} from "../../src/libraries/Q64.sol";
import {Scenarios} from "../../src/libraries/Scenarios.sol";
import {RiskFixture} from "./RiskFixture.sol";

/// @notice A stolen publisher key for thirty days, against plain lists of what was in force when.
/// @dev The laws are restated here from their words: a list of values with times, and the value that was in force when the
/// hour before the one 24 hours ago ended.  A number may be beyond its budget of that value only on its way back.
contract WorstKeeperTest is RiskFixture {
    uint256 private constant NUMBERS = 7; // psr, vsrUp, vsrDown, sigma, phi, df, smile
    uint256 private constant PROBES = 7;

    uint32 private _expiry;
    mapping(uint256 what => uint256[]) private _values;
    mapping(uint256 what => uint256[]) private _times;
    uint256[7][] private _probes;
    uint256 private _landed;
    uint256 private _refused;
    bool private _staged; // it publishes in steps
    uint256 private _binding; // numbers that stood within a thousandth of their budget

    function setUp() public override {
        super.setUp();
        IRiskParameters.VolFences memory v = theVolFences();
        v.carryMaxPpm = 3_000_000; // so that the forward's budget binds, and not its carry
        parameters.setVolFences(ETH, v);
        _expiry = listDays(60, 1);
        _remember();
        publish();
        pass(1 hours);
    }

    function _inForce(uint256 what) private view returns (uint256) {
        if (what < 3) {
            return inForce(0, what == 0 ? bytes32("psr") : what == 1 ? bytes32("vsrUp") : bytes32("vsrDown"));
        }
        if (what == 3) return inForce(_expiry, "sigmaAtm");
        if (what == 4) return inForce(_expiry, "phi");
        if (what == 5) return inForce(_expiry, "df");
        uint256 slot = parameters.smileRings(ETH, _expiry)[0];
        return slot == 0 ? 1e6 : slot >> 224;
    }

    function _remember() private {
        for (uint256 i; i < NUMBERS; ++i) {
            _values[i].push(_inForce(i));
            _times[i].push(block.timestamp);
        }
        _probes.push(_requirements());
    }

    function _requirements() private view returns (uint256[7] memory) {
        return Probes.requirements(Probes.Triple(_inForce(0), _inForce(1), _inForce(2), 750_000, 400_000));
    }

    /// Place in the lists of what was in force when the hour before 24 hours ago ended.
    function _dayAgo() private view returns (uint256 place) {
        uint256 until = (block.timestamp / 3600 - 24) * 3600;
        uint256[] storage times = _times[0];
        for (place = times.length - 1; place > 0 && times[place] >= until; --place) {}
    }

    /// Nothing passed its budget but on its way back.
    function _check() private {
        uint256 ago = _dayAgo();
        uint256 last = _values[0].length - 1;
        for (uint256 i; i < NUMBERS; ++i) {
            (uint256 since, uint256 old, uint256 now_) = (_values[i][ago], _values[i][last], _inForce(i));
            if (now_ == old) continue;
            uint256 moved = now_ > since ? now_ - since : since - now_;
            bool back = now_ > since ? now_ <= old : now_ >= old;
            assertTrue(back || _within(i, since, now_, moved), "WORST-1 a number passed its day's budget");
        }
        uint256[7] memory r = _requirements();
        for (uint256 i; i < PROBES; ++i) {
            (uint256 since, uint256 old) = (_probes[ago][i], _probes[last][i]);
            if (r[i] == old) continue;
            (uint256 low, uint256 high) = r[i] < since ? (r[i], since) : (since, r[i]);
            bool back = r[i] > since ? r[i] <= old : r[i] >= old;
            assertTrue(back || high + 1000 <= 2 * (low + 1000), "WORST-2 a requirement passed its day's budget");
            (low, high) = r[i] < old ? (r[i], old) : (old, r[i]);
            assertLe((high + 1000) * 1e6, (low + 1000) * 1_300_000, "WORST-2 a requirement passed its step");
        }
    }

    function _within(uint256 i, uint256 since, uint256 now_, uint256 moved) private returns (bool) {
        uint256 budget;
        if (i == 0) budget = _lower(since * 4 / 10, 100_000);
        if (i == 1) budget = _lower(since / 2, 400_000);
        if (i == 2) budget = _lower(since / 2, 200_000);
        if (i == 4) budget = 1e7;
        if (i == 5) budget = 5e6;
        if (i == 6) budget = 350_000 + 8192; // the past of a smile is coarse
        if (i == 3) {
            int256 d = Q64.ln(now_ << 64) - Q64.ln(since << 64);
            uint256 most = 450_000 * Scenarios.termFactor(_expiry - block.timestamp) / 1e6;
            if (uint256(d < 0 ? -d : d) * 1000 > most * 980) ++_binding;
            return uint256(d < 0 ? -d : d) <= most;
        }
        if (moved * 1000 > budget * 980) ++_binding;
        return moved <= budget;
    }

    function _lower(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    /// @param up one bit for each number: which way.
    /// @param share ppm of its step that each number tries.
    function _attack(uint256 up, uint256 share) private {
        IRiskParameters.Publication memory p = aPublication();
        p.psrPpm = uint24(_moved(0, up, _lower(p.psrPpm / 5, 50_000) * share / 1e6));
        p.vsrUpPpm = uint24(_moved(1, up, _lower(p.vsrUpPpm / 4, 200_000) * share / 1e6));
        p.vsrDownPpm = uint24(_moved(2, up, _lower(p.vsrDownPpm / 4, 100_000) * share / 1e6));
        IRiskParameters.ExpiryPublication memory e = p.expiries[0];
        // One number of the expiry at a time as far as it may, so that one's refusal does not hide the others.
        uint256 which = 3 + uint256(keccak256(abi.encode(up, share, block.timestamp))) % 4;
        if (which == 3) e.sigmaAtmPpm = uint32(_moved(3, up, e.sigmaAtmPpm * 18 / 100 * share / 1e6));
        uint256 hour = _lower(block.timestamp - _lastTime(), 3600);
        if (which == 4) e.phiPpb = uint40(_moved(4, up, 2e6 * hour / 3600 * share / 1e6));
        if (which == 5) e.dfPpb = uint40(_moved(5, up, 1e6 * hour / 3600 * share / 1e6));
        uint256 ratio = which == 6 ? _moved(6, up, 150_000 * share / 1e6) : _inForce(6);
        e.sigmaPpm[0] = uint32((ratio * e.sigmaAtmPpm + 1e6 - 1) / 1e6);
        // It opens banks that it may never flip.
        if (_staged) return _stageAndFlip(p, share);
        if (which == 6) try parameters.stage(ETH, p) {} catch {}
        try parameters.publish(ETH, p) {
            _check();
            ++_landed;
            _remember();
        } catch {
            ++_refused;
        }
    }

    /// In steps: numbers go live when the bank flips, up to an hour after they were staged.
    function _stageAndFlip(IRiskParameters.Publication memory p, uint256 share) private {
        p.validUntil = uint64(block.timestamp + 1 days);
        try parameters.stage(ETH, p) {
            pass(uint256(keccak256(abi.encode(block.timestamp, share))) % 3500);
            try parameters.flip(ETH) {
                _check();
                ++_landed;
                _remember();
            } catch {
                ++_refused;
            }
        } catch {
            ++_refused;
        }
    }

    function _lastTime() private view returns (uint256 time) {
        (, time,,) = parameters.lastPublication(ETH);
    }

    function _moved(uint256 what, uint256 up, uint256 step) private view returns (uint256) {
        uint256 value = _inForce(what);
        return (up >> what) & 1 == 1 ? value + step : value > step ? value - step : 1;
    }

    /// Every so often it also tries what never may land.
    function _cheat() private {
        bytes32 before = parameters.targetDigest(ETH);
        IRiskParameters.Publication memory p = aPublication();
        (p.id, p.psrPpm) = (1, p.psrPpm + 10);
        vm.expectRevert();
        parameters.publish(ETH, p);
        p.id = type(uint64).max; // would leave no id for the next
        vm.expectRevert();
        parameters.publish(ETH, p);
        vm.expectRevert();
        parameters.stage(ETH, p);
        (p.id, p.validUntil) = (nextId(), uint64(block.timestamp - 1));
        vm.expectRevert();
        parameters.publish(ETH, p);
        (p.validUntil, p.expectedOld) = (type(uint64).max, keccak256(abi.encode(before)));
        vm.expectRevert();
        parameters.publish(ETH, p);
        assertEq(parameters.targetDigest(ETH), before, "WORST-3 nothing landed");
    }

    /// Staying put is always possible: no state is a deadlock.
    function _stay() private {
        IRiskParameters.Publication memory p = aPublication();
        p.expiries[0].sigmaPpm[0] = uint32((_inForce(6) * p.expiries[0].sigmaAtmPpm + 1e6 - 1) / 1e6);
        IRiskParameters.Preview memory v = parameters.preview(ETH, p);
        assertTrue(v.ok, "WORST-4 staying put is refused");
    }

    /// WORST-1 … WORST-4: always the same way, every twenty minutes to an hour, with steps of every size; half of the time
    /// upwards, then down: no number and no requirement passes its budget on any day of thirty.
    function test_greedy__thirty_days__no_budget_is_passed() public {
        _greedy();
        assertGt(_landed, 600, "publications");
        assertGt(_binding, 50, "budgets that bound");
    }

    /// The same through staged banks, each flipped up to an hour after its numbers were judged.
    function test_greedy__staged_and_flipped__no_budget_is_passed() public {
        _staged = true;
        _greedy();
        assertGt(_landed, 200, "publications");
        assertGt(_binding, 25, "budgets that bound");
    }

    function _greedy() private {
        vm.pauseGasMetering();
        uint256[4] memory shares = [uint256(1e6), 500_000, 70_000, 4_000];
        for (uint256 i; block.timestamp < START + 30 days; ++i) {
            // The discount factor starts high, so it first falls; ranges turn against each other in the middle.
            uint256 day = (block.timestamp - START) / 1 days;
            uint256 up = day < 10 ? 0x5f : day < 16 ? 0x25 : day < 22 ? 0x20 : 0x5a;
            _attack(up, shares[i % 4]);
            if (i % 50 == 0) _cheat();
            pass(1800 + (i * 977) % 1800);
            if (i % 20 == 0) _stay();
        }
    }

    /// The same of a keeper that goes anywhere.
    function test_random__thirty_days__no_budget_is_passed() public {
        _random();
        assertGt(_landed, 500, "publications");
        assertGt(_binding, 10, "budgets that bound");
    }

    /// And of one that goes anywhere in steps.
    function test_random__staged_and_flipped__no_budget_is_passed() public {
        _staged = true;
        _random();
        assertGt(_landed, 150, "publications");
        assertGt(_binding, 10, "budgets that bound");
    }

    function _random() private {
        vm.pauseGasMetering();
        for (uint256 i; block.timestamp < START + 30 days; ++i) {
            uint256 r = uint256(keccak256(abi.encode("worst", i / 12)));
            uint256 s = uint256(keccak256(abi.encode("step", i)));
            // It keeps a direction for a while, else it goes nowhere.
            _attack(s % 4 == 0 ? s >> 8 : r, 1e6 >> (s >> 64) % 6);
            if (i % 50 == 0) _cheat();
            pass(1200 + (s >> 128) % 4800);
            if (i % 20 == 0) _stay();
        }
    }

    /// WORST-5: seventy-two micro-steps of every number in a day go no further than one budget, and wherever they end each
    /// number's way back to its anchor is open.  A budget is wider than a step: micro-steps may reach what no single
    /// publication may, and no further.
    function test_microsteps__a_day__one_budget_and_the_way_back() public {
        vm.pauseGasMetering();
        uint256[7] memory first;
        for (uint256 i; i < NUMBERS; ++i) {
            first[i] = _inForce(i);
        }
        for (uint256 i; i < 72; ++i) {
            _attack(0x5f, 100_000 + (i % 10) * 90_000);
            pass(20 minutes);
        }
        for (uint256 i; i < 3; ++i) {
            uint256 value = _inForce(i);
            assertTrue(_within(i, first[i], value, value - first[i]), "WORST-5");
            IRiskParameters.Publication memory p = aPublication();
            uint24 back = uint24(value - (value - first[i]) / 8);
            if (i == 0) p.psrPpm = back;
            else if (i == 1) p.vsrUpPpm = back;
            else p.vsrDownPpm = back;
            assertEq(parameters.preview(ETH, p).items[i].reason, "", "WORST-5 the way back");
        }
    }
}
