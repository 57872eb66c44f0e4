"""Every account replayed under proposed parameters: at once, at each step of the glide path, and on arrival.

Price and time stand still, so that what is shown is the parameters' doing alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.control.glide import path_of
from keeper.control.sight import Sight, movable
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.landed import Landed
from keeper.domain.margin_table import MarginTable
from keeper.domain.snapshot import UnderlyingState
from keeper.policy.effect import Effect, effect
from keeper.policy.gate import Gated, gate
from keeper.policy.glide import Glide
from keeper.policy.guard import current
from keeper.policy.part import between, published
from keeper.policy.publish import Proposal, weighed
from keeper.policy.weigh import Scale


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One moment of the way."""

    name: str
    at_s: int | None
    """Unix seconds; None for a moment that does not come: the whole target at once."""
    effect: Effect
    """Against what is in force now."""


@dataclass(frozen=True, kw_only=True)
class Impact:
    """What moving one underlying's parameters does to everybody."""

    symbol: str
    proposal: Proposal
    glide: Glide
    whole: Stage
    """The target in force at once, were there no fences and no slew."""
    stages: tuple[Stage, ...]
    """Each publication of the path as it binds, then the arrival of the scan ranges."""
    gated: Gated | None
    """What the gate makes of the push that is legal now, due or not, or of the first of a path that a person named;
    None if the gate is off or there is nothing to push."""
    strangers: tuple[Landed, ...] | None
    """Publications of the last day that are not this keeper's own: of those whom they brought down, only they count
    whom the book still shows.  None if nobody looked."""

    @property
    def worst(self) -> Stage:
        """The stage that brings most accounts below maintenance, the first of equals."""
        return max(self.stages or (self.whole,), key=lambda one: (one.effect.below_mm, one.effect.mm_fallen))


def impacts(
    sight: Sight,
    symbol: str | None = None,
    named: Mapping[str, int] | None = None,
    *,
    strangers: Mapping[int, tuple[Landed, ...]] | None = None,
) -> list[Impact]:
    """Replay every account of one underlying's holders, or of all underlyings' one after the other.

    Args:
        sight: the block.
        symbol: ticker; None for all that can be moved.
        named: numbers that a person puts in place of the kernel's.
        strangers: publications of the last day that are not this keeper's own, by underlying; None if nobody looked.

    Raises: `BadInput` if `symbol` names none, or one that cannot be moved.
    """
    return [
        _impact(sight, u, p, named or {}, None if strangers is None else strangers.get(u.underlying, ()))
        for u, p in movable(sight, symbol)
        if u.live is not None
    ]


def _impact(
    sight: Sight,
    u: UnderlyingState,
    proposal: Proposal,
    named: Mapping[str, int],
    strangers: tuple[Landed, ...] | None,
) -> Impact:
    path = path_of(sight, u, proposal, named).glide
    knobs = sight.inputs.policy
    scale = Scale(sight.inputs.snapshot, u, knobs, sight.brought(u))

    def against(name: str, at_s: int | None, after: MarginTable) -> Stage:
        return Stage(name=name, at_s=at_s, effect=effect(u.underlying, scale.before, after))

    stages = [
        against(f"publication {number}", step.at_s, scale.under(step.params, step.in_force))
        for number, step in enumerate(path.steps, 1)
    ]
    if path.steps and path.steps[-1].in_force != path.steps[-1].params.ranges:
        last = path.steps[-1].params
        stages.append(against("ranges arrive", path.arrives_at_s, scale.under(last, last.ranges)))
    elif not path.steps and u.live is not None and u.publication is not None:
        set_ = current(u.publication)
        if u.live.ranges != set_:
            stages.append(against("ranges arrive", path.arrives_at_s, scale.under_file(set_)))
    whole = against("the whole target at once", None, scale.under(path.target, path.target.ranges))
    gated = _gate(scale, u, path, knobs) if named else weighed(scale, proposal, knobs)
    return Impact(
        symbol=u.symbol,
        proposal=proposal,
        glide=path,
        whole=whole,
        stages=tuple(stages),
        gated=gated,
        strangers=strangers,
    )


def _gate(scale: Scale, u: UnderlyingState, path: Glide, knobs: PolicyKnobs) -> Gated | None:
    """The gate's word on the first publication of a path."""
    if knobs.impact_gate == "off" or not path.steps:
        return None
    first = path.steps[0].params
    old = published(u, first)
    return gate(scale, first, lambda kept: between(old, first, kept), slow=knobs.impact_gate == "slow")
