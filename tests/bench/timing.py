"""Honest timing: warm, best of a few, and a figure to compare machines by."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    baseline_s: float
    ours_s: float
    limit_s: float | None = None
    """Least seconds this machine could need for the work, where one of its limits says so."""
    limit: str = ""
    """Which limit that is: `copy`, `GEMM`."""
    note: str = ""
    """What else was measured, in a few words: error, memory."""

    @property
    def ratio(self) -> float:
        """How many times faster than the baseline."""
        return self.baseline_s / self.ours_s


def best(times: int, task: Callable[[], object]) -> float:
    """Least seconds over several runs after a warm one."""
    task()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        task()
        took.append(time.perf_counter() - start)
    return min(took)


def calibration() -> float:
    """Seconds for a fixed piece of Python, so that absolute times of two machines compare."""
    return best(3, lambda: sum(i * i % 7 for i in range(1_000_000)))
