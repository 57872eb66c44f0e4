"""Target parameters of an underlying from its recorded history, each with the reasons for it.

The scan range is the very estimate that the daemon makes from oracle rounds (`scan_range`), from a longer
history.  Beside it stand: how sure it is (bootstrap), how it would have done over its own sample (in sample, windows
that do not overlap, and the rate of overlapping ones), how the same rule would have done day by day without knowing the
future (out of sample), what it costs and how much it swings, and what its breaches permit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.risk.backtest.judge import RECENT, Judgement, judge, worse
from keeper.risk.backtest.overlap import hac_rate, non_overlapping
from keeper.risk.backtest.procyclicality import average_excess, largest_window_call, peak_to_trough
from keeper.risk.backtest.shortfall import static_forecast
from keeper.risk.backtest.traffic_light import TrafficLight, traffic_light
from keeper.risk.calibration.bootstrap import Interval, SortedSample, interval, mean_block, replicate
from keeper.risk.calibration.feedback import Allowed, after_breaches
from keeper.risk.calibration.haircuts import Haircut, haircut
from keeper.risk.calibration.rolling import Rolling, roll
from keeper.risk.calibration.scan_range import ScanRange, blend_of, floor_of, normal_shortfall, scan_range_of
from keeper.risk.generate.depeg import KNOWN
from keeper.risk.timeseries.volatility import DAY_S, DAYS_PER_YEAR, Unestimated
from keeper.risk.timeseries.windows import Windows, windows_of_history

Floats = npt.NDArray[np.float64]

_PEGS: Final = {fall.symbol: fall.factor for fall in KNOWN}


class Side(StrEnum):
    """Who loses."""

    LONG = "long"
    """When the price falls."""
    SHORT = "short"
    """When the price rises."""

    def losses(self, moves: Floats) -> Floats:
        """Of one unit of spot, positive is bad."""
        return -moves if self is Side.LONG else moves


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a calibration rests on."""

    name: str
    first_s: int
    """Unix seconds of the first price."""
    last_s: int
    """Unix seconds of the last price."""
    prices: int
    """Observations."""
    step_s: int
    """Usual distance of two of them."""
    gaps: int
    """Stretches in which at least one observation is missing."""
    longest_gap_s: int
    """0 without gaps."""
    windows: int
    """Overlapping horizon moves with both ends observed."""
    apart: int
    """Of them, those that do not overlap."""
    vol_now: float
    """Annual EWMA volatility at the end."""
    vol_mean: float
    """Annual, over all windows."""


@dataclass(frozen=True, kw_only=True)
class Swing:
    """Procyclicality, cost and coverage of one way to set margin, over the days of the rolling backtest."""

    label: str
    peak_to_trough: float
    call_5: float
    """Largest rise within five horizons, relative."""
    mean: float
    """Mean margin, fraction of spot."""
    cost: float
    """Mean margin less the larger side's loss, fraction of spot."""
    breached: float
    """Share of windows in which either side lost more than the margin."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Target scan range of one underlying, with its reasons."""

    sample: Sample
    scan: ScanRange
    interval: Interval
    """Of the scan range before rounding and ceiling, fraction of spot."""
    in_sample: Mapping[Side, Judgement]
    """The target, held still over its own sample."""
    overlapping: Mapping[Side, tuple[float, float]]
    """Rate of breaches of all overlapping windows, and its HAC error."""
    out_of_sample: Mapping[Side, Judgement] | Unestimated
    """The rule, day by day."""
    judged: tuple[int, int] | None
    """First and last start of the windows out of sample, unix seconds."""
    swings: tuple[Swing, ...]
    """Empty without a rolling backtest."""
    allowed: Allowed
    """What the breaches of what is in force permit."""
    haircut: Haircut | Unestimated
    """What not to count of it as collateral, from the same shortfalls; with the lost peg of a token that had one."""


