"""The name of a published parameter, as a person writes it: `ETH.scan_range`, `ETH.sigma@2026-12-25/3000`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from keeper.domain.landed import Landed
from keeper.errors import BadInput
from keeper.policy.parameter import Parameter, What

#: Other names by which a number is known.
_ALIASES: Final = {
    "psr": What.SCAN_RANGE,
    "vsr_up": What.VOL_UP,
    "vsr_down": What.VOL_DOWN,
    "volatility": What.SIGMA,
    "sigma_atm": What.SIGMA,
    "phi": What.FORWARD,
    "df": What.DISCOUNT,
}
_NAME: Final = re.compile(
    r"(?P<symbol>[A-Za-z0-9_-]{1,40})\.(?P<what>[a-z_]+)(?:@(?P<expiry>[0-9T:-]+?))?(?:/(?P<strike>[0-9.]+))?"
)
_HINT: Final = (
    "write ETH.scan_range, ETH.vol_up, ETH.vol_down, or ETH.sigma@2026-12-25, ETH.sigma@2026-12-25/3000, "
    "ETH.forward@2026-12-25, ETH.discount@2026-12-25; an expiry may be unix seconds too"
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A parameter as a person wrote it; its expiry is found among those that were published."""

    symbol: str
    what: What
    expiry: str
    strike: int


def parse_parameter(text: str) -> Wanted:
    """Read a parameter's name.  Raises: `BadInput` with the names that there are."""
    found = _NAME.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{text!r} names no parameter", hint=_HINT, parameter=text)
    what = _ALIASES.get(found["what"]) or next((one for one in What if one == found["what"]), None)
    if what is None:
        raise BadInput(f"there is no parameter {found['what']}", hint=_HINT, parameter=text)
    if what.ranged == bool(found["expiry"]):
        said = "belongs to no expiry" if what.ranged else "belongs to an expiry"
        raise BadInput(f"{what} {said}", hint=_HINT, parameter=text)
    strike = 0
    if found["strike"]:
        try:
            strike = int(Decimal(found["strike"]) * 10**8)
        except InvalidOperation:
            raise BadInput(f"{found['strike']} is no strike", hint=_HINT, parameter=text) from None
    if strike and what is not What.SIGMA:
        raise BadInput(f"{what} has no strike", hint=_HINT, parameter=text)
    return Wanted(symbol=found["symbol"].upper(), what=what, expiry=found["expiry"] or "", strike=strike)


def name_of(symbol: str, parameter: Parameter) -> str:
    """`ETH.scan_range`."""
    expiry = f"@{_when(parameter.expiry):%Y-%m-%dT%H:%M}" if parameter.expiry else ""
    strike = f"/{Decimal(parameter.strike).scaleb(-8).normalize():f}" if parameter.strike else ""
    return f"{symbol}.{parameter.what}{expiry}{strike}"


def expiry_of(wanted: Wanted, found: Sequence[Landed]) -> int:
    """The expiry that was meant: unix seconds, a day, or a moment; 0 for a range.

    Raises: `BadInput` with those that there are if it is none of them, or several.
    """
    if wanted.what.ranged:
        return 0
    known = sorted({one.params.expiry for landed in found for one in landed.expiries})
    fitting = [e for e in known if wanted.expiry in (str(e), f"{_when(e):%Y-%m-%d}", f"{_when(e):%Y-%m-%dT%H:%M}")]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(f"{_when(e):%Y-%m-%dT%H:%M}" for e in (fitting or known)[-8:]) or "none"
    said = "several expiries" if fitting else "no expiry"
    raise BadInput(f"{said} of {wanted.symbol} was published for {wanted.expiry}", hint=f"there are: {there}")


def _when(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
