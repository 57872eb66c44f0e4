"""What to push: the target at the speed its direction may have, inside the fences, as far as the impact gate lets it.

    kernel's target ─floors set by hand→ aim ─speeds→ ─fences→ ─marks in order→ legal ─due?→ ─gate→ push

Everything up to the gate is a function of one file of inputs (`permitted`); what the gate kept of the step is written
into the file, since it follows from accounts that the file does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from keeper.domain.action import Publish
from keeper.domain.inputs import SAYS_BROUGHT, SCHEMA, Brought, InputsFile, dump, hash_of, history_digest
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import MarketModel, UnderlyingTarget
from keeper.domain.overrides import Override
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Snapshot, UnderlyingState, Usable
from keeper.errors import LawBroken
from keeper.policy.binding import left_out
from keeper.policy.day import told_of
from keeper.policy.gate import PPM, Gated, gate
from keeper.policy.guard import allow, current, shut
from keeper.policy.overrides import floored, lapsed, lifted, standing
from keeper.policy.part import between, published
from keeper.policy.smile import straighten
from keeper.policy.speeds import Paced, loosens, paced
from keeper.policy.triggers import Regime, due, regime
from keeper.policy.weigh import Scale
from keeper.risk.calibration.lately import highest_lately
from keeper.risk.version import MODEL_VERSION


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is to be done about one underlying's parameters at one block."""

    underlying: int
    symbol: str
    aim: UnderlyingTarget | None
    """The target with the floors that stand; None if there is no target."""
    regime: Regime
    wanted: UnderlyingTarget | None
    """The aim at the speed its direction may have, as fences were asked; None while nothing could be published."""
    legal: UnderlyingTarget | None
    """What fences let it be now; None while nothing could be published."""
    held: tuple[str, ...]
    """What speeds hold back, and which listings are left out."""
    why: str
    """Why a push is due; empty if none is."""
    waits: str
    """Why nothing is pushed; empty if something is."""
    gated: Gated | None
    """What the gate made of it; None if it was not asked."""
    file: InputsFile | None
    """What its numbers follow from; None while nothing could be published."""
    push: Publish | None

    @property
    def lowers_held(self) -> bool:
        """Whether a scan range is to be lowered and is held in place."""
        return any(" stays at " in one for one in self.held)


def publications(
    snapshot: Snapshot, market: MarketModel, knobs: PolicyKnobs, overrides: Sequence[Override] = ()
) -> Iterator[Publish]:
    """Pushes that are due and legal at this block, one per underlying at most."""
    for u in snapshot.underlyings:
        push = propose(snapshot, u, market, knobs, overrides).push
        if push is not None:
            yield push


def propose(
    snapshot: Snapshot,
    u: UnderlyingState,
    market: MarketModel,
    knobs: PolicyKnobs,
    overrides: Sequence[Override] = (),
    *,
    asked: str = "",
    unsigned: str = "",
    brought: Sequence[Brought] = (),
) -> Proposal:
    """Decide about one underlying's parameters.

    Args:
        snapshot: the block's state; the gate replays its accounts.
        u: one of its underlyings.
        market: its model, with targets.
        knobs: the operator's choices.
        overrides: floors set by hand, also those that do not stand (any more).
        asked: why a push is wanted even if none is due; empty to leave that to the triggers.
        unsigned: why the model may not push; empty if it may.
        brought: whom our own pushes of the last day were to bring below maintenance.
    """
    now, seen, state = snapshot.block.timestamp, market.of(u.underlying), u.publication
    weather = regime(u.history, now, knobs)
    aim = None if seen.target is None else floored(seen.target, overrides, now)
    nothing = Proposal(
        underlying=u.underlying,
        symbol=u.symbol,
        aim=aim,
        regime=weather,
        wanted=None,
        legal=None,
        held=(),
        why="",
        waits=_impossible(u, aim, seen.why_untargeted),
        gated=None,
        file=None,
        push=None,
    )
    if aim is None or state is None or nothing.waits:
        return nothing
    file = inputs_of(snapshot, u.underlying, market, knobs, overrides)
    if file is None:
        return nothing
    legal, pace = permitted(file), speed(file)
    held = (*pace.held, *left_out(legal))
    said = replace(nothing, wanted=replace(aim, ranges=pace.ranges), legal=legal, held=held, file=file)
    if closed := shut(state, now):
        return replace(said, waits=closed)
    age = now - state.last_time
    why = asked or due(
        u,
        set_=current(state),
        wanted=replace(aim, ranges=_slowest(aim.ranges, pace.ranges, current(state))),
        legal=legal,
        age_s=age,
        stormy=weather.stormy,
        knobs=knobs,
    )
    if not why:
        inside = f"inside the hysteresis band; the heartbeat is in {max(0, knobs.heartbeat_s - age)} s"
        return replace(said, waits="; ".join((*held, inside)))
    if unsigned:
        return replace(said, why=why, waits=unsigned)
    gated = weighed(Scale(snapshot, u, knobs, brought), said, knobs) if u.live is not None else None
    if file.schema >= SAYS_BROUGHT:
        file = replace(file, brought=told_of(brought, now, None if gated is None else gated.brings))
    if gated is not None:
        if gated.params is None:
            return replace(said, why=why, waits=gated.said, gated=gated)
        file = replace(file, kept_ppm=gated.kept_ppm)
    push = Publish(
        underlying=u.underlying,
        id=state.last_id + 1,
        valid_until=now + knobs.intent_ttl_s,
        inputs_hash=hash_of(dump(file)),
        expected_old=state.digest,
        params=legal if gated is None or gated.params is None else gated.params,
        why=f"{u.symbol} {why}" + (f"; {gated.said}" if gated and gated.said else ""),
    )
    return replace(said, why=why, gated=gated, file=file, push=push)


