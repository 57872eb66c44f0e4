"""Value at risk and expected shortfall, counted from the worst loss.

A loss is positive.  VaR is the first loss, from the worst, at which the cumulative weight reaches 1 − α.  ES is the
Rockafellar–Uryasev tail mean: the worst losses up to weight 1 − α, the last of them with the fraction that is left.
numpy's quantiles count differently; they are not used here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]

#: A cumulative weight this close to 1 − α has reached it.
_TOLERANCE: Final = 1e-12


def value_at_risk(losses: npt.ArrayLike, level: float, weights: npt.ArrayLike | None = None) -> float:
    """Loss that is exceeded with probability at most 1 − `level`.

    Args:
        losses: positive is bad; shape (n,).
        level: α, between 0 and 1.
        weights: probabilities, shape (n,); equal if None.  They need not sum to one: Hull's exponentially weighted
            sample is cut at 500 days and is used as it is.

    Raises:
        LawBroken: no losses, a NaN, a negative weight, or all weights together do not reach 1 − α.
    """
    ordered, cumulative = _from_worst(losses, level, weights)
    return float(ordered[_last(cumulative, 1.0 - level)])


def expected_shortfall(losses: npt.ArrayLike, level: float, weights: npt.ArrayLike | None = None) -> float:
    """Mean loss of the worst 1 − `level`; arguments as for `value_at_risk`."""
    ordered, cumulative = _from_worst(losses, level, weights)
    tail = 1.0 - level
    last = _last(cumulative, tail)
    used = np.diff(np.minimum(cumulative[: last + 1], tail), prepend=0.0)
    used[-1] = tail - (float(cumulative[last - 1]) if last else 0.0)
    return float(np.dot(used, ordered[: last + 1]) / tail)


def _last(cumulative: Floats, tail: float) -> int:
    return int(np.argmax(cumulative >= tail - _TOLERANCE))


def _from_worst(losses: npt.ArrayLike, level: float, weights: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Losses from the worst, and their cumulative weights."""
    values = np.asarray(losses, dtype=np.float64)
    if not 0.0 < level < 1.0 or values.size == 0 or not np.isfinite(values).all():
        raise LawBroken(f"no tail at level {level} of {values.size} losses", level=level)
    share = np.full(values.shape, 1.0 / values.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != values.shape or not (np.isfinite(share) & (share >= 0.0)).all():
        raise LawBroken("weights of losses must be one each and not negative", losses=values.size, weights=share.size)
    order = np.argsort(-values, kind="stable")
    cumulative = np.cumsum(share[order])
    if cumulative[-1] < 1.0 - level - _TOLERANCE:
        raise LawBroken(f"weights sum to {cumulative[-1]}, less than the tail {1.0 - level}", level=level)
    return values[order], cumulative
