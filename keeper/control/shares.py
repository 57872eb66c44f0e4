"""Shares and rates as a person writes them: `18%`, `-0.02 %`, `180_000ppm`."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_SCALES: Final = (("%", 10_000), ("ppm", 1))
#: Beyond this many ppm nothing here is a share of anything; and a number of a million digits is not made an integer.
_MOST_PPM: Final = 10**9


def whole_ppm(text: str) -> int | None:
    """Whole ppm of a text with its unit, negative ones too; None where it has no unit, or is none to the ppm."""
    plain = text.strip().lower().replace("_", "").replace(" ", "")
    for unit, scale in _SCALES:
        if plain.endswith(unit):
            try:
                amount = Decimal(plain.removesuffix(unit)) * scale
            except ArithmeticError:  # no number, or one beyond all numbers
                return None
            whole = amount.is_finite() and abs(amount) < _MOST_PPM and amount == amount.to_integral_value()
            return int(amount) if whole else None
    return None
