"""Evidence about volatilities: how often recorded ones left their bounds, or moved further than a fence lets them.

Recorded volatilities are those of --vol-history, at the money.  Where there are none, the volatility that the kernel
itself estimates from prices (EWMA) stands in, as a 30-day one; the answer says which it was.
"""

from __future__ import annotations

import numpy as np

from keeper.domain.vols import VolHistory
from keeper.governance.evidence.records import Answer, Question, Records, held_still, percent
from keeper.risk.backtest.overlap import non_overlapping
from keeper.risk.calibration.vol_range import vol_moves
from keeper.risk.timeseries.volatility import Unestimated

_PPM = 1e6
_DAYS_A_YEAR = 365.0


def bound(q: Question, asset: str, records: Records) -> Answer:
    """Lowest or highest volatility, or a first one: recorded ones beyond it."""
    history = _history(asset, records)
    if isinstance(history, str):
        return history
    low = q.key in ("sigma_min_ppm", "vol_floor_ppm")
    sign = -1.0 if low else 1.0
    old, new = (None if raw is None else sign * raw / _PPM for raw in (q.old, q.new))
    worst = float(history.vol.min() if low else history.vol.max())
    asked = "volatilities " + ("below it" if low else "above it")
    return held_still(q, sign * history.vol, asked=asked, history=history, old=old, new=new, worst=percent(worst))


def fence(q: Question, asset: str, records: Records) -> Answer:
    """A step or a day's budget of the level: moves over a day that were larger, each divided by its tenor's factor."""
    history = _history(asset, records)
    if isinstance(history, str):
        return history
    moves = vol_moves(history, records.knobs)
    if isinstance(moves, Unestimated):
        return moves.reason
    far = np.zeros(len(moves.windows))
    np.maximum.at(far, moves.moment, np.abs(moves.log_move) / moves.factor)
    far = far[non_overlapping(moves.windows.start_s, moves.windows.horizon_s)]
    words = "asked for more than one step" if "step" in q.key else "asked for more than the day's budget"
    old, new = (None if raw is None else raw / _PPM for raw in (q.old, q.new))
    return held_still(
        q,
        far,
        asked=f"moves over {records.knobs.horizon_hours:g} h that {words}",
        history=history,
        old=old,
        new=new,
        worst=f"|Δ ln σ| {far.max():.3f} of m",
    )


def vol_range(q: Question, asset: str, records: Records) -> Answer:
    """A volatility scan range or a bound of it: moves that way that were larger, as 30-day ones."""
    history = records.vols.get(asset)
    if history is None:
        return f"no volatilities of {asset} are at hand; give them with --vol-history"
    moves = vol_moves(history, records.knobs)
    if isinstance(moves, Unestimated):
        return moves.reason
    up = "vsr_up" in (*q.path, q.key.removesuffix("_ppm"))
    shocks = np.bincount(moves.moment, weights=moves.share * moves.shocks()).astype(np.float64)
    apart = (1.0 if up else -1.0) * shocks[non_overlapping(moves.windows.start_s, moves.windows.horizon_s)]
    old, new = (None if raw is None else raw / _PPM for raw in (q.old, q.new))
    return held_still(
        q,
        apart,
        asked=f"moves {'up' if up else 'down'} over {records.knobs.horizon_hours:g} h that were larger",
        history=history,
        old=old,
        new=new,
        worst=percent(float(apart.max())),
        rate=1.0 - records.knobs.es_level,
    )


def _history(asset: str, records: Records) -> VolHistory | str:
    """Recorded volatilities, or the kernel's own estimate; why neither."""
    if asset in records.vols:
        return records.vols[asset]
    if asset not in records.prices:
        return f"neither volatilities nor prices of {asset} are at hand; give them with --vol-history or --prices"
    windows = records.windows(asset)
    known = windows.start_variance > 0.0
    if not known.any():
        return (
            f"the price of {asset} has no volatility yet: {len(windows)} windows of {records.knobs.horizon_hours:g} h"
        )
    return VolHistory(
        name=f"EWMA of {asset}",
        time_s=windows.start_s[known].astype(np.int64),
        expiry_s=np.zeros(int(known.sum()), dtype=np.int64),
        vol=np.sqrt(windows.start_variance[known] * _DAYS_A_YEAR),
    )
