"""Fit of one raw SVI slice: quasi-explicit start, then Levenberg–Marquardt with the laws of no arbitrage as penalties.

The slice is written by its wings, p = b(1 − ρ) on the left and c = b(1 + ρ) on the right:

    w(k) = a + ½·((c − p)·x + (c + p)·R),   x = k − m,   R = √(x² + σ²)

Then w is linear in a, p and c, Lee's bound b(1 + |ρ|) ≤ 2 is the box 0 ≤ p, c ≤ 2, and only m and σ are searched.
The vector of a fit is θ = (a, p, c, m, ln σ).

The numpy twin is `keeper.risk.surface.svi_twin`; a test holds both to the same slices.

Source: Zeliade (2009), "Quasi-explicit calibration of Gatheral's SVI model"; Gatheral & Jacquier (2014), eq. 2.1.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.risk.compiled import kernel

Floats = npt.NDArray[np.float64]

#: Parameters of a slice.
SIZE: Final = 5
#: Once a step must be damped this much, nothing is left to gain.
MAX_DAMPING: Final = 1e12


class Points(NamedTuple):
    """What is fitted."""

    k: Floats
    """Log-moneyness, ascending."""
    w: Floats
    """Total variance at each."""
    weight: Floats
    """Factor on each difference of total variance; makes it one of volatility."""
    soft: float
    """Weighted difference from which the cost grows linearly, not with the square (soft L1); 0 for never."""


class Laws(NamedTuple):
    """What a slice is held to, on a grid."""

    grid: Floats
    """Log-moneyness."""
    low: Floats
    """Least total variance at each, positive: of the expiry before."""
    high: Floats
    """Largest, positive."""
    scales: Floats
    """Factors on total variance under which g ≥ 0 is asked; between two it follows."""
    margin: float
    """Least g."""
    butterfly: float
    """Weight of a g below the margin; 0 asks nothing."""
    calendar: float
    """Weight of a √w beyond low or high; 0 asks nothing."""


class Stop(NamedTuple):
    """When a descent ends."""

    rounds: int
    """Steps at most."""
    tolerance: float
    """A step that gains less than this share of the cost is the last."""


class Box(NamedTuple):
    """Bounds of θ, shape (5,) each."""

    lowest: Floats
    highest: Floats


class Normal(NamedTuple):
    """The normal equations at one θ."""

    matrix: Floats
    """Gauss–Newton matrix, lower triangle, shape (5, 5)."""
    gradient: Floats
    """Shape (5,)."""


@kernel
def solve(matrix: Floats, right: Floats, out: Floats) -> bool:
    """Solve a small symmetric positive system by Cholesky, in place.  False if it is not positive."""
    n = len(right)
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for q in range(j):
                total -= matrix[i, q] * matrix[j, q]
            if i != j:
                matrix[i, j] = total / matrix[j, j]
            elif total > 0.0:
                matrix[i, i] = np.sqrt(total)
            else:
                return False
    for i in range(n):
        total = right[i]
        for q in range(i):
            total -= matrix[i, q] * out[q]
        out[i] = total / matrix[i, i]
    for i in range(n - 1, -1, -1):
        total = out[i]
        for q in range(i + 1, n):
            total -= matrix[q, i] * out[q]
        out[i] = total / matrix[i, i]
    return True


@kernel
def _add(normal: Normal, row: Floats, residual: float, scale: float) -> None:
    """One residual into the normal equations."""
    for i in range(SIZE):
        lifted = scale * row[i]
        normal.gradient[i] += lifted * residual
        for j in range(i + 1):
            normal.matrix[i, j] += lifted * row[j]


@kernel
def _fill_w(theta: Floats, sigma: float, k: float, row: Floats) -> float:
    """w at k, its derivatives by θ into `row`."""
    x = k - theta[3]
    root = np.sqrt(x * x + sigma * sigma)
    row[0] = 1.0
    row[1] = 0.5 * (root - x)
    row[2] = 0.5 * (root + x)
    half, turn = 0.5 * (theta[2] + theta[1]), 0.5 * (theta[2] - theta[1])
    row[3] = -(turn + half * x / root)
    row[4] = half * sigma * sigma / root
    w: float = theta[0] + theta[1] * row[1] + theta[2] * row[2]
    return w


@kernel
def _points(theta: Floats, sigma: float, points: Points, normal: Normal) -> float:
    """Cost of the quotes, into the normal equations."""
    row = np.empty(SIZE)
    cost = 0.0
    for i in range(len(points.k)):
        w = _fill_w(theta, sigma, points.k[i], row)
        if not w > 0.0:
            return np.inf
        weight = points.weight[i]
        residual = w - points.w[i]
        scale = weight * weight
        if points.soft > 0.0:
            part = weight * residual / points.soft
            stretch = np.sqrt(1.0 + part * part)
            cost += 2.0 * points.soft * points.soft * (stretch - 1.0)
            scale /= stretch
        else:
            cost += scale * residual * residual
        _add(normal, row, residual, scale)
    return cost


@kernel
def _fill_g(theta: Floats, sigma: float, at: tuple[float, float, float], by_w: Floats, out: Floats) -> float:
    """g of the slice with its variances times a scale, at (k, w(k), scale); its derivatives by θ into `out`."""
    k, w, scale = at
    x = k - theta[3]
    s2 = sigma * sigma
    r2 = x * x + s2
    root = np.sqrt(r2)
    u = x / root
    lift = s2 / (r2 * root)
    half = 0.5 * (theta[2] + theta[1])
    slope, bend = -by_w[3], half * lift
    tilt = 1.0 - k * slope / (2.0 * w)
    square = slope * slope
    from_w = (tilt * k * slope + 0.25 * scale * square) / (w * w)
    from_slope = -tilt * k / w - scale * slope / (2.0 * w) - scale * scale * slope / 8.0
    from_bend = 0.5 * scale
    out[0] = from_w
    out[1] = from_w * by_w[1] + from_slope * 0.5 * (u - 1.0) + from_bend * 0.5 * lift
    out[2] = from_w * by_w[2] + from_slope * 0.5 * (u + 1.0) + from_bend * 0.5 * lift
    out[3] = from_w * by_w[3] - from_slope * bend + from_bend * 3.0 * bend * x / r2
    out[4] = from_w * by_w[4] - from_slope * half * u * lift + from_bend * bend * (2.0 - 3.0 * s2 / r2)
    g: float = tilt * tilt - scale * square / (4.0 * w) - scale * scale * square / 16.0 + from_bend * bend
    return g


@kernel
def _laws(theta: Floats, sigma: float, laws: Laws, normal: Normal) -> float:
    """Cost of the laws, into the normal equations."""
    row, g_row = np.empty(SIZE), np.empty(SIZE)
    cost = 0.0
    for i in range(len(laws.grid)):
        k = laws.grid[i]
        w = _fill_w(theta, sigma, k, row)
        if not w > 0.0:
            return np.inf
        bound = min(max(w, laws.low[i]), laws.high[i])
        if bound != w:
            unit = laws.calendar / (2.0 * np.sqrt(bound))
            cost += (unit * (w - bound)) ** 2
            _add(normal, row, w - bound, unit * unit)
        if laws.butterfly > 0.0:
            for scale in laws.scales:
                lack = _fill_g(theta, sigma, (k, w, scale), row, g_row) - laws.margin
                if lack < 0.0:
                    cost += (laws.butterfly * lack) ** 2
                    _add(normal, g_row, lack, laws.butterfly * laws.butterfly)
    return cost


@kernel
def equations(theta: Floats, points: Points, laws: Laws, normal: Normal) -> float:
    """Cost of θ and its normal equations; infinite where a total variance is not positive.

    The cost is Σ soft-L1(weight·(w_model − w)) over the points, and over the grid
    (butterfly·max(0, margin − g))² for each scale and (calendar·(√w beyond low or high))².
    """
    normal.matrix[:] = 0.0
    normal.gradient[:] = 0.0
    sigma = np.exp(theta[4])
    cost: float = _points(theta, sigma, points, normal) + _laws(theta, sigma, laws, normal)
    return cost


@kernel
def _step(theta: Floats, box: Box, normal: Normal, damping: float, step: Floats) -> bool:
    """The damped Gauss–Newton step; a parameter at its bound that wants out stays there."""
    damped, right = np.empty((SIZE, SIZE)), np.empty(SIZE)
    held = np.empty(SIZE, dtype=np.bool_)
    for i in range(SIZE):
        pull = normal.gradient[i]
        held[i] = (theta[i] <= box.lowest[i] and pull > 0.0) or (theta[i] >= box.highest[i] and pull < 0.0)
        right[i] = 0.0 if held[i] else -pull
        for j in range(i + 1):
            damped[i, j] = 0.0 if held[i] or held[j] else normal.matrix[i, j]
        damped[i, i] = 1.0 if held[i] else damped[i, i] * (1.0 + damping) + 1e-14
    return solve(damped, right, step)


@kernel
def descend(theta: Floats, box: Box, points: Points, laws: Laws, stop: Stop) -> float:
    """Levenberg–Marquardt from θ inside the box, in place.

    Returns: the cost reached; infinite if a total variance was not positive at the start.
    """
    here = Normal(np.empty((SIZE, SIZE)), np.empty(SIZE))
    there = Normal(np.empty((SIZE, SIZE)), np.empty(SIZE))
    step, trial = np.zeros(SIZE), np.empty(SIZE)
    cost = equations(theta, points, laws, here)
    damping = 1e-3
    for _ in range(stop.rounds):
        gain = 0.0
        while damping < MAX_DAMPING and gain == 0.0:
            if _step(theta, box, here, damping, step):
                for i in range(SIZE):
                    trial[i] = min(max(theta[i] + step[i], box.lowest[i]), box.highest[i])
                reached = equations(trial, points, laws, there)
                if reached < cost:
                    gain = cost - reached
            damping = max(damping * 0.1, 1e-12) if gain > 0.0 else damping * 6.0
        if gain == 0.0:
            break
        cost -= gain
        theta[:] = trial
        here.matrix[:] = there.matrix
        here.gradient[:] = there.gradient
        if gain <= stop.tolerance * cost:
            break
    return cost


@kernel
def _linear(m: float, sigma: float, held: int, points: Points, out: Floats) -> float:
    """a, p and c of least squares at given m and σ; bit 0 of `held` fixes p at 0, bit 1 fixes c.  Returns: its cost."""
    matrix, right = np.zeros((3, 3)), np.zeros(3)
    total = 0.0
    for i in range(len(points.k)):
        x = points.k[i] - m
        root = np.sqrt(x * x + sigma * sigma)
        by_p = 0.0 if held & 1 else 0.5 * (root - x)
        by_c = 0.0 if held & 2 else 0.5 * (root + x)
        unit = points.weight[i] * points.weight[i]
        lifted = unit * points.w[i]
        matrix[0, 0] += unit
        matrix[1, 0] += unit * by_p
        matrix[2, 0] += unit * by_c
        matrix[1, 1] += unit * by_p * by_p
        matrix[2, 1] += unit * by_p * by_c
        matrix[2, 2] += unit * by_c * by_c
        right[0] += lifted
        right[1] += lifted * by_p
        right[2] += lifted * by_c
        total += lifted * points.w[i]
    matrix[1, 1] = matrix[1, 1] * (1.0 + 1e-12) if matrix[1, 1] > 0.0 else 1.0
    matrix[2, 2] = matrix[2, 2] * (1.0 + 1e-12) if matrix[2, 2] > 0.0 else 1.0
    if not solve(matrix, right, out):
        return np.inf
    cost: float = total - (out[0] * right[0] + out[1] * right[1] + out[2] * right[2])
    return cost


@kernel
def start(theta: Floats, box: Box, points: Points) -> float:
    """The best of a few (m, σ), each with its a, p and c from linear least squares, into θ.  Returns: its cost."""
    width = points.k[-1] - points.k[0]
    best = np.inf
    out = np.empty(3)
    for at_m in range(7):
        m = points.k[0] + width * (at_m + 1.0) / 8.0
        for at_sigma in range(4):
            sigma = width * 0.03 * 3.0**at_sigma
            cost = _linear(m, sigma, 0, points, out)
            if cost < np.inf and (out[1] < 0.0 or out[2] < 0.0):
                # A wing that would fall is held flat.
                cost = _linear(m, sigma, 1 if out[1] < 0.0 else 2, points, out)
            lowest = out[0] + np.sqrt(max(out[1], 0.0) * max(out[2], 0.0)) * sigma
            if cost < best and lowest > 0.0 and out[1] >= 0.0 and out[2] >= 0.0:
                best = cost
                theta[0], theta[1], theta[2], theta[3], theta[4] = out[0], out[1], out[2], m, np.log(sigma)
    if best == np.inf:
        theta[0], theta[1], theta[2], theta[3] = np.mean(points.w), 0.0, 0.0, 0.0
        theta[4] = np.log(0.1 * width)
    for i in range(SIZE):
        theta[i] = min(max(theta[i], box.lowest[i]), box.highest[i])
    return best
