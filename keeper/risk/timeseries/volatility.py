"""Volatility from oracle rounds, which come when they like.

Rounds are updated by deviation and by heartbeat, so they are irregular in time.  Every estimate here weighs by actual
time: a return over Δt days adds r² to the variance and Δt to the time it is spread over, and both decay by λ per day.
Returns have zero mean.  A year has 365 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.snapshot import Observation
from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]

DAY_S: Final = 86_400.0
#: Days of a year of the vol clock.  Source: contracts/src/libraries/Black76.sol, YEAR.
DAYS_PER_YEAR: Final = 365.0
#: History that ran at another volatility is never stretched or shrunk by more than this factor.  Without a bound a jump
#: in a calm market would be scaled by the very volatility it caused.  Windows of ETH/USD rounds of 2023 rarely reach 2.
MAX_SCALE: Final = 3.0


class Model(StrEnum):
    """A recursion that is fitted (`keeper.risk.timeseries.garch`); its name is light to import, the fit is not."""

    GARCH = "GARCH(1,1)"
    GJR = "GJR-GARCH(1,1)"


@dataclass(frozen=True, kw_only=True)
class Unestimated:
    """No estimate, and why.  Parameters on-chain stay as they are."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Series:
    """Rounds in order, one per instant, with the EWMA volatility known at each."""

    time_s: Floats
    """Unix seconds, strictly ascending; shape (rounds,)."""
    log_price: Floats
    """Shape (rounds,)."""
    variance_per_day: Floats
    """EWMA variance of a day's log return known at that round, shape (rounds,); 0 at the first."""

    @property
    def vol_annual(self) -> float:
        """Volatility at the last round."""
        return float(np.sqrt(self.variance_per_day[-1] * DAYS_PER_YEAR))

    @property
    def mean_vol_annual(self) -> float:
        """Volatility over the whole series, every day weighing the same."""
        squares = float(np.sum(np.diff(self.log_price) ** 2))
        days = float(self.time_s[-1] - self.time_s[0]) / DAY_S
        return float(np.sqrt(squares / days * DAYS_PER_YEAR))


def estimate(rounds: Sequence[Observation], *, decay_per_day: float, min_rounds: int) -> Series | Unestimated:
    """Order the rounds and run the EWMA over them.

    Rounds may come in any order; of several at one instant the last given counts.

    Args:
        rounds: oracle rounds.
        decay_per_day: λ, above 0 and below 1.
        min_rounds: fewer distinct instants than this give no estimate.

    Returns:
        `Unestimated` if there are too few rounds, a price is not positive, or the price never moved.
    """
    if not 0.0 < decay_per_day < 1.0:
        raise LawBroken(f"EWMA decay {decay_per_day} is not between 0 and 1", decay=decay_per_day)
    bad = next((r for r in rounds if r.price <= 0), None)
    if bad is not None:
        return Unestimated(reason=f"the oracle round at {bad.time} has price {bad.price}")
    by_time = {r.time: r.price for r in rounds}
    if len(by_time) < max(2, min_rounds):
        return Unestimated(reason=f"{len(by_time)} oracle rounds, {max(2, min_rounds)} needed")
    times = sorted(by_time)
    time_s = np.array(times, dtype=np.float64)
    log_price = np.log(np.array([by_time[t] for t in times], dtype=np.float64))
    variance = _ewma(np.diff(time_s) / DAY_S, np.diff(log_price), decay_per_day)
    if variance[-1] <= 0.0:
        return Unestimated(reason=f"the price did not move over {len(times)} oracle rounds")
    return Series(time_s=time_s, log_price=log_price, variance_per_day=np.concatenate(([0.0], variance)))


def _ewma(days: Floats, returns: Floats, decay_per_day: float) -> Floats:
    """Variance per day after each return: Σ λ^age·r² / Σ λ^age·Δt."""
    out = np.empty(len(returns))
    squares = time = 0.0
    for i, (dt, r) in enumerate(zip(days.tolist(), returns.tolist(), strict=True)):
        keep = decay_per_day**dt
        squares, time = squares * keep + r * r, time * keep + dt
        out[i] = squares / time
    return out


def horizon_returns(series: Series, *, horizon_s: float, step_s: float) -> tuple[Floats, Floats]:
    """Log returns over a fixed horizon, sampled backwards from the last round.

    A price holds until the next round.  `step_s == horizon_s` gives non-overlapping returns; a smaller step gives
    overlapping ones, whose tail is steadier but whose breaches are not independent.

    Returns:
        returns: shape (n,), oldest first; empty if the series is shorter than the horizon.
        start_variance: variance per day known at the start of each; the first known one where none was yet.
    """
    first, last = series.time_s[0], series.time_s[-1]
    count = int((last - first - horizon_s) // step_s) + 1 if last - first >= horizon_s else 0
    ends = last - step_s * np.arange(count - 1, -1, -1, dtype=np.float64)
    end = np.searchsorted(series.time_s, ends, side="right") - 1
    start = np.searchsorted(series.time_s, ends - horizon_s, side="right") - 1
    known = np.maximum(start, 1)
    return series.log_price[end] - series.log_price[start], series.variance_per_day[known]


def filtered(returns: Floats, start_variance: Floats, variance_now: float | Floats) -> Floats:
    """Filtered historical simulation: each return scaled from the volatility of its day to today's.

    Returns of several underlyings have shape (T, U) and `variance_now` has shape (U,).  The factor is kept within
    `MAX_SCALE` of one; a return whose volatility was zero is left as it is.
    """
    safe = np.where(start_variance > 0.0, start_variance, variance_now)
    scale = np.clip(np.sqrt(variance_now / safe), 1.0 / MAX_SCALE, MAX_SCALE)
    return np.asarray(returns * scale)
