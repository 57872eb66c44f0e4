"""Inputs of element-wise kernels: arrays as they are, and single numbers without an array's worth of memory."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Elements per round: what a round touches stays in the first-level cache.
BLOCK: Final = 512


def columns(shape: tuple[int, ...], *inputs: Floats) -> tuple[tuple[Floats, ...], npt.NDArray[np.int64]]:
    """Broadcast inputs to `shape`, flat.

    Returns:
        arrays: each contiguous, writable and of one axis: as long as the product of `shape`, or `BLOCK` copies of one
            number, which stay in the cache.
        steps: one per array: 1 where it is full, 0 where it repeats one number; round r reads from r·BLOCK·step on.
    """
    return tuple(_column(x, shape) for x in inputs), np.array([int(x.size > 1) for x in inputs])


def _column(values: Floats, shape: tuple[int, ...]) -> Floats:
    """One of them; an input that is given in full is not copied."""
    if values.size == 1:
        return np.full(BLOCK, values.item())
    full = np.broadcast_to(values, shape) if values.shape != shape else values
    # Writable, or each mix of writable and read-only inputs would be compiled on its own.
    return np.require(full, requirements=("C", "W")).ravel()
