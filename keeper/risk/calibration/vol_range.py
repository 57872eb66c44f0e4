"""The volatility scan range: how far a 30-day volatility may move, up and down, before an account can be closed out.

    VSR = max(floor, (1 − w)·ES_now + w·ES_stress), rounded up to the lattice, for each direction

just as the price scan range, from moves of at-the-money volatility over the horizon.  Every listed expiry moves, short
ones more than long ones; the contract shocks a volatility by VSR·m, m = (30 / days to expiry)^power.  So the relative
move of each expiry is divided by its own m: it becomes the 30-day shock that would have covered it.  All expiries of
one moment share that moment's weight.  *now* scales the moves to the current volatility of volatility (FHS).

Sources: as `keeper.risk.calibration.scan_range`; term structure of the shock, contracts/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.domain.text import percent
from keeper.domain.vols import VolHistory
from keeper.risk import lattice
from keeper.risk.backtest.coverage import Breaches, Verdict, breaches, kupiec
from keeper.risk.backtest.overlap import non_overlapping
from keeper.risk.calibration.bootstrap import Interval, SortedSample, interval, mean_block, replicate
from keeper.risk.calibration.scan_range import days_of, normal_shortfall, stressed_period, wildest
from keeper.risk.tail import expected_shortfall
from keeper.risk.timeseries.volatility import DAY_S, Unestimated, filtered
from keeper.risk.timeseries.windows import Windows, variances

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: An expiry with less than this left at the end of a move is left out: its volatility is the noise of single ticks.
_LEAST_LEFT_S: Final = DAY_S
#: A move may be measured this many usual steps off the horizon, where snapshots do not fall on it.
_OFF_STEPS: Final = 0.75
#: Fewer moments than this give no estimate.
_LEAST_MOMENTS: Final = 60
#: Tenor that a volatility scan range is for, in days; m is 1 there.
_INDEX_DAYS: Final = 30.0


class Direction(StrEnum):
    """Which way a volatility moves."""

    UP = "up"
    DOWN = "down"

    def most_ppm(self, step: int) -> int:
        """The largest range that can be published, on the lattice: a volatility cannot fall to nothing."""
        return (5_000_000 if self is Direction.UP else 999_999) // step * step


@dataclass(frozen=True, kw_only=True)
class VolMoves:
    """Moves of at-the-money volatilities over the horizon."""

    windows: Windows
    """One per moment: the mean 30-day equivalent log move over its expiries, and the volatility of volatility then."""
    moment: Ints
    """Index of the window each move belongs to, shape (moves,)."""
    log_move: Floats
    """Of one expiry's volatility, shape (moves,)."""
    factor: Floats
    """m of that expiry when the move began, shape (moves,)."""
    share: Floats
    """Of its moment: 1 over the number of expiries, shape (moves,)."""

    def shocks(self, scale: Floats | float = 1.0) -> Floats:
        """Relative 30-day equivalent move, positive is up, each log move scaled first."""
        return np.asarray(np.expm1(self.log_move * scale) / self.factor)


@dataclass(frozen=True, kw_only=True)
class VolRange:
    """One direction of the volatility scan range and what made it."""

    way: Direction
    vsr_ppm: int
    """On the lattice."""
    now: float
    """Expected shortfall at the current volatility of volatility, relative, 30-day equivalent."""
    stress: float
    """Expected shortfall of the stressed period as it happened."""
    history: float
    """Expected shortfall of the whole history as it happened."""
    interval: Interval
    """Of the range before rounding."""
    seen: Breaches
    """Non-overlapping moments whose mean move over the expiries went beyond the range."""
    pof: Verdict
    """Is their rate 1 − α?"""
    first_s: int
    """Unix seconds of the first moment."""
    last_s: int
    """Unix seconds of the last moment that a move begins at."""
    moments: int
    """Moments with a move."""
    moves: int
    """Moves of listed expiries."""
    reason: str


def vol_moves(history: VolHistory, knobs: RiskKnobs) -> VolMoves | Unestimated:
    """Form the moves of a history.  `Unestimated` if there are too few moments, or volatility never moved."""
    horizon_s = knobs.horizon_hours * 3600.0
    start, end = _pairs(history, horizon_s, _OFF_STEPS * history.step_s)
    alive = (history.expiry_s[start] == 0) | (history.expiry_s[start] - history.time_s[end] >= _LEAST_LEFT_S)
    start, end = start[alive], end[alive]
    moments, moment, count = np.unique(history.time_s[start], return_inverse=True, return_counts=True)
    if moments.size < _LEAST_MOMENTS:
        return Unestimated(
            reason=f"{moments.size} moments of {history.name} have a volatility {knobs.horizon_hours:g} h later, "
            f"{_LEAST_MOMENTS} needed"
        )
    index = _index(history, knobs)
    variance = variances(index, decay_per_day=knobs.ewma_lambda)
    if variance[-1] <= 0.0:
        return Unestimated(reason=f"the volatility of {history.name} did not move over {moments.size} moments")
    move, factor = np.log(history.vol[end] / history.vol[start]), _factors(history, start, knobs)
    share = 1.0 / count[moment]
    windows = Windows(
        start_s=moments.astype(np.float64),
        log_return=np.bincount(moment, weights=share * move / factor).astype(np.float64),
        start_variance=variance[np.searchsorted(index.time_s, moments)],
        variance_now=float(variance[-1]),
        horizon_s=horizon_s,
        step_s=float(min(horizon_s, history.step_s)),
    )
    return VolMoves(windows=windows, moment=moment, log_move=move, factor=factor, share=share)


