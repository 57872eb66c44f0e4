"""The Basel traffic light: how surprising is the number of breaches, and what does it cost.

Zones are cut by the probability of at most so many breaches if the level is right: yellow from 95 %, red from 99.99 %.
The *plus factor* of the yellow zone raises a multiplier of three so far that the margin would have had its level after
all, were losses normal.

Source: Basel Committee, Supervisory framework for the use of "backtesting" (BCBS 22, January 1996), table 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scipy.special import bdtr, ndtri

from keeper.errors import LawBroken

_YELLOW: Final = 0.95
_RED: Final = 0.9999
#: Plus factors of the yellow zone for so many days at 1 %, rounded by the Committee.
_PUBLISHED_TRIALS: Final = 250
_PUBLISHED: Final = {5: 0.40, 6: 0.50, 7: 0.65, 8: 0.75, 9: 0.85}
#: The plus factor of the red zone, and so the largest.
_MOST: Final = 1.0
#: The multiplier that the plus factor is added to.
BASE_MULTIPLIER: Final = 3.0


class Zone(StrEnum):
    """What a number of breaches means."""

    GREEN = "green"
    """Nothing speaks against the model."""
    YELLOW = "yellow"
    """It could be bad luck, and could be the model."""
    RED = "red"
    """The model is wrong."""


@dataclass(frozen=True, kw_only=True)
class TrafficLight:
    """The light of one count."""

    zone: Zone
    cumulative: float
    """Probability of at most so many breaches."""
    plus_factor: float
    """0 in green, up to 1 in red."""

    @property
    def multiplier(self) -> float:
        """Factor on the margin that makes up for the breaches: (3 + plus) / 3."""
        return (BASE_MULTIPLIER + self.plus_factor) / BASE_MULTIPLIER


def traffic_light(count: int, *, trials: int, probability: float) -> TrafficLight:
    """The light for `count` breaches in `trials` windows that should breach with `probability`.

    For 250 windows at 1 % the plus factors are the published ones; else the formula they were rounded from, at most 1.

    Raises: `LawBroken` if there cannot be so many breaches.
    """
    if not (0 <= count <= trials and trials > 0 and 0.0 < probability < 1.0):
        raise LawBroken(f"{count} breaches of {trials} windows at {probability} cannot be")
    cumulative = float(bdtr(count, trials, probability))
    zone = Zone.RED if cumulative >= _RED else Zone.YELLOW if cumulative >= _YELLOW else Zone.GREEN
    return TrafficLight(zone=zone, cumulative=cumulative, plus_factor=_plus(zone, count, trials, probability))


def _plus(zone: Zone, count: int, trials: int, probability: float) -> float:
    if zone is not Zone.YELLOW:
        return _MOST if zone is Zone.RED else 0.0
    if trials == _PUBLISHED_TRIALS and math.isclose(probability, 0.01):  # 1 − 0.99 is not quite 0.01
        return _PUBLISHED[count]
    if count / trials >= 0.5:  # the formula divides by a quantile that is no longer positive
        return _MOST
    needed = float(ndtri(1.0 - probability) / ndtri(1.0 - count / trials))
    return min(_MOST, max(0.0, BASE_MULTIPLIER * (needed - 1.0)))
