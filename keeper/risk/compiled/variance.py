"""Variance recursions: each step needs the one before, which numpy cannot express without a loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.risk.compiled import kernel

Floats = npt.NDArray[np.float64]


@kernel
def gjr_path(returns: Floats, model: Floats, out: Floats) -> None:
    """Fill `out`, shape (T + 1,), from its first value on: ω + α·r² + γ·r²·[r < 0] + β·σ²; `model` is ω, α, γ, β."""
    omega, alpha, gamma, beta = model[0], model[1], model[2], model[3]
    for t in range(len(returns)):
        square = returns[t] * returns[t]
        value = omega + alpha * square
        if returns[t] < 0.0:
            value += gamma * square
        out[t + 1] = value + beta * out[t]


@kernel
def ewma_panel(returns: Floats, keep: Floats, out: Floats) -> None:
    """Fill `out`, shape (T, U), with the weighted mean of squares up to and with each row.

    `keep[t]` is the weight that what was known before row t still has.  A NaN return tells nothing: the mean stays and
    only loses weight.  NaN before the first return.
    """
    rows, assets = returns.shape
    for u in range(assets):
        mean, weight = np.nan, 0.0
        for t in range(rows):
            weight *= keep[t]
            r = returns[t, u]
            if not np.isnan(r):
                mean = r * r if weight == 0.0 else (mean * weight + r * r) / (weight + 1.0)
                weight += 1.0
            out[t, u] = mean
