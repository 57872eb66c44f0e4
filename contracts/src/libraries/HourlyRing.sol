// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A number's last day in hourly buckets, for budgets on net displacement.
/// @notice The anchor is the value that was in force when the hour that began 24 to 25 hours ago ended its predecessor,
/// that is at ⌊now/1h⌋ − 24 hours: between 24 and 25 hours before now.  Until the ring is that old, the anchor is the first
/// value.  A value may move to within `budget` of the anchor, however many steps it takes; going back towards the anchor
/// is always legal.
/// @dev Bucket h holds the value in force at the end of hour h.  It is written when a later hour first sees an update, and
/// only for the hour of the last one: the hours after that, without an update, carry it.  `written` says which buckets
/// were, so that a silence costs no more than an hour; 32 buckets of uint32 cover the 25 that can be asked for.
library HourlyRing {
    struct Ring {
        uint32 hour; // of the last update
        uint32 value; // in force since then
        uint32 written; // bit i: bucket of hour − 1 − i
        uint32 before; // in force before the first of these
        uint32[32] buckets; // bucket h at h mod 32
    }

    uint256 private constant HOURS_BACK = 25;
    uint256 private constant BUCKETS = 32;

    /// @notice Start a ring, or start it again, at `value`.
    function start(Ring storage self, uint32 value, uint256 nowS) internal {
        (self.hour, self.value, self.written, self.before) = (uint32(nowS / 3600), value, 0, value);
    }

    /// @notice Value in force 24 to 25 hours ago.
    /// @param nowS not before the last update.
    function anchor(Ring storage self, uint256 nowS) internal view returns (uint32) {
        unchecked {
            uint256 wanted = nowS / 3600;
            wanted = wanted < HOURS_BACK ? 0 : wanted - HOURS_BACK;
            uint256 hour = self.hour;
            if (wanted >= hour) return self.value;
            // The last bucket written up to then; hour − 1 − wanted < 25.
            uint256 older = uint256(self.written) >> (hour - 1 - wanted);
            if (older == 0) return self.before;
            while (older & 1 == 0) {
                older >>= 1;
                --wanted;
            }
            return self.buckets[wanted % BUCKETS];
        }
    }

    /// @notice Record a new value.
    function set(Ring storage self, uint32 value, uint256 nowS) internal {
        unchecked {
            uint256 hour = nowS / 3600;
            uint256 last = self.hour;
            if (hour > last) {
                (uint256 written, uint256 passed) = (self.written, hour - last);
                if (passed > BUCKETS) {
                    (self.written, self.before) = (0, self.value);
                } else {
                    uint256 all = ((written << 1) | 1) << (passed - 1);
                    // An anchor may now lie before all that stay: keep the last of those that go.
                    if (all >> (HOURS_BACK - 1) & 0xff == 0 && all >> BUCKETS != 0) {
                        uint256 i = BUCKETS;
                        while (all >> i & 1 == 0) ++i;
                        self.before = self.buckets[(hour - 1 - i) % BUCKETS];
                    }
                    self.written = uint32(all);
                    self.buckets[last % BUCKETS] = self.value;
                }
                self.hour = uint32(hour);
            }
            self.value = value;
        }
    }

    /// @notice Whether moving from `old` to `next` keeps within `budget` of `from`, or goes back towards it.
    function allowed(uint256 from, uint256 old, uint256 next, uint256 budget) internal pure returns (bool) {
        uint256 distance = next > from ? next - from : from - next;
        if (distance <= budget) return true;
        return next > from ? (old > from && next <= old) : (old < from && next >= old);
    }
}
