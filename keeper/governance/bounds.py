"""Absolute bounds that do not admit a target, and where they have to go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import PublicationState
from keeper.governance.fenced import LATTICE_PPB, LATTICE_PPM, Key, Moved, value_of
from keeper.policy.binding import NAMES, Bound
from keeper.policy.glide import within_bounds
from keeper.policy.speeds import RANGES

#: How far beyond its target a bound goes.
ROOM_PPM: Final = 200_000
_PPM, _PPB = 1_000_000, 1_000_000_000
#: Limits of bounds that the contract takes.  Source: contracts/src/libraries/Fences.sol, SmileRing.sol.
_MOST: Final = {
    "psr": 500_000, "vsr_up": 5_000_000, "vsr_down": 950_000, "sigma": 50_000_000, "phi": 2 * _PPB, "smile": 2_088_959,
}  # fmt: skip
_LEAST: Final = {"phi": _PPB // 2, "df": _PPB // 10}


def wider(state: PublicationState, target: UnderlyingTarget, now: int) -> Iterator[Moved]:
    """Bounds that do not admit a target, each once and with a place far enough for every expiry.

    One that is already as far as the contract takes is told with that place.

    Args:
        state: the fences.
        target: where numbers are to go.
        now: block time.
    """
    _, cut = within_bounds(target, state, now)
    farthest: dict[Key, int] = {}
    for one in cut:
        way = "max" if one.wanted > one.legal else "min"
        key = _bound_key(one, way, state)
        if key is not None:
            known = farthest.setdefault(key, one.wanted)
            farthest[key] = max(known, one.wanted) if way == "max" else min(known, one.wanted)
    names = {_bound_key(one, way, state): one.name for one in cut for way in ("max", "min")}
    for key, wanted in sorted(farthest.items()):
        new, why = bound_past(names[key], wanted, upwards="max" in key[1]), f"{NAMES[names[key]]} of {wanted}"
        beyond = new < wanted if "max" in key[1] else new > wanted
        yield Moved(table=key[0], key=key[1], old=value_of(state, key), new=new, why=why, beyond=beyond)


def _bound_key(one: Bound, way: str, state: PublicationState) -> Key | None:
    """Which bound cut a number off; None where it is no bound of its own (the carry limit of a forward, or df = 1)."""
    if one.name in RANGES:
        return f"fence.{one.name}", way
    unit = "ppb" if one.name in ("phi", "df") else "ppm"
    key = f"{one.name}_{way}_{unit}"
    if key == "df_max_ppb" or (one.name == "phi" and one.legal != getattr(state.vol, key)):
        return None
    return "vol_fences", key


def bound_past(name: str, target: int, *, upwards: bool) -> int:
    """Where a bound goes that is to admit a target: past it by its room, on its lattice, within what is possible.

    Args:
        name: `psr`, `vsr_up`, `vsr_down`, `sigma`, `phi`, `df` or `smile`.
        target: in the number's own unit.
        upwards: whether it is the highest or the lowest that moves.
    """
    from_one = name in ("phi", "df")
    lattice = LATTICE_PPB if from_one else LATTICE_PPM
    room = (abs(target - _PPB) if from_one else target) * ROOM_PPM // _PPM
    if upwards:
        return min(-(-(target + room) // lattice) * lattice, _MOST[name])
    return max((target - room) // lattice * lattice, _LEAST.get(name, 1))
