"""The variance of each return of a panel as it was known before that return, and the one known now.

Each thing has its own model.  EWMA decays by real time, so that a gap ages what was known and adds nothing.  GARCH and
GJR run from return to return; where one cannot be fitted the EWMA takes its place, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.compiled import COMPILED
from keeper.risk.compiled.variance import ewma_panel
from keeper.risk.timeseries.garch import Innovation, Unfitted, fit, settled
from keeper.risk.timeseries.panel import Panel
from keeper.risk.timeseries.recursions import path, start_of
from keeper.risk.timeseries.volatility import DAY_S, Model

Floats = npt.NDArray[np.float64]

#: A variance from fewer returns is not known yet.
WARM_UP: Final = 20


@dataclass(frozen=True, kw_only=True)
class Conditional:
    """Variances of a panel's returns, in squared returns per horizon."""

    before: Floats
    """Known before each return began, shape (T, U); NaN where none was known yet."""
    now: Floats
    """Known after the last return of each thing, shape (U,); NaN where there are too few returns."""
    models: tuple[str, ...]
    """What made each: `EWMA 0.97`, `GARCH(1,1)`, or the EWMA with the reason why it is no GARCH."""


def ewma_conditional(panel: Panel, *, decay_per_day: float, warm_up: int = WARM_UP) -> Conditional:
    """EWMA of λ per day.

    Args:
        panel: its rows may overlap: what is known before a row was known at its start.
        decay_per_day: λ, above 0 and below 1.
        warm_up: returns from which a variance is known.
    """
    if not 0.0 < decay_per_day < 1.0:
        raise LawBroken(f"EWMA decay {decay_per_day} is not between 0 and 1", decay=decay_per_day)
    days = np.diff(panel.time_s, prepend=panel.time_s[:1]) / DAY_S
    after = weighted_variance(panel.returns, keep=decay_per_day**days)
    after[np.cumsum(~np.isnan(panel.returns), axis=0) < max(1, warm_up)] = np.nan
    known = np.searchsorted(panel.time_s, panel.time_s - panel.horizon_s, side="right") - 1
    before = np.where(known[:, None] >= 0, after[known], np.nan)
    name = f"EWMA {decay_per_day:g}"
    return Conditional(before=before, now=after[-1].copy(), models=(name,) * len(panel.symbols))


def weighted_variance(returns: Floats, *, keep: Floats) -> Floats:
    """Weighted mean of squares up to and with each row.

    Args:
        returns: shape (T, U); NaN tells nothing.
        keep: weight that the past still has at each row, shape (T,).

    Returns:
        shape (T, U); NaN before the first return of each.
    """
    out = np.empty(returns.shape)
    run = ewma_panel if COMPILED else _ewma_panel
    run(np.ascontiguousarray(returns, dtype=np.float64), np.ascontiguousarray(keep, dtype=np.float64), out)
    return out


def conditional(panel: Panel, *, model: Model | None, decay_per_day: float) -> Conditional:
    """The model of an operator's choice: a fitted one, falling back to EWMA thing by thing, or None for EWMA alone."""
    if model is None:
        return ewma_conditional(panel, decay_per_day=decay_per_day)
    return garch_conditional(panel, model=model, decay_per_day=decay_per_day)


def garch_conditional(
    panel: Panel,
    *,
    model: Model,
    decay_per_day: float,
    innovation: Innovation = Innovation.NORMAL,
    warm_up: int = WARM_UP,
) -> Conditional:
    """A fitted model for each thing that admits one, and the EWMA for the others.

    The model runs over the returns that are there, in order: across a gap as if there were none.

    Raises:
        LawBroken: the rows of the panel overlap.
    """
    if len(panel) > 1 and np.diff(panel.time_s).min() < panel.horizon_s:
        raise LawBroken(f"{model} needs returns that do not overlap")
    fallback = ewma_conditional(panel, decay_per_day=decay_per_day, warm_up=warm_up)
    before, now, models = fallback.before.copy(), fallback.now.copy(), list(fallback.models)
    for u, symbol in enumerate(panel.symbols):
        returns = panel.column(symbol)
        found = fit(returns, model=model, innovation=innovation)
        if isinstance(found, Unfitted):
            models[u] = f"{fallback.models[u]}: {found.reason}"
            continue
        taken = settled(found.coefficients)
        variance = path(returns, taken, first=start_of(returns, taken))
        before[:, u] = np.nan
        before[~np.isnan(panel.returns[:, u]), u] = variance[:-1]
        now[u] = variance[-1]
        models[u] = str(model)
    return Conditional(before=before, now=now, models=tuple(models))


def _ewma_panel(returns: Floats, keep: Floats, out: Floats) -> None:
    """The twin of the kernel where there is no compiler: the same operations in the same order, a row at a time."""
    mean, weight = np.full(returns.shape[1], np.nan), np.zeros(returns.shape[1])
    for t, (row, kept) in enumerate(zip(returns, keep.tolist(), strict=True)):
        weight = weight * kept
        square = row * row
        mixed = np.where(weight == 0.0, square, (mean * weight + square) / (weight + 1.0))
        there = ~np.isnan(row)
        mean = np.where(there, mixed, mean)
        weight = np.where(there, weight + 1.0, weight)
        out[t] = mean
