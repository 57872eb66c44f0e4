"""Comma-separated files, plain or gzipped, row by row: a complaint names file, line and what is expected."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from keeper.domain.expiry import HINT_EXPIRY, expiry_or_none
from keeper.errors import BadInput

_GZIP_MAGIC: Final = b"\x1f\x8b"
#: Prices outside of this are nobody's.  The lower end is what a wad can hold.
SMALLEST_PRICE: Final = 1e-18
LARGEST_PRICE: Final = 1e15
#: The year 5138: a whole number from here on is milliseconds.
LAST_MOMENT: Final = 10**11
_MOMENT: Final = "a time: unix seconds such as 1584057600, or ISO 8601 such as 2020-03-13T02:00:00"


class Row:
    """One row of a file, with the place it came from."""

    def __init__(self, where: str, cells: Sequence[str]) -> None:
        self.where = where
        self.cells = cells

    def refuse(self, what: str, expected: str) -> BadInput:
        """The complaint to raise about this row."""
        return BadInput(f"{self.where}: {what}", hint=f"expected {expected}")

    def number(self, column: int, name: str) -> float:
        """A finite number.  Raises: `BadInput`."""
        text = self.cells[column]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse(f"{name} is {text!r}", f"a number in column {name}")
        return value

    def positive(self, column: int, name: str) -> float:
        """A number above zero.  Raises: `BadInput`."""
        value = self.number(column, name)
        if value <= 0.0:
            raise self.refuse(f"{name} is {self.cells[column]}", f"a {name} above 0")
        return value

    def price(self, column: int, name: str) -> float:
        """A number that somebody could have paid.  Raises: `BadInput`."""
        value = self.positive(column, name)
        if not SMALLEST_PRICE <= value <= LARGEST_PRICE:
            raise self.refuse(
                f"{name} is {self.cells[column]}", f"a {name} between {SMALLEST_PRICE:g} and {LARGEST_PRICE:g}"
            )
        return value

    def moment(self, column: int, name: str) -> int:
        """Unix seconds of a time written as unix seconds, unix milliseconds, or ISO 8601 (UTC unless it says so).

        Raises: `BadInput`.
        """
        text = self.cells[column].strip()
        try:
            value = float(text)
        except ValueError:
            pass
        else:
            if 0 <= value < LAST_MOMENT * 1000:
                return int(value / 1000 if value >= LAST_MOMENT else value)
        try:
            when = dt.datetime.fromisoformat(text)
        except ValueError:
            raise self.refuse(f"{name} is {text!r}", _MOMENT) from None
        return int((when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp())

    def expiry(self, column: int, name: str) -> int:
        """Unix seconds of an expiry: as `moment`, and `27MAR26` or `20260327`; a day alone means 08:00 UTC.

        Raises: `BadInput`.
        """
        text = self.cells[column].strip().removesuffix(".0")  # a whole number, as tables of floats write it
        try:
            found = expiry_or_none(text)
        except ValueError:
            raise self.refuse(
                f"{name} is {text!r}, no day of the calendar", HINT_EXPIRY.removeprefix("write ")
            ) from None
        return self.moment(column, name) if found is None else found


class Table:
    """A file with a header line.

    Raises, from every method: `BadInput` naming file and line.
    """

    def __init__(self, path: Path, *, expected: str) -> None:
        self.path = path
        self.expected = expected
        self._lines = csv.reader(io.StringIO(_text(path, expected), newline=""))
        self.header = tuple(cell.strip().lower() for cell in next(self._lines, []))

    def column(self, names: Sequence[str]) -> int:
        """Index of the first of `names` that the header has."""
        found = self.optional(names)
        if found is None:
            have = ", ".join(self.header) or "nothing"
            raise BadInput(
                f"{self.path}:1: no column {' or '.join(names)}; the header has {have}",
                hint=f"expected {self.expected}",
            )
        return found

    def optional(self, names: Sequence[str]) -> int | None:
        """The same, or None."""
        return next((self.header.index(name) for name in names if name in self.header), None)

    def rows(self) -> Iterator[Row]:
        """The rows below the header; blank lines are passed over, anything else must be a row."""
        try:
            for cells in self._lines:
                if not cells:
                    continue
                row = Row(f"{self.path}:{self._lines.line_num}", cells)
                if len(cells) != len(self.header):
                    raise row.refuse(f"{len(cells)} cells under {len(self.header)} columns", self.expected)
                yield row
        except csv.Error as error:
            raise BadInput(f"{self.path}:{self._lines.line_num}: {error}", hint=f"expected {self.expected}") from error


def _text(path: Path, expected: str) -> str:
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP_MAGIC):
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not text", hint=f"expected {expected}") from error
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path}: cannot be read: {why}", hint=f"expected {expected}") from error
