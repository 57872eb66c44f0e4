"""Which underlyings move together: weighted correlation, shrinkage, and repair to a valid matrix.

Correlation is measured on residuals, returns over the volatility known before them, with a λ nearer to 1 than that of
the volatilities: dependence changes more slowly than size.  Shrinkage pulls what is measured on few returns towards a
matrix that needs none.  Pairwise gaps, shrinkage to a stale target or a person's edit can leave a matrix that no joint
distribution has; the repair is the nearest one that some distribution has.

Sources: Schäfer, Strimmer (2005) for the intensity; Ledoit, Wolf (2004) for the target of constant correlation;
Higham (2002) for the nearest correlation matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite
from keeper.risk.timeseries.volatility import Unestimated

Floats = npt.NDArray[np.float64]

#: Weight of the past per day in correlations; that of volatilities is 0.97.
CORRELATION_DECAY: Final = 0.99
#: Returns that a pair must have in common, counted by weight.
MIN_COMMON: Final = 10.0
#: An eigenvalue at or above this is zero but for rounding.
_ROUNDING: Final = -1e-10
_MAX_ROUNDS: Final = 1_000
#: The repair ends when no entry moves by more than this in a round.
_SETTLED: Final = 1e-12


class Target(StrEnum):
    """What a measured correlation is pulled towards."""

    CONSTANT = "constant correlation"
    """Every pair at the mean of all pairs: underlyings of one market."""
    IDENTITY = "identity"
    """No pair at all."""


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """A measured correlation, and how far it can be trusted."""

    matrix: Floats
    """Shape (U, U), symmetric, ones on the diagonal.  Pairs measured on different days need not fit together."""
    error: Floats
    """Estimated variance of each entry (delta method), shape (U, U); zeros on the diagonal."""
    effective: float
    """Returns that count, (Σw)² / Σw² of the pair with the fewest."""


def joint_correlation(
    residuals: npt.ArrayLike, *, weights: npt.ArrayLike, target: Target = Target.CONSTANT
) -> Floats | Unestimated:
    """What may be simulated with: measured, shrunk as far as its own error asks, and repaired.

    Arguments and reasons are those of `weighted_correlation`.
    """
    found = weighted_correlation(residuals, weights=weights)
    if isinstance(found, Unestimated):
        return found
    return repaired(shrunk(found.matrix, target=target, share=intensity(found, target)))


def weighted_correlation(residuals: npt.ArrayLike, *, weights: npt.ArrayLike) -> Correlation | Unestimated:
    """Correlation of zero-mean residuals, each pair over the rows that both have.

        ρ = Σ w·x·y / √(Σ w·x² · Σ w·y²)

    Args:
        residuals: shape (T, U); NaN where there is none.
        weights: of the rows, not negative, shape (T,): `decay_weights`.

    Returns:
        `Unestimated` if a pair has fewer than `MIN_COMMON` returns in common, or one of them did not move.

    Raises:
        LawBroken: a residual is infinite, a weight is no weight, or shapes differ.
    """
    values = np.asarray(residuals, dtype=np.float64)
    (weight,) = finite(weights=weights)
    if values.ndim != 2 or weight.shape != values.shape[:1] or (weight < 0.0).any() or np.isinf(values).any():
        raise LawBroken(f"no correlation of residuals {values.shape} with weights {weight.shape}")
    there = (~np.isnan(values)).astype(np.float64)
    x = np.where(there > 0.0, values, 0.0)
    total = there.T @ (weight[:, None] * there)
    squared = there.T @ (weight[:, None] ** 2 * there)
    effective = np.divide(total**2, squared, out=np.zeros_like(total), where=squared > 0.0)
    if effective.size == 0 or effective.min() < MIN_COMMON:
        fewest = float(effective.min()) if effective.size else 0.0
        return Unestimated(reason=f"a pair has {fewest:.1f} weighted returns in common, {MIN_COMMON:g} needed")
    # Variance of x on the rows it shares with y, and the other way about.
    power = (weight[:, None] * x**2).T @ there
    if (power <= 0.0).any():
        return Unestimated(reason="an underlying did not move in the returns it shares with another")
    scale = np.sqrt(power * power.T)
    matrix = np.clip((weight[:, None] * x).T @ x / scale, -1.0, 1.0)
    matrix = (matrix + matrix.T) / 2.0
    error = _spread(x, weight=weight, there=there, matrix=matrix, power=power, total=total) / effective
    error = np.maximum(error, 0.0)
    np.fill_diagonal(matrix, 1.0)
    np.fill_diagonal(error, 0.0)
    finite(correlation=matrix, error=error)
    return Correlation(matrix=matrix, error=(error + error.T) / 2.0, effective=float(effective.min()))


def _spread(x: Floats, *, weight: Floats, there: Floats, matrix: Floats, power: Floats, total: Floats) -> Floats:
    """Variance of what one return adds to a correlation, shape (U, U).

    A correlation divides by volatilities estimated on the same returns, so that to first order a return of a and b
    volatilities adds a·b − ρ·(a² + b²)/2: a day on which both are wild tells little about how they go together.
    """
    weighted = weight[:, None] * x
    scale = power * power.T
    both = (weighted * x).T @ x**2 / scale
    cube = (weighted * x**2).T @ x / (power * np.sqrt(scale))
    fourth = (weighted * x**3).T @ there / power**2
    return total * (both - matrix * (cube + cube.T) + matrix**2 / 4.0 * (fourth + fourth.T + 2.0 * both))


def decay_weights(age_days: npt.ArrayLike, *, decay_per_day: float = CORRELATION_DECAY) -> Floats:
    """λ^age, scaled to a sum of one; shape as given."""
    (age,) = finite(age_days=age_days)
    if not 0.0 < decay_per_day <= 1.0 or age.size == 0:
        raise LawBroken(f"no weights of {age.size} ages with decay {decay_per_day}", decay=decay_per_day)
    # From the youngest on, so that the largest weight is one before scaling and not all of them underflow.
    weights = np.asarray(decay_per_day ** (age - age.min()))
    return np.asarray(weights / weights.sum())


def intensity(found: Correlation, target: Target) -> float:
    """How far to shrink: the error of the entries over their distance from the target, between 0 and 1.

    The covariance between the errors of the entries and that of the target is left out, as Schäfer and Strimmer do.
    """
    off = ~np.eye(len(found.matrix), dtype=np.bool_)
    distance = float(((found.matrix - _target(found.matrix, target)) ** 2)[off].sum())
    error = float(found.error[off].sum())
    return 1.0 if distance <= error else error / distance


def shrunk(matrix: npt.ArrayLike, *, target: Target, share: float) -> Floats:
    """(1 − share) · matrix + share · target, the diagonal one.

    Raises:
        LawBroken: `share` is not between 0 and 1, or the matrix is none of correlations.
    """
    values = _square(matrix)
    if not 0.0 <= share <= 1.0:
        raise LawBroken(f"shrinkage of {share} is not between 0 and 1", share=share)
    out = (1.0 - share) * values + share * _target(values, target)
    np.fill_diagonal(out, 1.0)
    return out


def is_valid(matrix: npt.ArrayLike) -> bool:
    """Whether some joint distribution has this correlation: symmetric, ones, and no negative eigenvalue."""
    values = np.asarray(matrix, dtype=np.float64)
    return bool(
        values.ndim == 2
        and values.shape[0] == values.shape[1]
        and np.isfinite(values).all()
        and (values == values.T).all()
        and (np.diag(values) == 1.0).all()
        and np.linalg.eigvalsh(values).min() >= _ROUNDING
    )


def repaired(matrix: npt.ArrayLike) -> Floats:
    """The nearest valid correlation matrix; the same matrix if it is valid already.

    Alternates between clipping negative eigenvalues and setting the diagonal to one, with Dykstra's correction, which
    makes the limit the nearest in the sum of squared differences and not just some valid matrix.  A last clip and
    rescaling makes the result valid whatever rounding did.

    Raises:
        LawBroken: not square, not symmetric within rounding, or not finite.
    """
    values = _square(matrix)
    if is_valid(values):
        return values
    current, correction = values, np.zeros_like(values)
    for _ in range(_MAX_ROUNDS):
        shifted = current - correction
        clipped = _clipped(shifted)
        correction = clipped - shifted
        following = clipped.copy()
        np.fill_diagonal(following, 1.0)
        moved = float(np.abs(following - current).max())
        current = following
        if moved <= _SETTLED:
            break
    return spectral(current)


def spectral(matrix: npt.ArrayLike) -> Floats:
    """One clip of the negative eigenvalues and one rescaling to a unit diagonal: valid, not the nearest.

    Source: Rebonato, Jäckel (1999).
    """
    clipped = _clipped(_square(matrix))
    scale = np.sqrt(np.diag(clipped))
    if (scale <= 0.0).any():
        raise LawBroken("an underlying vanished from the correlation matrix")
    out = clipped / np.outer(scale, scale)
    out = np.asarray(np.clip((out + out.T) / 2.0, -1.0, 1.0), dtype=np.float64)
    np.fill_diagonal(out, 1.0)
    return out


def _clipped(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T, dtype=np.float64)


def _target(matrix: Floats, target: Target) -> Floats:
    count = len(matrix)
    if target is Target.IDENTITY or count < 2:
        return np.eye(count)
    mean = float(matrix.sum() - np.trace(matrix)) / (count * (count - 1))
    # Lower than this a constant correlation is valid for no joint distribution.
    out = np.full(matrix.shape, max(mean, -1.0 / (count - 1)))
    np.fill_diagonal(out, 1.0)
    return out


def _square(matrix: npt.ArrayLike) -> Floats:
    (values,) = finite(correlation=matrix)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
        raise LawBroken(f"a correlation matrix has shape {values.shape}")
    if np.abs(values - values.T).max() > 1e-9:
        raise LawBroken("a correlation matrix is not symmetric")
    return values
