"""Windows that overlap: which of them do not, and how sure a rate of breaches is when they do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Ints = npt.NDArray[np.int64]


def non_overlapping(starts_s: npt.ArrayLike, horizon_s: float) -> Ints:
    """Indices of windows that share no moment: the earliest, then each first one that starts after the last has ended.

    Args:
        starts_s: ascending starts, shape (n,).
        horizon_s: length of each.
    """
    starts = np.asarray(starts_s, dtype=np.float64)
    kept, i = [], 0
    while i < starts.size:
        kept.append(i)
        i = int(np.searchsorted(starts, starts[i] + horizon_s, side="left"))
    return np.array(kept, dtype=np.int64)


def hac_rate(hits: npt.ArrayLike, *, lags: int) -> tuple[float, float]:
    """Rate of breaches of overlapping windows, with a standard error that knows they overlap.

    Newey and West (1987): autocovariances up to `lags`, weighted down linearly, so that the variance is never negative.

    Args:
        hits: true where breached, shape (n,), in order.
        lags: windows that a window overlaps with on one side.

    Returns:
        rate, standard error.

    Raises:
        LawBroken: no windows.
    """
    x = np.asarray(hits, dtype=np.float64)
    n = x.size
    if n == 0:
        raise LawBroken("no windows to count")
    rate = float(x.mean())
    d = x - rate
    used = min(lags, n - 1)
    covariances = [float(np.dot(d[: n - k], d[k:])) / n for k in range(used + 1)]
    weights = [1.0] + [2.0 * (1.0 - k / (used + 1)) for k in range(1, used + 1)]
    variance = sum(w * c for w, c in zip(weights, covariances, strict=True))
    return rate, float(np.sqrt(max(variance, 0.0) / n))
