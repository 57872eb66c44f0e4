"""Arrays that may be computed with: every formula's front door, so that a NaN stops at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]


def finite(**named: npt.ArrayLike) -> tuple[Floats, ...]:
    """Each argument as a float64 array, in order.  Raises: `LawBroken` naming the one that holds NaN or infinity."""
    arrays = tuple(np.asarray(values, dtype=np.float64) for values in named.values())
    for name, array in zip(named, arrays, strict=True):
        if not np.isfinite(array).all():
            raise LawBroken(f"{name} holds a value that is not finite", column=name)
    return arrays


def not_negative(**named: npt.ArrayLike) -> tuple[Floats, ...]:
    """The same.  Raises: `LawBroken` too where a value is below zero."""
    arrays = finite(**named)
    for name, array in zip(named, arrays, strict=True):
        if (array < 0.0).any():
            raise LawBroken(f"{name} holds a negative value", column=name)
    return arrays
