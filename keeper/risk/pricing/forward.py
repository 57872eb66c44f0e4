"""A forward as a line in the shock of spot: F(s) = F_var·s + F_fix.

Options settle on the average price of the last half hour.  Inside that window a part of the settlement price has
already been averaged and moves no more; only the rest can be shocked.

    F_fix = F·(1800 − sec)/1800,  F_var = F·sec/1800    in the last 1800 s;    F_fix = 0, F_var = F    before

Source: derive_pmrm2 in the margin methodology; the settlement average is also what the contract uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.risk.finite import not_negative

Floats = npt.NDArray[np.float64]

#: Seconds before expiry over which the settlement price is averaged.
AVERAGING_S: Final = 1800.0


@dataclass(frozen=True, kw_only=True)
class Forward:
    """Forwards of one or more expiries; fields broadcast."""

    variable: Floats
    """The part that moves with spot, USD."""
    fixed: Floats
    """The part that is already averaged, USD."""

    def at(self, factor: npt.ArrayLike) -> Floats:
        """The forward where spot is multiplied by `factor`; 1 gives the forward of `split` to one rounding."""
        return np.asarray(self.variable * np.asarray(factor, dtype=np.float64) + self.fixed)


def split(forward: npt.ArrayLike, seconds: npt.ArrayLike) -> Forward:
    """Split forwards into the part that still moves and the part that is already fixed.

    Args:
        forward: of the settlement price, USD, not negative.
        seconds: to expiry, not negative; at expiry nothing moves any more.

    Raises:
        LawBroken: an input is negative, NaN or infinite.
    """
    price, left = not_negative(forward=forward, seconds=seconds)
    open_s = np.minimum(left, AVERAGING_S)
    return Forward(
        variable=np.asarray(price * open_s / AVERAGING_S),
        fixed=np.asarray(price * (AVERAGING_S - open_s) / AVERAGING_S),
    )
