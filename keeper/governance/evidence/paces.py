"""Evidence about steps, budgets and rates: how often an honest scan range, estimated anew each day, moved further.

Each past day the calibration is repeated with what was known then (`keeper.risk.calibration.rolling`), and the day's
move of what it would have published is held against what fences let it move.  A day beyond a *budget* is one on which
the keeper would have fallen behind; a day beyond a *step* took it more than one publication.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from keeper.domain.prices import Floats
from keeper.governance.evidence.records import Answer, Question, Records, held_still, percent
from keeper.risk.timeseries.volatility import Unestimated

_PPM = 1e6
_HOURS_A_DAY = 24
#: What scan ranges, and so the requirement of a perp, have of the slew rate.  Source: contracts/src/libraries/Slew.sol.
_RANGES_SHARE = 0.4


def range_fence(q: Question, asset: str, records: Records) -> Answer:
    """A step or budget of the scan range: the tighter of relative and absolute, as the contract has it."""
    part = "step" if q.key.startswith("step") else "budget"
    now, then = records.fence(asset, "psr")

    def excess(fence: Mapping[str, int], psr: Floats) -> Floats:
        allowed = np.minimum(psr[:-1] * fence[f"{part}_rel_ppm"] / _PPM, fence[f"{part}_abs"] / _PPM)
        return np.abs(np.diff(psr)) - allowed

    words = "more than one step" if part == "step" else "more than the day's budget"
    return _judged(
        q,
        asset,
        records,
        lambda psr: (excess(now, psr), excess(then, psr)),
        asked=f"days on which the scan range asked for {words}",
    )


def joint_fence(q: Question, asset: str, records: Records) -> Answer:
    """The joint post-condition, by one of its portfolios: a perp, whose requirement is the scan range."""
    now, then = records.rules(asset, "jointFence", "joint_fence")

    def excess(fence: Mapping[str, int], psr: Floats) -> Floats:
        return np.abs(np.diff(psr)) / psr[:-1] - fence[q.key] / _PPM

    return _judged(
        q,
        asset,
        records,
        lambda psr: (excess(now, psr), excess(then, psr)),
        asked="days on which a perp's requirement asked for more",
    )


def slew(q: Question, asset: str, records: Records) -> Answer:
    """The slew rate: days on which maintenance, refreshed every hour, would not have caught up."""
    now, then = records.rules(asset, "config", "config")

    def excess(rules: Mapping[str, int], psr: Floats) -> Floats:
        a_day = (1.0 + _RANGES_SHARE * rules["slew_ppm_per_hour"] / _PPM) ** _HOURS_A_DAY - 1.0
        return np.abs(np.diff(psr)) / psr[:-1] - a_day

    return _judged(
        q,
        asset,
        records,
        lambda psr: (excess(now, psr), excess(then, psr)),
        asked="days after which maintenance is still on its way",
    )


def _judged(
    q: Question, asset: str, records: Records, excess: Callable[[Floats], tuple[Floats, Floats]], *, asked: str
) -> Answer:
    """Count the days on which a range moved further than it might: `excess` now and then, positive if it did."""
    history = records.prices.get(asset)
    if history is None:
        return f"no prices of {asset} are at hand; give them with --prices"
    rolled = records.rolled(asset)
    if isinstance(rolled, Unestimated):
        return f"the scan range cannot be estimated day by day: {rolled.reason}"
    over_now, over_then = (days > 0.0 for days in excess(rolled.psr))
    largest = float((np.abs(np.diff(rolled.psr)) / rolled.psr[:-1]).max())
    found = held_still(q, over_then.astype(np.float64), asked=asked, history=history, old=0.5, new=0.5,
                       worst=f"{percent(largest)} of itself")  # fmt: skip
    return replace(found, old_breaches=int(over_now.sum()))
