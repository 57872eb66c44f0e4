// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../interfaces/IPriceOracle.sol";

/// @title When a price path is doubtful.  Pure: rounds in, verdict out; Python's twin is keeper/risk/exact/breaker.py.
/// @notice Two events make a path doubtful:
///   jump    a primary round beyond `movePpm` of the lowest or highest price in force in the `windowS` seconds before
///           it, while the price it replaces was not (else it only goes on with what was seen already);
///   feeds   a round of either feed after which both differ by more than `disagreePpm`, while before it they did not.
/// An event is a property of the rounds up to it: what comes later never makes or unmakes it.  A jump opens the breaker
/// if no other jump lies in the `windowS` before it, feeds that part only if nothing does: a disagreement never hides a
/// jump.  So with `windowS >= 2·holdS` no stretch of `windowS` seconds contains more than `holdS` seconds that a jump opened,
/// nor more than `holdS` that feeds did; after a jump's the breaker is shut for `windowS − holdS`, whatever the feeds say.
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
            if (what == 0 || !_first(r, i, rule, what)) continue;
            bool settled = what == JUMP ? _confirmed(r, i, rule.confirmS) : _agreed(r, i, rule.disagreePpm);
            if (!settled) return (r[i].time, what);
        }
    }

    /// @notice The rule for a path that does not cover its reach: window and hold shrunk alike, so that it does.
    /// @dev A feed that speaks often is judged over less time, and is confirmed sooner.  Whatever the rounds, an opening
    /// then lasts no longer than `holdS / windowS` of the quiet that came before it.
    function fitted(IPriceOracle.Round[] memory r, Rule memory rule) internal pure returns (Rule memory) {
        uint256 covered = _covered(r);
        uint256 reach = 2 * rule.windowS + rule.holdS;
        if (covered >= reach) return rule;
        return Rule({
            movePpm: rule.movePpm,
            disagreePpm: rule.disagreePpm,
            windowS: rule.windowS * covered / reach,
            holdS: rule.holdS * covered / reach,
            confirmS: rule.confirmS
        });
    }

    /// Seconds up to the last round in which the price of each feed that speaks is known: silence does not add to them, or
    /// an opening would grow longer while it lasts.
    function _covered(IPriceOracle.Round[] memory r) private pure returns (uint256) {
        if (r.length == 0) return 0;
        uint256 from;
        bool[2] memory seen;
        for (uint256 i; i < r.length; ++i) {
            uint256 feed = r[i].second ? 1 : 0;
            if (seen[feed]) continue;
            (seen[feed], from) = (true, r[i].time); // ascending: the later of the two stays
        }
        return r[r.length - 1].time - from;
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

    /// No event in the window before round `i` that hides it.
    function _first(IPriceOracle.Round[] memory r, uint256 i, Rule memory rule, bytes32 what)
        private
        pure
        returns (bool)
    {
        for (uint256 j = i; j != 0;) {
            --j;
            if (r[j].time + rule.windowS < r[i].time) break;
            bytes32 other = eventAt(r, j, rule);
            if (other == JUMP || (other != 0 && what == FEEDS)) return false;
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
