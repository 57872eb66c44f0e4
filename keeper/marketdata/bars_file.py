"""Price bars from a folder of CSV files, plain or gzipped.

A file counts if its header has a time column and `open`, `high`, `low`, `close`, or the four with a common prefix such
as `usd_`, each prefix a series of its own.  Rows that lack one of the four are left out, as a bar without a trade is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.domain.bars import Bars
from keeper.errors import BadInput
from keeper.marketdata.prices_file import TIME
from keeper.marketdata.tables import Table

PARTS: Final = ("open", "high", "low", "close")
_EXPECTED: Final = "CSV with a header line, a time column (ts or time) and open, high, low, close"


def bars_in(folder: Path, *, longest_bar_s: int) -> Iterator[Bars]:
    """Every series of a folder, at any depth, by name.

    Args:
        folder: where.
        longest_bar_s: series of longer bars are left out.

    Raises: `BadInput` if nothing of it is a series, or a file cannot be read.
    """
    found = False
    for path in sorted(p for p in folder.rglob("*") if p.name.endswith((".csv", ".csv.gz"))):
        for bars in load_bars(path):
            if bars.bar_s <= longest_bar_s:
                found = True
                yield bars
    if not found:
        raise BadInput(
            f"{folder} has no bars of at most {longest_bar_s} s", hint=f"name a folder with files of {_EXPECTED}"
        )


def load_bars(path: Path) -> tuple[Bars, ...]:
    """The series of one file; empty if it has other columns, or times that do not ascend.

    Raises: `BadInput` naming file and line.
    """
    table = Table(path, expected=_EXPECTED)
    at = table.optional(TIME)
    prefixes = [name.removesuffix("open") for name in table.header if name.endswith("open")]
    columns = {
        prefix: [table.header.index(prefix + part) for part in PARTS]
        for prefix in prefixes
        if all(prefix + part in table.header for part in PARTS)
    }
    if at is None or not columns:
        return ()
    rows: dict[str, list[tuple[float, ...]]] = {prefix: [] for prefix in columns}
    for row in table.rows():
        moment = row.moment(at, table.header[at])
        for prefix, places in columns.items():
            if all(row.cells[c].strip().lower() not in ("", "nan") for c in places):
                prices = (row.price(c, table.header[c]) for c in places)
                rows[prefix].append((moment, *prices))
    name = path.name.removesuffix(".gz").removesuffix(".csv")
    series = ((f"{name} {p.rstrip('_')}".rstrip(), np.array(r)) for p, r in rows.items() if len(r) > 1)
    return tuple(bars for label, values in series if (bars := _bars(label, values)) is not None)


def _bars(name: str, rows: npt.NDArray[np.float64]) -> Bars | None:
    """None if times do not ascend: then one file holds several series, and no column says which."""
    times = rows[:, 0].astype(np.int64)
    steps = np.diff(times)
    if (steps <= 0).any():
        return None
    o, h, low, c = rows[:, 1:].T
    return Bars(name=name, bar_s=int(np.median(steps)), start_s=times, open=o, high=h, low=low, close=c)
