"""From targets to changes: what a recalibration wants and the keeper may not push, or not in time, is to be proposed.

    bounds and pace   `keeper.governance.pace`: bounds that do not admit a target, steps and budgets that let it be
                      reached too late
    haircuts          the one that the calibration asks for, where it differs from the one in force by
                      `LEAST_HAIRCUT_PPM` or more

The text says which rule made which number, so that whoever votes can follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from keeper.domain.floors import OwnTarget
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.prices import PriceHistory
from keeper.domain.snapshot import UnderlyingState, Usable, VolFences
from keeper.errors import BadInput
from keeper.governance.bounds import ROOM_PPM, bound_past
from keeper.governance.chain import ChainView
from keeper.governance.changes import Changes, parse_changes
from keeper.governance.fenced import LATTICE_PPM, Moved
from keeper.governance.pace import Pace, pace
from keeper.governance.targets_file import Targets
from keeper.policy.binding import NAMES
from keeper.policy.guard import current
from keeper.policy.speeds import RANGES
from keeper.risk.calibration.calibrate import calibrate
from keeper.risk.calibration.haircuts import Haircut
from keeper.risk.timeseries.volatility import Unestimated

#: Haircuts that differ by less are left alone: every proposal costs a vote.
LEAST_HAIRCUT_PPM: Final = 10_000
#: Of the calibration's bootstrap, whose intervals nothing here reads.
_SEED, _REPLICATES = 1, 20
#: The last second of the year 9999, where calendars end.
_LAST_S: Final = 253_402_300_799
#: Letters of an operator's name or reason in the text of a proposal.
_LONGEST_WORDS: Final = 200


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One underlying, and where its numbers are to go."""

    state: UnderlyingState
    target: UnderlyingTarget | None
    """None if there is none."""
    why: str = ""
    """Why there is none."""
    loosens_from_s: int | None = None
    """As `keeper.policy.glide.glide` takes it."""
    bounds: tuple[Moved, ...] = ()
    """Bounds that must move besides those that the target shows."""


@dataclass(frozen=True, kw_only=True)
class WantedHaircut:
    """What one collateral's haircut is to be."""

    haircut_ppm: int
    why: str


def paces(
    wishes: Sequence[Wish], knobs: PolicyKnobs, *, now: int, within_days: float
) -> tuple[dict[str, Pace], tuple[str, ...]]:
    """What each underlying's fences have to be, by ticker; and which of them cannot be thought about, and why."""
    found: dict[str, Pace] = {}
    skipped: list[str] = []
    for one in wishes:
        u = one.state
        if one.target is None or u.publication is None or not isinstance(u.spot, Usable):
            skipped.append(f"{u.symbol}: {one.why or 'nothing can be published to it now'}")
            continue
        within_s = round(within_days * 86_400)
        made = pace(u, one.target, knobs, now=now, within_s=within_s, loosens_from_s=one.loosens_from_s)
        found[u.symbol] = replace(made, moved=(*made.moved, *one.bounds))
    return found, tuple(skipped)


def wish_of(u: UnderlyingState, targets: Targets) -> Wish:
    """The targets that a file has for an underlying: scan ranges that it does not name stay where they are."""
    if u.publication is None:
        return Wish(state=u, target=None)
    named = {f"{name}_ppm": targets[u.symbol, name] for name in RANGES if (u.symbol, name) in targets}
    target = UnderlyingTarget(
        underlying=u.underlying,
        ranges=replace(current(u.publication), **named),
        expiries=(),
        realised_vol=0.0,
        reasons=(),
    )
    return Wish(state=u, target=target, bounds=tuple(_levels(u, u.publication.vol, targets)))


def _levels(u: UnderlyingState, vol: VolFences, targets: Targets) -> Iterator[Moved]:
    """Bounds of volatilities at the money that do not admit what a file wants of some expiry."""
    for key, old in (("sigma_max", vol.sigma_max_ppm), ("sigma_min", vol.sigma_min_ppm)):
        target = targets.get((u.symbol, key))
        upwards = key == "sigma_max"
        if target is not None and (target > old if upwards else target < old):
            new = bound_past("sigma", target, upwards=upwards)
            yield Moved(table="vol_fences", key=f"{key}_ppm", old=old, new=new, why=f"{NAMES['sigma']} of {target}")


def calibrated_haircuts(
    histories: Mapping[str, PriceHistory], chain: ChainView, knobs: RiskKnobs
) -> tuple[dict[str, WantedHaircut], tuple[str, ...]]:
    """What the calibration asks for each collateral with recorded prices; and which have none, and why.

    Args:
        histories: recorded prices by ticker; of a collateral under its own or its feed's.
        chain: the present.
        knobs: horizon, level and floors of the calibration.
    """
    found: dict[str, WantedHaircut] = {}
    missing: list[str] = []
    for symbol, asset in _tokens(chain):
        history = histories.get(symbol) or histories.get(asset)
        if history is None:
            missing.append(f"{symbol}: no prices are at hand; give them with --prices")
            continue
        rng = np.random.default_rng(_SEED)
        made = calibrate(history, knobs, rng=rng, replicates=_REPLICATES)
        cut = made if isinstance(made, Unestimated) else made.haircut
        if isinstance(cut, Haircut):
            found[symbol] = WantedHaircut(haircut_ppm=cut.haircut_ppm, why=cut.reason)
        else:
            missing.append(f"{symbol}: {cut.reason}")
    return found, tuple(missing)


