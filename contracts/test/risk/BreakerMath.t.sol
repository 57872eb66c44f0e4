// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPriceOracle} from "../../src/interfaces/IPriceOracle.sol";
import {BreakerMath} from "../../src/libraries/BreakerMath.sol";
import {Test} from "../utils/Test.sol";

/// @notice What makes a path doubtful, and for how long (BRK-1 … BRK-4).
contract BreakerMathTest is Test {
    uint256 private constant T = 1_780_000_000;
    uint256 private constant WINDOW = 600;
    uint256 private constant HOLD = 300;
    bytes32 private constant JUMP = "jump";
    bytes32 private constant FEEDS = "feeds";
    IPriceOracle.Round[] private _path;

    function _rule() private pure returns (BreakerMath.Rule memory) {
        return BreakerMath.Rule(100_000, 0, WINDOW, HOLD, 0);
    }

    function _push(uint256 afterS, uint256 usd) private {
        _path.push(IPriceOracle.Round(uint40(T + afterS), uint128(usd * 1e18), false));
    }

    function _pushSecond(uint256 afterS, uint256 usd) private {
        _path.push(IPriceOracle.Round(uint40(T + afterS), uint128(usd * 1e18), true));
    }

    /// Seconds after T of the round that opened, as seen `nowS` after T, when only rounds up to then are known.
    function _since(BreakerMath.Rule memory rule, uint256 nowS) private view returns (uint256 since, bytes32 why) {
        (since, why) = BreakerMath.verdict(_known(_path, T + nowS, 0), rule, T + nowS);
        if (since != 0) since -= T;
    }

    /// Rounds up to `nowS`; with a reach only those the oracle would give for it.
    function _known(IPriceOracle.Round[] memory path, uint256 nowS, uint256 reachS)
        private
        pure
        returns (IPriceOracle.Round[] memory list)
    {
        uint256 n;
        uint256[2] memory first; // of each feed: the round in force when the reach begins
        while (n < path.length && path[n].time <= nowS) {
            if (reachS != 0 && path[n].time + reachS <= nowS) first[path[n].second ? 1 : 0] = n;
            ++n;
        }
        list = new IPriceOracle.Round[](n);
        uint256 m;
        for (uint256 i; i < n; ++i) {
            if (i >= first[path[i].second ? 1 : 0]) list[m++] = path[i];
        }
        assembly ("memory-safe") {
            mstore(list, m)
        }
    }

    function _assertOpen(BreakerMath.Rule memory rule, uint256 nowS, uint256 since, bytes32 why) private view {
        (uint256 s, bytes32 w) = _since(rule, nowS);
        assertEq(s, since, "since");
        assertEq(w, why, "why");
    }

    function _assertClosed(BreakerMath.Rule memory rule, uint256 nowS) private view {
        (uint256 s, bytes32 w) = _since(rule, nowS);
        assertEq(s, 0, "closed");
        assertEq(w, bytes32(0), "closed for no reason");
    }

    function test_jump__beyondTheMove_opensUntilTheHoldIsOver() public {
        _push(0, 2000);
        _push(1000, 1799);
        _assertClosed(_rule(), 999);
        _assertOpen(_rule(), 1000, 1000, JUMP);
        _assertOpen(_rule(), 1299, 1000, JUMP);
        _assertClosed(_rule(), 1300);
    }

    function test_jump__exactlyTheMove_doesNot() public {
        _push(0, 2000);
        _push(1000, 1800);
        _assertClosed(_rule(), 1000);
    }

    function test_jump__upwards() public {
        _push(0, 2000);
        _push(1000, 2201);
        _assertOpen(_rule(), 1000, 1000, JUMP);
    }

    /// A second round releases, whatever it says.
    function test_secondRound__releases() public {
        _push(0, 2000);
        _push(1000, 1700);
        _push(1060, 1400);
        _assertOpen(_rule(), 1059, 1000, JUMP);
        _assertClosed(_rule(), 1060);
    }

    /// One that comes too soon after the jump is the same observation.
    function test_secondRound__tooSoon_doesNot() public {
        BreakerMath.Rule memory rule = _rule();
        rule.confirmS = 60;
        _push(0, 2000);
        _push(1000, 1700);
        _push(1030, 1650);
        _push(1060, 1700);
        _assertOpen(rule, 1030, 1000, JUMP);
        _assertOpen(rule, 1059, 1000, JUMP);
        _assertClosed(rule, 1060);
    }

    /// Many small steps add up to a jump, measured from the window's extreme; older extremes are forgotten.
    function test_slide__insideTheWindow() public {
        _push(0, 2000);
        _push(1000, 1950);
        _push(1200, 1880);
        _push(1400, 1830);
        _push(1599, 1790);
        _assertOpen(_rule(), 1599, 1599, JUMP);
        _path[4].time += 1; // a window after 2,000 was replaced
        _assertClosed(_rule(), 1600);
    }

    /// What goes on with a move seen already is no news: no second event while the old extreme is in the window.
    function test_crash__opensOnce() public {
        _push(0, 2000);
        for (uint256 i; i < 10; ++i) {
            _push(1000 + 60 * i, 1790 - 50 * i);
        }
        for (uint256 s = 1060; s < 2000; s += 10) {
            _assertClosed(_rule(), s);
        }
    }

    /// An event in the window after another opens nothing; after it, one does.
    function test_secondWick__insideTheWindow_isNotDeferred() public {
        _push(0, 2000);
        _push(1000, 1700);
        _push(1060, 2000);
        _push(1600, 1700);
        _assertClosed(_rule(), 1600);
        _push(1660, 2000);
        _push(2700, 1700);
        _assertOpen(_rule(), 2700, 2700, JUMP);
    }

    function test_feeds__disagree_opensUntilTheyAgree() public {
        BreakerMath.Rule memory rule = _rule();
        rule.disagreePpm = 10_000;
        _push(0, 2000);
        _pushSecond(0, 2000);
        _push(1000, 2021);
        _assertOpen(rule, 1000, 1000, FEEDS);
        _push(1100, 2030); // another round, and they still disagree
        _assertOpen(rule, 1100, 1000, FEEDS);
        _pushSecond(1200, 2025);
        _assertOpen(rule, 1199, 1000, FEEDS);
        _assertClosed(rule, 1200);
    }

    function test_feeds__disagreeForEver_holdIsOver() public {
        BreakerMath.Rule memory rule = _rule();
        rule.disagreePpm = 10_000;
        _push(0, 2000);
        _pushSecond(0, 2000);
        _pushSecond(1000, 1979);
        _assertOpen(rule, 1299, 1000, FEEDS);
        for (uint256 s = 1300; s < 9000; s += 100) {
            _push(s, 2000);
            _assertClosed(rule, s);
        }
        _assertClosed(_rule(), 1000); // not compared
    }

    function test_path__tooShort_closed() public {
        _assertClosed(_rule(), 0);
        _push(0, 2000);
        _assertClosed(_rule(), 0);
        _pushSecond(10, 1);
        _assertClosed(_rule(), 10);
    }

    // --- laws -----------------------------------------------------------------------------------------------------

    /// A path of up to 25 rounds of both feeds, from quiet to wild.
    function _dream(uint256 seed) private {
        delete _path;
        uint256 clock;
        uint256 n = 5 + seed % 21;
        uint256 wild = 1 + (seed >> 16) % 30; // per cent
        uint256 gap = 20 + (seed >> 32) % 400;
        for (uint256 i; i < n; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            clock += dice % gap;
            uint256 usd = 2000 + 20 * ((dice >> 64) % (wild + 1));
            if ((dice >> 128) % 3 == 0) _pushSecond(clock, usd);
            else _push(clock, usd);
        }
    }

    function _ruleOf(uint256 seed) private pure returns (BreakerMath.Rule memory rule) {
        rule.movePpm = 20_000 + (seed >> 48) % 200_000;
        rule.disagreePpm = (seed >> 80) % 3 == 0 ? 0 : 5_000 + (seed >> 96) % 100_000;
        rule.holdS = 60 + (seed >> 112) % 841;
        rule.windowS = 2 * rule.holdS + (seed >> 128) % 600;
        rule.confirmS = (seed >> 144) % (rule.holdS + 1);
    }

    /// A disagreement does not hide the jump that follows it; a jump hides feeds that part, and the next jump.
    function test_jump__afterADisagreement_opens() public {
        BreakerMath.Rule memory rule = _rule();
        rule.disagreePpm = 10_000;
        _push(0, 2000);
        _pushSecond(0, 2000);
        _push(1000, 2030);
        _assertOpen(rule, 1000, 1000, FEEDS);
        _push(1010, 2000);
        _assertClosed(rule, 1010);
        _push(1500, 1500);
        _assertOpen(rule, 1500, 1500, JUMP);
        _pushSecond(1501, 1510);
        _assertOpen(rule, 1799, 1500, JUMP);
        _push(1800, 1505);
        _pushSecond(1900, 1600);
        _assertClosed(rule, 1900);
        _push(2000, 2000);
        _assertClosed(rule, 2000);
    }

    /// BRK-14: a path that is cut off is judged over what is known of it: a wick on a dense feed opens, and for less long.
    function test_cutOff__wickOnADenseFeed_opensForLess() public {
        for (uint256 i; i < 64; ++i) {
            _push(15 * i, 2000 + i % 2);
        }
        _push(960, 1500);
        IPriceOracle.Round[] memory path = _path;
        BreakerMath.Rule memory rule = BreakerMath.fitted(path, _rule());
        assertEq(rule.windowS, 384, "BRK-14 window");
        assertEq(rule.holdS, 192, "BRK-14 hold");
        (uint256 since,) = BreakerMath.verdict(path, rule, T + 960);
        assertEq(since, T + 960, "BRK-14 opens");
        (since,) = BreakerMath.verdict(path, rule, T + 960 + 192);
        assertEq(since, 0, "BRK-14 and closes");
    }

    /// BRK-14: with any number of rounds looked at, an opening lasts no longer than its share of the quiet before it, so
    /// nothing that feeds say holds it open.
    function testFuzz_cutOff__neverHeldOpen(uint256 seed, uint256 rounds) public {
        _dream(seed);
        rounds = bound(rounds, 2, 12);
        BreakerMath.Rule memory rule = _ruleOf(seed);
        IPriceOracle.Round[] memory path = _path;
        uint256 end = uint256(path[path.length - 1].time) - T + rule.windowS;
        uint256 step = 5 + end / 400;
        uint256[2] memory open; // samples by kind
        for (uint256 k; k * step <= end; ++k) {
            IPriceOracle.Round[] memory seen = _lastOf(_known(path, T + k * step, 0), rounds);
            if (seen.length == 0) continue;
            BreakerMath.Rule memory small = BreakerMath.fitted(seen, rule);
            assertTrue(2 * small.windowS + small.holdS <= rule.windowS * 2 + rule.holdS, "BRK-14 smaller");
            (uint256 since, bytes32 why) = BreakerMath.verdict(seen, small, T + k * step);
            if (since == 0) continue;
            assertTrue(T + k * step < since + small.holdS, "BRK-2 inside the hold");
            ++open[why == JUMP ? 0 : 1];
        }
        // A sample more at each of at most thirteen openings of a kind.
        for (uint256 i; i < 2; ++i) {
            assertTrue(2 * open[i] * step <= end + rule.holdS * 2 + 26 * step, "BRK-14 half of the time at most");
        }
    }

    /// The last `n` of each feed.
    function _lastOf(IPriceOracle.Round[] memory path, uint256 n)
        private
        pure
        returns (IPriceOracle.Round[] memory list)
    {
        uint256[2] memory count;
        uint256 from = path.length;
        while (from != 0 && count[path[from - 1].second ? 1 : 0] < n) ++count[path[--from].second ? 1 : 0];
        list = new IPriceOracle.Round[](path.length - from);
        for (uint256 i; i < list.length; ++i) {
            list[i] = path[from + i];
        }
    }

    /// BRK-1: no stretch of a window holds more than a hold that jumps opened, nor more that feeds did.  BRK-2: an opening ends at its hold, and a
    /// jump's at the second round.  BRK-3: the oracle's reach says the same as the whole history.
    function testFuzz_open__atMostAHoldInAWindow(uint256 seed) public {
        _dream(seed);
        BreakerMath.Rule memory rule = _ruleOf(seed);
        IPriceOracle.Round[] memory path = _path;
        uint256 end = uint256(path[path.length - 1].time) - T + rule.windowS;
        uint256 step = 7 + end / 300;
        uint256[2][] memory open = new uint256[2][](end / step + 2); // open samples before each, by kind
        for (uint256 k; k * step <= end; ++k) {
            (uint256 since, bytes32 why) = _checkAt(path, rule, T + k * step);
            uint256 from = k * step > rule.windowS ? (k * step - rule.windowS) / step + 1 : 0;
            for (uint256 i; i < 2; ++i) {
                open[k + 1][i] = open[k][i] + (since != 0 && (why == JUMP) == (i == 0) ? 1 : 0);
                // Sampling counts up to one sample more than fits a stretch, at each of two openings.
                assertTrue((open[k + 1][i] - open[from][i]) * step <= rule.holdS + 2 * step, "BRK-1 a hold in a window");
            }
        }
    }

    function _checkAt(IPriceOracle.Round[] memory path, BreakerMath.Rule memory rule, uint256 nowS)
        private
        pure
        returns (uint256 since, bytes32 why)
    {
        (since, why) = BreakerMath.verdict(_known(path, nowS, 0), rule, nowS);
        if (since != 0) {
            assertTrue(since <= nowS && nowS < since + rule.holdS, "BRK-2 inside the hold");
            if (why == JUMP) assertFalse(_confirmedAt(path, since, rule.confirmS, nowS), "BRK-2 no second round");
        }
        uint256 reach = 2 * rule.windowS + rule.holdS;
        (uint256 sameSince, bytes32 sameWhy) = BreakerMath.verdict(_known(path, nowS, reach), rule, nowS);
        assertEq(sameSince, since, "BRK-3 reach");
        assertEq(sameWhy, why, "BRK-3 reach, why");
    }

    function _confirmedAt(IPriceOracle.Round[] memory path, uint256 since, uint256 confirmS, uint256 nowS)
        private
        pure
        returns (bool)
    {
        for (uint256 i; i < path.length; ++i) {
            IPriceOracle.Round memory r = path[i];
            if (!r.second && r.time > since && r.time >= since + confirmS && r.time <= nowS) return true;
        }
        return false;
    }

    /// BRK-4: out of quiet a wick of one round opens the breaker, at whatever depth beyond the move.
    function testFuzz_wick__outOfQuiet_opens(uint256 depthPpm, bool up, uint256 waitS) public {
        depthPpm = bound(depthPpm, 100_001, up ? 5_000_000 : 999_000);
        waitS = bound(waitS, 1, 100_000);
        _push(0, 2000);
        uint256 price = up ? 2000e18 + 2000e12 * depthPpm : 2000e18 - 2000e12 * depthPpm;
        _path.push(IPriceOracle.Round(uint40(T + waitS), uint128(price), false));
        _assertOpen(_rule(), waitS, waitS, JUMP);
    }
}
