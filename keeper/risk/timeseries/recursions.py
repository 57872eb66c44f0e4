"""Conditional variance along a regular series of returns: EWMA, GARCH(1,1) and GJR.

    EWMA    σ²' = λ·σ² + (1 − λ)·r²
    GARCH   σ²' = ω + α·r² + β·σ²
    GJR     σ²' = ω + α·r² + γ·r²·[r < 0] + β·σ²

A path has one value more than there are returns: the variance known before each, and the one known after the last,
which is tomorrow's.  Returns have zero mean.  Units are the caller's: fractions everywhere but inside a fit.

Sources: Hull, Options, Futures and Other Derivatives, ch. 22; Bollerslev (1986); Glosten, Jagannathan, Runkle (1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.compiled import COMPILED
from keeper.risk.compiled.variance import gjr_path
from keeper.risk.finite import finite

Floats = npt.NDArray[np.float64]

#: A path starts from this many returns, weighted by `START_DECAY`.  Source: the backcast of the arch package, whose
#: fits and paths ours equal.
START_RETURNS: Final = 75
START_DECAY: Final = 0.94


@dataclass(frozen=True, kw_only=True)
class Gjr:
    """Coefficients of a GJR recursion; GARCH(1,1) where γ is 0."""

    omega: float
    """Variance added at each step, in squared units of the returns; above 0."""
    alpha: float
    """Share of the last squared return."""
    beta: float
    """Share of the last variance."""
    gamma: float = 0.0
    """What a squared return adds beyond α if it was a fall; α + γ is not negative."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` on coefficients that are not finite or can make a variance negative."""
        finite(coefficients=[self.omega, self.alpha, self.beta, self.gamma])
        if self.omega <= 0.0 or min(self.alpha, self.beta, self.alpha + self.gamma) < 0.0:
            raise LawBroken(f"{self} can make a variance negative")

    @property
    def persistence(self) -> float:
        """α + γ/2 + β: what of a shock to variance is left after a step, on average."""
        return self.alpha + self.gamma / 2.0 + self.beta

    @property
    def long_run_variance(self) -> float:
        """Where variance returns to; infinite at a persistence of 1 or more."""
        return self.omega / (1.0 - self.persistence) if self.persistence < 1.0 else float("inf")


def path(returns: npt.ArrayLike, model: Gjr, *, first: float) -> Floats:
    """Run a model over returns.

    Args:
        returns: in order, shape (T,).
        model: its coefficients.
        first: variance known before the first return.

    Returns:
        Variance known before each return and after the last, shape (T + 1,).

    Raises:
        LawBroken: a return is not finite, `first` is negative, or the variance overflows.
    """
    return _run(returns, (model.omega, model.alpha, model.gamma, model.beta), first)


def ewma(returns: npt.ArrayLike, *, decay: float, first: float) -> Floats:
    """The same for an EWMA of `decay` λ per step, above 0 and below 1."""
    if not 0.0 < decay < 1.0:
        raise LawBroken(f"EWMA decay {decay} is not between 0 and 1", decay=decay)
    return _run(returns, (0.0, 1.0 - decay, 0.0, decay), first)


def start(returns: npt.ArrayLike) -> float:
    """Variance to start a path from: the weighted mean square of the first returns, the earliest weighing most."""
    (values,) = finite(returns=returns)
    if not len(values):
        raise LawBroken("no returns to start a variance path from")
    squares = values[:START_RETURNS] ** 2
    weights = START_DECAY ** np.arange(len(squares))
    return float(np.sum(squares * (weights / weights.sum())))


def start_of(returns: npt.ArrayLike, model: Gjr) -> float:
    """Variance before the first return: one step of the model from `start`, as if that had been yesterday's."""
    before = start(returns)
    return model.omega + model.alpha * before + model.gamma * 0.5 * before + model.beta * before


def _run(returns: npt.ArrayLike, model: tuple[float, float, float, float], first: float) -> Floats:
    (values,) = finite(returns=returns)
    if not 0.0 <= first < np.inf:
        raise LawBroken(f"a variance path cannot start from {first}", first=first)
    out = np.empty(len(values) + 1)
    out[0] = first
    (gjr_path if COMPILED else _gjr_path)(values, np.array(model), out)
    finite(variance=out)
    return out


def _gjr_path(returns: Floats, model: Floats, out: Floats) -> None:
    """The twin of the kernel where there is no compiler: the same operations in the same order."""
    omega, alpha, gamma, beta = model.tolist()
    variance = float(out[0])
    for t, r in enumerate(returns.tolist()):
        square = r * r
        value = omega + alpha * square
        if r < 0.0:
            value += gamma * square
        variance = value + beta * variance
        out[t + 1] = variance
