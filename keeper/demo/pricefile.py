"""Recorded prices: a CSV or CSV.gz with a time and a price in each row.

A file is refused, never repaired: a price that we make up would move margin.  Every refusal names file, line and what
to do about it.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from keeper.errors import BadInput

#: Column names taken for the time, in order of preference, compared in lower case without spaces, "_" and "-".
TIME_COLUMNS = ("ts", "time", "timestamp", "unix", "updatedat", "opentime", "datetime", "date")
#: Column names taken for the price, likewise.
PRICE_COLUMNS = ("close", "price", "answer", "last", "mark", "markprice", "value", "closeprice")
#: Unix seconds of 2009-01-03, the first Bitcoin block: no crypto price is older.
EARLIEST_S = 1_230_940_800
#: Unix seconds of 2100-01-01; later numbers are read as milliseconds, microseconds or nanoseconds.
LATEST_S = 4_102_444_800
#: USD.  The feeds have eight decimals, and beyond this no price of a coin was ever seen: a row in another unit.
LOWEST, HIGHEST = 0.01, 1e8

FORMAT_HINT = (
    "a price file is CSV (or CSV.gz) with a header row, a time column "
    f"({', '.join(TIME_COLUMNS)}; seconds, milliseconds or ISO 8601) and a price column ({', '.join(PRICE_COLUMNS)})"
)


@dataclass(frozen=True)
class Tick:
    """One row of a file."""

    time: int
    """Unix seconds."""
    price: float
    """USD, positive."""


def read_ticks(path: Path) -> tuple[Tick, ...]:
    """Read a whole file, ascending by time.

    A file that runs from new to old throughout is turned round; one that jumps back and forth is refused.  Two rows of
    one second are two oracle rounds: both stay, and the later one is the last known.

    Raises: `BadInput` naming file and line.
    """
    try:
        with _open(path) as lines:
            ticks, numbers = _parse(path, lines)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file", hint="give --prices the path of an existing CSV file") from None
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read: {error}", hint="check that the file is whole and readable") from error
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not a text file", hint=FORMAT_HINT) from None
    if len(ticks) < 2:
        raise BadInput(f"{path}: {len(ticks)} row(s) of prices, at least 2 are needed", hint=FORMAT_HINT)
    if ticks[0].time > ticks[-1].time:
        ticks.reverse()
        numbers.reverse()
    for before, after, number in zip(ticks, ticks[1:], numbers[1:], strict=False):
        if after.time < before.time:
            raise BadInput(
                f"{path}, line {number}: {show_time(after.time)} comes after {show_time(before.time)}",
                hint="sort the file by time",
                line=number,
            )
    return tuple(ticks)


def parse_time(text: str) -> int:
    """Read a moment: unix seconds, milli-, micro- or nanoseconds, or ISO 8601 (UTC unless it names a zone).

    Raises: `ValueError`.
    """
    refusal = ValueError(f"{text!r} is not a time between 2009 and 2100")
    try:
        number = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise refusal from None
        number = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    else:
        while LATEST_S < number < LATEST_S * 1e9:
            number /= 1000
    if not EARLIEST_S <= number <= LATEST_S:
        raise refusal
    return int(number)


def show_time(at_s: int) -> str:
    """A moment as people read it, UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")


def _open(path: Path) -> TextIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"  # by content: a renamed file is still gzip
    return (
        gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        if packed
        else path.open(encoding="utf-8-sig", newline="")
    )


def _parse(path: Path, lines: Iterable[str]) -> tuple[list[Tick], list[int]]:
    """Rows and the line number of each."""
    numbered = ((n, line) for n, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#"))
    first = next(numbered, None)
    if first is None:
        raise BadInput(f"{path}: the file is empty", hint=FORMAT_HINT)
    delimiter = max(",;\t", key=first[1].count)
    header = _cells(first[1], delimiter)
    time_at, price_at = (_column(path, header, names) for names in (TIME_COLUMNS, PRICE_COLUMNS))
    ticks: list[Tick] = []
    numbers: list[int] = []
    for number, line in numbered:
        cells = _cells(line, delimiter)
        if len(cells) != len(header):
            raise _bad_row(path, number, f"{len(cells)} columns, the header has {len(header)}")
        try:
            at_s = parse_time(cells[time_at])
        except ValueError:
            raise _bad_row(path, number, f"{header[time_at]} {cells[time_at]!r} is not a time") from None
        try:
            price = float(cells[price_at])
        except ValueError:
            raise _bad_row(path, number, f"{header[price_at]} {cells[price_at]!r} is not a number") from None
        if not (math.isfinite(price) and price > 0):
            raise _bad_row(path, number, f"{header[price_at]} {cells[price_at]} is not a positive price")
        if not LOWEST <= price <= HIGHEST:
            said = f"{header[price_at]} {cells[price_at]} is not between {LOWEST:g} and {HIGHEST:,.0f} USD"
            raise _bad_row(path, number, said)
        ticks.append(Tick(at_s, price))
        numbers.append(number)
    return ticks, numbers


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter))


def _column(path: Path, header: Sequence[str], names: Sequence[str]) -> int:
    plain = [cell.strip().lower().replace("_", "").replace("-", "").replace(" ", "") for cell in header]
    for name in names:
        if name in plain:
            return plain.index(name)
    raise BadInput(f"{path}, line 1: no column named {' or '.join(names[:3])} in {', '.join(header)}", hint=FORMAT_HINT)


def _bad_row(path: Path, number: int, problem: str) -> BadInput:
    return BadInput(f"{path}, line {number}: {problem}", hint="correct or delete that line", line=number)
