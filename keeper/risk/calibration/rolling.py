"""The scan range of every day of the past, from what was known that day, against the move that followed.

Day by day, without overlap, the estimate of `scan_range` is repeated on the windows that had ended by then.
Nothing of the day it is judged by goes into it: the counts are out of sample.  The same estimate is made from the worst
moves alone, which one partial sort finds, so that thousands of days take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.knobs import RiskKnobs
from keeper.risk import lattice
from keeper.risk.backtest.overlap import non_overlapping
from keeper.risk.backtest.shortfall import TailForecast, tail_shape
from keeper.risk.calibration.scan_range import blend_of, floor_of, normal_shortfall
from keeper.risk.timeseries.volatility import DAY_S, Unestimated, filtered
from keeper.risk.timeseries.windows import Windows

Floats = npt.NDArray[np.float64]

#: History that the first estimate rests on.
WARM_UP_DAYS: Final = 365
#: Fewer windows to judge by than this are no backtest.
_LEAST_WINDOWS: Final = 100
#: Parts that the tail of a forecast is held in.
_POINTS: Final = 64


@dataclass(frozen=True, kw_only=True)
class Rolling:
    """What would have been asked for, and what came.  All shapes (T,), windows that do not overlap, in order."""

    start_s: Floats
    """Unix seconds at which the margin was set."""
    move: Floats
    """Relative move over the horizon that followed."""
    psr: Floats
    """Scan range as it would have been published, fraction of spot."""
    filtered: Floats
    """Expected shortfall at the volatility of that day alone: margin without floor, stress or lattice."""
    down: TailForecast
    """Of losses of a long position, its ES the scan range."""
    up: TailForecast
    """Of losses of a short position, its ES the scan range."""


def roll(
    windows: Windows, knobs: RiskKnobs, *, tick: Callable[[int, int], None] = lambda _done, _of: None
) -> Rolling | Unestimated:
    """Repeat the estimate on each past day.

    Args:
        windows: of the whole history.
        knobs: the operator's choices, the same on each day.
        tick: told how many of how many days are done.

    Returns:
        `Unestimated` if fewer than a hundred windows follow the first year.
    """
    if not len(windows):
        return Unestimated(reason="no window has both its ends in the data")
    apart = non_overlapping(windows.start_s, windows.horizon_s)
    warm = windows.start_s[apart] >= windows.start_s[0] + WARM_UP_DAYS * DAY_S + windows.horizon_s
    judged = apart[warm & (windows.start_variance[apart] > 0.0)]
    if judged.size < _LEAST_WINDOWS:
        return Unestimated(
            reason=f"{judged.size} windows follow the first {WARM_UP_DAYS} days, {_LEAST_WINDOWS} needed to judge by"
        )
    known = np.searchsorted(windows.start_s + windows.horizon_s, windows.start_s[judged], side="right")
    tails = _Tails(windows, knobs)
    days = []
    for i, (index, past) in enumerate(zip(judged.tolist(), known.tolist(), strict=True)):
        days.append(tails.on(past, float(windows.start_variance[index])))
        tick(i + 1, judged.size)
    psr, now = np.array([d.psr for d in days]), np.array([d.now for d in days])
    return Rolling(
        start_s=windows.start_s[judged],
        move=np.expm1(windows.log_return[judged]),
        psr=psr,
        filtered=now,
        down=_forecast([d.down for d in days], psr, knobs.es_level),
        up=_forecast([d.up for d in days], psr, knobs.es_level),
    )


@dataclass(frozen=True, kw_only=True)
class _Tail:
    """Losses beyond VaR, of one side."""

    worst: Floats
    """The losses, the smallest first."""
    weight: float
    """How many of them the tail holds; the smallest counts with what is left of this."""

    @property
    def es(self) -> float:
        """Rockafellar–Uryasev mean."""
        return float((self.worst.sum() - (self.worst.size - self.weight) * self.worst[0]) / self.weight)


@dataclass(frozen=True, kw_only=True)
class _Day:
    """One day's estimate."""

    psr: float
    now: float
    down: _Tail
    up: _Tail