def filed_haircuts(targets: Targets, chain: ChainView) -> dict[str, WantedHaircut]:
    """What a file asks for each collateral, under its own ticker or its feed's."""
    found = {}
    for symbol, asset in _tokens(chain):
        for name in (asset, symbol):
            if (name, "haircut") in targets:
                ppm = targets[name, "haircut"]
                found[symbol] = WantedHaircut(haircut_ppm=ppm, why=f"haircut {ppm / 1e4:g} % was calibrated")
    return found


def _tokens(chain: ChainView) -> Iterator[tuple[str, str]]:
    """Ticker and feed of each collateral but the settlement token, which has neither feed nor haircut."""
    for symbol, number in chain.collaterals.items():
        if number:
            config = chain.one("ClearingHouse", "collateral", number)
            yield symbol, config["asset"].rstrip(b"\0").decode(errors="replace")


def changes_from(
    found: Mapping[str, Pace],
    haircuts: Mapping[str, WantedHaircut],
    chain: ChainView,
    *,
    origin: str,
    within_days: float,
    notes: Sequence[str] = (),
    floors: Sequence[OwnTarget] = (),
    with_overrides: bool = False,
) -> Changes:
    """The changes as a person would have written them, with the rules that made them.

    Args:
        found: as `paces` gives it.
        haircuts: what is wanted of each collateral.
        chain: the present.
        origin: where the targets are from, for the text.
        within_days: the deadline that `found` was made with.
        notes: what could not be thought about, and why.
        floors: those that stand over the targets, set by hand.
        with_overrides: whether they count in `found`.

    Raises: `BadInput` if fences admit every target in time and the haircuts are those in force.
    """
    tables = [line for symbol, one in found.items() for line in _fences(symbol, one.moved)]
    tables += [line for symbol, cut in haircuts.items() for line in _haircut(symbol, cut, chain)]
    if not tables:
        left = [f"{symbol}: {line}" for symbol, one in found.items() for line in one.left]
        more = "".join(f"; {line}" for line in (*left, *notes))
        raise BadInput(
            f"the fences admit every target within {within_days:g} d, and every haircut is the one in force{more}",
            hint="nothing is left to propose: keeper push publishes what fences admit"
            + ("; --with-overrides proposes from the floors that stand too" if floors and not with_overrides else ""),
        )
    head = [f'title = "Let fences and haircuts follow the recalibration of {origin}"', "summary = '''"]
    summary = _summary(found, origin=origin, within_days=within_days, notes=notes)
    body = [*summary, *_floors(floors, with_overrides=with_overrides), "'''", ""]
    return parse_changes("\n".join([*head, *body, *tables]), name="the recalibration")


def _summary(found: Mapping[str, Pace], *, origin: str, within_days: float, notes: Sequence[str]) -> Iterator[str]:
    yield f"The targets are those of {origin}. The rules that made these changes:"
    yield ""
    yield f"- a bound that does not admit its target goes {ROOM_PPM / 10_000:g} % past it;"
    yield (
        f"- where the glide path to a target takes longer than {within_days:g} days, each step and budget that holds "
        f"it is raised to the least multiple of {LATTICE_PPM / 10_000:g} % with which it is there in time;"
    )
    yield f"- a haircut is the calibrated one, where the two differ by {LEAST_HAIRCUT_PPM / 10_000:g} % or more."
    late = [f"- {symbol}: {', '.join(one.late)}: {_hours(one)}" for symbol, one in found.items() if one.late]
    left = [f"- {symbol}: {line}" for symbol, one in found.items() for line in one.left]
    if late:
        yield from ("", f"What would take longer than {within_days:g} days under today's fences:", "", *late)
    if left:
        yield from ("", "What takes longer with these changes too, as something else holds it:", "", *left)
    if notes:
        yield from ("", "Not looked at:", "", *(f"- {line}" for line in notes))


def _floors(floors: Sequence[OwnTarget], *, with_overrides: bool) -> Iterator[str]:
    """Who holds which number up by hand, beside what the model says: whoever votes must not take one for the other."""
    if not floors:
        return
    counted = "these changes are made from the floors" if with_overrides else "these changes leave them aside"
    yield from ("", f"Floors that operators set by hand stood over the model's own targets; {counted}:", "")
    for one in floors:
        own = "it has none" if one.own_ppm is None else f"{one.own_ppm / 10_000:g} %"
        yield (
            f"- {one.symbol}: {NAMES[one.parameter]} at least {one.floor_ppm / 10_000:g} % until "
            f"{_until(one.until_s)}, by {_plain(one.operator)}: {_plain(one.reason)}. The model's own target: {own}."
        )


def _until(time_s: int) -> str:
    return datetime.fromtimestamp(min(time_s, _LAST_S), tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def _plain(words: str) -> str:
    """One line of a person's words, without what would end the text around it."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    return re.sub("'{2,}", "'", line.replace("`", "'"))[:_LONGEST_WORDS]


def _hours(one: Pace) -> str:
    now, then = ("never" if hours is None else f"after {hours:.1f} h" for hours in one.set_after_h)
    return f"within the keeper's hysteresis {now}, with these changes {then}"


def _fences(symbol: str, moved: Sequence[Moved]) -> Iterator[str]:
    for table in dict.fromkeys(one.table for one in moved):
        yield f"[underlying.{symbol}.{table}]"
        for one in moved:
            if one.table == table:
                yield f"{one.key} = {one.new}  # for a {one.why}"
        yield ""


def _haircut(symbol: str, cut: WantedHaircut, chain: ChainView) -> Iterator[str]:
    in_force = chain.one("ClearingHouse", "collateral", chain.collaterals[symbol])["haircutPpm"]
    if abs(in_force - cut.haircut_ppm) >= LEAST_HAIRCUT_PPM:
        yield f"# {cut.why}"
        yield f"[collateral.{symbol}]\nhaircut_ppm = {cut.haircut_ppm}\n"
