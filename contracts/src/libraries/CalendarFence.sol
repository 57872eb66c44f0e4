// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRiskParameters} from "../interfaces/IRiskParameters.sol";
import {FenceMath} from "./FenceMath.sol";

/// @title What the fences say to expiries against each other: total variance does not fall.
/// @dev Part of FenceMath.  Twin of keeper/policy/calendar.py.
library CalendarFence {
    /// @notice Total variance may not fall from one expiry to the next, of those with strikes: an expiry without has no
    /// marks.  Refuses items until what would apply is in order; those refused already keep what is in force.
    /// @dev What is in force is in order, so that refusing all ends it: σ₁²·(T₁ − t) <= σ₂²·(T₂ − t) held when the two
    /// were published and holds at t = T₁, and both sides are linear in t.
    /// @param items of the expiries, each judged by itself.
    function calendar(
        FenceMath.State memory s,
        IRiskParameters.ExpiryPublication[] memory e,
        IRiskParameters.ItemVerdict[] memory items
    ) internal pure {
        uint256[] memory old = new uint256[](e.length); // σ²T in force, ppm²·s; 0: no strike is
        uint256[] memory fresh = new uint256[](e.length); // of what would apply; 0: refused, or without a strike
        for (uint256 i; i < e.length; ++i) {
            FenceMath.ExpiryState memory x = s.expiries[i];
            uint256 left = x.expiry - s.nowS;
            if (FenceMath.published(x)) old[i] = x.sigma.value * x.sigma.value * left;
            if (items[i].reason.length != 0) continue;
            bool some;
            for (uint256 k; k < x.smile.length && !some; ++k) {
                some = e[i].sigmaPpm[k] != 0;
            }
            if (some) fresh[i] = uint256(e[i].sigmaAtmPpm) * e[i].sigmaAtmPpm * left;
        }
        while (true) {
            (uint256 out, uint256 first, uint256 second) = _clash(old, fresh);
            if (out == e.length) return;
            fresh[out] = 0;
            (items[out].what, items[out].nextAllowed) = ("calendar", FenceMath.NEVER);
            items[out].reason = abi.encodeWithSelector(
                IRiskParameters.CalendarArbitrage.selector, s.expiries[first].expiry, s.expiries[second].expiry
            );
        }
    }

    /// Of two out of order, the new one that does not go with what is in force of the other either: it could not pass
    /// whatever becomes of that.  If there is none, the later of the first two.
    /// @return out which is refused; the count of expiries if all are in order.
    /// @return first of the two.
    /// @return second of the two.
    function _clash(uint256[] memory old, uint256[] memory fresh)
        private
        pure
        returns (uint256 out, uint256 first, uint256 second)
    {
        out = old.length;
        for (uint256 j = 1; j < old.length; ++j) {
            uint256 b = fresh[j] != 0 ? fresh[j] : old[j];
            if (b == 0) continue;
            for (uint256 i; i < j; ++i) {
                if ((fresh[i] != 0 ? fresh[i] : old[i]) <= b) continue;
                if (old[j] != 0 && fresh[i] > old[j]) return (i, i, j);
                if (fresh[j] != 0 && fresh[j] < old[i]) return (j, i, j);
                if (out == old.length && fresh[i] != 0 && fresh[j] != 0) (out, first, second) = (j, i, j);
            }
        }
    }
}
