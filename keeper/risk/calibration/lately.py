"""What the target was a while ago, estimated again from the rounds that were known then.

Nothing is remembered for it: a restart, another machine and a replay find the same.  Today's knobs count, so that a
choice of the operator's binds at once.
"""

from __future__ import annotations

from typing import Final

from keeper.domain.knobs import RiskKnobs
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import UnderlyingState
from keeper.risk.calibration.scan_range import ranges, scan_range
from keeper.risk.exact.riskfile import DAY
from keeper.risk.timeseries.volatility import Unestimated, estimate

#: Moments that are looked at, evenly spread and ending with the earliest.
SAMPLES: Final = 6


def highest_lately(state: UnderlyingState, now: int, knobs: RiskKnobs, *, over_s: int) -> tuple[Ranges, int] | None:
    """The highest scan ranges aimed at in the last `over_s` seconds, each range by itself.

    Returns: them, and when the highest price scan range was; None if at no moment of then there was an estimate.
    """
    found = []
    for sample in range(1, SAMPLES + 1):
        then = now - over_s * sample // SAMPLES
        since = then - knobs.history_days * DAY
        rounds = [o for o in state.history if since <= o.time <= then]
        series = estimate(rounds, decay_per_day=knobs.ewma_lambda, min_rounds=knobs.min_observations)
        if not isinstance(series, Unestimated):
            found.append((ranges(scan_range(series, knobs), knobs), then))
    if not found:
        return None
    highest = Ranges(
        psr_ppm=max(one.psr_ppm for one, _ in found),
        vsr_up_ppm=max(one.vsr_up_ppm for one, _ in found),
        vsr_down_ppm=max(one.vsr_down_ppm for one, _ in found),
    )
    return highest, max(then for one, then in found if one.psr_ppm == highest.psr_ppm)
