"""What keeps each published number from its target at a block: a fence, a speed, the gate, time, or a person.

The control loop itself is asked, without its gate: that replays every account, and the block's decision says already
whether it held the push.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import MarketModel, UnderlyingMarket, UnderlyingTarget
from keeper.domain.overrides import Override
from keeper.domain.snapshot import PublicationState, Snapshot, UnderlyingState, Usable
from keeper.policy.binding import FENCES, bounds
from keeper.policy.publish import Proposal, propose
from keeper.policy.speeds import RANGES, value

#: (name as in `Standing`, expiry or 0).
Key = tuple[str, int]
FREEZE: Final = "freeze"
PAUSE: Final = "guardian's pause"
PRICE: Final = "unusable price"
GATE: Final = "impact gate"
SIGN_OFF: Final = "model not signed off"
FLOOR: Final = "floor set by hand"
TIME: Final = "time between publications"
NOTICE: Final = "notice window"
HYSTERESIS: Final = "hysteresis"
#: Nothing does: it is on its way with this block's push.
PUSHED: Final = "pushed with this block"


def held_by(
    snapshot: Snapshot,
    u: UnderlyingState,
    target: UnderlyingTarget | None,
    *,
    risk: RiskKnobs,
    policy: PolicyKnobs,
    overrides: Sequence[Override] = (),
    gated: bool = False,
    unsigned: str = "",
) -> dict[Key, str]:
    """What holds each scan range, and each expiry's volatility at the money, that is not at its target.

    Args:
        snapshot: the block's state.
        u: one of its underlyings.
        target: what the kernel wanted of it at that block.
        risk: the knobs by which it was estimated.
        policy: the loop's knobs.
        overrides: floors set by hand.
        gated: whether the impact gate held the block's push.
        unsigned: why the model may not push; empty if it may.

    Returns: words by number; nothing for one that is at its target, and nothing where nothing can be published.
    """
    if target is None or u.publication is None:
        return {}
    now = snapshot.block.timestamp
    proposal = propose(
        snapshot, u, _as_told(u, target, now, risk), replace(policy, impact_gate="off"), overrides, unsigned=unsigned
    )
    aim = proposal.aim or target
    every = _every(u.publication, proposal, gated=gated, unsigned=unsigned, now=now, priced=isinstance(u.spot, Usable))
    fences: dict[Key, str] = {}
    if proposal.legal is not None and proposal.wanted is not None:
        found = bounds(proposal.wanted, proposal.legal, u.publication, now, aim=aim.ranges)
        fences = {(one.name, one.expiry): FENCES[one.by] for one in found}
    told: dict[Key, str] = {}
    for key, kernel, wanted, published in _numbers(u.publication, target, aim):
        if published == wanted != kernel:
            told[key] = FLOOR
        elif published != wanted:
            told[key] = every[0] or fences.get(key, "") or every[1]
    return told


def _numbers(
    state: PublicationState, target: UnderlyingTarget, aim: UnderlyingTarget
) -> list[tuple[Key, int, int, int]]:
    """Each number: what the kernel wants, what is aimed at with floors, and what was published last."""
    by_name = {f.name: f.current for f in state.fences}
    rows = [
        ((name, 0), value(target.ranges, name), value(aim.ranges, name), by_name[name])
        for name in RANGES
        if name in by_name
    ]
    kernel = {e.params.expiry: e.params.sigma_atm_ppm for e in target.expiries}
    wanted = {e.params.expiry: e.params.sigma_atm_ppm for e in aim.expiries}
    rows += [
        (("sigma", f.expiry), kernel[f.expiry], wanted[f.expiry], f.sigma_ppm)
        for f in state.expiries
        if f.expiry in kernel and f.expiry in wanted
    ]
    return rows


def _every(
    state: PublicationState, proposal: Proposal, *, gated: bool, unsigned: str, now: int, priced: bool
) -> tuple[str, str]:
    """What holds all of them: before any fence is looked at, and where none does."""
    if state.frozen:
        return FREEZE, ""
    if now < state.paused_until_s:
        return PAUSE, ""
    if not priced:
        return PRICE, ""
    if gated:
        return GATE, ""
    if now < state.next_allowed_s:
        return "", TIME
    if state.in_notice:
        return "", NOTICE
    if proposal.push is not None:
        return "", PUSHED
    return "", SIGN_OFF if proposal.why and unsigned else HYSTERESIS


def _as_told(u: UnderlyingState, target: UnderlyingTarget, now: int, risk: RiskKnobs) -> MarketModel:
    """As much of the block's model as a decision about parameters rests on."""
    seen = UnderlyingMarket(
        underlying=u.underlying,
        symbol=u.symbol,
        spot=u.spot.wad if isinstance(u.spot, Usable) else None,
        why_unpriced="" if isinstance(u.spot, Usable) else u.spot.reason,
        file=None,
        previous=None,
        refreshed=None,
        epoch=0,
        stale=False,
        target=target,
        why_untargeted="",
    )
    return MarketModel(now=now, underlyings=(seen,), risk=risk)
