"""The slow, obvious twin of `keeper.risk.compiled.svi`: the same fit in numpy, taken where there is no compiler.

Functions, records and conventions are those of the compiled module; each line here is one of its loops.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.risk.compiled.svi import MAX_DAMPING, SIZE, Box, Laws, Points, Stop

Floats = npt.NDArray[np.float64]


def w_rows(theta: Floats, k: Floats) -> tuple[Floats, Floats]:
    """w at each k, and its derivatives by θ, shape (n, 5)."""
    a, p, c, m, sigma = theta[0], theta[1], theta[2], theta[3], np.exp(theta[4])
    x = k - m
    root = np.sqrt(x * x + sigma * sigma)
    left, right = 0.5 * (root - x), 0.5 * (root + x)
    slope = 0.5 * (c - p) + 0.5 * (c + p) * x / root
    rows = np.stack([np.ones_like(k), left, right, -slope, 0.5 * (c + p) * sigma**2 / root], axis=1)
    return np.asarray(a + p * left + c * right), rows


def g_rows(theta: Floats, k: Floats, scale: float) -> tuple[Floats, Floats]:
    """g at each k with every variance times `scale`, and its derivatives by θ, shape (n, 5)."""
    w, by_w = w_rows(theta, k)
    p, c, m, sigma = theta[1], theta[2], theta[3], np.exp(theta[4])
    x, half = k - m, 0.5 * (c + p)
    r2 = x * x + sigma**2
    u, lift = x / np.sqrt(r2), sigma**2 / r2**1.5
    slope, bend = -by_w[:, 3], half * lift
    zero = np.zeros_like(k)
    by_slope = np.stack([zero, 0.5 * (u - 1.0), 0.5 * (u + 1.0), -bend, -half * u * lift], axis=1)
    by_bend = np.stack([zero, 0.5 * lift, 0.5 * lift, 3.0 * bend * x / r2, bend * (2.0 - 3.0 * sigma**2 / r2)], axis=1)
    tilt = 1.0 - k * slope / (2.0 * w)
    g = tilt**2 - scale * slope**2 / (4.0 * w) - scale**2 * slope**2 / 16.0 + 0.5 * scale * bend
    from_w = (tilt * k * slope + 0.25 * scale * slope**2) / w**2
    from_slope = -tilt * k / w - scale * slope / (2.0 * w) - scale**2 * slope / 8.0
    return np.asarray(g), np.asarray(from_w[:, None] * by_w + from_slope[:, None] * by_slope + 0.5 * scale * by_bend)


def equations(theta: Floats, points: Points, laws: Laws) -> tuple[float, Floats, Floats]:
    """Cost of θ, its Gauss–Newton matrix and its gradient; infinite where a total variance is not positive."""
    w, rows = w_rows(theta, points.k)
    on_grid, grid_rows = w_rows(theta, laws.grid)
    if not ((w > 0.0).all() and (on_grid > 0.0).all()):
        return np.inf, np.zeros((SIZE, SIZE)), np.zeros(SIZE)
    parts = points.weight * (w - points.w)
    stretch = np.sqrt(1.0 + (parts / points.soft) ** 2) if points.soft > 0.0 else np.ones_like(parts)
    cost = float(np.sum(2.0 * points.soft**2 * (stretch - 1.0)) if points.soft > 0.0 else np.sum(parts**2))
    blocks = [(rows, w - points.w, points.weight**2 / stretch)]
    bound = np.clip(on_grid, laws.low, laws.high)
    unit = np.where(bound != on_grid, (laws.calendar / (2.0 * np.sqrt(bound))) ** 2, 0.0)
    blocks.append((grid_rows, on_grid - bound, unit))
    cost += float(np.sum(unit * (on_grid - bound) ** 2))
    if laws.butterfly > 0.0:
        for scale in laws.scales:
            g, by_theta = g_rows(theta, laws.grid, float(scale))
            lack = np.minimum(g - laws.margin, 0.0)
            cost += float(np.sum((laws.butterfly * lack) ** 2))
            blocks.append((by_theta, lack, np.where(lack < 0.0, laws.butterfly**2, 0.0)))
    matrix = sum((by * unit[:, None]).T @ by for by, _, unit in blocks)
    gradient = sum((by * unit[:, None]).T @ residual for by, residual, unit in blocks)
    return cost, np.asarray(matrix), np.asarray(gradient)


def descend(theta: Floats, box: Box, points: Points, laws: Laws, stop: Stop) -> float:
    """As the compiled `descend`."""
    cost, matrix, gradient = equations(theta, points, laws)
    damping = 1e-3
    for _ in range(stop.rounds):
        gain = 0.0
        while damping < MAX_DAMPING and gain == 0.0:
            step = _step(theta, box, matrix, gradient, damping)
            if step is not None:
                trial = np.clip(theta + step, box.lowest, box.highest)
                reached, next_matrix, next_gradient = equations(trial, points, laws)
                if reached < cost:
                    gain = cost - reached
                    cost, matrix, gradient, theta[:] = reached, next_matrix, next_gradient, trial
            damping = max(damping * 0.1, 1e-12) if gain > 0.0 else damping * 6.0
        if gain <= stop.tolerance * cost:
            break
    return cost


def _step(theta: Floats, box: Box, matrix: Floats, gradient: Floats, damping: float) -> Floats | None:
    held = ((theta <= box.lowest) & (gradient > 0.0)) | ((theta >= box.highest) & (gradient < 0.0))
    damped = np.where(held[:, None] | held[None, :], 0.0, matrix)
    damped[np.diag_indices(SIZE)] = np.where(held, 1.0, np.diag(damped) * (1.0 + damping) + 1e-14)
    try:
        np.linalg.cholesky(damped)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.linalg.solve(damped, np.where(held, 0.0, -gradient)))


def start(theta: Floats, box: Box, points: Points) -> float:
    """As the compiled `start`."""
    width = float(points.k[-1] - points.k[0])
    best = np.inf
    theta[:] = (float(np.mean(points.w)), 0.0, 0.0, 0.0, np.log(0.1 * width))
    for at_m in range(7):
        m = float(points.k[0]) + width * (at_m + 1.0) / 8.0
        for at_sigma in range(4):
            sigma = width * 0.03 * 3.0**at_sigma
            cost, out = _linear(m, sigma, 0, points)
            if out[1] < 0.0 or out[2] < 0.0:
                cost, out = _linear(m, sigma, 1 if out[1] < 0.0 else 2, points)
            lowest = out[0] + np.sqrt(max(out[1], 0.0) * max(out[2], 0.0)) * sigma
            if cost < best and lowest > 0.0 and out[1] >= 0.0 and out[2] >= 0.0:
                best = cost
                theta[:] = (*out, m, np.log(sigma))
    np.clip(theta, box.lowest, box.highest, out=theta)
    return best


def _linear(m: float, sigma: float, held: int, points: Points) -> tuple[float, Floats]:
    _, rows = w_rows(np.array([0.0, 0.0, 0.0, m, np.log(sigma)]), points.k)
    used = rows[:, :3] * points.weight[:, None] * [1.0, not held & 1, not held & 2]
    out, *_ = np.linalg.lstsq(used, points.weight * points.w)
    return float(np.sum((used @ out - points.weight * points.w) ** 2)), np.asarray(out, dtype=np.float64)
