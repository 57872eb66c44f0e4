// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskFile} from "../interfaces/IRiskFile.sol";

/// @title Which expiries and strikes an underlying has, each list ascending.
/// @dev A linked library: RiskFile has no room for it.
library Listings {
    uint256 private constant MAX_EXPIRIES = 16;
    uint256 private constant MAX_STRIKES = 64;
    /// Of all live expiries together: a refresh, at 63k gas a strike, must fit a transaction of 2^24 gas.
    uint256 private constant MAX_LISTED = 240;

    /// @notice Add an expiry, or more strikes of one.
    /// @param added strictly ascending and new.
    function add(
        uint32[] storage listed,
        mapping(uint32 expiry => uint64[]) storage strikes,
        uint32 expiry,
        uint64[] calldata added
    ) external {
        _insert(listed, expiry);
        uint64[] memory old = strikes[expiry];
        uint256 n = old.length + added.length;
        if (n > MAX_STRIKES) revert IRiskFile.TooMany("strikes", n, MAX_STRIKES);
        uint64[] memory merged = new uint64[](n);
        (uint256 a, uint256 b) = (0, 0);
        for (uint256 i; i < n; ++i) {
            bool takeOld = b == added.length || (a < old.length && old[a] < added[b]);
            merged[i] = takeOld ? old[a++] : added[b++];
            if (merged[i] <= (i == 0 ? 0 : merged[i - 1])) revert IRiskFile.BadStrikes(expiry, i);
        }
        strikes[expiry] = merged;
        uint256 total;
        for (uint256 i; i < listed.length; ++i) {
            if (listed[i] > block.timestamp) total += strikes[listed[i]].length;
        }
        if (total > MAX_LISTED) revert IRiskFile.TooMany("all strikes", total, MAX_LISTED);
    }

    /// @notice Drop expired expiries; they come first.
    function prune(uint32[] storage listed) external {
        _prune(listed);
    }

    /// Nothing to do if `expiry` is in the list.
    function _insert(uint32[] storage listed, uint32 expiry) private {
        uint256 n = listed.length;
        uint256 place = n;
        while (place > 0 && listed[place - 1] >= expiry) --place;
        if (place < n && listed[place] == expiry) return;
        _prune(listed);
        n = listed.length;
        if (n == MAX_EXPIRIES) revert IRiskFile.TooMany("expiries", n + 1, MAX_EXPIRIES);
        listed.push(expiry);
        for (place = n; place > 0 && listed[place - 1] > expiry; --place) {
            (listed[place], listed[place - 1]) = (listed[place - 1], expiry);
        }
    }

    function _prune(uint32[] storage listed) private {
        uint256 n = listed.length;
        uint256 gone;
        while (gone < n && listed[gone] <= block.timestamp) ++gone;
        if (gone == 0) return;
        for (uint256 i = gone; i < n; ++i) {
            listed[i - gone] = listed[i];
        }
        for (uint256 i; i < gone; ++i) {
            listed.pop();
        }
    }
}
