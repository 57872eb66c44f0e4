"""A history of at-the-money volatilities, one per moment and expiry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class VolHistory:
    """What the market asked for volatility, by moment and expiry, in order of both."""

    name: str
    """The underlying's symbol."""
    time_s: Ints
    """Unix seconds, never descending, shape (n,)."""
    expiry_s: Ints
    """Unix seconds, shape (n,); 0 in every row of a constant-maturity 30-day index."""
    vol: Floats
    """Annual, at the money, shape (n,); 0.5 is 50 %."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if there is nothing, rows are out of order or double, or a volatility is not positive."""
        if not 0 < self.time_s.size == self.expiry_s.size == self.vol.size:
            raise LawBroken(f"the volatility history {self.name} has columns of different lengths, or no rows")
        later = np.diff(self.time_s) > 0
        if not (later | ((np.diff(self.time_s) == 0) & (np.diff(self.expiry_s) > 0))).all():
            raise LawBroken(f"the volatility history {self.name} is out of order, or has a row twice")
        if not (np.isfinite(self.vol) & (self.vol > 0.0)).all():
            raise LawBroken(f"the volatility history {self.name} has a volatility that is none")

    def __len__(self) -> int:
        """Rows."""
        return int(self.time_s.size)

    @property
    def step_s(self) -> int:
        """The usual distance of two moments, in seconds: the median.  0 for a single one."""
        moments = np.unique(self.time_s)
        return int(np.median(np.diff(moments))) if moments.size > 1 else 0
