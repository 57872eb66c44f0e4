"""History: the joint moves of past days, one row each, optionally the newer ones more probable.

Rows usually come filtered, at today's volatility (`timeseries.fhs`); unfiltered they are the stressed period of EMIR.
A volatility moves with its day where its history is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keeper.errors import BadInput, LawBroken
from keeper.risk.finite import finite
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved
from keeper.risk.timeseries.dependence import decay_weights

Floats = npt.NDArray[np.float64]


def history(
    returns: npt.ArrayLike,
    *,
    symbols: Sequence[str],
    tags: Sequence[str],
    underlyings: tuple[str, ...],
    collaterals: tuple[str, ...] = (),
    vol_returns: npt.ArrayLike | None = None,
    age_days: npt.ArrayLike | None = None,
    decay_per_day: float | None = None,
) -> Scenarios:
    """One scenario per past row.

    Args:
        returns: joint log returns, shape (N, U'), oldest first.
        symbols: what they are of, U' of them; more than the underlyings is fine.
        tags: when each was, N of them.
        underlyings: the table's order; each must be among `symbols`.
        collaterals: the table's order; a collateral moves with its underlying or not at all here.
        vol_returns: changes of the logarithm of the 30-day volatility, shape (N, U'); None leaves volatilities.
        age_days: of each row, shape (N,), for `decay_per_day`.
        decay_per_day: probability ∝ λ^age; None leaves all rows alike.

    Raises:
        BadInput: an underlying has no history.
        LawBroken: shapes differ, or a value is not finite or overflows.
    """
    (moves,) = finite(returns=returns)
    missing = [name for name in underlyings if name not in symbols]
    if missing:
        raise BadInput(
            f"no price history of {', '.join(missing)}",
            hint="give a history of every underlying, or leave the history rows out",
        )
    if moves.shape != (len(tags), len(symbols)):
        raise LawBroken(f"returns of shape {moves.shape} are not {len(tags)} rows of {len(symbols)} symbols")
    order = [list(symbols).index(name) for name in underlyings]
    columns: dict[str, Any] = unmoved(
        Generator.HISTORY, underlyings=underlyings, collaterals=collaterals, tags=tuple(tags)
    )
    columns["spot"] = factors(moves[:, order])
    if vol_returns is not None:
        (vols,) = finite(vol_returns=vol_returns)
        if vols.shape != moves.shape:
            raise LawBroken(f"volatilities of shape {vols.shape} do not go with returns of shape {moves.shape}")
        columns["vol"] = factors(vols[:, order]) - 1.0
    if decay_per_day is not None:
        if age_days is None or np.shape(age_days) != (len(tags),):
            raise LawBroken(f"{len(tags)} rows need as many ages to be weighted by")
        columns["probability"] = decay_weights(age_days, decay_per_day=decay_per_day)
    return Scenarios(**columns)


def factors(log_moves: Floats) -> Floats:
    """e^move: factors on a price, exactly 1 where nothing moved.  Raises: `LawBroken` where one overflows."""
    with np.errstate(over="ignore"):
        moved = np.exp(log_moves)
    (out,) = finite(factor=moved)
    return out
