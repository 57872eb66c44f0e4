"""Proposed parameters beside the live ones, block by block, without pushing: what each requires of whom.

The shadow is a second life of the parameters: it begins with what is in force, and takes for pushed whatever the loop
would push.  Fences, budgets, speeds, the impact gate and the slew bind it as they bind the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from keeper.control.sight import Sight, at_head
from keeper.cycle import Ports
from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import FileState, PublicationState, UnderlyingState, Usable
from keeper.policy.effect import Effect, effect
from keeper.policy.guard import current
from keeper.policy.impact import file_after, margins_under, uplift
from keeper.policy.ramp import later
from keeper.policy.ring import advanced, seen_at
from keeper.ports import Heads
from keeper.risk.exact.slew import begun


@dataclass(frozen=True, kw_only=True)
class Shadowed:
    """One underlying at one block."""

    block: BlockRef
    symbol: str
    live: Ranges
    """Scan ranges in force on the chain."""
    shadow: Ranges
    """Scan ranges in force in the shadow."""
    target: Ranges | None
    """What the kernel aims at; None if it has no target."""
    pushed: str
    """Why the shadow pushed at this block; empty if it did not."""
    waits: str
    """Why it did not."""
    effect: Effect
    """From the live parameters to the shadow's."""
    whole: bool
    """Whether with this one every underlying that was asked for and has numbers in force was looked at in this block;
    never in a block in which one of them could not be."""


@dataclass(frozen=True, kw_only=True)
class _Life:
    """The shadow of one underlying."""

    file: FileState
    fences: PublicationState
    at_s: int
    """When its scan ranges were where the file has them."""


def shadow(
    heads: Heads,
    ports: Ports,
    risk: RiskKnobs,
    policy: PolicyKnobs,
    *,
    symbol: str | None,
    blocks: int,
    wait: Callable[[], None],
) -> Iterator[Shadowed]:
    """Follow the next blocks.

    Args:
        heads: where the tip is.
        ports: read, never written or sent to.
        risk: knobs of the proposed parameters.
        policy: the same.
        symbol: ticker; None for all.
        blocks: how many blocks to look at, the newest one first.
        wait: returns when it is time to look for a new block.

    Raises: `BadInput` if `symbol` names none; `Retry` if the first block could not be read.
    """
    lives: Mapping[int, _Life] = {}
    seen: BlockRef | None = None
    for _ in range(blocks):
        while seen is not None and heads.head().hash == seen.hash:
            wait()
        sight = at_head(heads, ports, risk, policy)
        seen = sight.inputs.snapshot.block
        found = dict(lives)
        asked = [u for u in sight.picked(symbol) if u.live is not None]
        usable = [u for u in asked if u.publication is not None and isinstance(u.spot, Usable)]
        for number, u in enumerate(usable, 1):
            life, told = _lived(sight, u, found.get(u.underlying))
            found[u.underlying] = life
            yield replace(told, whole=number == len(asked))
        lives = found


def _lived(sight: Sight, u: UnderlyingState, life: _Life | None) -> tuple[_Life, Shadowed]:
    """One block of one shadow."""
    assert u.live is not None, "it has a file"
    assert u.publication is not None, "it can be published to"
    assert isinstance(u.spot, Usable), "its price is usable"
    now, spot, snapshot = sight.now, u.spot.wad, sight.inputs.snapshot
    life = life or _Life(file=u.live, fences=u.publication, at_s=now)
    fences = seen_at(life.fences, then=life.at_s, now=now)
    fences = replace(fences, expiries=tuple(e for e in fences.expiries if e.expiry > now))
    ranges = later(life.file.ranges, fences.slew, current(fences), since=life.at_s, now=now)
    widened = uplift(u, ranges, current(fences))
    in_force = replace(life.file, ranges=ranges, ref_spot=spot, time=now, im_uplift_pct=widened)
    proposal = sight.proposal(replace(u, live=in_force, publication=fences))
    if proposal.push is not None:
        target = proposal.push.params.ranges
        slew = None if fences.slew is None else replace(fences.slew, time_s=now)
        ranges, _ = begun(in_force, slew, target, u.rules, now=now)
        fences = advanced(fences, proposal.push.params, now)
        in_force = file_after(u, proposal.push.params, ranges=ranges, spot=spot, now=now)
    before = margins_under(snapshot, {u.underlying: replace(u.live, ref_spot=spot, time=now)})
    after = margins_under(snapshot, {u.underlying: in_force})
    told = Shadowed(
        block=snapshot.block,
        symbol=u.symbol,
        live=u.live.ranges,
        shadow=ranges,
        target=proposal.aim.ranges if proposal.aim else None,
        pushed=proposal.push.why if proposal.push else "",
        waits=proposal.waits,
        effect=effect(u.underlying, before, after),
        whole=False,
    )
    return _Life(file=in_force, fences=fences, at_s=now), told
