"""From a fitted float to a published integer, the same on every machine.

Two processors may differ in the last digits of a fit.  A fit is therefore first rounded to parts per million, and every
further step is integer arithmetic: `verify` can compare published numbers exactly and re-run fits within the lattice.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from keeper.errors import LawBroken
from keeper.units import ceil_div

#: Volatilities are published in quarters of a point.
VOL_LATTICE_PPM: Final = 2_500
#: Volatilities of single strikes are finer, a hundredth of a point: rounded to quarters, neighbours a percent apart
#: would no longer be convex in price.
SMILE_LATTICE_PPM: Final = 100
#: Forwards are published in hundredths of a percent of spot.
FORWARD_LATTICE_PPB: Final = 100_000


def to_ppm(value: float) -> int:
    """Nearest ppm, halves away from zero.  Raises: `LawBroken` on NaN or infinity."""
    if not math.isfinite(value):
        raise LawBroken(f"a fit gave {value}")
    return int((Decimal(value) * 1_000_000).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def up(value: int, step: int) -> int:
    """The lattice point at or above `value`."""
    return ceil_div(value, step) * step


def nearest(value: int, step: int) -> int:
    """The nearest lattice point of a non-negative `value`; halves go up."""
    return (2 * value + step) // (2 * step) * step
