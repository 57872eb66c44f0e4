"""Floors set by hand: set one, take one back, tell all."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.control.what_if import parameter, share_of
from keeper.domain.overrides import PARAMETERS, Override
from keeper.domain.text import written
from keeper.errors import BadInput
from keeper.ports import Overrides

#: Longest time for which a floor may be set: what lasts longer is the methodology's, or governance's.
LONGEST_S = 90 * 86_400
#: Of a length of time; more are no length that anybody means.
_DIGITS = 12
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(text: str) -> int:
    """A length of time as a person writes it: `30m`, `24h`, `7d`.  Raises: `BadInput`."""
    digits, unit = text.strip()[:-1], text.strip()[-1:]
    if unit not in _UNITS or not (digits.isascii() and digits.isdecimal()) or not digits.strip("0"):
        raise BadInput(f"{text!r} is no length of time", hint="write 30m, 24h or 7d", value=text)
    found = int(digits) * _UNITS[unit] if len(digits) <= _DIGITS else None
    if found is None or found > LONGEST_S:
        raise BadInput(
            f"a floor stands for {LONGEST_S // 86_400} days at most, not "
            + (f"{found / 86_400:g}" if found is not None else f"{len(digits)} digits' worth of them"),
            hint="set it again when it ends, or have governance raise the bound",
            value=text,
        )
    return found


def named(text: str, symbols: Mapping[int, str]) -> tuple[int, str]:
    """Underlying and our name of a parameter written as `ETH.scan_range`.

    Args:
        text: as a person names it.
        symbols: tickers by underlying.

    Raises: `BadInput` naming what there is.
    """
    symbol, dot, name = text.partition(".")
    found = next((u for u, known in symbols.items() if known.lower() == symbol.lower()), None)
    if found is None or not dot:
        hint = f"write TICKER.NAME: {', '.join(symbols.values())} and {', '.join(PARAMETERS)}"
        raise BadInput(f"{text!r} names no parameter", hint=hint, value=text)
    return found, parameter(name)


def set_floor(
    store: Overrides,
    symbols: Mapping[int, str],
    *,
    what: str,
    floor: str,
    lasts: str,
    reason: str,
    operator: str,
    now_s: int,
) -> Override:
    """Set a floor from now on.

    Args:
        store: where it is kept.
        symbols: tickers by underlying.
        what: `ETH.scan_range`.
        floor: `18%`.
        lasts: `24h`.
        reason: why; not empty.
        operator: who; not empty.
        now_s: unix seconds.

    Raises: `BadInput` for whatever of it cannot be used.
    """
    underlying, ours = named(what, symbols)
    return store.set_override(
        Override(
            number=0,
            underlying=underlying,
            parameter=ours,
            floor_ppm=share_of(ours, floor),
            reason=written(reason, "--reason"),
            operator=written(operator, "--operator"),
            set_at_s=now_s,
            expires_at_s=now_s + seconds(lasts),
        )
    )


def clear_floor(store: Overrides, number: int, *, operator: str, reason: str, now_s: int) -> None:
    """Take a floor back.

    Args:
        store: where it is kept.
        number: as `keeper override list` tells it.
        operator: who takes it back; not empty.
        reason: why; may be empty.
        now_s: unix seconds.

    Raises: `BadInput` if none with this number stands, or nobody takes it back.
    """
    who, why = written(operator, "--operator"), written(reason, "--reason") if reason else ""
    if not store.clear_override(number, at_s=now_s, by=who, why=why):
        standing = ", ".join(str(one.number) for one in store.overrides(at_s=now_s)) or "none"
        raise BadInput(
            f"no floor {number} stands", hint=f"standing: {standing}; keeper override list --all", number=number
        )
