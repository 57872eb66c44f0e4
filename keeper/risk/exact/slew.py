"""How the scan ranges in force follow the published ones, in the contract's integers.

Mirrors contracts/src/libraries/Slew.sol: each range moves towards its target by at most a part of itself an hour, with
every publication and refresh, and what initial margin lacks of the target meanwhile is a surcharge in percent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import FileState, Rules, SlewState
from keeper.risk.exact.probes import requirements
from keeper.risk.exact.riskfile import PPM

HOUR: Final = 3_600
#: A shorter time moves nothing and stays on the clock.
SHORTEST_S: Final = 60
MAX_UPLIFT_PCT: Final = 255


def elapsed(slew: SlewState, now: int) -> int:
    """Seconds that count for a move at `now`; 0 for too few."""
    seconds = min(now - slew.time_s, HOUR)
    return seconds if seconds >= SHORTEST_S else 0


def clock_after(slew: SlewState, opened: int, now: int) -> int:
    """From when the next move counts once a bank opened at `opened` goes live at `now`: what moved it is used up."""
    left = min(now - slew.time_s, HOUR) - elapsed(slew, opened)
    return now - left


def slewed(value: int, target: int, *, rate_ppm_per_hour: int, seconds: int) -> int:
    """One range after `seconds`: towards its target, not beyond it; the move is rounded down."""
    move = value * rate_ppm_per_hour * seconds // (PPM * HOUR)
    return min(value + move, target) if target > value else max(value - move, target)


def moved(ranges: Ranges, target: Ranges, *, rate_ppm_per_hour: int, seconds: int) -> Ranges:
    """All three ranges after `seconds`."""

    def one(value: int, aim: int) -> int:
        return slewed(value, aim, rate_ppm_per_hour=rate_ppm_per_hour, seconds=seconds)

    return Ranges(
        psr_ppm=one(ranges.psr_ppm, target.psr_ppm),
        vsr_up_ppm=one(ranges.vsr_up_ppm, target.vsr_up_ppm),
        vsr_down_ppm=one(ranges.vsr_down_ppm, target.vsr_down_ppm),
    )


def uplift_pct(ranges: Ranges, target: Ranges, *, tail_ppm: int, vol_floor_ppm: int) -> int:
    """By how much the dearest probe is dearer under the target, percent, rounded up, at most `MAX_UPLIFT_PCT`."""
    if (
        ranges.psr_ppm >= target.psr_ppm
        and ranges.vsr_up_ppm >= target.vsr_up_ppm
        and ranges.vsr_down_ppm >= target.vsr_down_ppm
    ):
        return 0
    now = requirements(ranges, tail_ppm=tail_ppm, vol_floor_ppm=vol_floor_ppm)
    then = requirements(target, tail_ppm=tail_ppm, vol_floor_ppm=vol_floor_ppm)
    most = 0
    for has, needs in zip(now, then, strict=True):
        if needs > has:
            most = max(most, MAX_UPLIFT_PCT if has == 0 else -(-(needs - has) * 100 // has))
    return min(most, MAX_UPLIFT_PCT)


def refreshed(live: FileState, slew: SlewState | None, rules: Rules, *, spot: int, now: int) -> FileState:
    """The live file as a refresh at `now` leaves it; its epoch stays, since nobody is judged by it.

    Args:
        live: the file.
        slew: where its ranges move; None where ranges bind at once.
        rules: of the underlying.
        spot: the oracle's, wad USD.
        now: unix seconds.
    """
    fresh = replace(live, ref_spot=spot, time=now)
    if slew is None:
        return fresh
    seconds = 0 if now < slew.held_until_s else elapsed(slew, now)
    ranges = moved(live.ranges, slew.target, rate_ppm_per_hour=slew.rate_ppm_per_hour, seconds=seconds)
    return replace(fresh, ranges=ranges, im_uplift_pct=_uplift(ranges, slew.target, rules))


def begun_ranges(live: FileState | None, slew: SlewState | None, target: Ranges, *, now: int) -> Ranges:
    """The ranges that a publication at `now` puts in force.  Arguments as of `begun`."""
    if live is None or slew is None:
        return target
    return moved(live.ranges, target, rate_ppm_per_hour=slew.rate_ppm_per_hour, seconds=elapsed(slew, now))


def begun(
    live: FileState | None, slew: SlewState | None, target: Ranges, rules: Rules, *, now: int
) -> tuple[Ranges, int]:
    """What a publication at `now` puts in force: its ranges, and the surcharge on initial margin, percent.

    Args:
        live: the file before it; None if there is none, then the target binds at once.
        slew: where the ranges in force move; None where ranges bind at once.
        target: the published ranges.
        rules: of the underlying.
        now: unix seconds.
    """
    if live is None or slew is None:
        return target, 0
    ranges = begun_ranges(live, slew, target, now=now)
    return ranges, _uplift(ranges, target, rules)


def _uplift(ranges: Ranges, target: Ranges, rules: Rules) -> int:
    return uplift_pct(ranges, target, tail_ppm=rules.tail_ppm, vol_floor_ppm=rules.vol_floor_ppm)
