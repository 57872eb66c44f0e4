"""The history of one published parameter: who, when, from what inputs, under which fences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keeper.domain.happened import Event, Happened
from keeper.domain.inputs import InputsFile, load
from keeper.domain.landed import Landed
from keeper.domain.market import UnderlyingTarget
from keeper.domain.overrides import Override
from keeper.errors import BadInput
from keeper.ops.parameter_name import Wanted, expiry_of, name_of
from keeper.ops.strikes_near import strikes_near, strikes_there
from keeper.policy.parameter import (
    Parameter,
    Room,
    What,
    aimed,
    fence_of,
    kept_by,
    published,
    published_in,
    room,
    strikes_of,
)
from keeper.policy.ramp import arrival_s
from keeper.ports import Publications, Store


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """How a range follows its target: maintenance margin never jumps."""

    in_force: int
    """When the publication was decided, ppm."""
    rate_ppm_per_hour: int
    arrives_s: int | None
    """Unix seconds, if a refresh comes every hour; None if not within a hundred days."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One publication, as far as the parameter is concerned.  Values in the parameter's own unit."""

    landed: Landed
    old: int | None
    new: int | None
    """None if it was not in the publication; equal to `old` if the fences kept what was in force."""
    kept: str
    """Why the fences refused it; empty if they took it."""
    target: int | None
    """What was aimed at; None if the inputs are not here."""
    reasons: tuple[str, ...]
    """Of the target."""
    why: str
    """Why a publication was due; empty if it is not known here."""
    floors: tuple[Override, ...]
    """Set by hand, standing then, on this underlying."""
    room: Room | None
    ramp: Ramp | None
    model: int | None
    here: bool
    """Whether the inputs file is in the store."""


@dataclass(frozen=True, kw_only=True)
class Between:
    """Something else that happened, as far as the parameter is concerned."""

    happened: Happened
    old: int | None
    """Published before; None if it did not move the parameter."""
    new: int | None


@dataclass(frozen=True, kw_only=True)
class History:
    """What became of one parameter."""

    name: str
    """`ETH.scan_range`."""
    parameter: Parameter
    moments: tuple[Moment, ...]
    """Newest first."""
    between: tuple[Between, ...]
    """Newest first, back to the oldest of the moments."""


def history_of(
    wanted: Wanted, chain: Publications, store: Store | None, *, first: int | None = None, limit: int = 20
) -> History:
    """Tell a parameter's history.

    Args:
        wanted: which.
        chain: where publications are.
        store: where their inputs are, if there is one; without them targets and fences are unknown.
        first: height from which on to look; None: since the deployment.
        limit: how many publications, newest first.

    Raises: `BadInput` if there is no such underlying, expiry or strike; `Retry` if the chain cannot be asked.
    """
    underlying = chain.underlying(wanted.symbol)
    found = chain.history(underlying, first=first)
    parameter = Parameter(what=wanted.what, expiry=expiry_of(wanted, found), strike=wanted.strike)
    others = [one for one in chain.happened(underlying, first=first) if _concerns(parameter, one)]
    moments, between = [], []
    for one in _told(parameter, wanted.symbol, [*found, *others], store):
        if isinstance(one, Moment):
            moments.append(one)
        else:
            between.append(one)
    if parameter.strike and not moments:
        there = strikes_there(store, underlying, parameter.expiry, found)
        raise BadInput(
            f"nothing is known of {name_of(wanted.symbol, parameter)}: no publication had that strike",
            hint=strikes_near(parameter.strike, there),
        )
    shown = moments[::-1][:limit]
    since = shown[-1].landed.block.number if len(shown) < len(moments) else 0
    return History(
        name=name_of(wanted.symbol, parameter),
        parameter=parameter,
        moments=tuple(shown),
        between=tuple(one for one in between[::-1] if one.happened.block.number >= since),
    )


