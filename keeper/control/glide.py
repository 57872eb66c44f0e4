"""The glide path of an underlying, from what is published to its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.control.sight import Sight, movable
from keeper.control.what_if import changed
from keeper.domain.snapshot import UnderlyingState
from keeper.policy.glide import Glide, glide
from keeper.policy.publish import Proposal


@dataclass(frozen=True, kw_only=True)
class GlidePath:
    """One underlying's path, and what the loop thinks of it now."""

    symbol: str
    proposal: Proposal
    glide: Glide
    loosens_from_s: int
    """Unix seconds from which scan ranges may be lowered, as far as can be told now."""


def glide_paths(sight: Sight, symbol: str | None = None, named: Mapping[str, int] | None = None) -> list[GlidePath]:
    """Walk to the targets of one underlying or all.

    Args:
        sight: the block.
        symbol: ticker; None for all that can be moved.
        named: numbers that a person puts in place of the kernel's.

    Raises: `BadInput` if `symbol` names none, or one that cannot be moved.
    """
    return [path_of(sight, u, proposal, named or {}) for u, proposal in movable(sight, symbol)]


def path_of(sight: Sight, u: UnderlyingState, proposal: Proposal, named: Mapping[str, int]) -> GlidePath:
    """Walk to one underlying's target, which exists."""
    assert proposal.aim is not None, "there is a target"
    knobs, now = sight.inputs.policy, sight.now
    opens = now
    if proposal.lowers_held:
        # A storm cannot be told the end of; it is over in a short window at the earliest.
        opens += knobs.regime_short_s if proposal.regime.stormy else knobs.loosen_after_s
    path = glide(u, changed(proposal.aim, named), knobs, now=now, loosens_from_s=opens)
    return GlidePath(symbol=u.symbol, proposal=proposal, glide=path, loosens_from_s=opens)
