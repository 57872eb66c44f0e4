"""Rows from a market's history: filtered to today's volatility, or drawn with its dependence.

A history that does not know every underlying an account holds makes no row: half of a joint move is none.  Whatever
keeps rows away is said, and so is every model that was wanted and could not be had.

Rows depend on the history and on the names of the market, not on the account: they are estimated once for a history,
and an account before its orders, after them and every other account of that market read the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.generate.history import history as past_rows
from keeper.risk.generate.simulation import draws
from keeper.risk.kernel.market import History, Market
from keeper.risk.kernel.rows import Historical, Simulated
from keeper.risk.kernel.scenarios import Generator, NoRows, Scenarios
from keeper.risk.timeseries.conditional import conditional
from keeper.risk.timeseries.dependence import decay_weights, joint_correlation
from keeper.risk.timeseries.fhs import Filtered, filter_returns
from keeper.risk.timeseries.panel import Panel
from keeper.risk.timeseries.volatility import Model, Unestimated

Floats = npt.NDArray[np.float64]

#: Estimates that are kept: a market has two blocks of them, and a process few markets at a time.
_KEPT: Final = 8


def rows_of_past(rows: Historical | Simulated, market: Market, held: Sequence[str]) -> Scenarios | NoRows | None:
    """Joint moves of the past at today's volatility, or Student-t moves that are dependent as those were.

    Args:
        rows: which of the two, and how.
        market: its history is looked at, and its names are the table's.
        held: underlyings of the account.

    Returns:
        None where there is no history or nothing to move; `NoRows` where there is, and it cannot be used.
    """
    past = market.history
    if past is None or not held:
        return None
    strange = [name for name in held if name not in past.underlyings]
    if strange:
        return NoRows(reason=f"the history has no {', '.join(strange)}")
    stuck = [name for name in held if not past.returns[:, past.underlyings.index(name)].any()]
    if stuck:
        return NoRows(reason=f"the price of {', '.join(stuck)} never moved in its history")
    names = tuple(one.symbol for one in market.underlyings)
    tokens = tuple(one.symbol for one in market.collaterals)
    if isinstance(rows, Historical):
        return _historical(rows, past, names, tokens)
    return _simulated(rows, past, names, tokens)


@lru_cache(maxsize=_KEPT)
def _historical(rows: Historical, past: History, names: tuple[str, ...], tokens: tuple[str, ...]) -> Scenarios | NoRows:
    found = _filtered(past, rows.decay, None)
    if isinstance(found, Unestimated):
        return NoRows(reason=found.reason)
    tags = [past.tags[i] for i in found.raw.time_s // found.raw.horizon_s - 1]
    return _laid_out(found, found.returns, tags, names, tokens)


@lru_cache(maxsize=_KEPT)
def _simulated(rows: Simulated, past: History, names: tuple[str, ...], tokens: tuple[str, ...]) -> Scenarios | NoRows:
    found = _filtered(past, rows.decay, rows.model)
    if isinstance(found, Unestimated):
        return NoRows(reason=found.reason)
    weights = decay_weights(found.age_days, decay_per_day=rows.correlation_decay)
    correlation = joint_correlation(found.residuals, weights=weights)
    if isinstance(correlation, Unestimated):
        return NoRows(reason=correlation.reason)
    drawn = draws(np.random.default_rng(rows.seed), rows=rows.draws, correlation=correlation, dof=rows.dof)
    tags = [f"draw {i}" for i in range(1, rows.draws + 1)]
    table = _laid_out(found, drawn * found.vol_now, tags, names, tokens)
    return replace(table, generator=Generator.SIMULATION, notes=_fallbacks(found, rows.model))


def _filtered(past: History, decay: float, model: Model | None) -> Filtered | Unestimated:
    """Everything that moved, spots and volatilities alike, joint: what stands still has no volatility to scale by."""
    moving = [f"{name}{kind}" for name, kind, _ in _moved(past)]
    if not moving:
        return Unestimated(reason="nothing moved in the history")
    period_s = round(past.period_hours * 3600)
    panel = Panel(
        symbols=tuple(moving),
        # Periods follow each other; the tags are for people, and their distance is the period.
        time_s=np.arange(1, len(past.tags) + 1, dtype=np.int64) * period_s,
        returns=np.column_stack([column for _, _, column in _moved(past)]),
        horizon_s=period_s,
    )
    return filter_returns(panel, conditional(panel, model=model, decay_per_day=decay))


#: What follows a symbol where its volatility is meant, not its price.
_VOL: Final = " vol"


def _moved(past: History) -> list[tuple[str, str, Floats]]:
    """(symbol, empty or `_VOL`, changes of its logarithm) of each price and each volatility that ever moved."""
    columns = [
        (name, kind, values[:, u])
        for kind, values in (("", past.returns), (_VOL, past.vol_returns))
        if values is not None
        for u, name in enumerate(past.underlyings)
    ]
    return [one for one in columns if one[2].any()]


def _laid_out(
    found: Filtered, moves: Floats, tags: Sequence[str], names: tuple[str, ...], tokens: tuple[str, ...]
) -> Scenarios:
    """Moves of what was filtered as a table over the market's underlyings; what is not among them stays."""
    where = {symbol: k for k, symbol in enumerate(found.raw.symbols)}
    spot, vol = np.zeros((len(tags), len(names))), np.zeros((len(tags), len(names)))
    for u, name in enumerate(names):
        for symbol, out in ((name, spot), (name + _VOL, vol)):
            if symbol in where:
                out[:, u] = moves[:, where[symbol]]
    return past_rows(spot, symbols=names, tags=tags, underlyings=names, collaterals=tokens, vol_returns=vol)


def _fallbacks(found: Filtered, wanted: Model | None) -> tuple[str, ...]:
    """Which volatilities are not of the model that was wanted, and why; those with one reason together."""
    others: dict[str, list[str]] = {}
    for symbol, model in zip(found.raw.symbols, found.models, strict=True):
        if wanted is not None and model != str(wanted):
            others.setdefault(model, []).append(symbol)
    return tuple(f"{', '.join(symbols)} by {model}" for model, symbols in others.items())
