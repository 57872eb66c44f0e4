"""A floor that stands over the model's own target: whoever reads a target of such a day is told of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keeper.domain.market import UnderlyingTarget
from keeper.domain.overrides import Override


@dataclass(frozen=True, kw_only=True)
class OwnTarget:
    """One floor set by hand, and what the kernel aims at without it."""

    symbol: str
    parameter: str
    """As `Override.parameter`."""
    floor_ppm: int
    own_ppm: int | None
    """The kernel's own; of `sigma` the lowest of all expiries.  None if there is none."""
    operator: str
    reason: str
    until_s: int
    """Unix seconds from which the floor counts no more."""


def own_targets(symbol: str, floors: Iterable[Override], target: UnderlyingTarget | None) -> Iterator[OwnTarget]:
    """Each floor of an underlying beside its target without any.

    Args:
        symbol: its ticker.
        floors: those that stand.
        target: the kernel's own.
    """
    for one in floors:
        own: int | None = None
        if target is not None and one.parameter == "sigma":
            own = min((e.params.sigma_atm_ppm for e in target.expiries), default=None)
        elif target is not None:
            own = int(getattr(target.ranges, f"{one.parameter}_ppm"))
        yield OwnTarget(
            symbol=symbol,
            parameter=one.parameter,
            floor_ppm=one.floor_ppm,
            own_ppm=own,
            operator=one.operator,
            reason=one.reason,
            until_s=one.expires_at_s,
        )
