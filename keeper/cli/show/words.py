"""Numbers, times and names as a person reads them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from keeper.domain.margin import INFINITE_HEALTH_PPM, Band
from keeper.domain.snapshot import Instrument, Kind
from keeper.offline import account_name
from keeper.units import Wad

WAD = 10**18
PPM = 1_000_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

#: Colour of each band.
BAND_STYLES = {
    Band.HEALTHY: "green",
    Band.WARNING: "yellow",
    Band.LIQUIDATABLE: "red",
    Band.INSOLVENT: "bright_magenta",
    Band.UNKNOWN: "bright_black",
}


def money(wad: int) -> dict[str, str]:
    """An amount for a script: exact decimal text, and the raw integer as text since JSON numbers lose digits."""
    return {"usd": str(Wad(wad)), "wad": str(wad)}


def usd(wad: int) -> str:
    """Dollars in a sentence, with their unit."""
    return f"{amount(wad)} USD"


def amount(wad: int) -> str:
    """Dollars in a column whose head says so.

    Cents; of what is smaller than half a cent two digits that count, so that nothing vanishes.
    """
    if wad and abs(wad) < WAD // 200:
        return signed(f"{Decimal(wad) / WAD:.2g}")
    return signed(f"{wad / WAD:,.2f}")


def signed(number: str) -> str:
    """A true minus sign."""
    return "−" + number[1:] if number.startswith("-") else number


def health(ppm: int) -> str:
    """equity / MM."""
    return "∞" if ppm == INFINITE_HEALTH_PPM else f"{ppm // 1000 / 1000:.3f}"


def percent(ppm: int) -> str:
    """A share, without needless digits."""
    return signed(f"{ppm / 10_000:g} %")


def move(ppm: int) -> str:
    """A price move with its sign."""
    return signed(f"{ppm / 10_000:+.4g} %") if ppm else "unchanged"


def utc(seconds: int) -> str:
    """A moment."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def minute(seconds: int) -> str:
    """A moment of these days, short."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%m-%d %H:%M UTC")


def day(seconds: int) -> str:
    """An expiry; the hour only if it is not the usual one."""
    when = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return when.strftime("%d %b %y" if (when.hour, when.minute) == (8, 0) else "%d %b %y %H:%M")


def age(seconds: int) -> str:
    """How long ago, in the unit that matters."""
    if seconds < 0:
        return f"{-seconds:,} s in the future"
    if seconds < 2 * _MINUTE:
        return f"{seconds} s ago"
    if seconds < 2 * _HOUR:
        return f"{seconds // _MINUTE} min ago"
    return f"{seconds // _HOUR} h ago" if seconds < 2 * _DAY else f"{seconds // _DAY} days ago"


def account(account_id: int) -> str:
    """Short: the owner's first and last digits, and the sub-account."""
    name = account_name(account_id)
    owner, _, sub = name.partition(":")
    return f"{owner[:6]}…{owner[-4:]}" + (f":{sub}" if sub else "")


def instrument(one: Instrument) -> str:
    """`perp`, or expiry, strike and kind."""
    if one.kind is Kind.PERP:
        return "perp"
    return f"{day(one.expiry)}  {one.strike / 10**8:,.10g} {one.kind}"
