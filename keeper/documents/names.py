"""Names of instruments: `ETH-20260327-3000-C`, `ETH-20260327`, `ETH-PERP`, and Deribit's `ETH-27MAR26-3000-C`.

    SYMBOL-PERP                      perpetual; Deribit's SYMBOL-PERPETUAL is the same
    SYMBOL-EXPIRY                    dated future
    SYMBOL-EXPIRY-STRIKE-C|P         option

EXPIRY is `YYYYMMDD`, at 08:00 UTC, or `YYYYMMDDThhmm[ss]` for another time of day; or Deribit's `27MAR26` (08:00 UTC,
years 2000 to 2099).  STRIKE is a plain decimal; Deribit writes its point as `d` (`0d5`).  Symbols are as the market
document writes them; the other parts may be in lower case.  `str(parse(text))` is the first form of each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from keeper.domain.expiry import EXPIRY_TIME_S, parse_expiry
from keeper.errors import BadInput

HINT: Final = "write ETH-PERP, ETH-20260327 for a future, or ETH-20260327-3000-C (or -P) for an option"

_SYMBOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]*", re.ASCII)
#: At most 27 digits: what a Decimal keeps without rounding.
_STRIKE: Final = re.compile(r"\d{1,15}(?:\.\d{1,12})?", re.ASCII)


class Kind(StrEnum):
    """What an instrument pays."""

    PERP = "perp"
    """Linear, without expiry."""
    FUTURE = "future"
    """Linear, delivered at its expiry."""
    CALL = "C"
    """max(0, S − K) at its expiry."""
    PUT = "P"
    """max(0, K − S) at its expiry."""


@dataclass(frozen=True, kw_only=True)
class InstrumentName:
    """One instrument, by its terms."""

    symbol: str
    """Underlying."""
    kind: Kind
    """What it pays."""
    expiry_s: int | None = None
    """Unix seconds; None for a perpetual."""
    strike: Decimal | None = None
    """In the quote currency; None unless an option."""

    def __str__(self) -> str:
        """The canonical name: of two spellings of one instrument, always the same."""
        if self.kind is Kind.PERP:
            return f"{self.symbol}-PERP"
        assert self.expiry_s is not None
        dated = f"{self.symbol}-{expiry_name(self.expiry_s)}"
        return dated if self.kind is Kind.FUTURE else f"{dated}-{_plain(self.strike or Decimal(0))}-{self.kind}"


def parse(text: str) -> InstrumentName:
    """Read a name in any of the forms above.

    Raises: `BadInput` saying which part is wrong.
    """
    symbol, *rest = text.strip().split("-")
    if not _SYMBOL.fullmatch(symbol) or not rest:
        raise BadInput(f"{text!r} is not the name of an instrument", hint=HINT)
    if len(rest) == 1 and rest[0].upper() in {"PERP", "PERPETUAL"}:
        return InstrumentName(symbol=symbol, kind=Kind.PERP)
    expiry_s = parse_expiry(rest[0], of=text)
    if len(rest) == 1:
        return InstrumentName(symbol=symbol, kind=Kind.FUTURE, expiry_s=expiry_s)
    if len(rest) != 3 or rest[2].upper() not in {Kind.CALL, Kind.PUT}:
        raise BadInput(f"{text!r} does not end in a strike and C or P", hint=HINT)
    return InstrumentName(
        symbol=symbol, kind=Kind(rest[2].upper()), expiry_s=expiry_s, strike=_parse_strike(rest[1], of=text)
    )


def expiry_name(expiry_s: int) -> str:
    """The EXPIRY of a canonical name: `20260327`, with the time of day where it is not 08:00 UTC."""
    when = datetime.fromtimestamp(expiry_s, UTC)
    if expiry_s % 86_400 == EXPIRY_TIME_S:
        return f"{when.year:04d}{when:%m%d}"
    return f"{when.year:04d}{when:%m%dT%H%M%S}" if when.second else f"{when.year:04d}{when:%m%dT%H%M}"


def _parse_strike(text: str, *, of: str) -> Decimal:
    plain = text.replace("d", ".").replace("D", ".")
    if not _STRIKE.fullmatch(plain) or not Decimal(plain):
        raise BadInput(f"{text!r} in {of!r} is not a strike", hint="write a positive decimal: 3000, 0.5 or 0d5")
    return Decimal(plain).normalize()


def _plain(strike: Decimal) -> str:
    """Without an exponent or trailing zeros, every digit kept."""
    return f"{strike.normalize():f}"
