"""What a cross-underlying offset would save: scripts/offset_report.py --first BTC.csv --second ETH.csv [--json].

Two price histories as `keeper calibrate` reads them.  Each typical account is asked the contract's way, adding the
worst rows, and with gains of one offsetting losses of the other; both are held against every year's joint days under
ranges that knew nothing of that year.  Figures are computed, nothing is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from keeper.errors import KeeperError
from keeper.lab.offset import TYPICAL, Carried, Year, study
from keeper.marketdata.prices_file import load_prices
from keeper.risk.presets.keeper import OFFSET

SEED = 5


def main() -> int:
    """Print the report.  Returns: 0 done, 2 a person must act."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--first", type=Path, required=True, metavar="FILE", help="prices of one underlying")
    parser.add_argument("--second", type=Path, required=True, metavar="FILE", help="prices of the other")
    parser.add_argument("--share", type=float, default=OFFSET, help=f"the offset o (default: {OFFSET})")
    parser.add_argument("--json", action="store_true", help="figures for a script")
    args = parser.parse_args()
    try:
        if not 0.0 <= args.share <= 1.0:
            parser.error(f"--share {args.share} is not between 0 and 1")
        years = tuple(study(load_prices(args.first), load_prices(args.second), share=args.share, seed=SEED))
    except KeeperError as error:
        print(error, file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps([asdict(y) | {"saved": {a.account: a.saved for a in y.accounts}} for y in years], indent=1))
    else:
        print("\n".join(said(years, args.share)))
    return 0


def said(years: Sequence[Year], share: float) -> Iterator[str]:
    """A table an account: a line a window."""
    yield f"o = {share:g}; requirement of one dollar a leg; carried: largest o that a window's joint days bear, 5–95 %"
    for place, account in enumerate(TYPICAL):
        yield f"\n{account.name}"
        yield _line("window", "ranges", "added", "offset", "saved", "carried", "5–95 %", "days", "added <", "offset <")
        for year in years:
            one = year.accounts[place]
            psr = " ".join(f"{p * 100:.1f}%" for p in year.psr)
            cells = (psr, f"{one.added:.3f}", f"{one.joint:.3f}", f"{one.saved * 100:.0f} %", _carried(one))
            bars = f"{_share(one.low)}–{_share(one.high)}"
            yield _line(year.name, *cells, bars, f"{one.days}", f"{one.beyond_added}", f"{one.beyond_joint}")


def _carried(one: Carried) -> str:
    return "none" if one.largest_share is None else _share(one.largest_share)


def _share(value: float) -> str:
    return "none" if value < 0 else f"{value:.2f}"


def _line(first: str, *rest: str) -> str:
    return f"{first:<8}" + "".join(f"{cell:>14}" for cell in rest)


if __name__ == "__main__":
    sys.exit(main())
