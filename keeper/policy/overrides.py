"""Floors set by hand, applied to what the kernel aims at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.overrides import PARAMETERS, Override

#: The last second of the year 9999, where calendars end.
_LAST_S = 253_402_300_799
_NAMES = {ours: theirs for theirs, ours in PARAMETERS.items()}


def standing(overrides: Iterable[Override], underlying: int, now_s: int) -> tuple[Override, ...]:
    """Those of an underlying that count now; of one parameter the highest, the newest of equals."""
    highest: dict[str, Override] = {}
    for one in sorted(overrides, key=lambda o: (o.floor_ppm, o.number)):
        if one.underlying == underlying and one.stands(now_s):
            highest[one.parameter] = one
    return tuple(highest[name] for name in sorted(highest))


def floored(target: UnderlyingTarget, overrides: Iterable[Override], now_s: int) -> UnderlyingTarget:
    """The target with no number below a floor that stands; each floor is told among the reasons, binding or not.

    A smile keeps its ratios to the level that is lifted.  Lifting every expiry to one level keeps them in calendar
    order: σ²T of the later one is no less.
    """
    found = standing(overrides, target.underlying, now_s)
    if not found:
        return target
    floors = {one.parameter: one.floor_ppm for one in found}
    ranges = replace(
        target.ranges,
        psr_ppm=max(target.ranges.psr_ppm, floors.get("psr", 0)),
        vsr_up_ppm=max(target.ranges.vsr_up_ppm, floors.get("vsr_up", 0)),
        vsr_down_ppm=max(target.ranges.vsr_down_ppm, floors.get("vsr_down", 0)),
    )
    expiries = tuple(_lifted(one, floors.get("sigma", 0)) for one in target.expiries)
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
