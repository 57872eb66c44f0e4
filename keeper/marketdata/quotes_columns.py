"""Option quotes as columns: from CSV, from Parquet, under whatever names a file gives them.

    column      also                                meaning
    snap        ts, time, timestamp                 when it was quoted: unix seconds, milliseconds, or ISO 8601 (UTC)
    cur         underlying, und, symbol             optional: several underlyings may share a file
    expiry      expiration                          as `snap`, or 20260327, 27MAR26; a day alone means 08:00 UTC
    strike                                          above 0
    cp          type, optiontype, option_type       C or P, call or put
    fut         forward, fwd, underlying_price      optional: forward of the expiry; else from call and put marks
    index       spot, index_price                   optional: the venue's spot index
    bid         bid_price                           optional: premium over forward (in coin); empty where nobody bids
    ask         ask_price                           the same of offers
    mark        mark_price                          optional: the venue's mark, premium over forward
    iv          mark_vol; mark_iv in percent        volatility of the mark, 0.5 is 50 %; optional with bids and asks
    oi          open_interest                       optional

Other columns are ignored.  A quote without a number has an empty cell, NaN or null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.errors import BadInput
from keeper.marketdata.tables import LAST_MOMENT, Row, Table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "snap": ("snap", "ts", "time", "timestamp"),
    "cur": ("cur", "underlying", "und", "symbol"),
    "expiry": ("expiry", "expiration"),
    "strike": ("strike",),
    "cp": ("cp", "type", "optiontype", "option_type"),
    "fut": ("fut", "forward", "fwd", "underlying_price"),
    "index": ("index", "spot", "index_price"),
    "bid": ("bid", "bid_price"),
    "ask": ("ask", "ask_price"),
    "mark": ("mark", "mark_price"),
    "iv": ("iv", "mark_vol", "mark_iv"),
    "oi": ("oi", "open_interest"),
}
REQUIRED: Final = ("snap", "expiry", "strike", "cp")
NUMBERS: Final = ("fut", "index", "bid", "ask", "mark", "iv", "oi")
EXPECTED: Final = "columns snap, expiry, strike, cp, and iv or bid and ask; see keeper surface --help"

_SIDES: Final = {"c": True, "call": True, "p": False, "put": False}
_NOTHING: Final = ("", "nan", "null", "none")
_PARQUET_MAGIC: Final = b"PAR1"
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Every row of a file, shape (rows,) each."""

    time_s: Ints
    underlying: npt.NDArray[np.str_]
    """Upper case; the file's name where it has no such column."""
    expiry_s: Ints
    strike: Floats
    is_call: npt.NDArray[np.bool_]
    numbers: Mapping[str, Floats]
    """`NUMBERS`, NaN where there is none; volatilities as fractions."""


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does.  Raises: `BadInput` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}", hint="name a file of quotes") from error


def columns_of_csv(path: Path) -> Columns:
    """Read CSV, plain or gzipped.  Raises: `BadInput` naming file and line."""
    table = Table(path, expected=EXPECTED)
    at = {name: table.column(aliases) for name, aliases in NAMES.items() if name in REQUIRED}
    more = {name: table.optional(aliases) for name, aliases in NAMES.items() if name not in REQUIRED}
    at |= {name: column for name, column in more.items() if column is not None}
    _some_vol(path, at)
    rows = list(table.rows())
    if not rows:
        raise BadInput(f"{path}:1: no quotes below the header", hint=f"expected {EXPECTED}")

    def moments(name: str, read: Callable[[Row, int, str], int]) -> Ints:
        # Few distinct times on many rows: parsed once each.
        known: dict[str, int] = {}
        for row in rows:
            if row.cells[at[name]] not in known:
                known[row.cells[at[name]]] = read(row, at[name], table.header[at[name]])
        return np.array([known[row.cells[at[name]]] for row in rows], dtype=np.int64)

    numbers = {
        name: np.array([_number(row, at[name], name) for row in rows]) if name in at else np.full(len(rows), np.nan)
        for name in NUMBERS
    }
    if "iv" in at and table.header[at["iv"]] == "mark_iv":
        numbers["iv"] = numbers["iv"] / 100.0
    return Columns(
        time_s=moments("snap", Row.moment),
        underlying=_names(path, [row.cells[at["cur"]] for row in rows] if "cur" in at else None, len(rows)),
        expiry_s=moments("expiry", Row.expiry),
        strike=np.array([row.positive(at["strike"], "strike") for row in rows]),
        is_call=np.array([_side(row, at["cp"]) for row in rows]),
        numbers=numbers,
    )


