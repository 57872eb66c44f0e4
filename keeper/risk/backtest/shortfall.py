"""How bad were the breaches?  Sizes, and Acerbi and Székely's second test of an expected-shortfall forecast.

    Z2 = 1 − Σ_t L_t·1[L_t > VaR_t] / (T·(1−α)·ES_t)

is 0 on average when VaR and ES are right, and falls below when losses beyond VaR are more or larger than they say.  Its
distribution depends on the forecasts, so the p-value is simulated from them with a generator that the caller seeds.

Source: Acerbi and Székely, Backtesting expected shortfall, Risk (December 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.tail import expected_shortfall, value_at_risk

Floats = npt.NDArray[np.float64]

#: Random numbers drawn at once.
_AT_ONCE: Final = 1 << 21


@dataclass(frozen=True, kw_only=True)
class Excess:
    """Sizes of breaches, as fractions of the margin that was there."""

    count: int
    mean: float
    """0 without breaches."""
    worst: float
    """0 without breaches."""


def excess(losses: npt.ArrayLike, margins: npt.ArrayLike) -> Excess:
    """By how much losses exceeded margins: shapes (T,), or one margin for all."""
    loss, margin = np.broadcast_arrays(np.asarray(losses, dtype=np.float64), np.asarray(margins, dtype=np.float64))
    over = loss[loss > margin] / margin[loss > margin] - 1.0
    return Excess(
        count=int(over.size),
        mean=float(over.mean()) if over.size else 0.0,
        worst=float(over.max()) if over.size else 0.0,
    )


@dataclass(frozen=True, kw_only=True)
class TailForecast:
    """What a model said about the losses of T windows."""

    level: float
    """α: a loss beyond VaR has probability 1 − α."""
    var: Floats
    """Shape (T,), positive is a loss."""
    es: Floats
    """Shape (T,), positive."""
    shape: Floats
    """Equally likely losses beyond VaR as multiples of ES, with mean 1; shape (T, k), or (1, k) if always the same."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if shapes differ, or a forecast is no positive number."""
        if self.var.shape != self.es.shape or self.shape.ndim != 2 or len(self.shape) not in (1, len(self.es)):
            raise LawBroken("the forecasts of a tail have different lengths")
        if not (np.isfinite(self.var).all() and np.isfinite(self.shape).all() and (self.es > 0.0).all()):
            raise LawBroken("a forecast of expected shortfall is not positive")


@dataclass(frozen=True, kw_only=True)
class ShortfallVerdict:
    """Acerbi–Székely's Z2."""

    z2: float
    """Below 0: losses beyond VaR were more, or larger, than forecast."""
    p: float
    """Probability of a Z2 at most this if the forecasts are right; one-sided, simulated."""
    trials: int
    """Simulations behind `p`."""


def tail_shape(losses: npt.ArrayLike, level: float, *, points: int = 64) -> Floats:
    """The tail of a sample as `points` equally likely multiples of its ES, worst first, mean 1; shape (points,).

    The sample's quantile function over the worst 1 − α, cut into `points` equal parts and averaged in each, so that the
    Rockafellar–Uryasev mean of the whole is kept exactly.  A sample whose ES is no loss has no tail: all ones.
    """
    values = np.asarray(losses, dtype=np.float64)
    weight = (1.0 - level) * values.size
    worst = -np.sort(-values)[: int(np.ceil(weight)) + 1]
    # The integral of the quantile function is linear between whole members.
    integral = np.concatenate(([0.0], np.cumsum(worst)))
    parts = np.diff(np.interp(weight * np.arange(points + 1) / points, np.arange(integral.size), integral))
    whole = float(parts.sum())
    return np.asarray(parts * points / whole) if whole > 0.0 else np.ones(points)


def static_forecast(losses: npt.ArrayLike, level: float, *, es: float, windows: int) -> TailForecast:
    """The forecast of a margin that never moves: the sample's own tail, scaled so that its ES is `es`."""
    own = expected_shortfall(losses, level)
    scale = value_at_risk(losses, level) / own if own > 0.0 else 1.0
    return TailForecast(
        level=level,
        var=np.full(windows, scale * es),
        es=np.full(windows, es),
        shape=tail_shape(losses, level)[None, :],
    )


def z2(losses: npt.ArrayLike, forecast: TailForecast) -> float:
    """The statistic; `losses` has shape (T,).  Raises: `LawBroken` if the lengths differ."""
    loss = np.asarray(losses, dtype=np.float64)
    if loss.shape != forecast.es.shape:
        raise LawBroken(f"{loss.size} losses for {forecast.es.size} forecasts")
    beyond = np.where(loss > forecast.var, loss / forecast.es, 0.0)
    return float(1.0 - beyond.mean() / (1.0 - forecast.level))


def acerbi_szekely(
    losses: npt.ArrayLike, forecast: TailForecast, *, rng: np.random.Generator, trials: int = 10_000
) -> ShortfallVerdict:
    """Test a forecast of expected shortfall.

    Args:
        losses: of T windows that do not overlap, positive is bad.
        forecast: for the same windows.
        rng: seeded by the caller.
        trials: simulations of the T windows under the forecast.
    """
    seen = z2(losses, forecast)
    as_bad = int(np.count_nonzero(_simulated(forecast, rng, trials) <= seen))
    return ShortfallVerdict(z2=seen, p=(1 + as_bad) / (1 + trials), trials=trials)


def _simulated(forecast: TailForecast, rng: np.random.Generator, trials: int) -> Floats:
    """Z2 of worlds in which the forecast is right, shape (trials,)."""
    windows, points = forecast.es.size, forecast.shape.shape[1]
    tail = 1.0 - forecast.level
    out = np.empty(trials)
    rows = max(1, _AT_ONCE // windows)
    for first in range(0, trials, rows):
        count = min(rows, trials - first)
        draws = rng.random((count, windows))
        world, window = np.nonzero(draws < tail)
        part = np.minimum((draws[world, window] / tail * points).astype(np.int64), points - 1)
        lost = forecast.shape[window if len(forecast.shape) > 1 else 0, part]
        out[first : first + count] = 1.0 - np.bincount(world, weights=lost, minlength=count) / (windows * tail)
    return out