class _Stressed:
    """`stressed_period` of the first so many windows: periods that are complete are compared once for all days."""

    def __init__(self, windows: Windows, days: float) -> None:
        starts, length_s = windows.start_s, days * DAY_S
        self._long_enough = int(np.searchsorted(starts, starts[0] + length_s, side="left")) + 1
        self._ends = np.searchsorted(starts, starts + length_s, side="left")
        self._total = np.concatenate(([0.0], np.cumsum(windows.log_return**2)))
        sums = self._total[self._ends] - self._total[:-1]
        # The first window at which the largest sum so far was reached.
        rises = np.diff(np.maximum.accumulate(sums), prepend=-np.inf) > 0.0
        self._best = np.maximum.accumulate(np.where(rises, np.arange(sums.size), 0))
        self._sums = sums

    def on(self, past: int) -> slice:
        """The period within the first `past` windows."""
        if past < self._long_enough:
            return slice(0, past)
        complete = int(np.searchsorted(self._ends, past, side="right"))
        cut = self._total[past] - self._total[complete:past]
        best = complete + int(np.argmax(cut)) if cut.size else past
        if complete:
            whole = int(self._best[complete - 1])
            if not cut.size or self._sums[whole] >= cut[best - complete]:
                best = whole
        return slice(best, min(past, int(self._ends[best])))


class _Tails:
    """The terms of the scan range at any past day."""

    def __init__(self, windows: Windows, knobs: RiskKnobs) -> None:
        self._windows = windows
        self._knobs = knobs
        self._period = _Stressed(windows, knobs.stress_days)
        self._stressed = slice(0, 0)
        self._stress = 0.0

    def on(self, past: int, variance: float) -> _Day:
        """The estimate from the first `past` windows, at the variance known then."""
        windows, knobs = self._windows, self._knobs
        normal = normal_shortfall(variance, days=windows.horizon_s / DAY_S, level=knobs.es_level)
        down, up = self._both(filtered(windows.log_return[:past], windows.start_variance[:past], variance))
        now = max(down.es, up.es, normal)
        stress = max(self._stress_on(past), normal)
        wanted = max(floor_of(self._worse(slice(0, past)), knobs), blend_of(now, stress, knobs))
        step = knobs.psr_lattice_ppm
        top = knobs.psr_ceiling_ppm // step * step or knobs.psr_ceiling_ppm
        psr = min(top, lattice.up(lattice.to_ppm(wanted), step)) / 1e6
        return _Day(psr=psr, now=now, down=down, up=up)

    def _stress_on(self, past: int) -> float:
        period = self._period.on(past)
        if period != self._stressed:
            self._stressed, self._stress = period, self._worse(period)
        return self._stress

    def _worse(self, period: slice) -> float:
        return max(0.0, *(tail.es for tail in self._both(self._windows.log_return[period])))

    def _both(self, log_returns: Floats) -> tuple[_Tail, _Tail]:
        """Tails of a long and of a short unit; the exponential is taken of the worst moves alone."""
        n = log_returns.size
        weight = (1.0 - self._knobs.es_level) * n
        size = min(n, max(1, int(np.ceil(weight - 1e-12 * n))))
        split = np.partition(log_returns, (size - 1, n - size))
        down, up = -np.expm1(split[:size]), np.expm1(split[n - size :])
        return _Tail(worst=_smallest_first(down), weight=weight), _Tail(worst=_smallest_first(up), weight=weight)


def _smallest_first(losses: Floats) -> Floats:
    """The smallest in front; the others as they are."""
    first = int(np.argmin(losses))
    losses[[0, first]] = losses[[first, 0]]
    return losses


def _forecast(tails: list[_Tail], psr: Floats, level: float) -> TailForecast:
    """The sample's own tails of each day, scaled so that their ES is the scan range."""
    scale = np.array([tail.worst[0] / tail.es if tail.es > 0.0 else 1.0 for tail in tails])
    # The worst moves hold the whole tail: within them it begins at this level.
    shapes = [tail_shape(tail.worst, 1.0 - tail.weight / tail.worst.size, points=_POINTS) for tail in tails]
    return TailForecast(level=level, var=scale * psr, es=psr, shape=np.stack(shapes))