def calibrate(
    history: PriceHistory,
    knobs: RiskKnobs,
    *,
    rng: np.random.Generator,
    replicates: int,
    in_force_ppm: int | None = None,
    tick: Callable[[int, int], None] = lambda _done, _of: None,
) -> Calibration | Unestimated:
    """Calibrate the price scan range.

    Args:
        history: recorded prices.
        knobs: the operator's choices, `history_days` aside: all of the history is used.
        rng: for bootstrap and shortfall tests; one seed gives one answer.
        replicates: bootstrap samples.
        in_force_ppm: scan range whose breaches decide what is permitted; the target itself if None.
        tick: told how many of how many days of the rolling backtest are done.

    Returns:
        `Unestimated` if no window lies in the data, or the price never moved.
    """
    horizon_s = knobs.horizon_hours * 3600.0
    windows = windows_of_history(history, horizon_s=horizon_s, decay_per_day=knobs.ewma_lambda)
    apart = windows.some(non_overlapping(windows.start_s, horizon_s))
    if len(apart) < knobs.min_observations:
        return Unestimated(
            reason=f"{history.name} has {len(apart)} whole windows of {knobs.horizon_hours:g} h that do not overlap, "
            f"{knobs.min_observations} needed"
        )
    if windows.variance_now <= 0.0 or not windows.log_return.any():
        return Unestimated(reason=f"the price of {history.name} did not move")
    scan = scan_range_of(windows, knobs)
    spread = _interval(windows, scan, knobs, rng=rng, replicates=replicates)
    psr = scan.psr_ppm / 1e6
    moves, every = np.expm1(apart.log_return), np.expm1(windows.log_return)
    level = knobs.es_level
    in_sample = {
        side: judge(
            side.losses(moves),
            psr,
            static_forecast(side.losses(every), level, es=psr, windows=len(apart)),
            rng=rng,
        )
        for side in Side
    }
    rolling = roll(windows, knobs, tick=tick)
    in_force = scan.psr_ppm if in_force_ppm is None else in_force_ppm
    light = _light(moves[-RECENT:], in_force / 1e6, level)
    later = None if isinstance(rolling, Unestimated) else rolling
    return Calibration(
        sample=_sample(history, windows, apart),
        scan=scan,
        interval=spread,
        in_sample=in_sample,
        overlapping={side: hac_rate(side.losses(every) > psr, lags=windows.per_horizon) for side in Side},
        out_of_sample=_out_of_sample(rolling, rng),
        judged=(int(later.start_s[0]), int(later.start_s[-1])) if later else None,
        swings=_swings(later, psr) if later else (),
        allowed=after_breaches(scan.psr_ppm, in_force_ppm=in_force, light=light, knobs=knobs),
        haircut=haircut(windows, knobs, peg=_PEGS.get(history.name, 1.0)),
    )


def _interval(
    windows: Windows, scan: ScanRange, knobs: RiskKnobs, *, rng: np.random.Generator, replicates: int
) -> Interval:
    """Of the scan range before rounding: history and filtered history are drawn again, together.

    The stressed period is one crash and stays what it was.  So does the current volatility.
    """
    level = knobs.es_level
    sides = [
        sign * np.expm1(log_returns) for log_returns in (windows.log_return, windows.filtered()) for sign in (-1.0, 1.0)
    ]
    drawn = replicate(
        [SortedSample(losses, level) for losses in sides],
        size=len(windows),
        mean_length=mean_block(len(windows), windows.per_horizon),
        rng=rng,
        count=replicates,
    )
    normal = normal_shortfall(windows.variance_now, days=windows.horizon_s / DAY_S, level=level)
    stress = max(scan.stress, normal)
    return interval(
        [max(floor_of(max(a, b), knobs), blend_of(max(c, d, normal), stress, knobs)) for a, b, c, d in drawn.tolist()]
    )


def _light(moves: Floats, psr: float, level: float) -> TrafficLight:
    """The worse side's light."""
    long, short = (
        traffic_light(int((side.losses(moves) > psr).sum()), trials=moves.size, probability=1.0 - level)
        for side in Side
    )
    return worse(long, short)


def _out_of_sample(rolling: Rolling | Unestimated, rng: np.random.Generator) -> Mapping[Side, Judgement] | Unestimated:
    if isinstance(rolling, Unestimated):
        return rolling
    return {
        Side.LONG: judge(Side.LONG.losses(rolling.move), rolling.psr, rolling.down, rng=rng),
        Side.SHORT: judge(Side.SHORT.losses(rolling.move), rolling.psr, rolling.up, rng=rng),
    }


def _swings(rolling: Rolling, psr: float) -> tuple[Swing, ...]:
    loss = np.abs(rolling.move)
    return tuple(
        Swing(
            label=label,
            peak_to_trough=peak_to_trough(margin),
            call_5=largest_window_call(margin, 5),
            mean=float(margin.mean()),
            cost=average_excess(margin, loss),
            breached=float((loss > margin).mean()),
        )
        for label, margin in (
            ("this rule", rolling.psr),
            ("the target in hindsight", np.full(loss.size, psr)),
            ("filtered history alone", rolling.filtered),
        )
    )


def _sample(history: PriceHistory, windows: Windows, apart: Windows) -> Sample:
    gaps = history.gaps()
    per_year = DAYS_PER_YEAR * DAY_S
    return Sample(
        name=history.name,
        first_s=int(history.time_s[0]),
        last_s=int(history.time_s[-1]),
        prices=len(history),
        step_s=history.step_s,
        gaps=len(gaps),
        longest_gap_s=max((after - before for before, after in gaps), default=0),
        windows=len(windows),
        apart=len(apart),
        vol_now=float(np.sqrt(windows.variance_now * DAYS_PER_YEAR)),
        vol_mean=float(np.sqrt(np.mean(windows.log_return**2) / windows.horizon_s * per_year)),
    )