def weighed(scale: Scale, proposal: Proposal, knobs: PolicyKnobs) -> Gated | None:
    """What the impact gate makes of what is legal now; None if it is off.

    Args:
        scale: of the same underlying at the same block.
        proposal: with something legal.
        knobs: the operator's choices.
    """
    file, legal = proposal.file, proposal.legal
    if knobs.impact_gate == "off" or file is None or legal is None:
        return None
    return gate(scale, legal, partial(_shortened, file), slow=knobs.impact_gate == "slow")


def _shortened(file: InputsFile, kept_ppm: int) -> UnderlyingTarget:
    return permitted(replace(file, kept_ppm=kept_ppm))


def _impossible(u: UnderlyingState, aim: UnderlyingTarget | None, why_untargeted: str) -> str:
    """Why nothing could be published whatever the fences say; empty if something could."""
    if u.publication is None:
        return "its parameters cannot be pushed"
    if not isinstance(u.spot, Usable):
        return f"price unusable: {u.spot.reason}"
    return f"no target: {why_untargeted}" if aim is None else ""


def _slowest(aim: Ranges, allowed: Ranges, set_: Ranges) -> Ranges:
    """What the hysteresis is judged by: the target, but where a speed holds a range in place, that place."""

    def one(want: int, may: int, now: int) -> int:
        return now if may == now else want

    return Ranges(
        psr_ppm=one(aim.psr_ppm, allowed.psr_ppm, set_.psr_ppm),
        vsr_up_ppm=one(aim.vsr_up_ppm, allowed.vsr_up_ppm, set_.vsr_up_ppm),
        vsr_down_ppm=one(aim.vsr_down_ppm, allowed.vsr_down_ppm, set_.vsr_down_ppm),
    )


def inputs_of(
    snapshot: Snapshot,
    underlying: int,
    market: MarketModel,
    knobs: PolicyKnobs,
    overrides: Sequence[Override] = (),
) -> InputsFile | None:
    """Everything that the numbers of a publication follow from; None if there is no target."""
    state = next(u for u in snapshot.underlyings if u.underlying == underlying)
    seen, now = market.of(underlying), snapshot.block.timestamp
    if seen.target is None:
        return None
    floors = standing(overrides, underlying, now)
    lately: Ranges | None = None
    ended: tuple[Override, ...] = ()
    if state.publication is not None:
        aim = floored(seen.target, floors, now).ranges
        # Estimated again only when a range is to be lowered, which is when it matters.
        if loosens(aim, current(state.publication)):
            found = highest_lately(state, now, market.risk, over_s=knobs.loosen_after_s)
            ended = lapsed(overrides, underlying, now, over_s=knobs.loosen_after_s)
            lately = None if found is None else lifted(found[0], ended)
    return InputsFile(
        schema=1 if snapshot.deployed is None else SCHEMA,
        deployed=snapshot.deployed,
        model=MODEL_VERSION,
        protocol=snapshot.protocol,
        block=snapshot.block,
        state=state,
        history_sha256=history_digest(state.history),
        quotes=seen.quotes,
        risk=market.risk,
        policy=knobs,
        fitted=seen.fitted,
        target=seen.target,
        overrides=(*floors, *ended),
        lately=lately,
    )


def speed(file: InputsFile) -> Paced:
    """How far scan ranges may go as far as their speed is concerned; a function of the file alone."""
    now, fences = file.block.timestamp, file.state.publication
    assert fences is not None, "it can be published to"
    weather = regime(file.state.history, now, file.policy)
    return paced(
        floored(file.target, file.overrides, now).ranges,
        current(fences),
        lately=file.lately,
        stormy=weather.said if weather.stormy else "",
        loosen_after_s=file.policy.loosen_after_s,
        loosen_step_ppm=file.policy.loosen_step_ppm,
    )


def permitted(file: InputsFile) -> UnderlyingTarget:
    """What is pushed: the target as far as policy and fences let it move.

    A function of the file alone: `keeper verify` derives the pushed integers by it.  The file is of a state that can be
    published to, with a usable price.
    """
    now, spot, fences = file.block.timestamp, file.state.spot, file.state.publication
    if fences is None or not isinstance(spot, Usable):
        raise LawBroken("a publication was to be derived where none can be made", underlying=file.state.underlying)

    def legal(wanted: UnderlyingTarget) -> UnderlyingTarget:
        return straighten(
            allow(wanted, fences, now, file.state.rules),
            file.state.listings,
            spot=spot.wad,
            now=now,
            latest_s=now + file.policy.intent_ttl_s,
            state=fences,
        )

    aim = floored(file.target, file.overrides, now)
    whole = legal(replace(aim, ranges=speed(file).ranges))
    if file.kept_ppm == PPM:
        return whole
    return legal(between(published(file.state, whole), whole, file.kept_ppm))
