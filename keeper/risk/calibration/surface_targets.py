"""What the publication would say of a venue's whole chain: level, forward and every strike's volatility, by expiry.

The very code that targets follow on each block (`implied`, `term`), with every quoted expiry
and strike taken for listed, our oracle's price for the venue's index, and quotes for the only witness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import ExpiryTarget
from keeper.domain.quotes import QuoteSheet, Unquoted
from keeper.domain.snapshot import Listing
from keeper.risk import lattice
from keeper.risk.calibration import term
from keeper.risk.calibration.implied import ImpliedExpiry, Unseen, View, see
from keeper.risk.exact.riskfile import PPM
from keeper.risk.surface.quotes import FitError
from keeper.risk.timeseries.volatility import Unestimated


@dataclass(frozen=True, kw_only=True)
class QuotedExpiry:
    """One expiry of the chain, as it would be published."""

    target: ExpiryTarget
    strikes: tuple[int, ...]
    """1e-8 USD, ascending; the order of the target's volatilities."""
    error: FitError
    """Of its smile against the quotes."""


@dataclass(frozen=True, kw_only=True)
class SurfaceTargets:
    """A chain's targets."""

    source: str
    taken_s: int
    """When the venue quoted, unix seconds."""
    index: int
    """The venue's spot, wad USD."""
    expiries: tuple[QuotedExpiry, ...]
    """Ascending."""
    refused: tuple[tuple[int, str], ...]
    """(expiry, why not), ascending."""
    reason: str
    """How many expiries were fitted, how well, and what was left out."""


def surface_targets(sheet: QuoteSheet | Unquoted, knobs: RiskKnobs) -> SurfaceTargets | Unestimated:
    """Targets of every quoted expiry.  `Unestimated` if none can be used."""
    if isinstance(sheet, Unquoted):
        return Unestimated(reason=sheet.reason)
    alone = replace(knobs, implied=replace(knobs.implied, weight_ppm=PPM))
    view = see(sheet, spot=sheet.index, now=sheet.taken_s, knobs=alone.implied)
    if isinstance(view, Unseen):
        return Unestimated(reason=view.reason)
    listings = [
        Listing(expiry=one.expiry, strikes=tuple(q.strike for q in one.quotes))
        for one in sheet.expiries
        if one.expiry in view.fit.errors
    ]
    seen = {one.expiry: _read(view, one) for one in listings}
    implied = {expiry: found for expiry, found in seen.items() if isinstance(found, ImpliedExpiry)}
    usable = [one for one in listings if one.expiry in implied]
    # Every expiry has quotes, so the volatility that stands in for missing ones is never looked at.
    targets = term.expiry_targets(
        usable, realised_ppm=PPM, mean_ppm=PPM, now=sheet.taken_s, knobs=alone, implied=implied
    )
    left_out = {expiry: found.reason for expiry, found in seen.items() if isinstance(found, Unseen)}
    return SurfaceTargets(
        source=sheet.source,
        taken_s=sheet.taken_s,
        index=sheet.index,
        expiries=tuple(
            QuotedExpiry(target=target, strikes=one.strikes, error=view.fit.errors[one.expiry])
            for one, target in zip(usable, targets, strict=True)
        ),
        refused=tuple(sorted({**dict(view.fit.refused), **left_out}.items())),
        reason=view.said,
    )


def _read(view: View, listing: Listing) -> ImpliedExpiry | Unseen:
    """What the surface says of a quoted expiry; its own level is the one it is judged against."""
    smile = view.surface.slice_at(listing.expiry)
    own = max(1, lattice.to_ppm(float(smile.vol([smile.forward])[0])))
    return view.at(listing, realised_ppm=own)
