"""Where every published number is, where it is to go, what fences allow now, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keeper.control.sight import Sight
from keeper.domain.floors import OwnTarget
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import UnderlyingState
from keeper.policy.binding import bounds
from keeper.policy.part import published
from keeper.policy.publish import Proposal
from keeper.policy.speeds import RANGES, value


@dataclass(frozen=True, kw_only=True)
class Number:
    """One published number.  Unit: ppm, or ppb for φ and df."""

    name: str
    """`psr`, `vsr_up`, `vsr_down`, `sigma`, `phi` or `df`."""
    expiry: int
    """0 for a scan range."""
    in_force: int | None
    """What margins are computed with; None if it is not in the file."""
    set_: int | None
    """What was published last."""
    aim: int
    """The target, with the floors that stand."""
    own: int
    """The kernel's own target, without them."""
    legal: int | None
    """What speeds and fences allow at this block; None while nothing could be published."""
    by: str
    """What keeps it from its target; empty if nothing does."""


@dataclass(frozen=True, kw_only=True)
class Recalibration:
    """One underlying at one block."""

    proposal: Proposal
    numbers: tuple[Number, ...]
    """Empty if there is no target."""
    steepest: tuple[tuple[int, str], ...]
    """(expiry, what keeps its smile from its target), for smiles that are kept from it."""
    floors: tuple[OwnTarget, ...] = ()
    """Set by hand and standing."""


def recalibrate(sight: Sight, symbol: str | None = None) -> tuple[Recalibration, ...]:
    """Targets and reasons from the kernel at one block.

    Raises: `BadInput` if `symbol` names no underlying.
    """
    return tuple(_one(sight, u) for u in sight.picked(symbol))


def _one(sight: Sight, u: UnderlyingState) -> Recalibration:
    proposal = sight.proposal(u)
    if proposal.aim is None:
        return Recalibration(proposal=proposal, numbers=(), steepest=(), floors=sight.floors(u))
    held = {}
    if proposal.legal is not None and proposal.wanted is not None and u.publication is not None:
        found = bounds(proposal.wanted, proposal.legal, u.publication, sight.now, aim=proposal.aim.ranges)
        held = {(b.name, b.expiry): b.by for b in found}
    smiles = tuple((expiry, by) for (name, expiry), by in held.items() if name == "smile")
    numbers = tuple(_numbers(u, proposal, sight.own(u) or proposal.aim, held))
    return Recalibration(proposal=proposal, numbers=numbers, steepest=smiles, floors=sight.floors(u))


def _numbers(
    u: UnderlyingState, proposal: Proposal, own: UnderlyingTarget, held: dict[tuple[str, int], str]
) -> Iterator[Number]:
    aim, legal = proposal.aim, proposal.legal
    assert aim is not None, "there is a target"
    set_ = published(u, aim) if u.publication is not None else None
    for name in RANGES:
        yield Number(
            name=name,
            expiry=0,
            in_force=value(u.live.ranges, name) if u.live else None,
            set_=value(set_.ranges, name) if set_ else None,
            aim=value(aim.ranges, name),
            own=value(own.ranges, name),
            legal=value(legal.ranges, name) if legal else None,
            by=held.get((name, 0), ""),
        )
    live = {e.expiry: e for e in u.live.expiries} if u.live else {}
    allowed = {e.params.expiry: e.params for e in legal.expiries} if legal else {}
    alone = {e.params.expiry: e.params for e in own.expiries}
    for one in aim.expiries:
        expiry = one.params.expiry
        for name, field in (("sigma", "sigma_atm_ppm"), ("phi", "phi_ppb"), ("df", "df_ppb")):
            now = getattr(live[expiry], field) if expiry in live else None
            yield Number(
                name=name,
                expiry=expiry,
                in_force=now,
                set_=now,  # levels bind as they are published
                aim=getattr(one.params, field),
                own=getattr(alone[expiry], field),
                legal=getattr(allowed[expiry], field) if expiry in allowed else None,
                by=held.get((name, expiry), ""),
            )
