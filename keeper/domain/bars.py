"""Recorded price bars of one length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_YEAR_S = 365 * 86_400


@dataclass(frozen=True, kw_only=True, eq=False)
class Bars:
    """One series, ascending; bars may be missing.  Shapes (bars,)."""

    name: str
    bar_s: int
    start_s: npt.NDArray[np.int64]
    """Unix seconds at which each bar opens."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def years(self) -> float:
        """What is covered."""
        return len(self) * self.bar_s / _YEAR_S

    def stretches(self, *, hole_s: int) -> Iterator[Bars]:
        """Parts between holes longer than this, oldest first."""
        ends = np.flatnonzero(np.diff(self.start_s) > hole_s + self.bar_s) + 1
        for of in np.split(np.arange(len(self)), ends):
            if len(of):
                yield Bars(
                    name=self.name,
                    bar_s=self.bar_s,
                    start_s=self.start_s[of],
                    open=self.open[of],
                    high=self.high[of],
                    low=self.low[of],
                    close=self.close[of],
                )
