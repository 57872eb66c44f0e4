"""Everything there is to say about one margin against the losses that came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.backtest.coverage import (
    Breaches,
    Verdict,
    breaches,
    conditional_coverage,
    independence,
    kupiec,
)
from keeper.risk.backtest.shortfall import Excess, ShortfallVerdict, TailForecast, acerbi_szekely, excess
from keeper.risk.backtest.traffic_light import TrafficLight, traffic_light

Floats = npt.NDArray[np.float64]

#: Newest windows that the light in force looks at.  Source: BCBS 22, one trading year.
RECENT: Final = 250


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One side of one margin."""

    seen: Breaches
    """Windows that do not overlap."""
    pof: Verdict
    """Is the rate of breaches 1 − α?"""
    independence: Verdict
    """Do they come one by one?"""
    conditional: Verdict
    """Both."""
    light: TrafficLight
    """Of all windows."""
    recent: TrafficLight
    """Of the newest `RECENT`."""
    recent_count: int
    """Breaches among those."""
    excess: Excess
    """Sizes of the breaches."""
    shortfall: ShortfallVerdict
    """Are losses beyond VaR as the margin, taken for an expected shortfall, says?"""


def judge(losses: Floats, margins: Floats | float, forecast: TailForecast, *, rng: np.random.Generator) -> Judgement:
    """Judge margins by the losses of windows that do not overlap.

    Args:
        losses: positive is bad, shape (T,), in order of time.
        margins: what was asked for, shape (T,), or one for all.
        forecast: the tail behind the margins.
        rng: for the shortfall test; seeded by the caller.
    """
    hits = losses > margins
    seen, probability = breaches(hits), 1.0 - forecast.level
    newest = hits[-RECENT:]
    return Judgement(
        seen=seen,
        pof=kupiec(seen, probability),
        independence=independence(seen),
        conditional=conditional_coverage(seen, probability),
        light=traffic_light(seen.count, trials=seen.trials, probability=probability),
        recent=traffic_light(int(newest.sum()), trials=newest.size, probability=probability),
        recent_count=int(newest.sum()),
        excess=excess(losses, margins),
        shortfall=acerbi_szekely(losses, forecast, rng=rng),
    )


def worse(a: TrafficLight, b: TrafficLight) -> TrafficLight:
    """The light of the side that says more."""
    return a if a.cumulative >= b.cumulative else b
