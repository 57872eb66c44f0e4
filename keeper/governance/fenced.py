"""One fence among those of an underlying: where it is, and the same market under another value of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from keeper.domain.snapshot import PublicationState

#: What bounds, steps and budgets are multiples of: half a percent; of φ and df a tenth of one.
LATTICE_PPM, LATTICE_PPB = 5_000, 1_000_000
#: A fence: its table in CHANGES.toml below the underlying, such as `fence.psr`, and its key there.
Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One fence, and what it has to be."""

    table: str
    """Of CHANGES.toml, below the underlying: `fence.psr`, `vol_fences` or `joint_fence`."""
    key: str
    old: int
    new: int
    why: str
    """The number that it holds, and its target; in words."""
    beyond: bool = False
    """Whether the target lies beyond the most that the contract takes, so that it is not reached all the same."""


def value_of(state: PublicationState, key: Key) -> int:
    """A fence as it is."""
    return int(getattr(_record(state, key[0]), key[1]))


def _record(state: PublicationState, table: str) -> Any:
    if table == "vol_fences":
        return state.vol
    if table == "joint_fence":
        return state.joint
    return next(f for f in state.fences if table == f"fence.{f.name}")


def under(state: PublicationState, moved: Mapping[Key, int]) -> PublicationState:
    """The state under other fences."""
    for (table, key), new in moved.items():
        record = replace(_record(state, table), **{key: new})
        if table == "vol_fences":
            state = replace(state, vol=record)
        elif table == "joint_fence":
            state = replace(state, joint=record)
        else:
            state = replace(state, fences=tuple(record if f.name == record.name else f for f in state.fences))
    return state
