"""Rows from a market's history: filtered to today's volatility, or drawn with its dependence.

A history that does not know every underlying an account holds makes no row: half of a joint move is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from keeper.risk.conditional import ewma_conditional
from keeper.risk.dependence import decay_weights, repaired, weighted_correlation
from keeper.risk.fhs import Filtered, filter_returns
from keeper.risk.generate.history import history as past_rows
from keeper.risk.generate.simulation import simulation
from keeper.risk.kernel.market import History, Market
from keeper.risk.kernel.rows import Historical, Simulated
from keeper.risk.kernel.scenarios import Generator, Scenarios
from keeper.risk.panel import Panel
from keeper.risk.volatility import Unestimated

Floats = npt.NDArray[np.float64]


def historical(rows: Historical, past: History, market: Market) -> Scenarios | None:
    """Joint moves of the past at today's volatility; None where that cannot be estimated."""
    found = _filtered(past, rows.decay)
    if found is None:
        return None
    tags = [past.tags[i] for i in found.raw.time_s // found.raw.horizon_s - 1]
    return _laid_out(found.returns, past, market, tags=tags, with_vol=past.vol_returns is not None)


def simulated(rows: Simulated, past: History, market: Market) -> Scenarios | None:
    """Joint Student-t moves, dependent as in the past; None where that cannot be estimated."""
    found = _filtered(past, rows.decay)
    if found is None:
        return None
    weights = decay_weights(found.age_days, decay_per_day=rows.correlation_decay)
    measured = weighted_correlation(found.residuals, weights=weights)
    if isinstance(measured, Unestimated):
        return None
    drawn = simulation(
        rng=np.random.default_rng(rows.seed),
        rows=rows.draws,
        underlyings=found.raw.symbols,
        vol=found.vol_now,
        correlation=repaired(measured.matrix),
        dof=rows.dof,
    )
    moves = np.log(drawn.spot)
    table = _laid_out(moves, past, market, tags=drawn.tags, with_vol=past.vol_returns is not None)
    return replace(table, generator=Generator.SIMULATION)


def _joined(past: History) -> Floats:
    """Returns of spot, and of volatility after them where it was seen; shape (T, U) or (T, 2U)."""
    return past.returns if past.vol_returns is None else np.hstack((past.returns, past.vol_returns))


def _filtered(past: History, decay: float) -> Filtered | None:
    period_s = round(past.period_hours * 3600)
    names = past.underlyings + tuple(f"{one} vol" for one in past.underlyings if past.vol_returns is not None)
    panel = Panel(
        symbols=names,
        # Periods follow each other; the tags are for people, and their distance is the period.
        time_s=np.arange(1, len(past.tags) + 1, dtype=np.int64) * period_s,
        returns=_joined(past),
        horizon_s=period_s,
    )
    if not len(panel):
        return None
    found = filter_returns(panel, ewma_conditional(panel, decay_per_day=decay))
    return None if isinstance(found, Unestimated) else found


def _laid_out(moves: Floats, past: History, market: Market, *, tags: Sequence[str], with_vol: bool) -> Scenarios:
    """Moves as a table over the market's underlyings; one that the history does not know stays."""
    symbols = tuple(one.symbol for one in market.underlyings)
    unknown = tuple(name for name in symbols if name not in past.underlyings)
    count, still = len(past.underlyings), np.zeros((len(tags), len(unknown)))
    return past_rows(
        np.hstack((moves[:, :count], still)),
        symbols=past.underlyings + unknown,
        tags=tags,
        underlyings=symbols,
        collaterals=tuple(one.symbol for one in market.collaterals),
        vol_returns=np.hstack((moves[:, count:], still)) if with_vol else None,
    )
