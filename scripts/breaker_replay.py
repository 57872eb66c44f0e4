"""Replay the flash-crash breaker on recorded prices: scripts/breaker_replay.py --data FOLDER [--json].

Every CSV in the folder (gzipped or not, at any depth) that has open, high, low and close of bars that are short enough
is a series; `usd_open` and the like make a series each.  Figures are computed, nothing is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from keeper.deploy import BreakerSpec
from keeper.errors import KeeperError
from keeper.lab.breaker import episodes, frequency, outcome
from keeper.lab.paths import Feed, rounds
from keeper.marketdata.bars_file import bars_in
from keeper.risk.exact.breaker import BreakerRule, move_ppm

K_PPM = (250_000, 500_000, 750_000, 1_000_000, 1_500_000)
WINDOWS_S = (300, 600, 1_800)
#: No feed is silent so long: what comes after is another path.
HOLE_S = 3_600
ACCOUNTS = 400
SEED = 5
COUNTED = ("accounts", "flagged", "by_wick", "by_wick_guarded")
DEFICITS = ("deficit_ppm", "deficit_guarded_ppm")
#: Episodes listed by themselves.
TOLD = 8


def main() -> int:
    """Print the report.  Returns: 0 done, 2 a person must act."""
    spec = BreakerSpec()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="where the recorded bars are")
    parser.add_argument("--psr-ppm", type=int, default=100_000, help="scan range of every series (default: 100000)")
    parser.add_argument("--hold-s", type=int, default=spec.hold_s, help=f"default: {spec.hold_s}")
    parser.add_argument("--confirm-s", type=int, default=spec.confirm_s, help=f"default: {spec.confirm_s}")
    parser.add_argument("--min-move-ppm", type=int, default=5_000, help="least move (default: the contract's least)")
    parser.add_argument("--longest-bar-s", type=int, default=300, help="leave out longer bars (default: 300)")
    parser.add_argument("--json", action="store_true", help="figures for a script")
    args = parser.parse_args()
    try:
        report = replayed(args)
    except KeeperError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(report, indent=1) if args.json else "\n".join(said(report, args)))
    return 0


def replayed(args: argparse.Namespace) -> dict[str, Any]:
    """All figures: how often each rule opened on each series, and what became of each episode's accounts."""
    often: list[dict[str, Any]] = []
    lived: list[dict[str, Any]] = []
    for bars in bars_in(args.data, longest_bar_s=args.longest_bar_s):
        paths = [rounds(part, Feed()) for part in bars.stretches(hole_s=HOLE_S)]
        crashes = [(path, crash) for path in paths for crash in episodes(path)]
        for k, window in product(K_PPM, WINDOWS_S):
            hold = min(args.hold_s, window // 2)
            rule = BreakerRule(
                move_ppm=move_ppm(psr_ppm=args.psr_ppm, k_ppm=k, min_move_ppm=args.min_move_ppm),
                disagree_ppm=0,
                window_s=window,
                hold_s=hold,
                confirm_s=min(args.confirm_s, hold),
            )
            of = {"series": bars.name, "k_ppm": k, "window_s": window, "bar_s": bars.bar_s, "years": bars.years}
            count: Counter[str] = Counter()
            for path in paths:
                count.update(asdict(frequency(path, rule)))
            often.append(of | dict(count))
            for path, crash in crashes:
                rng = np.random.default_rng([SEED, crash.since_s])
                found = outcome(path, crash, rule, psr_ppm=args.psr_ppm, accounts=ACCOUNTS, rng=rng)
                lived.append(of | asdict(crash) | asdict(found) | {"saved": found.saved, "real": crash.real})
    return {"frequency": often, "episodes": lived}


def said(report: dict[str, Any], args: argparse.Namespace) -> Iterator[str]:
    """The figures as tables."""
    yield f"scan range {args.psr_ppm / 1e4:g} %, hold {args.hold_s} s, confirm {args.confirm_s} s; feed 0.5 % or 1 h"
    yield "\nHow often it opens: openings a year; how many of all were half taken back in half an hour; seconds each"
    yield _cells("series", 40, "bar", "years", "window", *(f"k={k / 1e6:g}" for k in K_PPM))
    rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for one in report["frequency"]:
        rows.setdefault((one["series"], one["window_s"]), []).append(one)
    for (series, window), found in rows.items():
        cells = [f"{x['openings'] / x['years']:.1f} {_share(x)}" for x in found]
        yield _cells(series[-39:], 40, f"{found[0]['bar_s']}", f"{found[0]['years']:.2f}", f"{window}", *cells)
    yield "\nWhom a wick alone would have killed: made-up accounts, 400 an episode; healthy again after half an hour"
    yield _cells("k", 6, "window", "accounts", "flagged", "by a wick", "with it")
    for k, window in product(K_PPM, WINDOWS_S):
        of = _under(report, k, window)
        yield _cells(f"{k / 1e6:g}", 6, f"{window}", *(f"{sum(x[n] for x in of):,}" for n in COUNTED))
    yield "\nWhat the delay costs when the move is real (more than half was still there after half an hour):"
    yield "the deficit of those who never recovered, at their flags, ppm of all notional: mean, and where it cost most"
    yield _cells(
        "k", 6, "window", "episodes", "held up", "late s", "deficit", "with it", "most lost by it", "of deficit"
    )
    for k, window in product(K_PPM, WINDOWS_S):
        yield _cells(f"{k / 1e6:g}", 6, f"{window}", *_cost([x for x in _under(report, k, window) if x["real"]]))
    spec = BreakerSpec()
    default = _under(report, spec.k_ppm, spec.window_s)
    rule = f"at k={spec.k_ppm / 1e6:g}, window {spec.window_s} s"
    yield f"\nEpisodes in which it saved most, {rule}"
    yield _cells("series", 40, "unix s", "to", "after ½ h", "by a wick", "with it", "who was saved")
    for x in sorted(default, key=lambda x: -x["saved"])[:TOLD]:
        low, high = x["leverage"]
        side = "long" if x["extreme"] < x["base"] else "short"
        span = f"{side} {low:.1f}–{high:.1f}×" if x["saved"] else "–"
        yield _cells(x["series"][-39:], 40, *_moves(x), f"{x['by_wick']}", f"{x['by_wick_guarded']}", span)
    yield f"\nReal moves in which the delay cost most, {rule}"
    yield _cells("series", 40, "unix s", "to", "after ½ h", "late s", "deficit", "with it")
    for x in sorted((x for x in default if x["real"]), key=lambda x: -_lost(x))[:TOLD]:
        deficits = (f"{x[n]:,} ppm" for n in ("deficit_ppm", "deficit_guarded_ppm"))
        yield _cells(x["series"][-39:], 40, *_moves(x), f"{x['late_s']:.0f}", *deficits)


def _under(report: dict[str, Any], k_ppm: int, window_s: int) -> list[dict[str, Any]]:
    return [x for x in report["episodes"] if (x["k_ppm"], x["window_s"]) == (k_ppm, window_s)]


def _lost(one: dict[str, Any]) -> int:
    return int(one["deficit_guarded_ppm"] - one["deficit_ppm"])


def _cost(real: list[dict[str, Any]]) -> Iterator[str]:
    """What the delay made of real moves: how many, in how many it held flags up, how long, and the deficits."""
    late = [x["late_s"] for x in real if x["late_s"]]
    yield f"{len(real)}"
    yield f"{len(late)}"
    yield f"{np.mean(late):.0f}" if late else "–"
    yield from (f"{sum(x[n] for x in real) / max(1, len(real)):.0f} ppm" for n in DEFICITS)
    worst = max(real, key=_lost, default=None)
    yield "–" if worst is None or _lost(worst) <= 0 else f"+{_lost(worst):,} ppm"
    yield "–" if worst is None or _lost(worst) <= 0 else f"{worst['deficit_ppm']:,} ppm"


def _moves(one: dict[str, Any]) -> Iterator[str]:
    yield f"{one['since_s']}"
    yield from (f"{(one[n] / one['base'] - 1) * 100:+.1f} %" for n in ("extreme", "after"))


def _share(one: dict[str, Any]) -> str:
    each = one["open_s"] / one["openings"] if one["openings"] else 0
    return f"{one['taken_back']}/{one['openings']} {each:.0f}s"


def _cells(first: str, width: int, *rest: str) -> str:
    return f"{first:<{width}}" + "".join(f" {cell:>18}" for cell in rest)


if __name__ == "__main__":
    sys.exit(main())
