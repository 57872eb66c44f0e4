"""Time real units of work against committed baselines: ratios of one run, warm, best of a few.

    make bench
    make bench ARGS="--only sweep --only grid"
    make bench ARGS="--accounts 20000 --json"

Each module of tests/bench with `rows` and `FLOORS` is part of the table: `rows` yields `timing.Row`s and takes, by the
names of its parameters, whatever it needs of `machine`, `accounts` and `cycle_accounts`; `FLOORS` gives the least ratio
that passes, by row.  A ratio under its floor fails the run.  Absolute times are printed beside what the machine can do,
measured in the same run, and are never judged: they belong to the machine.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import bench
from tests.bench.machine import Machine, measure
from tests.bench.timing import Row


def main() -> int:
    """Print the table.  Returns: 0, or 1 if a ratio is under its floor."""
    names = [m.name for m in pkgutil.iter_modules(bench.__path__)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=names, metavar="MODULE", help="one module; may be repeated")
    parser.add_argument("--accounts", type=int, default=100_000, help="of grid, sweep and index (default 100000)")
    parser.add_argument("--cycle-accounts", type=int, default=2_000, help="accounts of the cycle rows (default 2000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()

    begun = time.perf_counter()
    _progress("measuring the machine")
    machine = measure()
    if not options.json:
        _progress()
        print(_about(machine), flush=True)
        print(f"\n{'work':46} {'baseline':>10} {'ours':>10} {'ratio':>9} {'floor':>7}   of the machine's limit")
    done: list[dict[str, object]] = []
    failed = 0
    for name in options.only or names:
        module = import_module(f"tests.bench.{name}")
        if not hasattr(module, "rows"):
            continue
        _progress(f"{name} …")
        for row in _rows(module, machine, options):
            floor = module.FLOORS.get(row.name)
            under = floor is not None and row.ratio < floor
            failed += under
            done.append({**asdict(row), "ratio": row.ratio, "floor": floor, "passed": not under})
            if not options.json:
                _progress()
                print(_line(row, floor), flush=True)
            _progress(f"{name} …")
        _progress()
    if options.json:
        print(json.dumps({"machine": asdict(machine), "rows": done}, indent=2))
    else:
        print(f"\n{len(done)} rows in {time.perf_counter() - begun:.0f} s; {failed} under the floor")
    return 1 if failed else 0


def _rows(module: ModuleType, machine: Machine, options: argparse.Namespace) -> Iterator[Row]:
    offered = {"machine": machine, "accounts": options.accounts, "cycle_accounts": options.cycle_accounts}
    wanted = {name: offered[name] for name in signature(module.rows).parameters}
    rows: Iterator[Row] = module.rows(**wanted)
    return rows


def _about(machine: Machine) -> str:
    copy, read, gemm = machine.copy_bytes_per_s, machine.read_bytes_per_s, machine.gemm_flop_per_s
    products = f"{machine.multiply_per_s / 1e9:.1f} billion 64-bit products/s"
    return (
        f"calibration: {machine.calibration_s:.3f} s for 1,000,000 small Python operations\n"
        f"limits:      copy {copy / 1e9:.0f} GB/s, cache read {read / 1e9:.0f} GB/s, GEMM {gemm / 1e9:.0f} GFLOP/s, "
        f"{products}; two cores"
    )


def _line(row: Row, floor: float | None) -> str:
    limit = "" if row.limit_s is None else f"{row.limit_s / row.ours_s:6.1%} of {row.limit} ({_s(row.limit_s).strip()})"
    asked = "      —" if floor is None else f"{floor:6.1f}×"
    words = "; ".join(
        word for word in (limit, row.note, "UNDER ITS FLOOR" if floor and row.ratio < floor else "") if word
    )
    return f"{row.name:46} {_s(row.baseline_s)} {_s(row.ours_s)} {row.ratio:8.1f}× {asked}   {words}".rstrip()


def _s(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:8.3f} s"
    return f"{seconds * 1e3:7.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:7.1f} µs"


def _progress(what: str = "") -> None:
    """Say on a terminal what is running; wiped before a line of the table is printed."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
