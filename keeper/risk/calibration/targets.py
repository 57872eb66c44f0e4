"""What we would publish for an underlying if nothing held us back, from its oracle rounds and a venue's quotes.

    raw inputs ─fit→ FittedNumbers ─target_of→ UnderlyingTarget

`target_of` is integer arithmetic: the same fitted numbers give the same target on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from keeper.domain.fitted import FittedNumbers, FittedSmile, NoSmile
from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import FileState, Listing, UnderlyingState
from keeper.risk.calibration import term
from keeper.risk.calibration.fitting import UNQUOTED, Untargeted, fit
from keeper.risk.calibration.implied import LEAST_LIFE_S, ImpliedExpiry, Unseen, View, held
from keeper.risk.calibration.scan_range import ranges, scan_range_from
from keeper.risk.exact.riskfile import DAY, PPM

__all__ = ["UNQUOTED", "Untargeted", "day", "fit", "target", "target_of"]


def target(
    state: UnderlyingState, now: int, knobs: RiskKnobs, view: View | Unseen = UNQUOTED
) -> UnderlyingTarget | Untargeted:
    """Estimate the parameters of one underlying.  Arguments and what is returned without a target: as `fit`."""
    found = fit(state, now, knobs, view)
    return found if isinstance(found, Untargeted) else target_of(found, state, now, knobs)


def target_of(found: FittedNumbers, state: UnderlyingState, now: int, knobs: RiskKnobs) -> UnderlyingTarget:
    """The target that follows from fitted numbers.

    Args:
        found: of this underlying at this block.
        state: its listings, and the file in force for smiles that quotes say nothing about.
        now: block time.
        knobs: the operator's choices.
    """
    scan = scan_range_from(found.shortfalls, knobs)
    smiles = {one.expiry: one for one in found.smiles}
    implied = {}
    for listing in state.listings:
        one = smiles.get(listing.expiry)
        usable = one and _usable(one, state.live, listing, soon=_soon(listing.expiry, now, knobs), knobs=knobs)
        if usable:
            implied[listing.expiry] = usable
    return UnderlyingTarget(
        underlying=state.underlying,
        ranges=ranges(scan, knobs),
        expiries=tuple(
            term.expiry_targets(
                state.listings,
                realised_ppm=found.vol_ppm,
                mean_ppm=found.mean_vol_ppm,
                now=now,
                knobs=knobs,
                implied=implied,
            )
        ),
        # Rounded: the record must not carry digits in which two machines differ.
        realised_vol=found.vol_ppm / 1e6,
        reasons=(scan.reason, *_words(found, now, knobs)),
    )


def _soon(expiry: int, now: int, knobs: RiskKnobs) -> bool:
    """Whether an expiry is so close that quotes which are used may have nothing more to say about it."""
    return expiry - now < LEAST_LIFE_S + knobs.implied.max_age_s


def _usable(
    one: FittedSmile | NoSmile, live: FileState | None, listing: Listing, *, soon: bool, knobs: RiskKnobs
) -> ImpliedExpiry | None:
    """What to publish by: quotes, else what is published, whose level counts only in the last minutes of a life.

    There the smile is refused for good; a level that then went realised would move for that alone.
    """
    if isinstance(one, FittedSmile):
        weight = knobs.implied.weight_ppm
        return ImpliedExpiry(phi_ppb=one.phi_ppb, atm_ppm=one.atm_ppm, vols_ppm=one.vols_ppm, weight_ppm=weight)
    published = held(live, listing)
    return replace(published, weight_ppm=PPM) if published and soon else published


def _words(found: FittedNumbers, now: int, knobs: RiskKnobs) -> Iterator[str]:
    """Where volatilities, smiles and forwards come from, one line each."""
    volatility = (
        f"volatility {found.vol_ppm / 1e4:.2f} % now, mean {found.mean_vol_ppm / 1e4:.2f} %, from {found.rounds} "
        f"rounds over {(found.last_s - found.first_s) / DAY:.1f} days"
    )
    if not found.quotes_said:
        yield f"{volatility}; flat smile, no carry"
    elif not found.quotes_used:
        yield f"{volatility}; smiles and forwards as published"
        yield f"quotes unused: {found.quotes_said}"
    else:
        yield f"{volatility}; weight of quoted variance {knobs.implied.weight_ppm / 1e4:g} %"
        yield found.quotes_said
        for one in found.smiles:
            if isinstance(one, NoSmile):
                level = "" if _soon(one.expiry, now, knobs) else "realised, smile and forward "
                yield f"expiry {day(one.expiry)} {level}as published: {one.reason}"
        for expiry, why in found.left_out:
            yield f"quotes of {day(expiry)} left out: {why}"


def day(expiry: int) -> str:
    """An expiry as a person writes it, UTC."""
    return datetime.fromtimestamp(expiry, tz=UTC).strftime("%Y-%m-%d %H:%M")
