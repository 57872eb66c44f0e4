"""Derive a publication again from its inputs file, step by step, and name the first number that differs.

    file ─fit again→ fitted numbers, within their slack ─integers→ target, exactly ─fences→ what was pushed, exactly

Nothing here asks anybody: the file and the chain's record come from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.fitted import FittedNumbers
from keeper.domain.inputs import InputsFile, history_digest
from keeper.domain.landed import Landed
from keeper.domain.market import ExpiryTarget
from keeper.domain.snapshot import Snapshot, Usable
from keeper.errors import KeeperError
from keeper.policy.difference import Difference, first_difference
from keeper.policy.gate import PPM
from keeper.policy.guard import current
from keeper.policy.overrides import floored, lapsed, lifted
from keeper.policy.publish import permitted, propose
from keeper.policy.speeds import loosens
from keeper.risk.calibration.implied import see
from keeper.risk.calibration.lately import highest_lately
from keeper.risk.calibration.targets import Untargeted, day, fit, target_of
from keeper.risk.model import model

#: By how many units a number of a fit run again may differ; what is not named here must be the same.
SLACK: Final[Mapping[str, int]] = dict.fromkeys(
    (
        "vol_ppm", "mean_vol_ppm", "filtered_ppb", "normal_ppb", "history_ppb", "stress_ppb", "phi_ppb", "atm_ppm",
        "vols_ppm",
    ),
    1,
)  # fmt: skip
#: What arithmetic runs into when a file was made to be none: no file that a keeper wrote does.
UNDERIVABLE: Final = (KeeperError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError, StopIteration)
#: Schema from which on the reasons of a target set units off and say how many days there are; they are compared.
SAYS_DAYS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Check:
    """One step of the derivation."""

    what: str
    said: str
    """What was compared, where it agrees."""
    difference: Difference | None
    """The first; None if there is none."""


def checks_of(file: InputsFile) -> Iterator[Check]:
    """What can be told from the file alone.  Raises: nothing; what cannot be derived is a difference."""
    ours, theirs = history_digest(file.state.history), file.history_sha256
    rounds = len(file.state.history)
    yield Check(
        what="history",
        said=f"{rounds} oracle rounds",
        difference=None if ours == theirs else Difference(name="history_sha256", ours=ours, theirs=theirs),
    )
    yield _fit_again(file)
    yield _lately_again(file)
    yield _target_again(file)
    if not 0 < file.kept_ppm <= PPM:  # a gate shortens a step, and lets none pass beyond its target
        beyond = Difference(name="kept_ppm", ours=f"1 to {PPM}", theirs=str(file.kept_ppm))
        yield Check(what="impact gate", said="", difference=beyond)


def pushed(file: InputsFile, landed: Landed) -> Check:
    """What the file's numbers make of the target, against what the chain took."""
    try:
        ours = permitted(file)
    except UNDERIVABLE as error:
        return _underivable("pushed integers", "publication", error)
    refused = {(item.expiry, item.what) for item in landed.refused}
    difference = None
    count = 0
    kept_ranges = {what for expiry, what in refused if expiry == 0}
    for name in ("psr", "vsr_up", "vsr_down"):
        if name in kept_ranges or "joint" in kept_ranges:
            continue
        count += 1
        mine, its = (getattr(side, f"{name}_ppm") for side in (ours.ranges, landed.ranges))
        if mine != its and difference is None:
            difference = Difference(name=f"{name}_ppm", ours=str(mine), theirs=str(its))
    kept = {expiry for expiry, _ in refused if expiry}
    applied = {one.params.expiry: one for one in landed.expiries}
    for one in ours.expiries:
        expiry = one.params.expiry
        if expiry in kept:
            continue
        count += 3 + len(one.sigmas_ppm)
        if difference is None:
            difference = _expiry(one, applied.get(expiry))
    strange = sorted(applied.keys() - {one.params.expiry for one in ours.expiries} - kept)
    if strange and difference is None:
        difference = Difference(name=f"expiry {day(strange[0])}", ours="not published", theirs="published")
    said = f"{count} integers"
    if landed.refused:
        said += f"; {len(landed.refused)} item(s) refused by the fences, which kept what was in force"
    return Check(what="pushed integers", said=said, difference=difference)


def state_again(file: InputsFile, snapshot: Snapshot) -> Check:
    """The underlying as the chain has it, against the file's."""
    what = "state from the logs"
    ours = next((u for u in snapshot.underlyings if u.underlying == file.state.underlying), None)
    return Check(
        what=what, said="prices, rounds, listings, fences", difference=first_difference(ours, file.state, name="state")
    )


