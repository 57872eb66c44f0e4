"""`python -m keeper.testing.chaos`; see `run`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from keeper.testing.chaos.killed import KILLABLE
from keeper.testing.chaos.run import live, run, summary, table

EXAMPLE = """example:
  python -m keeper.testing.chaos --scenarios 200 --kills 40 --seed 7
  python -m keeper.testing.chaos --seed 7 --only 123

exit codes: 0 all laws held; 1 a law broke, or a fault or boundary was never struck; 2 bad arguments"""


#: What was printed last, by what it was about.
_told: dict[str, int] = {}


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print, judge.  Returns: the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m keeper.testing.chaos",
        description="Lives of a keeper under faults, restarts and SIGKILLs, and the laws that hold after each.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scenarios", "-n", type=int, default=10_000, help="lives in this process (default 10000)")
    parser.add_argument("--kills", type=int, default=500, help="real SIGKILLs (default 500)")
    parser.add_argument("--seed", type=int, default=1, help="everything follows from it (default 1)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one scenario of the seed, told in full")
    asked = parser.parse_args(argv)
    if min(asked.scenarios, asked.kills, asked.seed, asked.only or 0) < 0 or asked.workers < 1:
        parser.error("counts and seed are not negative, and somebody has to work")
    if not asked.scenarios + asked.kills and asked.only is None:
        parser.error("nothing to do: ask for scenarios or kills")
    if asked.only is not None:
        outcome = live(asked.seed, asked.only)
        print(outcome.scenario)
        for (fault, where), count in sorted(outcome.faults.items()):
            print(f"  {fault} in {where}: {count}")
        for line in outcome.broken or ["all laws held"]:
            print(f"  {line}")
        return 1 if outcome.broken else 0
    begun = time.monotonic()
    total = run(
        scenarios=asked.scenarios, kills=asked.kills, seed=asked.seed, workers=asked.workers, progress=_progress
    )
    _progress("", 0, 0, 0)
    for line in table(total):
        print(line)
    for what, broken in total.broken[:20]:
        print(f"\nBROKEN {what}")
        for line in broken[:5]:
            print(f"  {line}")
    zeros = total.zeros(scenarios=asked.scenarios > 0, kills=asked.kills >= len(KILLABLE))
    if zeros:
        print(f"\nNEVER STRUCK: {', '.join(zeros)}")
    print("\n" + summary(total, seed=asked.seed, zeros=zeros, seconds=time.monotonic() - begun))
    return 1 if total.broken or zeros else 0


def _progress(what: str, done: int, of: int, broken: int) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what} {done:,} of {of:,}, {broken} broken" if what else "\r\x1b[K", end="", file=sys.stderr)
    elif what and done - _told.get(what, -of) >= of / 10:
        _told[what] = done
        print(f"{what} {done:,} of {of:,}, {broken} broken", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
