// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../interfaces/IPriceOracle.sol";

/// @title When a price path is doubtful.  Pure: rounds in, verdict out; Python's twin is keeper/risk/exact/breaker.py.
/// @notice Two events make a path doubtful:
///   jump    a primary round beyond `movePpm` of the lowest or highest price in force in the `windowS` seconds before
///           it, while the price it replaces was not (else it only goes on with what was seen already);
///   feeds   a round of either feed after which both differ by more than `disagreePpm`, while before it they did not.
/// An event is a property of the rounds up to it: what comes later never makes or unmakes it.  It opens the breaker if
/// no other event lies in the `windowS` before it.  So with `windowS >= 2·holdS` no stretch of `windowS` seconds contains
/// more than `holdS` seconds of an open breaker, whatever the feeds say.
library BreakerMath {
    uint256 private constant PPM = 1e6;
    bytes32 internal constant JUMP = "jump";
    bytes32 internal constant FEEDS = "feeds";

    struct Rule {
        uint256 movePpm;
        uint256 disagreePpm; // 0 = feeds are not compared
        uint256 windowS;
        uint256 holdS; // the breaker stays open no longer
        uint256 confirmS; // a primary round this long after a jump, or later, settles it, whatever it says
    }

    /// @param r a whole path of at least `2·windowS + holdS` seconds, as `IPriceOracle.rounds` gives it.
    /// @return since time of the round that opened the breaker, 0 if it is closed at `nowS`.
    /// @return why `JUMP` or `FEEDS`.
    function verdict(IPriceOracle.Round[] memory r, Rule memory rule, uint256 nowS)
        internal
        pure
        returns (uint256 since, bytes32 why)
    {
        for (uint256 i = r.length; i != 0;) {
            --i;
            if (r[i].time + rule.holdS <= nowS) break;
            bytes32 what = eventAt(r, i, rule);
            if (what == 0 || !_first(r, i, rule)) continue;
            bool settled = what == JUMP ? _confirmed(r, i, rule.confirmS) : _agreed(r, i, rule.disagreePpm);
            return settled ? (0, bytes32(0)) : (uint256(r[i].time), what);
        }
    }

    /// What round `i` started: `JUMP`, `FEEDS` or nothing.
    function eventAt(IPriceOracle.Round[] memory r, uint256 i, Rule memory rule) internal pure returns (bytes32) {
        if (!r[i].second && _jumped(r, i, rule)) return JUMP;
        if (rule.disagreePpm != 0 && _apart(r, i + 1, rule.disagreePpm) && !_apart(r, i, rule.disagreePpm)) {
            return FEEDS;
        }
        return 0;
    }

    function _jumped(IPriceOracle.Round[] memory r, uint256 i, Rule memory rule) private pure returns (bool) {
        uint256 before; // the price that round i replaces
        uint256 low = type(uint256).max;
        uint256 high;
        for (uint256 j = i; j != 0;) {
            --j;
            if (r[j].second) continue;
            uint256 wad = r[j].wad;
            if (before == 0) before = wad;
            if (wad < low) low = wad;
            if (wad > high) high = wad;
            if (r[j].time + rule.windowS <= r[i].time) break; // in force when the window began
        }
        return before != 0 && _far(r[i].wad, low, high, rule.movePpm) && !_far(before, low, high, rule.movePpm);
    }

    /// No event in the window before round `i`.
    function _first(IPriceOracle.Round[] memory r, uint256 i, Rule memory rule) private pure returns (bool) {
        for (uint256 j = i; j != 0;) {
            --j;
            if (r[j].time + rule.windowS < r[i].time) break;
            if (eventAt(r, j, rule) != 0) return false;
        }
        return true;
    }

    function _confirmed(IPriceOracle.Round[] memory r, uint256 i, uint256 confirmS) private pure returns (bool) {
        for (uint256 j = i + 1; j < r.length; ++j) {
            if (!r[j].second && r[j].time >= r[i].time + confirmS) return true;
        }
        return false;
    }

    function _agreed(IPriceOracle.Round[] memory r, uint256 i, uint256 disagreePpm) private pure returns (bool) {
        for (uint256 n = i + 2; n <= r.length; ++n) {
            if (!_apart(r, n, disagreePpm)) return true;
        }
        return false;
    }

    /// Whether the feeds differ after the first `n` rounds.
    function _apart(IPriceOracle.Round[] memory r, uint256 n, uint256 disagreePpm) private pure returns (bool) {
        uint256 a; // of the primary
        uint256 b;
        while (n != 0 && (a == 0 || b == 0)) {
            --n;
            if (r[n].second) {
                if (b == 0) b = r[n].wad;
            } else if (a == 0) {
                a = r[n].wad;
            }
        }
        if (a == 0 || b == 0) return false;
        (uint256 low, uint256 high) = a < b ? (a, b) : (b, a);
        return (high - low) * PPM > low * disagreePpm;
    }

    function _far(uint256 wad, uint256 low, uint256 high, uint256 movePpm) private pure returns (bool) {
        return (wad > low && (wad - low) * PPM > low * movePpm) || (wad < high && (high - wad) * PPM > high * movePpm);
    }
}