def gate_again(file: InputsFile, snapshot: Snapshot) -> Check:
    """What the impact gate keeps of the step when every account is replayed again."""
    what = "impact gate"
    try:
        market = model(snapshot, file.risk, () if file.quotes is None else (file.quotes,))
        u = next(u for u in snapshot.underlyings if u.underlying == file.state.underlying)
        now = file.block.timestamp
        brought = tuple(one for one in file.brought if one.at_s < now)
        found = propose(snapshot, u, market, file.policy, file.overrides, asked=what, brought=brought)
    except UNDERIVABLE as error:
        return _underivable(what, "kept_ppm", error)
    if found.push is None or found.file is None:
        refused = Difference(name="kept_ppm", ours=found.waits, theirs=str(file.kept_ppm))
        return Check(what=what, said="", difference=refused)
    ours, theirs = found.file.kept_ppm, file.kept_ppm
    difference = first_difference(ours, theirs, name="kept_ppm")
    return Check(
        what=what,
        said=f"{len(snapshot.accounts)} accounts replayed, {theirs / 10_000:g} % of the step kept",
        difference=difference or first_difference(found.file.brought, file.brought, name="brought"),
    )


def _fit_again(file: InputsFile) -> Check:
    what = "fit run again"
    try:
        found = _fitted(file)
    except UNDERIVABLE as error:
        return _underivable(what, "fitted", error)
    if isinstance(found, Untargeted):
        difference: Difference | None = Difference(name="fitted", ours=found.reason, theirs="fitted numbers")
        return Check(what=what, said="", difference=difference)
    difference = first_difference(found, file.fitted, slack=SLACK, name="fitted")
    quoted = f", {len(found.smiles)} smiles" if found.smiles else ""
    return Check(
        what=what, said=f"{found.rounds} rounds, {found.shortfalls.windows} moves{quoted}", difference=difference
    )


def _fitted(file: InputsFile) -> FittedNumbers | Untargeted:
    now, spot = file.block.timestamp, file.state.spot
    view = see(file.quotes, spot=spot.wad if isinstance(spot, Usable) else None, now=now, knobs=file.risk.implied)
    return fit(file.state, now, file.risk, view)


def _lately_again(file: InputsFile) -> Check:
    """The highest target of the hours before holds loosening back; it is on the lattice of scan ranges."""
    what = "highest target lately"
    try:
        if file.lately is None and not _lowers(file):
            return Check(what=what, said="not needed: no range was to be lowered", difference=None)
        found = highest_lately(file.state, file.block.timestamp, file.risk, over_s=file.policy.loosen_after_s)
    except UNDERIVABLE as error:
        return _underivable(what, "lately", error)
    if file.lately is None and found is None:
        return Check(what=what, said="nothing is known of the hours before", difference=None)
    slack = {"psr_ppm": file.risk.psr_lattice_ppm}
    ended = lapsed(file.overrides, file.state.underlying, file.block.timestamp, over_s=file.policy.loosen_after_s)
    ours = None if found is None else lifted(found[0], ended)
    difference = first_difference(ours, file.lately, slack=slack, name="lately")
    return Check(what=what, said=f"over {file.policy.loosen_after_s / 3_600:g} h", difference=difference)


def _lowers(file: InputsFile) -> bool:
    """Whether a range was to be lowered, for which the hours before must be looked at."""
    fences = file.state.publication
    aim = floored(file.target, file.overrides, file.block.timestamp).ranges
    return fences is not None and loosens(aim, current(fences))


def _target_again(file: InputsFile) -> Check:
    what = "target from the fitted numbers"
    if file.fitted is None:
        absent = Difference(name="fitted", ours="fitted numbers", theirs="none")
        return Check(what=what, said="", difference=absent)
    try:
        ours = target_of(file.fitted, file.state, file.block.timestamp, file.risk)
    except UNDERIVABLE as error:
        return _underivable(what, "target", error)
    count = 3 + sum(3 + len(one.sigmas_ppm) for one in ours.expiries)
    # Older files tell the same numbers in the words of their time.
    theirs = file.target if file.schema >= SAYS_DAYS else replace(file.target, reasons=ours.reasons)
    return Check(what=what, said=f"{count} integers", difference=first_difference(ours, theirs, name="target"))


def _expiry(ours: ExpiryTarget, theirs: ExpiryTarget | None) -> Difference | None:
    name = f"expiry {day(ours.params.expiry)}"
    if theirs is None:
        return Difference(name=name, ours="published", theirs="not published")
    return first_difference(ours, theirs, name=name)


def _underivable(what: str, name: str, error: Exception) -> Check:
    said = error.message if isinstance(error, KeeperError) else f"cannot be derived: {type(error).__name__} {error}"
    return Check(what=what, said="", difference=Difference(name=name, ours=said, theirs="a number"))
