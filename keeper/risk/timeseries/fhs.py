"""Filtered historical simulation: the joint moves of the past, as if they came at today's volatility.

Each return is divided by the volatility known before it and multiplied by today's.  A row keeps its day: what moved
together stays together.  The factor is kept within `MAX_SCALE` of one; see there.

Source: Barone-Adesi, Giannopoulos, Vosper (1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.timeseries.conditional import Conditional
from keeper.risk.timeseries.panel import Panel
from keeper.risk.timeseries.volatility import DAY_S, Unestimated, filtered

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """Joint rows at today's volatility, N of them over U underlyings, oldest first."""

    raw: Panel
    """The rows as they happened, complete."""
    returns: Floats
    """Log returns at today's volatility, shape (N, U)."""
    residuals: Floats
    """Returns over the volatility known before them, not capped, shape (N, U): what dependence is measured on."""
    vol_now: Floats
    """Today's, per horizon, shape (U,)."""
    models: tuple[str, ...]
    """What made the volatility of each underlying."""

    @property
    def age_days(self) -> Floats:
        """Days from the end of each row to that of the newest, shape (N,)."""
        return np.asarray((self.raw.time_s[-1] - self.raw.time_s) / DAY_S, dtype=np.float64)


def filter_returns(panel: Panel, conditional: Conditional, *, min_rows: int = 1) -> Filtered | Unestimated:
    """Scale the joint rows of a panel.

    Rows in which an underlying has no return, or no volatility yet, are left out for all of them.

    Args:
        panel: T rows.
        conditional: variances of the same panel.
        min_rows: fewer joint rows than this give nothing.

    Returns:
        `Unestimated` if there are too few joint rows, or an underlying stands still today.
    """
    if conditional.before.shape != panel.returns.shape:
        raise LawBroken(f"variances of shape {conditional.before.shape} are not of {panel.returns.shape} returns")
    whole = ~(np.isnan(panel.returns) | np.isnan(conditional.before)).any(axis=1)
    if whole.sum() < max(1, min_rows):
        return Unestimated(
            reason=f"{', '.join(panel.symbols)} have {int(whole.sum())} joint returns over "
            f"{panel.horizon_s / 3600:g} h with a known volatility, {max(1, min_rows)} needed"
        )
    rows, before = panel.where(whole), conditional.before[whole]
    for symbol, variance in zip(panel.symbols, conditional.now, strict=True):
        if not 0.0 < variance < np.inf:
            return Unestimated(reason=f"{symbol} did not move lately: its volatility is {np.sqrt(variance):g}")
    vol = np.sqrt(before)
    return Filtered(
        raw=rows,
        returns=filtered(rows.returns, before, conditional.now),
        residuals=np.divide(rows.returns, vol, out=np.zeros_like(vol), where=vol > 0.0),
        vol_now=np.sqrt(conditional.now),
        models=conditional.models,
    )
