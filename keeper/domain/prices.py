"""A price history as it was recorded: observations in time, and the gaps between them left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: A step longer than this many usual steps is a gap: one bar may come late, none may be missing.
_GAP_STEPS: Final = 1.5


@dataclass(frozen=True, kw_only=True)
class PriceHistory:
    """Prices of one thing.  Nothing is ever filled in: what was not observed is not there."""

    name: str
    """What was observed: an underlying's symbol or a file's name."""
    time_s: Ints
    """Unix seconds, strictly ascending, shape (n,).  Of bars usually the opening; a constant lag changes no return."""
    close: Floats
    """Positive, shape (n,)."""
    high: Floats | None = None
    """Highest price of the bar, shape (n,), where the source has it."""
    low: Floats | None = None
    """Lowest price of the bar, shape (n,), where the source has it."""

    def __post_init__(self) -> None:
        """Raises: `LawBroken` if there is nothing, time does not ascend, or a price is not a positive number."""
        if self.time_s.ndim != 1 or self.time_s.size == 0:
            raise LawBroken(f"the price history {self.name} holds no prices")
        if not (np.diff(self.time_s) > 0).all():
            raise LawBroken(f"time does not ascend in the price history {self.name}")
        for label, prices in (("close", self.close), ("high", self.high), ("low", self.low)):
            if prices is not None and (
                prices.shape != self.time_s.shape or not (np.isfinite(prices) & (prices > 0.0)).all()
            ):
                raise LawBroken(f"the price history {self.name} has a {label} that is no price")

    def __len__(self) -> int:
        """Observations."""
        return int(self.time_s.size)

    @property
    def step_s(self) -> int:
        """The usual distance of two observations, in seconds: the median.  0 for a single one."""
        return int(np.median(np.diff(self.time_s))) if len(self) > 1 else 0

    @property
    def hold_s(self) -> float:
        """How long a price is taken to be known after it was observed, in seconds."""
        return _GAP_STEPS * self.step_s

    def gaps(self) -> Sequence[tuple[int, int]]:
        """Stretches without observations: (last second before, first second after) of each."""
        after = np.flatnonzero(np.diff(self.time_s) > self.hold_s)
        return [(int(self.time_s[i]), int(self.time_s[i + 1])) for i in after]

    def known(self, at_s: npt.ArrayLike) -> Ints:
        """The observation in force at each moment.

        Args:
            at_s: unix seconds, any shape.

        Returns:
            index of the newest observation at or before it; −1 where there is none, or where it is older than `hold_s`:
            a gap.  A return is formed of two known prices only, so that no gap is bridged as one return.
        """
        at = np.asarray(at_s, dtype=np.float64)
        index = np.searchsorted(self.time_s, at, side="right") - 1
        age = at - self.time_s[np.maximum(index, 0)]
        return np.where((index >= 0) & (age <= self.hold_s), index, -1).astype(np.int64)

    def between(self, first_s: float, last_s: float) -> PriceHistory:
        """The observations of a period, both ends included.  Raises: `LawBroken` if there are none."""
        inside = (self.time_s >= first_s) & (self.time_s <= last_s)
        return PriceHistory(
            name=self.name,
            time_s=self.time_s[inside],
            close=self.close[inside],
            high=None if self.high is None else self.high[inside],
            low=None if self.low is None else self.low[inside],
        )
