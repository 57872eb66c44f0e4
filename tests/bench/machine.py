"""What this machine can do at most, measured in the same run as the table."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np

from keeper.risk.compiled.grid import mul_high
from tests.bench.timing import best, calibration

#: Elements of each copied array: 64 MB of float64, beyond any cache that two cores have for themselves.
_COPIED = 8_000_000
#: Side of the square matrices that are multiplied.
_SIDE = 2_000


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Limits of two cores."""

    calibration_s: float
    """1,000,000 small Python operations."""
    copy_bytes_per_s: float
    """Bytes read plus bytes written per second when both cores copy arrays that no cache holds."""
    read_bytes_per_s: float
    """Bytes per second of a float64 matrix-vector product on both cores whose 8 MB matrix stays in the caches."""
    multiply_per_s: float
    """Exact products of two 64-bit integers per second on both cores, by a compiled loop with nothing else in it."""
    gemm_flop_per_s: float
    """Multiplications plus additions per second of a float64 matrix product on both cores."""

    def copying(self, byte_count: float) -> float:
        """Least seconds to bring `byte_count` bytes to and from memory."""
        return byte_count / self.copy_bytes_per_s

    def reading(self, byte_count: float) -> float:
        """Least seconds to read `byte_count` bytes out of the caches once."""
        return byte_count / self.read_bytes_per_s

    def multiplying(self, count: float) -> float:
        """Least seconds for `count` exact 64-bit products."""
        return count / self.multiply_per_s

    def computing(self, flop: float) -> float:
        """Least seconds for `flop` float64 multiplications and additions."""
        return flop / self.gemm_flop_per_s


def measure() -> Machine:
    """Measure: about five seconds."""
    return Machine(
        calibration_s=calibration(),
        copy_bytes_per_s=_copy(),
        read_bytes_per_s=_read(),
        multiply_per_s=_multiply(),
        gemm_flop_per_s=_gemm(),
    )


def _copy() -> float:
    cores = min(2, os.cpu_count() or 1)
    sources = [np.ones(_COPIED) for _ in range(cores)]
    targets = [np.zeros(_COPIED) for _ in range(cores)]
    # numpy lets go of the interpreter while it copies, so threads are cores.
    with ThreadPoolExecutor(cores) as pool:
        seconds = best(5, lambda: list(pool.map(np.copyto, targets, sources)))
    return 2.0 * cores * _COPIED * 8 / seconds


def _read() -> float:
    rng = np.random.default_rng(1)
    matrix, vector, out = rng.standard_normal((1_000, 1_000)), rng.standard_normal(1_000), np.empty(1_000)
    return matrix.nbytes / best(2_000, lambda: np.matmul(matrix, vector, out=out))


def _multiply() -> float:
    # Eight chains that do not wait for each other keep the multiplier busy on each of its cycles.
    seeds = np.arange(3, 3 + 2 * 8, 2).astype(np.uint64) << np.uint64(59)
    rounds = 2_000_000
    with ThreadPoolExecutor(2) as pool:
        seconds = best(20, lambda: list(pool.map(_chains, [seeds, seeds], [rounds, rounds])))
    return 2.0 * 8 * rounds / seconds


@numba.njit(nogil=True, cache=True)
def _chains(x, rounds):
    a, b, c, d, e, f, g, h = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    k = x[0] | np.uint64(1)
    for _ in range(rounds):
        a, b, c, d = mul_high(a, k) ^ k, mul_high(b, k) ^ k, mul_high(c, k) ^ k, mul_high(d, k) ^ k
        e, f, g, h = mul_high(e, k) ^ k, mul_high(f, k) ^ k, mul_high(g, k) ^ k, mul_high(h, k) ^ k
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h


def _gemm() -> float:
    rng = np.random.default_rng(1)
    a, b, out = rng.standard_normal((_SIDE, _SIDE)), rng.standard_normal((_SIDE, _SIDE)), np.empty((_SIDE, _SIDE))
    return 2.0 * _SIDE**3 / best(10, lambda: np.matmul(a, b, out=out))
