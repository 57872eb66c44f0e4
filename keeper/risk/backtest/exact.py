"""Exact distributions of the coverage tests, at any length.

Nothing is simulated.  Given x breaches in T windows, all C(T, x) sequences are equally likely under independence, and
the four transition counts depend only on the number r of runs of breaches and on whether the first and the last window
are breaches: there are C(x−1, r−1)·C(T−x−1, z−1) sequences with r runs of breaches and z runs of calm.  So every
likelihood ratio that can occur, with its probability, is a short list.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, xlog1py, xlogy

Floats = npt.NDArray[np.float64]

#: Two likelihood ratios, or two probabilities, this close (relative) are the same one, computed in another order.
_SAME: Final = 1e-9
#: Counts of breaches whose probability is below this are left out of a sum over all counts.
_NEVER: Final = 1e-18


def pof_ratio(count: npt.ArrayLike, trials: int, probability: float) -> Floats:
    """Kupiec's likelihood ratio, elementwise."""
    x = np.asarray(count, dtype=np.float64)
    calm = trials - x
    rate = x / trials
    found = xlogy(x, rate) + xlogy(calm, 1.0 - rate)
    supposed = xlogy(x, probability) + xlog1py(calm, -probability)
    return np.asarray(np.maximum(0.0, 2.0 * (found - supposed)))


def independence_ratio(n00: npt.ArrayLike, n01: npt.ArrayLike, n10: npt.ArrayLike, n11: npt.ArrayLike) -> Floats:
    """Christoffersen's likelihood ratio, elementwise; 0 where only one state was ever left."""
    a, b, c, d = (np.asarray(n, dtype=np.float64) for n in (n00, n01, n10, n11))
    split = _entropy(a, b) + _entropy(c, d)
    return np.asarray(np.maximum(0.0, 2.0 * (split - _entropy(a + c, b + d))))


def _entropy(zeros: Floats, ones: Floats) -> Floats:
    """Largest log-likelihood of so many zeros and ones."""
    return np.asarray(xlogy(zeros, zeros) + xlogy(ones, ones) - xlogy(zeros + ones, zeros + ones))


def binomial_two_sided(count: int, trials: int, probability: float) -> float:
    """Probability of all counts that are at most as likely as the seen one."""
    log_mass = _log_mass(np.arange(trials + 1), trials, probability)
    as_rare = log_mass <= log_mass[count] + _SAME
    return min(1.0, float(np.exp(log_mass[as_rare]).sum()))


def independence_p(ratio: float, *, trials: int, count: int) -> float:
    """Probability, given `count` breaches in `trials` windows, of a ratio at least `ratio`."""
    ratios, log_ways = _arrangements(trials, count)
    return min(1.0, float(np.exp(log_ways[_reaches(ratios, ratio)] - _log_choose(trials, count)).sum()))


def coverage_p(ratio: float, *, trials: int, probability: float) -> float:
    """Probability of POF + IND at least `ratio` if breaches are independent and have this probability."""
    counts = np.arange(trials + 1)
    log_mass = _log_mass(counts, trials, probability)
    total = 0.0
    for x in counts[log_mass > np.log(_NEVER)].tolist():
        ratios, log_ways = _arrangements(trials, x)
        reached = _reaches(ratios + float(pof_ratio(x, trials, probability)), ratio)
        total += float(np.exp(log_ways[reached] + log_mass[x] - _log_choose(trials, x)).sum())
    return min(1.0, total)


def _reaches(ratios: Floats, ratio: float) -> npt.NDArray[np.bool_]:
    return ratios >= ratio - _SAME * max(1.0, ratio)


def _arrangements(trials: int, count: int) -> tuple[Floats, Floats]:
    """Every independence ratio of sequences with `count` breaches, and the log of how many sequences have it."""
    calm = trials - count
    if count in (0, trials):
        return np.zeros(1), np.zeros(1)
    runs = np.arange(1, count + 1)[:, None]
    first, last = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    calm_runs = runs + 1 - first - last
    log_ways = _log_choose(count - 1, runs - 1) + _log_choose(calm - 1, calm_runs - 1)
    n11, n01, n10 = count - runs + 0 * first, runs - first, runs - last
    n00 = trials - 1 - n11 - n01 - n10
    possible = np.isfinite(log_ways)
    moves = (n[possible] for n in (n00, n01, n10, n11))
    return independence_ratio(*moves), log_ways[possible]


def _log_mass(count: npt.NDArray[Any], trials: int, probability: float) -> Floats:
    """Log of the binomial probability."""
    return _log_choose(trials, count) + xlogy(count, probability) + xlog1py(trials - count, -probability)


def _log_choose(n: npt.ArrayLike, k: npt.ArrayLike) -> Floats:
    """Log of the binomial coefficient; −∞ where it is zero."""
    n, k = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64))
    inside = (k >= 0) & (k <= n)
    safe = np.where(inside, k, 0.0)
    top = np.where(inside, n, 0.0)
    return np.where(inside, gammaln(top + 1) - gammaln(safe + 1) - gammaln(top - safe + 1), -np.inf)
