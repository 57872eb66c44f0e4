// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A number's last day in hourly buckets, for budgets on net displacement.
/// @notice The anchor is the value that was in force when the hour that began 24 to 25 hours ago ended its predecessor,
/// that is at ⌊now/1h⌋ − 24 hours: between 24 and 25 hours before now.  Until the ring is that old, the anchor is the first
/// value.  A value may move to within `budget` of the anchor, however many steps it takes; going back towards the anchor
/// is always legal.
/// @dev Bucket h holds the value in force at the end of hour h.  Buckets are written when a later hour first sees an
/// update, so hours without one carry the last value; 32 buckets of uint32 cover the 25 that can be asked for.
library HourlyRing {
    struct Ring {
        uint32 hour; // of the last update
        uint32 value; // in force since then
        uint32 firstHour;
        uint32 firstValue;
        uint32[32] buckets; // bucket h at h mod 32, valid for firstHour <= h < hour and h >= hour − 32
    }

    uint256 private constant HOURS_BACK = 25;

    /// @notice Start a ring, or start it again, at `value`.
    function start(Ring storage self, uint32 value, uint256 nowS) internal {
        uint32 hour = uint32(nowS / 3600);
        (self.hour, self.value, self.firstHour, self.firstValue) = (hour, value, hour, value);
    }

    /// @notice Value in force 24 to 25 hours ago.
    function anchor(Ring storage self, uint256 nowS) internal view returns (uint32) {
        (uint256 hour, uint32 value, uint256 firstHour, uint32 firstValue) =
            (self.hour, self.value, self.firstHour, self.firstValue);
        uint256 wanted = nowS / 3600;
        wanted = wanted < HOURS_BACK ? 0 : wanted - HOURS_BACK;
        if (wanted >= hour) return value;
        if (wanted < firstHour) return firstValue;
        return self.buckets[wanted % 32];
    }

    /// @notice Record a new value.
    function set(Ring storage self, uint32 value, uint256 nowS) internal {
        uint256 hour = nowS / 3600;
        uint256 last = self.hour;
        if (hour > last) {
            uint32 old = self.value;
            // Older than 32 hours cannot be asked for any more.
            for (uint256 h = hour > last + 32 ? hour - 32 : last; h < hour; ++h) {
                self.buckets[h % 32] = old;
            }
            self.hour = uint32(hour);
        }
        self.value = value;
    }

    /// @notice Whether moving from `old` to `next` keeps within `budget` of `from`, or goes back towards it.
    function allowed(uint256 from, uint256 old, uint256 next, uint256 budget) internal pure returns (bool) {
        uint256 distance = next > from ? next - from : from - next;
        if (distance <= budget) return true;
        return next > from ? (old > from && next <= old) : (old < from && next >= old);
    }
}
