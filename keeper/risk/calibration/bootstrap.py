"""How sure an expected shortfall is: confidence intervals by the stationary bootstrap.

Overlapping windows and clustered volatility make a sample worth far less than its length.  Blocks of random length keep
both: they start anywhere, are geometrically long, wrap around the end, and are drawn until the sample is full.  A
replicate is held as how often each window was drawn, so that a sorted sample gives its ES in one pass.

Source: Politis and Romano (1994).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Share of replicates inside the interval.
COVERAGE: Final = 0.90


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where an estimate would lie in nine of ten histories like this one."""

    low: float
    high: float


def interval(replicates: npt.ArrayLike) -> Interval:
    """The middle `COVERAGE` of replicates.  Raises: `LawBroken` if there are none."""
    values = np.sort(np.asarray(replicates, dtype=np.float64))
    if values.size == 0 or not np.isfinite(values).all():
        raise LawBroken("no replicates to take an interval of")
    cut = int((1.0 - COVERAGE) / 2.0 * values.size)
    return Interval(low=float(values[cut]), high=float(values[-1 - cut]))


def mean_block(windows: int, per_horizon: int) -> int:
    """Mean length of a block, in windows: the cube root of the number of whole horizons, as many horizons long."""
    return per_horizon * max(1, int(np.ceil(np.cbrt(windows / per_horizon))))


def draw_blocks(size: int, mean_length: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Starts and lengths of blocks that fill a sample of `size`; the last is cut to fit."""
    starts: list[Ints] = []
    lengths: list[Ints] = []
    filled = 0
    at_once = max(8, 2 * size // mean_length)
    while filled < size:
        starts.append(rng.integers(0, size, at_once))
        lengths.append(rng.geometric(1.0 / mean_length, at_once))
        filled += int(lengths[-1].sum())
    start, length = np.concatenate(starts), np.concatenate(lengths)
    total = np.cumsum(length)
    used = int(np.searchsorted(total, size)) + 1
    length = length[:used].copy()
    length[-1] -= int(total[used - 1]) - size
    return start[:used], length


def times_drawn(size: int, starts: Ints, lengths: Ints) -> Ints:
    """How often each of `size` windows lies in the blocks, shape (size,); blocks wrap around the end."""
    whole, rest = np.divmod(lengths, size)
    edges = np.bincount(starts, minlength=2 * size) - np.bincount(starts + rest, minlength=2 * size)
    open_blocks = np.cumsum(edges)
    return open_blocks[:size] + open_blocks[size : 2 * size] + int(whole.sum())


class SortedSample:
    """A sample of losses, sorted once, whose ES under any draw of its windows takes one pass.

    Args:
        losses: positive is bad, shape (n,).
        level: α of the expected shortfall.
        window: which window each loss belongs to, shape (n,); its own if None.
        share: its share of that window, shape (n,), the shares of a window summing to 1; 1 if None.
    """

    def __init__(
        self, losses: npt.ArrayLike, level: float, *, window: Ints | None = None, share: Floats | None = None
    ) -> None:
        values = np.asarray(losses, dtype=np.float64)
        if not 0.0 < level < 1.0 or values.size == 0 or not np.isfinite(values).all():
            raise LawBroken(f"no tail at level {level} of {values.size} losses", level=level)
        order = np.argsort(-values, kind="stable")
        self._losses = values[order]
        self._window = order if window is None else window[order]
        self._share = np.ones(values.size) if share is None else share[order]
        self._tail = (1.0 - level) * float(self._share.sum())

    def shortfall(self, drawn: Ints) -> float:
        """Rockafellar–Uryasev mean of the worst 1 − α of the windows drawn, each as often as `drawn` says."""
        size = self._losses.size
        looked = min(size, 64 + int(8 * self._tail))
        while True:
            cumulative = np.cumsum(drawn[self._window[:looked]] * self._share[:looked])
            if cumulative[-1] >= self._tail or looked == size:
                break
            looked = min(size, 4 * looked)
        used = np.diff(np.minimum(cumulative, self._tail), prepend=0.0)
        return float(np.dot(used, self._losses[:looked]) / self._tail)


def replicate(
    samples: Sequence[SortedSample], *, size: int, mean_length: int, rng: np.random.Generator, count: int
) -> Floats:
    """ES of several samples over the same windows, drawn together; shape (count, samples)."""
    out = np.empty((count, len(samples)))
    for i in range(count):
        drawn = times_drawn(size, *draw_blocks(size, mean_length, rng))
        out[i] = [sample.shortfall(drawn) for sample in samples]
    return out
