"""Time real units of work against committed baselines: ratios of one run, warm, best of a few.

    make bench
    make bench ARGS="--accounts 20000"

Ratios are compared with the floors below; a ratio under its floor fails the run.  Absolute times are printed beside a
calibration figure and never judged: they belong to the machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.bench import cycle, grid
from tests.bench.timing import calibration

#: Least ratio that passes, by row.  Well under what a quiet machine shows: a floor catches a lost algorithm, not noise.
FLOORS = {
    "grid: row sums, micro-contract sizes": 8.0,
    "grid: micro-contract sizes, at reference": 5.0,
    "grid: micro-contract sizes, shifted": 5.0,
    "grid: sizes to the wei, at reference": 3.0,
    "grid: sizes to the wei, shifted": 3.0,
    "cycle: think, all accounts": 1.5,
    "cycle: snapshot bytes": 0.2,
}


def main() -> int:
    """Print the table.  Returns: 0, or 1 if a ratio is under its floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000, help="accounts of the grid rows (default 100000)")
    parser.add_argument("--cycle-accounts", type=int, default=2_000, help="accounts of the cycle rows (default 2000)")
    options = parser.parse_args()
    print(f"calibration: {calibration():.3f} s for 1,000,000 small Python operations")
    print(f"{'work':44} {'baseline':>10} {'ours':>10} {'ratio':>8} {'floor':>7}")
    failed = 0
    for row in (*grid.rows(options.accounts), *cycle.rows(options.cycle_accounts)):
        floor = FLOORS[row.name]
        verdict = "" if row.ratio >= floor else "  under its floor"
        failed += bool(verdict)
        print(
            f"{row.name:44} {_s(row.baseline_s)} {_s(row.ours_s)} {row.ratio:7.1f}× {floor:6.1f}×{verdict}", flush=True
        )
    return 1 if failed else 0


def _s(seconds: float) -> str:
    return f"{seconds:8.3f} s" if seconds >= 1 else f"{seconds * 1000:7.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
