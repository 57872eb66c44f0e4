// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A strike's last day in one slot: the ratio of its volatility to the one at the money, hour by hour.
/// @notice Like HourlyRing, but coarse in the past: bits 0 … 199 are 25 bytes, byte i the code of the ratio in force at
/// the end of hour H − 1 − i; bits 200 … 223 are H, the hour of the last publication; bits 224 … 255 the ratio in force,
/// exact.  A code stands for 8,192 ppm; the anchor it gives is the middle of them.  Slot 0: never published.
library SmileRing {
    /// Largest ratio that has a code, ppm.
    uint256 internal constant MAX_RATIO_PPM = 2_088_959;
    uint256 private constant HOURS_BACK = 25;
    uint256 private constant CODES = (1 << 200) - 1;
    /// 25 bytes of 1.
    uint256 private constant ONES = 0x01010101010101010101010101010101010101010101010101;

    /// @notice Ratio in force, ppm; 0 if there is none.
    function ratio(uint256 slot) internal pure returns (uint256) {
        return slot >> 224;
    }

    /// @notice Ratio in force 24 to 25 hours before `hour`, ppm, as it is remembered.
    /// @param hour not before that of the last publication.
    function anchor(uint256 slot, uint256 hour) internal pure returns (uint256) {
        unchecked {
            uint256 last = (slot >> 200) & 0xffffff;
            uint256 wanted = hour < HOURS_BACK ? 0 : hour - HOURS_BACK;
            if (wanted >= last) return slot >> 224;
            return (((slot >> (8 * (last - 1 - wanted))) & 0xff) << 13) + 4096;
        }
    }

    /// @notice The slot after `ratio_` is published in `hour`.
    /// @param ratio_ ppm, at most `MAX_RATIO_PPM`.
    function set(uint256 slot, uint256 ratio_, uint256 hour) internal pure returns (uint256) {
        unchecked {
            uint256 codes = slot & CODES;
            uint256 past = slot == 0 ? HOURS_BACK : hour - ((slot >> 200) & 0xffffff);
            if (past > HOURS_BACK) past = HOURS_BACK;
            uint256 code = (slot == 0 ? ratio_ : slot >> 224) >> 13;
            if (past != 0) {
                codes = ((codes << (8 * past)) & CODES) | ((ONES & ((1 << (8 * past)) - 1)) * (code & 0xff));
            }
            return codes | (hour << 200) | (ratio_ << 224);
        }
    }
}
