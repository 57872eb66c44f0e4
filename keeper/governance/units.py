"""Numbers of proposals as a person writes them: `120_000`, or "12 %"."""

from __future__ import annotations

import re
from typing import Any, Final

from eth_utils import is_address, to_checksum_address

from keeper.domain.raw_units import Scale, Unit
from keeper.errors import BadInput

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
