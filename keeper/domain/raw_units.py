"""Raw integers of the contracts in people's words: `120_000` ppm is 12 %, 3_600 s is 1 h, a strike has eight digits."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

ZERO: Final = "0x" + "00" * 20


class Scale(StrEnum):
    """How a raw number is read."""

    PPM = "ppm"
    PPB = "ppb"
    SECONDS = "s"
    BLOCKS = "blocks"
    USD = "USD"
    CONTRACTS = "contracts"
    TOKENS = "tokens"
    STRIKE = "strike"
    COUNT = "count"
    FLAG = "flag"
    ADDRESS = "address"
    NAME = "name"
    BYTES = "bytes"


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What a raw number means."""

    scale: Scale
    decimals: int = 0
    """Of amounts: digits after the point."""
    symbol: str = ""
    """Of token amounts."""


PPM, PPB = Unit(scale=Scale.PPM, decimals=4), Unit(scale=Scale.PPB, decimals=9)
SECONDS, BLOCKS, COUNT = Unit(scale=Scale.SECONDS), Unit(scale=Scale.BLOCKS), Unit(scale=Scale.COUNT)
FLAG, ADDRESS, NAME, BYTES = (Unit(scale=s) for s in (Scale.FLAG, Scale.ADDRESS, Scale.NAME, Scale.BYTES))
USD, CONTRACTS = Unit(scale=Scale.USD, decimals=18), Unit(scale=Scale.CONTRACTS, decimals=18)
STRIKE, TIME = Unit(scale=Scale.STRIKE, decimals=8), Unit(scale=Scale.SECONDS, symbol="unix")
#: A forward in spots, and what a dollar at expiry is worth today.
FORWARD, DISCOUNT = (Unit(scale=Scale.PPB, decimals=9, symbol=s) for s in ("× spot", "× payout"))

#: Fields of the fence around a range, whose names do not tell.
FENCE_UNITS: Final = {"min": PPM, "max": PPM, "stepAbs": PPM, "budgetAbs": PPM}
#: Ranges as contracts name them, and as a person does.
RANGE_NAMES: Final = {"psr": "scan range", "vsrUp": "volatility range up", "vsrDown": "volatility range down"}


def field_key(name: str) -> str:
    """`capPerAccount` → `cap_per_account`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m[1].lower(), name).strip("_").lower()


def unit_of(name: str, kind: str) -> Unit:
    """What the name of a Solidity field says of its unit; plain counts where it says nothing."""
    if kind == "bool":
        return FLAG
    if kind == "address":
        return ADDRESS
    if kind.startswith("bytes"):
        return NAME if kind == "bytes32" else BYTES
    for suffix, unit in (("PpmPerYear", PPM), ("PpmPerDay", PPM), ("PpmPerHour", PPM), ("Ppm", PPM), ("Ppb", PPB)):
        if name.endswith(suffix):
            return unit
    if name.endswith("Blocks"):
        return BLOCKS
    if name.endswith("Usd"):
        return USD
    return SECONDS if re.search(r"[a-z]S$", name) else COUNT


def plain(value: Any) -> str:
    """A raw value as text that is the same in every process."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(plain(one) for one in value) + "]"
    return str(value)


def shown(value: Any, unit: Unit) -> str:
    """A raw value with its unit, for a person."""
    if isinstance(value, list | tuple):
        return ", ".join(shown(one, unit) for one in value)
    if value is None:
        return "none"
    if unit.scale is Scale.NAME and isinstance(value, bytes):
        text = value.rstrip(b"\0")
        return text.decode() if text and text.isascii() and text.decode().isprintable() else plain(value)
    if unit.scale is Scale.ADDRESS:
        return "none" if value == ZERO else str(value)
    return plain(value) if not isinstance(value, int) or isinstance(value, bool) else _number(value, unit)


def _number(value: int, unit: Unit) -> str:
    if unit.scale is Scale.PPM:
        return f"{_decimal(value, 4)} %"
    if unit.scale is Scale.SECONDS:
        return moment(value) if unit.symbol else _span(value)
    word = unit.symbol or {Scale.COUNT: "", Scale.PPB: "", Scale.STRIKE: "USD"}.get(unit.scale, str(unit.scale))
    return f"{_decimal(value, unit.decimals)} {word}".strip()


def moment(seconds: int) -> str:
    """`2026-11-29 08:00 UTC`, with seconds where there are any; the bare number beyond the calendar."""
    form = "%Y-%m-%d %H:%M:%S UTC" if seconds % 60 else "%Y-%m-%d %H:%M UTC"
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _decimal(value: int, places: int) -> str:
    sign, digits = "-" if value < 0 else "", str(abs(value)).rjust(places + 1, "0")
    whole, part = (digits[:-places], digits[-places:].rstrip("0")) if places else (digits, "")
    return f"{sign}{int(whole):,}{'.' + part if part else ''}"


def _span(seconds: int) -> str:
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {word}"
    return f"{seconds:,} s"