def vol_ranges(
    moves: VolMoves, knobs: RiskKnobs, *, rng: np.random.Generator, replicates: int
) -> tuple[VolRange, VolRange]:
    """Target volatility scan range, up and down.  Draws for *up* come first from `rng`."""
    return (
        _one_way(moves, knobs, Direction.UP, rng=rng, replicates=replicates),
        _one_way(moves, knobs, Direction.DOWN, rng=rng, replicates=replicates),
    )


def _one_way(
    moves: VolMoves, knobs: RiskKnobs, way: Direction, *, rng: np.random.Generator, replicates: int
) -> VolRange:
    windows, level = moves.windows, knobs.es_level
    sign = 1.0 if way is Direction.UP else -1.0
    scale = filtered(np.ones(len(windows)), windows.start_variance, windows.variance_now)
    raw, scaled = sign * moves.shocks(), sign * moves.shocks(scale[moves.moment])
    period = stressed_period(windows, knobs.stress_days)
    wild = (moves.moment >= period.start) & (moves.moment < period.stop)

    normal = normal_shortfall(windows.variance_now, days=windows.horizon_s / DAY_S, level=level)
    history = expected_shortfall(raw, level, moves.share / len(windows))
    current = expected_shortfall(scaled, level, moves.share / len(windows))
    stress = expected_shortfall(raw[wild], level, moves.share[wild] / (period.stop - period.start))

    def wanted(of_history: float, of_current: float) -> float:
        blend = (1.0 - knobs.stress_weight) * max(of_current, normal) + knobs.stress_weight * max(stress, normal)
        return max(knobs.floor_share * of_history, blend, 0.0)

    samples = [SortedSample(x, level, window=moves.moment, share=moves.share) for x in (raw, scaled)]
    length = mean_block(len(windows), windows.per_horizon)
    drawn = replicate(samples, size=len(windows), mean_length=length, rng=rng, count=replicates)

    target = wanted(history, current)
    vsr = min(way.most_ppm(knobs.psr_lattice_ppm), lattice.up(lattice.to_ppm(target), knobs.psr_lattice_ppm))
    mean_shock = np.bincount(moves.moment, weights=moves.share * raw)
    seen = breaches(mean_shock[non_overlapping(windows.start_s, windows.horizon_s)] > vsr / 1e6)
    binds = "whole history" if target <= knobs.floor_share * history else "blend of current and stressed moves"
    reason = (
        f"volatility {way} {vsr / 1e4:.2f} %: {binds} binds; ES {percent(level)} over {knobs.horizon_hours:g} h, as a "
        f"30-day shock, is {percent(current)} filtered, {percent(normal)} normal, {percent(history)} as it happened, "
        f"{percent(stress)} in {wildest(days_of(windows), knobs)}, from {len(raw)} moves of listed expiries at "
        f"{len(windows)} moments"
    )
    return VolRange(
        way=way,
        vsr_ppm=vsr,
        now=max(current, normal),
        stress=stress,
        history=history,
        interval=interval([wanted(a, b) for a, b in drawn.tolist()]),
        seen=seen,
        pof=kupiec(seen, 1.0 - level),
        first_s=int(windows.start_s[0]),
        last_s=int(windows.start_s[-1]),
        moments=len(windows),
        moves=len(raw),
        reason=reason,
    )


def _pairs(history: VolHistory, gap_s: float, off_s: float) -> tuple[Ints, Ints]:
    """Rows of one expiry about `gap_s` apart: each row, and the one nearest to so much later if within `off_s`."""
    starts, ends = [], []
    for expiry in np.unique(history.expiry_s):
        rows = np.flatnonzero(history.expiry_s == expiry)
        time = history.time_s[rows]
        right = np.clip(np.searchsorted(time, time + gap_s), 1, len(rows) - 1) if len(rows) > 1 else np.zeros(0, int)
        if not right.size:
            continue
        left = right - 1
        nearest = np.where(time + gap_s - time[left] < time[right] - time - gap_s, left, right)
        found = (np.abs(time[nearest] - time - gap_s) <= off_s) & (time[nearest] > time)
        starts.append(rows[found])
        ends.append(rows[nearest[found]])
    empty = [np.zeros(0, dtype=np.int64)]
    return np.concatenate(empty + starts), np.concatenate(empty + ends)


def _factors(history: VolHistory, rows: Ints, knobs: RiskKnobs) -> Floats:
    """m of each row's expiry, days floored at one; 1 for a 30-day index."""
    days = np.maximum(history.expiry_s[rows] - history.time_s[rows], DAY_S) / DAY_S
    power = np.where(days <= _INDEX_DAYS, knobs.term_short_power, knobs.term_long_power)
    return np.where(history.expiry_s[rows] == 0, 1.0, (_INDEX_DAYS / days) ** power)


def _index(history: VolHistory, knobs: RiskKnobs) -> PriceHistory:
    """A chain of mean 30-day equivalent moves from each moment to the next, as a series of its own."""
    moments, moment = np.unique(history.time_s, return_inverse=True)
    order = np.lexsort((history.time_s, history.expiry_s))
    before, after = order[:-1], order[1:]
    follows = (history.expiry_s[before] == history.expiry_s[after]) & (moment[after] == moment[before] + 1)
    before, after = before[follows], after[follows]
    move = np.log(history.vol[after] / history.vol[before]) / _factors(history, before, knobs)
    count = np.bincount(moment[before], minlength=moments.size - 1)
    mean = np.bincount(moment[before], weights=move, minlength=moments.size - 1) / np.maximum(count, 1)
    return PriceHistory(name=history.name, time_s=moments, close=np.exp(np.concatenate(([0.0], np.cumsum(mean)))))
