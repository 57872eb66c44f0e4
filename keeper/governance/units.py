"""Numbers of proposals in people's words and back: `120_000` ppm is 12 %, and a person may write either."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from eth_utils import is_address, to_checksum_address

from keeper.errors import BadInput

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

#: Scales of which a person may write a decimal with a word behind it.
_WORDS: Final = {
    Scale.PPM: {"%": 10_000, "ppm": 1},
    Scale.PPB: {"%": 10_000_000, "ppb": 1},
    Scale.SECONDS: {"s": 1, "min": 60, "h": 3600, "d": 86_400},
    Scale.USD: {"USD": 10**18},
    Scale.CONTRACTS: {"contracts": 10**18},
    Scale.STRIKE: {"USD": 10**8},
}
#: Thousands by underscores or commas, digits after a point, a word.
_AMOUNT: Final = re.compile(
    r"([0-9]{1,3}(?:,[0-9]{3}){1,30}|[0-9][0-9_]{0,99})(?:\.([0-9]{1,99}))?\s*(%|[A-Za-z]+)", re.ASCII
)


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


def parse(value: Any, unit: Unit, *, key: str) -> Any:
    """A value of a TOML file as the raw one: the raw integer itself, or "12.5 %", "2 h", "100000 USD".

    Raises: `BadInput` naming the key.
    """
    if unit.scale is Scale.FLAG:
        return _checked(value, bool, key, "true or false")
    if unit.scale is Scale.ADDRESS:
        if not isinstance(value, str) or not is_address(value):
            raise BadInput(f"{key} = {value!r} is not an address", hint="0x and forty hexadecimal digits")
        return to_checksum_address(value)
    if unit.scale is Scale.NAME:
        return _checked(value, str, key, "a text").encode().ljust(32, b"\0")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    words = dict(_WORDS.get(unit.scale, {}))
    if unit.scale is Scale.TOKENS:
        words[unit.symbol] = 10**unit.decimals
    found = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or found[3] not in words:
        forms = " or ".join(f'"1.5 {word}"' for word in words) or "nothing else"
        raise BadInput(f"{key} = {value!r} cannot be read", hint=f"give the raw integer, or {forms}")
    part = found[2] or ""
    raw, rest = divmod(int(re.sub("[_,]", "", found[1]) + part) * words[found[3]], 10 ** len(part))
    if rest:
        raise BadInput(f"{key} = {value!r} is no whole number of {unit.scale}", hint="fewer digits after the point")
    return raw


def _checked(value: Any, kind: type, key: str, form: str) -> Any:
    if not isinstance(value, kind):
        raise BadInput(f"{key} = {value!r} cannot be read", hint=f"give {form}")
    return value


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
        return text.decode() if text.isascii() and text.decode().isprintable() else plain(value)
    if unit.scale is Scale.ADDRESS:
        return "none" if value == ZERO else str(value)
    return plain(value) if not isinstance(value, int) or isinstance(value, bool) else _number(value, unit)


def _number(value: int, unit: Unit) -> str:
    if unit.scale is Scale.PPM:
        return f"{_decimal(value, 4)} %"
    if unit.scale is Scale.PPB:
        return _decimal(value, 9)
    if unit.scale is Scale.SECONDS:
        return str(value) if unit.symbol else _span(value)
    word = unit.symbol or {Scale.COUNT: "", Scale.STRIKE: "USD"}.get(unit.scale, str(unit.scale))
    return f"{_decimal(value, unit.decimals)} {word}".strip()


def _decimal(value: int, places: int) -> str:
    sign, digits = "-" if value < 0 else "", str(abs(value)).rjust(places + 1, "0")
    whole, part = (digits[:-places], digits[-places:].rstrip("0")) if places else (digits, "")
    return f"{sign}{int(whole):,}{'.' + part if part else ''}"


def _span(seconds: int) -> str:
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {word}"
    return f"{seconds:,} s"
