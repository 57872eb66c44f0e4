"""Histories of at-the-money volatilities from files.

A file is CSV, plain or gzipped, with a header line.  Read are, wherever they stand and in either case:

    time    `ts`, `time`, `timestamp` or `date`: unix seconds (or milliseconds), or ISO 8601, UTC by default
    vol     `atm_iv`, `iv` or `vol`: annual, as a fraction (0.5 is 50 %)
    tenor   `t` in years of 365 days, or `dte` in days; without either the file is a constant 30-day index
    symbol  `cur`, `underlying` or `symbol`; without it the file is of one underlying, named like the file

or, in place of vol, tenor and symbol, 30-day indices in points (50 is 50 %): `dvol`, or `eth_dvol` and its like.
A row whose volatility is empty says that there was none.  Other columns are ignored.  Rows ascend in time; those of one
moment may come in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from keeper.domain.vols import VolHistory
from keeper.errors import BadInput
from keeper.marketdata.tables import Row, Table

_TIME: Final = ("ts", "time", "timestamp", "date")
_VOL: Final = ("atm_iv", "iv", "vol")
_SYMBOL: Final = ("cur", "underlying", "symbol")
_DAY_S: Final = 86_400
_YEAR_S: Final = 365 * _DAY_S
#: A tenor of a few digits gives an expiry to some seconds; expiries lie on the hour.
_EXPIRY_LATTICE_S: Final = 3_600
#: Beyond this a fraction was written in percent.  Source: no at-the-money volatility of a listed asset has come near.
_MOST: Final = 10.0

_EXPECTED: Final = "CSV with a header line, a time column (ts), a volatility column (atm_iv) and a tenor (t or dte)"


def load_vols(path: Path) -> Mapping[str, VolHistory]:
    """Read the volatility histories of a file, by symbol.

    Raises: `BadInput` naming file, line and what is expected.
    """
    table = Table(path, expected=_EXPECTED)
    at, indices = table.column(_TIME), _indices(table, path)
    if indices and table.optional(_VOL) is None:
        return _read_indices(table, at, indices)
    vol = table.column(_VOL)
    years, days, symbol = table.optional(("t",)), table.optional(("dte",)), table.optional(_SYMBOL)
    rows: dict[str, dict[tuple[int, int], float]] = {}
    last = 0
    for row in table.rows():
        moment = row.moment(at, table.header[at])
        if moment < last:
            raise row.refuse(f"the time {moment} comes before {last}", "rows that ascend in time")
        last = moment
        if not row.cells[vol].strip():
            continue
        level = row.positive(vol, table.header[vol])
        if level > _MOST:
            raise row.refuse(f"{table.header[vol]} is {level:g}", "a volatility as a fraction: 0.5 for 50 %")
        name = row.cells[symbol].strip().upper() if symbol is not None else path.name.split(".")[0]
        key = (moment, _expiry(row, moment, years, days))
        if key in rows.setdefault(name, {}):
            raise row.refuse(f"{name} has this time and expiry twice", "one row per time and expiry")
        rows[name][key] = level
    if not rows:
        raise BadInput(f"{path}:1: no volatilities below the header", hint=f"expected {_EXPECTED}")
    return {name: _history(name, found) for name, found in rows.items()}


def _indices(table: Table, path: Path) -> dict[str, int]:
    """Columns that are 30-day indices in points, by symbol."""
    return {
        name.removesuffix("dvol").removesuffix("_").upper() or path.name.split(".")[0]: i
        for i, name in enumerate(table.header)
        if name == "dvol" or name.endswith("_dvol")
    }


def _read_indices(table: Table, at: int, indices: Mapping[str, int]) -> Mapping[str, VolHistory]:
    found: dict[str, dict[tuple[int, int], float]] = {name: {} for name in indices}
    last = -1
    for row in table.rows():
        moment = row.moment(at, table.header[at])
        if moment <= last:
            raise row.refuse(f"the time {moment} does not come after {last}", "rows that ascend strictly in time")
        last = moment
        for name, column in indices.items():
            if row.cells[column].strip():
                found[name][moment, 0] = row.positive(column, table.header[column]) / 100.0
    if not all(found.values()):
        raise BadInput(f"{table.path}:1: no volatilities below the header", hint=f"expected {_EXPECTED}")
    return {name: _history(name, levels) for name, levels in found.items()}


def _expiry(row: Row, moment: int, years: int | None, days: int | None) -> int:
    if years is not None:
        left = row.positive(years, "t") * _YEAR_S
    elif days is not None:
        left = row.positive(days, "dte") * _DAY_S
    else:
        return 0
    return round((moment + left) / _EXPIRY_LATTICE_S) * _EXPIRY_LATTICE_S


def _history(name: str, found: Mapping[tuple[int, int], float]) -> VolHistory:
    keys = sorted(found)
    return VolHistory(
        name=name,
        time_s=np.array([moment for moment, _ in keys], dtype=np.int64),
        expiry_s=np.array([expiry for _, expiry in keys], dtype=np.int64),
        vol=np.array([found[key] for key in keys], dtype=np.float64),
    )
