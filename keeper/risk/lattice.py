"""From a fitted float to a published integer, the same on every machine.

Two processors may differ in the last digits of a fit.  A fit is therefore first rounded to parts per million or finer,
and every further step is integer arithmetic: `verify` can compare published numbers exactly and re-run fits within the
lattice.  The units of each number stand in `keeper.domain.fitted`.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
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
    return _nearest_unit(value, 1_000_000)


def to_ppb(value: float) -> int:
    """Nearest part per billion; as `to_ppm`."""
    return _nearest_unit(value, 1_000_000_000)


def to_ppt(value: float) -> int:
    """Nearest part per trillion; as `to_ppm`."""
    return _nearest_unit(value, 1_000_000_000_000)


def exact(knob: float) -> Fraction:
    """A number that a person wrote, as it was written: 0.1 is one tenth, not the binary number beside it."""
    return Fraction(repr(knob))


def rounded(value: Fraction) -> int:
    """The nearest integer of a non-negative value; halves go up."""
    return int(value + Fraction(1, 2))


def _nearest_unit(value: float, units: int) -> int:
    if not math.isfinite(value):
        raise LawBroken(f"a fit gave {value}")
    return int((Decimal(value) * units).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def up(value: int, step: int) -> int:
    """The lattice point at or above `value`."""
    return ceil_div(value, step) * step


def nearest(value: int, step: int) -> int:
    """The nearest lattice point of a non-negative `value`; halves go up."""
    return (2 * value + step) // (2 * step) * step
