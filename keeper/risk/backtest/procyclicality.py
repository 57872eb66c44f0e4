"""How much a margin swings, and what its calm costs.

Margin that follows the market asks for cash when there is none.  Three figures of a margin over time, always read
together with its coverage:

    peak to trough   the largest margin over the smallest
    n-day call       the largest relative rise between two days, n apart (point to point) or at most n (window)
    cost             margin in excess of the loss that came, on average

Source: Murphy, Vasios and Vause, Bank of England FS paper 29 (2014) and staff working paper 597 (2016).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken

Floats = npt.NDArray[np.float64]


def peak_to_trough(margins: npt.ArrayLike) -> float:
    """Largest over smallest.  Raises: `LawBroken` if there is no margin, or one is not positive."""
    m = _positive(margins)
    return float(m.max() / m.min())


def largest_call(margins: npt.ArrayLike, steps: int) -> float:
    """Largest rise over exactly `steps`, relative to the margin before it; 0 if it never rose or the series is short.

    Raises: `LawBroken` as `peak_to_trough`, or if `steps` is not positive.
    """
    m = _positive(margins)
    if steps < 1:
        raise LawBroken(f"a call over {steps} steps")
    return max(0.0, float((m[steps:] / m[:-steps]).max()) - 1.0) if m.size > steps else 0.0


def largest_window_call(margins: npt.ArrayLike, steps: int) -> float:
    """Largest rise over at most `steps`; arguments as for `largest_call`."""
    m = _positive(margins)
    if steps < 1:
        raise LawBroken(f"a call over {steps} steps")
    return max(largest_call(m, n) for n in range(1, min(steps, m.size) + 1))


def average_excess(margins: npt.ArrayLike, losses: npt.ArrayLike) -> float:
    """Mean of margin less the loss that came (a gain is no loss), in the margin's unit; breaches count negatively.

    Raises: `LawBroken` as `peak_to_trough`, or if there is not one loss per margin.
    """
    m, loss = _positive(margins), np.asarray(losses, dtype=np.float64)
    if m.shape != loss.shape or not np.isfinite(loss).all():
        raise LawBroken(f"{loss.size} losses for {m.size} margins")
    return float((m - np.maximum(loss, 0.0)).mean())


def _positive(margins: npt.ArrayLike) -> Floats:
    m = np.asarray(margins, dtype=np.float64)
    if m.ndim != 1 or m.size == 0 or not (np.isfinite(m) & (m > 0.0)).all():
        raise LawBroken("a series of margins must be positive numbers")
    return m
