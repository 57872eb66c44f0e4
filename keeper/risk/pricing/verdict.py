"""What a quote says about volatility."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

#: Least share of the largest time value that counts as one: below, float64 loses digits.
LEAST_SHARE: Final = 1e-300


class Verdict(IntEnum):
    """What a quote says about volatility."""

    FOUND = 0
    """It has one."""
    NOT_A_QUOTE = 1
    """A number in it is NaN or infinite, or forward, strike or discount factor is not positive."""
    NO_TIME = 2
    """It has expired."""
    NO_TIME_VALUE = 3
    """It is worth its discounted intrinsic value or less: arbitrage, or too little to tell."""
    AT_BOUND = 4
    """It is worth the discounted forward (a call) or strike (a put) or more: arbitrage."""
