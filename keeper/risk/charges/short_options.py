"""The short-option minimum: what a grid between whose rows a position hides is charged all the same.

A short-dated short butterfly whose strikes lie between two rows loses in none of them.  So every naked short at a
strike pays a minimum, whatever the rows say.  Source: the margin methodology; the contract does the same in integers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.risk.finite import finite, not_negative

Floats = npt.NDArray[np.float64]


def naked_shorts(calls: npt.ArrayLike, puts: npt.ArrayLike) -> Floats:
    """Naked shorts of one expiry and strike: same-sign shorts add, opposite signs net, longs count nothing.

    All three cases are one: what is short of calls and puts together.

    Args:
        calls: net size, signed.
        puts: net size of the same expiry and strike, signed.
    """
    c, p = finite(calls=calls, puts=puts)
    return np.asarray(np.maximum(-(c + p), 0.0))


def short_minimum(
    calls: npt.ArrayLike, puts: npt.ArrayLike, *, spot: npt.ArrayLike, rate: npt.ArrayLike, axis: int = -1
) -> Floats:
    """USD over all strikes along `axis`: Σ naked · spot · rate."""
    s, r = not_negative(spot=spot, rate=rate)
    return np.asarray((naked_shorts(calls, puts) * s * r).sum(axis=axis))
