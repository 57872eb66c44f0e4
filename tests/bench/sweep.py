"""Worst loss and expected shortfall of many accounts against scipy's sparse product and numpy's partition.

python -m tests.bench.sweep ACCOUNTS     prints the bytes of memory that one sweep takes beyond its inputs
"""

import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

from keeper.risk.kernel.sweep import PnlTable, Positions, Swept, resweep, sweep
from tests.bench.machine import Machine
from tests.bench.timing import Row, best

POSITIONS, INSTRUMENTS, SCENARIOS, LEVEL = 10, 1_000, 1_000, 0.975
#: Accounts of one block of the baseline: its 2 MB of sums stay in the cache.  From 64 to 1,024 it makes no difference.
CHUNK = 256
#: What a sweep may take beyond inputs and results.
MEMORY_BYTES = 300e6
#: Least ratio that passes.  A linear row compares with the time that proportion to the work would give.
FLOORS = {
    "sweep: worst and ES 97.5 %": 5.0,
    "sweep: one account changed": 1_000.0,
    "sweep: 5 positions × 500 scenarios, linear": 0.4,
    "sweep: 10 positions × 2,000 scenarios, linear": 0.5,
    "sweep: 20 positions × 2,000 scenarios, linear": 0.5,
}


def a_book(accounts: int, positions: int = POSITIONS) -> Positions:
    """Random sizes in distinct random instruments."""
    rng = np.random.default_rng(11)
    room = INSTRUMENTS // positions
    index = rng.integers(0, room, (accounts, positions)) + np.arange(positions) * room
    return Positions(
        start=np.arange(0, accounts * positions + 1, positions),
        index=index.ravel(),
        size=rng.standard_normal(accounts * positions),
        instruments=INSTRUMENTS,
    )


def a_table(scenarios: int = SCENARIOS) -> PnlTable:
    """Three fat-tailed factors and some noise."""
    rng = np.random.default_rng(12)
    factors = rng.standard_normal((INSTRUMENTS, 3)) @ rng.standard_t(4, (3, scenarios))
    return PnlTable(factors + 0.3 * rng.standard_normal((INSTRUMENTS, scenarios)))


def by_scipy(book: Positions, table: PnlTable) -> tuple[np.ndarray, np.ndarray]:
    """Worst loss and expected shortfall: the tail is 25 whole scenarios."""
    matrix = sparse.csr_array((book.size, book.index, book.start), shape=(len(book), INSTRUMENTS))
    count = round((1 - LEVEL) * table.values.shape[1])
    worst, es = np.empty(len(book)), np.empty(len(book))
    for first in range(0, len(book), CHUNK):
        tail = np.partition(matrix[first : first + CHUNK] @ table.values, count - 1, axis=1)[:, :count]
        worst[first : first + CHUNK] = -tail.min(axis=1)
        es[first : first + CHUNK] = -tail.mean(axis=1)
    return worst, es


def change(swept: Swept, book: Positions, table: PnlTable) -> None:
    """What happens when one account has traded."""
    resweep(swept, [len(book) // 2], book.take([len(book) // 2]), table, level=LEVEL)


def rows(machine: Machine, accounts: int) -> Iterator[Row]:
    """The sweep, one account of it, and how its cost grows."""
    book, table = a_book(accounts), a_table()
    swept = sweep(book, table, level=LEVEL)
    worst, es = by_scipy(book, table)
    if not (np.array_equal(swept.worst, worst) and np.allclose(swept.es, es, rtol=1e-12, atol=0)):
        sys.exit("the sweep and scipy differ")
    taken = int(subprocess.check_output([sys.executable, "-m", __name__, str(accounts)], cwd=_ROOT, text=True))
    if taken > MEMORY_BYTES:
        sys.exit(f"the sweep took {taken / 1e6:.0f} MB beyond its inputs")
    ours = best(5, partial(sweep, book, table, level=LEVEL))
    yield Row(
        name="sweep: worst and ES 97.5 %",
        baseline_s=best(5, partial(by_scipy, book, table)),
        ours_s=ours,
        limit_s=machine.reading(8.0 * accounts * POSITIONS * SCENARIOS),
        limit="cache read",
        note=f"{taken / 1e6:.0f} MB of memory beyond the inputs",
    )
    yield Row(name="sweep: one account changed", baseline_s=ours, ours_s=best(500, partial(change, swept, book, table)))
    some = accounts // 4
    unit = best(5, partial(sweep, a_book(some), table, level=LEVEL)) / (POSITIONS * SCENARIOS)
    for positions, scenarios in ((5, 500), (10, 2_000), (20, 2_000)):
        task = partial(sweep, a_book(some, positions), a_table(scenarios), level=LEVEL)
        yield Row(
            name=f"sweep: {positions} positions × {scenarios:,} scenarios, linear",
            baseline_s=unit * positions * scenarios,
            ours_s=best(5, task),
            note=f"work ×{positions * scenarios / (POSITIONS * SCENARIOS):g}; baseline: as much more time",
        )


_ROOT = Path(__file__).resolve().parent.parent.parent


def _peak() -> int:
    """Most bytes of memory this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if "VmHWM" in line)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS, in bytes


def _taken(accounts: int) -> int:
    """Peak of one sweep over the memory that inputs and loaded kernels already hold."""
    book, table = a_book(accounts), a_table()
    sweep(book.take(range(1_000)), table, level=LEVEL)
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")  # the peak starts again from what is held now
    before = _peak()
    sweep(book, table, level=LEVEL)
    return _peak() - before


if __name__ == "__main__":
    sys.stdout.write(f"{_taken(int(sys.argv[1]))}\n")
