"""Moves of a price over the liquidation horizon, each with the volatility that was known when it began.

A window is one such move.  Windows are laid backwards from the newest price, at most `STEPS_PER_HORIZON` to a horizon:
overlapping ones steady the tail of an estimate, but they are no independent trials (`keeper.risk.backtest.overlap`).
Oracle rounds hold their price until the next round.  Recorded bars do not: a window that begins or ends in a gap is
left out, and a step across a gap enters no volatility.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.prices import PriceHistory
from keeper.errors import LawBroken
from keeper.risk.timeseries.volatility import DAY_S, Series, filtered, horizon_returns

Floats = npt.NDArray[np.float64]

#: Overlapping windows start this many times per horizon.
STEPS_PER_HORIZON: Final = 24
#: A day's price may come this much later than a day after the last: a heartbeat is not a clock.
_LATE: Final = 1.05


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Horizon moves in order of time."""

    start_s: Floats
    """Unix seconds, ascending, shape (n,)."""
    log_return: Floats
    """Shape (n,)."""
    start_variance: Floats
    """EWMA variance per day known at the start, shape (n,); 0 where none was."""
    variance_now: float
    """EWMA variance per day at the end of the data."""
    horizon_s: float
    """Length of each."""
    step_s: float
    """Distance of two starts where no gap lies between them."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if a number is not finite, or shapes differ."""
        if not self.start_s.shape == self.log_return.shape == self.start_variance.shape:
            raise LawBroken("windows have more returns than starts, or fewer")
        if not (np.isfinite(self.log_return).all() and np.isfinite(self.start_variance).all()):
            raise LawBroken("a window's return or volatility is not a number")

    def __len__(self) -> int:
        """Windows, overlapping ones included."""
        return int(self.start_s.size)

    @property
    def per_horizon(self) -> int:
        """Windows that start within one horizon; 1 if they do not overlap."""
        return max(1, round(self.horizon_s / self.step_s))

    def filtered(self) -> Floats:
        """Log returns scaled from the volatility of their day to today's (FHS), shape (n,)."""
        return filtered(self.log_return, self.start_variance, self.variance_now)

    def some(self, chosen: slice | npt.NDArray[np.int64]) -> Windows:
        """The same, of some of them."""
        return Windows(
            start_s=self.start_s[chosen],
            log_return=self.log_return[chosen],
            start_variance=self.start_variance[chosen],
            variance_now=self.variance_now,
            horizon_s=self.horizon_s,
            step_s=self.step_s,
        )


def windows_of_rounds(series: Series, *, horizon_s: float) -> Windows:
    """Windows of oracle rounds; none if the series is shorter than the horizon."""
    step_s = horizon_s / STEPS_PER_HORIZON
    returns, variance = horizon_returns(series, horizon_s=horizon_s, step_s=step_s)
    back = np.arange(len(returns) - 1, -1, -1, dtype=np.float64)
    return Windows(
        start_s=series.time_s[-1] - step_s * back - horizon_s,
        log_return=returns,
        start_variance=variance,
        variance_now=float(series.variance_per_day[-1]),
        horizon_s=horizon_s,
        step_s=step_s,
    )


def windows_of_history(history: PriceHistory, *, horizon_s: float, decay_per_day: float) -> Windows:
    """Windows of recorded prices, gaps left open.

    They start no more often than prices were recorded; with a horizon shorter than that there are none.
    """
    step_s = max(horizon_s / STEPS_PER_HORIZON, float(history.step_s))
    span = float(history.time_s[-1] - history.time_s[0])
    fine_enough = history.step_s <= _LATE * horizon_s
    count = int((span - horizon_s) // step_s) + 1 if span >= horizon_s and fine_enough else 0
    ends = history.time_s[-1] - step_s * np.arange(count - 1, -1, -1, dtype=np.float64)
    start, end = history.known(ends - horizon_s), history.known(ends)
    whole = (start >= 0) & (end >= 0)
    log_price = np.log(history.close)
    variance = variances(history, decay_per_day=decay_per_day)
    return Windows(
        start_s=(ends - horizon_s)[whole],
        log_return=log_price[end[whole]] - log_price[start[whole]],
        start_variance=variance[start[whole]],
        variance_now=float(variance[-1]),
        horizon_s=horizon_s,
        step_s=step_s,
    )


def variances(history: PriceHistory, *, decay_per_day: float) -> Floats:
    """EWMA variance per day at each observation: Σ λ^age·r² / Σ λ^age·Δt over the steps that are no gaps.

    Returns:
        shape (n,), 0 before the first step.  What was known before a gap ages through it, and no return bridges it.
    """
    if not 0.0 < decay_per_day < 1.0:
        raise LawBroken(f"EWMA decay {decay_per_day} is not between 0 and 1", decay=decay_per_day)
    seconds = np.diff(history.time_s).astype(np.float64)
    keep = decay_per_day ** (seconds / DAY_S)
    joined = seconds <= history.hold_s
    squares = np.where(joined, np.diff(np.log(history.close)) ** 2, 0.0)
    days = np.where(joined, seconds / DAY_S, 0.0)
    out = np.zeros(len(history))
    total = time = 0.0
    for i, (k, r2, dt) in enumerate(zip(keep.tolist(), squares.tolist(), days.tolist(), strict=True), start=1):
        total, time = total * k + r2, time * k + dt
        out[i] = total / time if time > 0.0 else 0.0
    return out
