"""Simulation: joint Student-t moves at today's volatilities.

    r = vol · √((ν − 2)/ν) · z / √(χ²_ν / ν),   z jointly normal with the given correlation

One χ² per row is shared by all, so that extremes come together, which a product of separate t's would not do.  The
root makes the variance of r the given one whatever ν is.  The generator of chance is the caller's: the same state
gives the same bytes.  A correlation root that is symmetric depends on nothing but the matrix; the sum over underlyings
is taken in order, so that the number of threads changes nothing.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite
from keeper.risk.generate.history import factors
from keeper.risk.kernel.scenarios import Generator, Scenarios, unmoved
from keeper.risk.timeseries.dependence import is_valid

Floats = npt.NDArray[np.float64]

#: Degrees of freedom where a fit gave none: daily crypto returns lie between 3 and 6.
DEFAULT_DOF: Final = 4.0


def simulation(
    *,
    rng: np.random.Generator,
    rows: int,
    underlyings: tuple[str, ...],
    collaterals: tuple[str, ...] = (),
    vol: npt.ArrayLike,
    correlation: npt.ArrayLike,
    vol_of_vol: npt.ArrayLike | None = None,
    dof: float = DEFAULT_DOF,
) -> Scenarios:
    """Draw joint moves.

    Args:
        rng: seeded by the caller.
        rows: how many, S.
        underlyings: U of them, the order of `vol` and `correlation`.
        collaterals: the table's order; they move with their underlyings only.
        vol: of a return over the horizon, fractions, shape (U,): GARCH's or EWMA's of today.
        correlation: valid (`dependence.repaired`), shape (U, U); with `vol_of_vol` shape (2U, 2U), returns first and
            changes of volatility after them.
        vol_of_vol: of the change of the logarithm of the 30-day volatility over the horizon, shape (U,); None leaves
            volatilities.
        dof: ν, above 2; infinity draws normal moves.

    Raises:
        LawBroken: an input is not finite, not valid or of another shape, or a move overflows.
    """
    (sizes,) = finite(vol=vol)
    if vol_of_vol is not None:
        sizes = np.concatenate([sizes, finite(vol_of_vol=vol_of_vol)[0]])
    wanted = len(underlyings) * (1 if vol_of_vol is None else 2)
    if rows < 1 or sizes.shape != (wanted,) or (sizes < 0.0).any():
        raise LawBroken(f"no simulation of {rows} rows with volatilities of shape {sizes.shape}")
    moves = draws(rng, rows=rows, correlation=correlation, dof=dof)
    if moves.shape[1] != wanted:
        raise LawBroken(f"a correlation of {moves.shape[1]} does not go with {wanted} volatilities")
    moves *= sizes
    columns: dict[str, Any] = unmoved(
        Generator.SIMULATION,
        underlyings=underlyings,
        collaterals=collaterals,
        tags=tuple(f"draw {i}" for i in range(1, rows + 1)),
    )
    columns["spot"] = factors(moves[:, : len(underlyings)])
    if vol_of_vol is not None:
        columns["vol"] = factors(moves[:, len(underlyings) :]) - 1.0
    return Scenarios(**columns)


def draws(rng: np.random.Generator, *, rows: int, correlation: npt.ArrayLike, dof: float) -> Floats:
    """Joint Student-t draws of unit variance, shape (rows, K)."""
    if not dof > 2.0:  # true for NaN too
        raise LawBroken(f"a Student-t of {dof} degrees of freedom has no variance", dof=dof)
    root = symmetric_root(correlation)
    normal = rng.standard_normal((rows, len(root)))
    out = np.zeros_like(normal)
    for k, line in enumerate(root):
        out += normal[:, k, None] * line
    if math.isfinite(dof):
        out *= np.sqrt((dof - 2.0) / rng.chisquare(dof, rows))[:, None]
    return out


def symmetric_root(correlation: npt.ArrayLike) -> Floats:
    """The symmetric matrix whose square is the correlation, singular ones too.

    Raises:
        LawBroken: no joint distribution has this correlation.
    """
    (matrix,) = finite(correlation=correlation)
    if not is_valid(matrix):
        raise LawBroken("the correlation to simulate is not valid: repair it first")
    values, vectors = np.linalg.eigh(matrix)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return np.asarray((root + root.T) / 2.0, dtype=np.float64)
