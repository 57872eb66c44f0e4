"""Floors set by hand, applied to what the kernel aims at.

A floor that ends is a target that falls: the range it held up is lowered once `policy.loosen_after_s` has passed since,
as if the kernel had aimed at it until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.overrides import PARAMETERS, Override
from keeper.domain.riskfile import Ranges

#: The last second of the year 9999, where calendars end.
_LAST_S = 253_402_300_799
#: Those that loosen slowly; a level follows its target both ways at the fences' speed.
_RANGES: Final = ("psr", "vsr_up", "vsr_down")
_NAMES = {ours: theirs for theirs, ours in PARAMETERS.items()}


def standing(overrides: Iterable[Override], underlying: int, now_s: int) -> tuple[Override, ...]:
    """Those of an underlying that count now; of one parameter the highest, the newest of equals."""
    highest: dict[str, Override] = {}
    for one in sorted(overrides, key=lambda o: (o.floor_ppm, o.number)):
        if one.underlying == underlying and one.stands(now_s):
            highest[one.parameter] = one
    return tuple(highest[name] for name in sorted(highest))


def lapsed(overrides: Iterable[Override], underlying: int, now_s: int, *, over_s: int) -> tuple[Override, ...]:
    """Those under ranges that stood in the last `over_s` seconds and do not any more; of each range the highest."""
    gone = [
        one
        for one in sorted(overrides, key=lambda o: (o.floor_ppm, o.number))
        if one.underlying == underlying and one.parameter in _RANGES
        if one.stood(now_s - over_s, now_s) and not one.stands(now_s)
    ]
    highest = {one.parameter: one for one in gone}
    return tuple(highest[name] for name in sorted(highest))


def lifted(ranges: Ranges, floors: Iterable[Override]) -> Ranges:
    """Scan ranges with none below its floor."""
    least = {f"{one.parameter}_ppm": one.floor_ppm for one in floors if one.parameter in _RANGES}
    return replace(ranges, **{name: max(getattr(ranges, name), floor) for name, floor in least.items()})


def floored(target: UnderlyingTarget, overrides: Iterable[Override], now_s: int) -> UnderlyingTarget:
    """The target with no number below a floor that stands; each floor is told among the reasons, binding or not.

    A smile keeps its ratios to the level that is lifted.  Lifting every expiry to one level keeps them in calendar
    order: σ²T of the later one is no less.
    """
    found = standing(overrides, target.underlying, now_s)
    if not found:
        return target
    level = next((one.floor_ppm for one in found if one.parameter == "sigma"), 0)
    ranges = lifted(target.ranges, found)
    expiries = tuple(_lifted(one, level) for one in target.expiries)
    return replace(target, ranges=ranges, expiries=expiries, reasons=(*target.reasons, *_told(found, target)))


def _lifted(one: ExpiryTarget, floor_ppm: int) -> ExpiryTarget:
    atm = one.params.sigma_atm_ppm
    if atm >= floor_ppm:
        return one
    return ExpiryTarget(
        params=replace(one.params, sigma_atm_ppm=floor_ppm),
        sigmas_ppm=tuple(sigma * floor_ppm // atm for sigma in one.sigmas_ppm),
    )


def _told(found: Iterable[Override], target: UnderlyingTarget) -> Iterator[str]:
    for one in found:
        until = datetime.fromtimestamp(min(one.expires_at_s, _LAST_S), tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
        binds = "binds" if _lowest(target, one.parameter) < one.floor_ppm else "does not bind"
        yield (
            f"override {one.number}: {_NAMES[one.parameter]} at least {one.floor_ppm / 10_000:g} % until {until}, "
            f"{binds}; by {one.operator}: {one.reason}"
        )


def _lowest(target: UnderlyingTarget, parameter: str) -> int:
    if parameter == "sigma":
        return min((one.params.sigma_atm_ppm for one in target.expiries), default=0)
    return int(getattr(target.ranges, f"{parameter}_ppm"))