def _concerns(parameter: Parameter, one: Happened) -> bool:
    if one.expiry and one.expiry != parameter.expiry:
        return False
    ours = (fence_of(parameter.what), "joint") if parameter.what.ranged else ("expiries",)
    return not one.about or one.about in ours


def _order(one: Landed | Happened) -> tuple[int, bool]:
    """In one block a veto comes after the publication that it stops; fences came before what they let through."""
    return one.block.number, isinstance(one, Happened) and one.event is Event.VETO


def _told(
    parameter: Parameter, symbol: str, found: Iterable[Landed | Happened], store: Store | None
) -> Iterator[Moment | Between]:
    before: int | None = None
    for one in sorted(found, key=_order):
        if isinstance(one, Happened):
            new = published_in(parameter, one.ranges) if one.ranges is not None else None
            if new is None:
                yield Between(happened=one, old=None, new=None)
                continue
            yield Between(happened=one, old=before, new=new)
            before = new
            continue
        moment = _moment(parameter, symbol, one, store, before)
        if moment is not None:
            yield moment
            before = moment.new


def _moment(
    parameter: Parameter, symbol: str, landed: Landed, store: Store | None, before: int | None
) -> Moment | None:
    """One publication; None where the parameter was not listed yet, or expired."""
    data = None if store is None else store.inputs_file(landed.inputs_hash)
    file = None if data is None else load(data)
    strikes = () if file is None else strikes_of(file, parameter.expiry)
    around = None if file is None else room(parameter, file, _pushed(landed))
    old = _before(parameter, file, around, before)
    kept = kept_by(parameter, landed)
    new = old if kept else published(parameter, landed, strikes)
    if new is None and old is None:
        return None
    return Moment(
        landed=landed,
        old=old,
        new=new,
        kept=kept,
        target=None if file is None else aimed(parameter, file.target, strikes),
        reasons=() if file is None else file.target.reasons,
        why=_why(store, symbol, landed),
        floors=() if file is None else file.overrides,
        room=around,
        ramp=None if file is None else _ramp(parameter, file, landed),
        model=None if file is None else file.model,
        here=file is not None,
    )


def _before(parameter: Parameter, file: InputsFile | None, around: Room | None, last: int | None) -> int | None:
    """What was published before: as the fences had it, or the file in force for a strike, which they fence by ratio."""
    if file is None or around is None:
        return last
    if not parameter.strike:
        return around.current
    strikes = dict(file.state.live.strikes).get(parameter.expiry, ()) if file.state.live else ()
    return next((one.sigma_ppm for one in strikes if one.strike == parameter.strike), last)


def _pushed(landed: Landed) -> UnderlyingTarget:
    return UnderlyingTarget(
        underlying=landed.underlying, ranges=landed.ranges, expiries=landed.expiries, realised_vol=0.0, reasons=()
    )


def _why(store: Store | None, symbol: str, landed: Landed) -> str:
    if store is None:
        return ""
    known = store.kept_inputs(symbol=symbol, publication=landed.id)
    return next((one.why for one in known if one.hash == landed.inputs_hash), "")


def _ramp(parameter: Parameter, file: InputsFile, landed: Landed) -> Ramp | None:
    fences, live = file.state.publication, file.state.live
    if not parameter.what.ranged or fences is None or fences.slew is None or live is None:
        return None
    # The arrival of all three ranges would be that of the slowest: the others stand still here.
    mine = {What.SCAN_RANGE: "psr_ppm", What.VOL_UP: "vsr_up_ppm", What.VOL_DOWN: "vsr_down_ppm"}[parameter.what]
    others = {name: getattr(landed.ranges, name) for name in ("psr_ppm", "vsr_up_ppm", "vsr_down_ppm")}
    begin = type(live.ranges)(**(others | {mine: getattr(live.ranges, mine)}))
    return Ramp(
        in_force=getattr(live.ranges, mine),
        rate_ppm_per_hour=fences.slew.rate_ppm_per_hour,
        arrives_s=arrival_s(begin, fences.slew, landed.ranges, since=landed.block.timestamp),
    )
