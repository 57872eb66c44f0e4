"""What the author of a publication chose and no chain knows, held against a co-signer's own choice.

    knobs    each one that the numbers follow from, against this keeper's settings
    floors   those set by hand that the file carries, against this keeper's store
    gate     whom the publication would bring down now, by this keeper's own shares and its own sight of all accounts

Arithmetic alone binds no author: a floor, a knob or an open gate makes any number inside the fences follow from its
inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from keeper.domain.inputs import Brought, InputsFile
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.overrides import PARAMETERS, Override
from keeper.domain.snapshot import Snapshot, Usable
from keeper.policy.choices import choices
from keeper.policy.difference import Difference
from keeper.policy.gate import gate
from keeper.policy.overrides import lapsed, standing
from keeper.policy.verify import UNDERIVABLE, Check
from keeper.policy.weigh import Scale

KNOBS: Final = "knobs"
FLOORS: Final = "floors"
GATE: Final = "impact gate now"
#: Steps that a co-signer may accept as they are: another operator's choice, told one by one.
CHOSEN: Final = frozenset({KNOBS, FLOORS})
_NAMES: Final = {ours: theirs for theirs, ours in PARAMETERS.items()}


def knobs_again(file: InputsFile, risk: RiskKnobs, policy: PolicyKnobs) -> Iterator[Check]:
    """A step for each knob that is not this keeper's own; one that agrees if all are."""
    mine, its = choices(risk, policy), choices(file.risk, file.policy)
    apart = [name for name in mine if mine[name] != its[name]]
    if not apart:
        yield Check(what=KNOBS, said=f"{len(mine)} of [risk] and [policy] are this keeper's own", difference=None)
    for name in apart:
        yield Check(what=KNOBS, said="", difference=Difference(name=name, ours=mine[name], theirs=its[name]))


def floors_again(file: InputsFile, overrides: Collection[Override]) -> Iterator[Check]:
    """A step for each floor that only one side has, or that is another; one that agrees if there is none.

    Args:
        file: the inputs.
        overrides: floors of this keeper's store that stood at the file's block, or lately.
    """
    mine, its = _floors(file, overrides), _floors(file, file.overrides)
    apart = [name for name in sorted(mine.keys() | its.keys()) if mine.get(name) != its.get(name)]
    if not apart:
        said = f"{len(its)} set by hand, this keeper's own" if its else "none set by hand, here or there"
        yield Check(what=FLOORS, said=said, difference=None)
    for name in apart:
        ours, theirs = (f"{side[name] / 10_000:g} %" if name in side else "none" for side in (mine, its))
        yield Check(what=FLOORS, said="", difference=Difference(name=name, ours=ours, theirs=theirs))


def _floors(file: InputsFile, overrides: Collection[Override]) -> dict[str, int]:
    """By name, ppm; numbers, times and words are each store's own."""
    of, now = file.state.underlying, file.block.timestamp
    found = {f"floor of {_NAMES[one.parameter]}": one.floor_ppm for one in standing(overrides, of, now)}
    if file.lately is not None:  # what ended holds a range up only while one is to be lowered
        ended = lapsed(overrides, of, now, over_s=file.policy.loosen_after_s)
        found |= {f"floor of {_NAMES[one.parameter]} that ended": one.floor_ppm for one in ended}
    return found


def gate_now(
    snapshot: Snapshot, target: UnderlyingTarget, policy: PolicyKnobs, brought: Sequence[Brought] = ()
) -> Check:
    """The impact gate asked about a publication as it is: it passes, or it is not signed.

    Args:
        snapshot: what this keeper sees at its newest block, with every account.
        target: all of the publication.
        policy: this keeper's own knobs.
        brought: whom earlier pushes of the day brought down, as its author and this keeper know it.
    """
    if policy.impact_gate == "off":
        return Check(what=GATE, said="off in this keeper's settings (policy.impact_gate)", difference=None)
    u = next((u for u in snapshot.underlyings if u.underlying == target.underlying), None)
    if u is None or u.publication is None or not isinstance(u.spot, Usable):
        why = u.spot.reason if u is not None and not isinstance(u.spot, Usable) else "it cannot be published to here"
        return _held(f"nobody can tell whom it brings down: {why}")
    if u.live is None:
        return Check(what=GATE, said="nothing is in force that it could be held against", difference=None)
    try:
        scale = Scale(snapshot, u, policy, brought)
        found = gate(scale, target, lambda _: target, slow=False)
    except UNDERIVABLE as error:
        return _held(f"it cannot be weighed: {type(error).__name__} {error}")
    if found.params is None:
        return _held(found.said)
    worst = found.whole.worst
    said = f"{worst.accounts:,} accounts replayed at block {snapshot.block.number:,}, {worst.below_mm:,} fall below MM"
    return Check(what=GATE, said=said, difference=None)


def _held(why: str) -> Check:
    return Check(what=GATE, said="", difference=Difference(name="publication", ours=why, theirs="drafted as it is"))


def objections(checks: Collection[Check], unsigned: str, *, accepted: bool) -> Iterator[str]:
    """Why a publication that follows from its inputs is still not signed.

    Args:
        checks: every step.
        unsigned: why this keeper's model may not publish; empty if it may.
        accepted: whether a person takes the author's knobs and floors as they are.
    """
    apart = [one for one in checks if one.what in CHOSEN and one.difference is not None]
    if apart and not accepted:
        names = ", ".join(one.difference.name for one in apart[:3] if one.difference is not None)
        more = f" and {len(apart) - 3} more" if len(apart) > 3 else ""
        yield f"its author chose otherwise than this keeper: {names}{more}; --accept-knobs signs it all the same"
    for one in checks:
        if one.what == GATE and one.difference is not None:
            yield f"this keeper's own impact gate does not let it pass: {one.difference.ours}"
    if unsigned:
        yield f"this keeper may not publish: {unsigned}"
