"""The fences' errors in people's words; a contract's error that is none of theirs stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from keeper.domain.raw_units import DISCOUNT, FORWARD, PPM, RANGE_NAMES, STRIKE, TIME, Unit, shown
from keeper.risk.exact.probes import NAMES as PROBES

#: Numbers that the fences name, as a person does, and their units.
_NUMBERS: Final[dict[str, tuple[str, Unit]]] = {
    **{name: (said, PPM) for name, said in RANGE_NAMES.items()},
    "sigmaAtm": ("volatility at the money", PPM),
    "phi": ("forward", FORWARD),
    "carry": ("forward", FORWARD),
    "df": ("discount factor", DISCOUNT),
    "smile": ("a strike's volatility over the one at the money", PPM),
}


def in_words(refusal: str) -> str:
    """A refusal as `explain_revert` gives it, `StepTooLarge(what=psr, …)`, in words where it is one of the fences'."""
    found = re.fullmatch(r"(\w+)\((.*)\)", refusal)
    if found is None or found[1] not in _SAYS:
        return refusal
    values = dict(re.findall(r"(\w+)=([^,]*)", found[2]))
    try:
        return _SAYS[found[1]](values)
    except (KeyError, ValueError, IndexError):  # of another version's contracts
        return refusal


def _named(values: dict[str, str]) -> tuple[str, Unit]:
    return _NUMBERS[values["what"]]


def _out_of_range(v: dict[str, str]) -> str:
    name, unit = _named(v)
    bounds = "what the time left may earn" if v["what"] == "carry" else "its bounds"
    value, low, high = (shown(int(v[key]), unit) for key in ("value", "min", "max"))
    return f"{name} of {value} is beyond {bounds}, {low} … {high}"


def _step(v: dict[str, str]) -> str:
    name, unit = _named(v)
    old, new, limit = (shown(int(v[key]), unit) for key in ("oldValue", "newValue", "limit"))
    most = f"{limit} of its logarithm" if v["what"] == "sigmaAtm" else limit
    return f"{name} from {old} to {new} is more than a step, {most} now"


def _budget(v: dict[str, str]) -> str:
    name, unit = _named(v)
    anchor, new, limit = (shown(int(v[key]), unit) for key in ("anchor", "newValue", "limit"))
    most = f"{limit} of its logarithm" if v["what"] == "sigmaAtm" else limit
    return f"{name} of {new} is beyond the day's budget, {most} from {anchor} a day ago"


def _joint(v: dict[str, str]) -> str:
    old, new, limit = (shown(int(v[key]), PPM) for key in ("from", "newValue", "limitPpm"))
    portfolio = PROBES[int(v["probe"])]
    return f"together the ranges take what a {portfolio} requires from {old} to {new} of spot, by more than {limit}"


def _smile(v: dict[str, str]) -> str:
    strike, sigma, atm = (
        shown(int(v["strike"]), STRIKE),
        shown(int(v["sigmaPpm"]), PPM),
        shown(int(v["sigmaAtmPpm"]), PPM),
    )
    return f"the strike of {strike} at {sigma} is beyond the band around {atm} at the money"


def _calendar(v: dict[str, str]) -> str:
    first, second = shown(int(v["expiryBefore"]), TIME), shown(int(v["expiry"]), TIME)
    return f"total variance would fall from {first} to {second}"


def _butterfly(v: dict[str, str]) -> str:
    return f"marks around the strike of {shown(int(v['strike']), STRIKE)} would be out of order (a butterfly that pays)"


def _vetoed(v: dict[str, str]) -> str:
    return f"the guardian vetoed loosening until {shown(int(v['until']), TIME)}"


_SAYS: Final[dict[str, Callable[[dict[str, str]], str]]] = {
    "OutOfRange": _out_of_range,
    "StepTooLarge": _step,
    "BudgetExceeded": _budget,
    "JointMove": _joint,
    "SmileOutOfBand": _smile,
    "CalendarArbitrage": _calendar,
    "ButterflyArbitrage": _butterfly,
    "Vetoed": _vetoed,
}
