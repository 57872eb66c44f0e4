"""Columns for numbers of the EVM, exact on every database.

A plain NUMERIC silently loses digits on SQLite beyond 2**53.  So:

    PostgreSQL   NUMERIC(78, 0), bound as Decimal
    SQLite       fixed-width text that sorts as the numbers do: order, MIN, MAX and comparisons are right, SUM is not
                 (add up in Python)
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine

from keeper.errors import LawBroken

#: Decimal digits of 2**256 - 1.
_DIGITS = 78


class UInt256(TypeDecorator[int]):
    """An integer in 0 … 2**256 - 1.  On SQLite 78 digits, zero-padded.  Anything else is `LawBroken`."""

    impl = String
    cache_ok = True
    low, high = 0, 2**256 - 1
    length = _DIGITS

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(_DIGITS, 0))
        return dialect.type_descriptor(String(self.length))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | str | None:
        """Check the range and write."""
        if value is None:
            return None
        if type(value) is not int or not self.low <= value <= self.high:
            raise LawBroken(f"{value!r} does not fit {type(self).__name__}", value=value)
        return Decimal(value) if dialect.name == "postgresql" else self.to_text(value)

    def process_result_value(self, value: object, dialect: Dialect) -> int | None:
        """Read."""
        if value is None:
            return None
        return int(Decimal(str(value))) if dialect.name == "postgresql" else self.from_text(str(value))

    def to_text(self, value: int) -> str:
        """Fixed-width text in the order of the numbers."""
        return f"{value:0{_DIGITS}d}"

    def from_text(self, text: str) -> int:
        """Inverse of `to_text`."""
        return int(text)


class Int256(UInt256):
    """An integer in -2**255 … 2**255 - 1.

    On SQLite `p` and 78 digits, or `n` and the ten's complement of 78 digits: "n" sorts before "p", and of two negative
    numbers the one closer to zero has the larger complement.
    """

    cache_ok = True
    low, high = -(2**255), 2**255 - 1
    length = _DIGITS + 1

    def to_text(self, value: int) -> str:
        """Fixed-width text in the order of the numbers."""
        return f"p{value:0{_DIGITS}d}" if value >= 0 else f"n{10**_DIGITS + value:0{_DIGITS}d}"

    def from_text(self, text: str) -> int:
        """Inverse of `to_text`."""
        return int(text[1:]) - (10**_DIGITS if text[0] == "n" else 0)