def columns_of_parquet(path: Path) -> Columns:
    """Read Parquet.  Raises: `BadInput` naming the file and what is wrong with it, or that pyarrow is missing."""
    table, unreadable = _parquet(path)
    header = {str(name).lower(): str(name) for name in table.column_names}
    at = {name: next((header[alias] for alias in aliases if alias in header), None) for name, aliases in NAMES.items()}
    for name in REQUIRED:
        if at[name] is None:
            raise BadInput(f"{path}: no column {' or '.join(NAMES[name])}", hint=f"expected {EXPECTED}")
    _some_vol(path, {name: column for name, column in at.items() if column is not None})
    if not table.num_rows:
        raise BadInput(f"{path}: holds no quotes", hint=f"expected {EXPECTED}")

    def read(name: str, cast: Callable[[Any], Any]) -> Any:
        try:
            return cast(table.column(at[name]))
        except unreadable as error:
            raise BadInput(f"{path}: column {at[name]} cannot be used: {error}", hint=f"expected {EXPECTED}") from error

    def place(name: str) -> str:
        return f"{path}: column {at[name]}"

    numbers = {name: np.full(table.num_rows, np.nan) if at[name] is None else read(name, _floats) for name in NUMBERS}
    if at["iv"] is not None and at["iv"].lower() == "mark_iv":
        numbers["iv"] = numbers["iv"] / 100.0
    strike = read("strike", _floats)
    if not (strike > 0.0).all():
        raise BadInput(f"{path}: a strike is not a number above 0", hint=f"expected {EXPECTED}")
    names = None if at["cur"] is None else [str(name) for name in table.column(at["cur"]).to_pylist()]
    return Columns(
        time_s=read("snap", lambda column: _seconds(column, place("snap"), Row.moment)),
        underlying=_names(path, names, table.num_rows),
        expiry_s=read("expiry", lambda column: _seconds(column, place("expiry"), Row.expiry)),
        strike=strike,
        is_call=read("cp", _calls),
        numbers=numbers,
    )


def _parquet(path: Path) -> tuple[Any, tuple[type[Exception], ...]]:
    """The table, and what its columns raise where they are not what was expected.  Raises: `BadInput`."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - only to read a Parquet file
        from pyarrow import parquet  # noqa: PLC0415 - the same
    except ImportError as error:
        raise BadInput(
            f"{path}: Parquet needs pyarrow, which is not installed", hint="pip install margin-keeper[parquet]"
        ) from error
    try:
        return parquet.read_table(path), (ValueError, TypeError, pa.ArrowException)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path}: is no Parquet file that can be read: {error}", hint="export it again") from error


def _some_vol(path: Path, at: Mapping[str, object]) -> None:
    if "iv" not in at and not ("bid" in at and "ask" in at):
        raise BadInput(f"{path}: has neither a column iv nor bid and ask", hint=f"expected {EXPECTED}")


def _number(row: Row, column: int, name: str) -> float:
    return math.nan if row.cells[column].strip().lower() in _NOTHING else row.number(column, name)


def _side(row: Row, column: int) -> bool:
    side = _SIDES.get(row.cells[column].strip().lower())
    if side is None:
        raise row.refuse(f"an option of type {row.cells[column]!r}", "C or P")
    return side


def _names(path: Path, names: Sequence[str] | None, rows: int) -> npt.NDArray[np.str_]:
    if names is None:
        return np.full(rows, path.name.split(".")[0].upper())
    return np.array([name.strip().upper() for name in names])


def _floats(column: Any) -> Floats:
    values = np.array(column.cast("float64").to_numpy(), dtype=np.float64)
    return np.where(np.isinf(values), np.nan, values)


def _seconds(column: Any, place: str, read: Callable[[Row, int, str], int]) -> Ints:
    kind = str(column.type)
    if column.null_count:
        raise ValueError("a time is missing")
    if not kind.startswith("timestamp["):
        texts = column.cast("string").to_pylist()
        # Few distinct ones on many rows: read once each.
        known = {text: read(Row(place, [text]), 0, "a time") for text in set(texts)}
        return np.array([known[text] for text in texts], dtype=np.int64)
    unit = kind.removeprefix("timestamp[").rstrip("]").split(",")[0]
    values = np.asarray(column.cast("int64").to_numpy() // _PER_SECOND[unit], dtype=np.int64)
    if not ((values >= 0) & (values < LAST_MOMENT)).all():
        raise ValueError("a time is before 1970 or after 5138")
    return values


def _calls(column: Any) -> npt.NDArray[np.bool_]:
    sides = [_SIDES.get(str(side).strip().lower()) for side in column.to_pylist()]
    if None in sides:
        raise ValueError(f"an option of type {column[sides.index(None)]}, not C or P")
    return np.array(sides, dtype=np.bool_)
