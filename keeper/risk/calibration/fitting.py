"""From oracle rounds and a venue's quotes to the numbers that a target follows from, on their lattice.

All floating-point arithmetic between raw inputs and a publication ends here (`keeper.domain.fitted` states the units).
"""

from __future__ import annotations

from collections.abc import Iterator

from keeper.domain.fitted import FittedHinge, FittedNumbers, FittedSlice, FittedSmile, NoSmile
from keeper.domain.knobs import RiskKnobs
from keeper.domain.snapshot import UnderlyingState
from keeper.errors import LawBroken
from keeper.risk import lattice
from keeper.risk.calibration import term
from keeper.risk.calibration.implied import Unseen, View
from keeper.risk.calibration.scan_range import shortfalls
from keeper.risk.exact.riskfile import DAY
from keeper.risk.surface.hinged import HingedSmile
from keeper.risk.surface.smile import Slice, SviSmile
from keeper.risk.timeseries.volatility import Unestimated, estimate
from keeper.risk.timeseries.windows import windows_of_rounds

#: Annual volatility beyond which rounds are taken for garbage: 10,000 %, or 5 a day in the logarithm of the price.
ABSURD_VOL = 100.0

#: No target, and why.
Untargeted = Unestimated

#: No source of quotes is configured, which needs no words.
UNQUOTED = Unseen(reason="")


def fit(
    state: UnderlyingState, now: int, knobs: RiskKnobs, view: View | Unseen = UNQUOTED
) -> FittedNumbers | Untargeted:
    """Estimate everything that the target of one underlying follows from.

    Args:
        state: with its oracle rounds; rounds outside `knobs.history_days` before `now` are left out.
        now: block time.
        knobs: the operator's choices.
        view: quotes that may be used at this block, or why there are none.

    Returns:
        `Untargeted` if the rounds do not suffice: what is on-chain stays.
    """
    since = now - knobs.history_days * DAY
    rounds = [o for o in state.history if since <= o.time <= now]
    series = estimate(rounds, decay_per_day=knobs.ewma_lambda, min_rounds=knobs.min_observations)
    if isinstance(series, Unestimated):
        return series
    newest = max(o.time for o in rounds)
    age = now - newest
    if age > knobs.max_round_age_s:
        return Untargeted(reason=f"the newest oracle round is {age:,} s old, limit {knobs.max_round_age_s:,}")
    wildest = max(series.vol_annual, series.mean_vol_annual)
    if wildest > ABSURD_VOL:
        return Untargeted(reason=f"the oracle rounds give a volatility of {wildest:.3g}; they are not prices")
    vol_ppm = max(1, lattice.to_ppm(series.vol_annual))
    mean_vol_ppm = max(1, lattice.to_ppm(series.mean_vol_annual))
    return FittedNumbers(
        rounds=len(series.time_s),
        first_s=min(o.time for o in rounds),
        last_s=newest,
        vol_ppm=vol_ppm,
        mean_vol_ppm=mean_vol_ppm,
        shortfalls=shortfalls(windows_of_rounds(series, horizon_s=knobs.horizon_hours * 3600.0), knobs),
        quotes_used=isinstance(view, View),
        quotes_said=view.said if isinstance(view, View) else view.reason,
        smiles=tuple(_smiles(state, view, vol_ppm=vol_ppm, mean_vol_ppm=mean_vol_ppm, now=now, knobs=knobs)),
        slices=tuple(_slice(one, view.index) for one in view.surface.slices) if isinstance(view, View) else (),
        left_out=view.fit.refused if isinstance(view, View) else (),
    )


def _smiles(
    state: UnderlyingState, view: View | Unseen, *, vol_ppm: int, mean_vol_ppm: int, now: int, knobs: RiskKnobs
) -> Iterator[FittedSmile | NoSmile]:
    """What quotes say about each unexpired expiry; nothing if no source is configured."""
    if view == UNQUOTED:
        return
    for listing in state.listings:
        if listing.expiry <= now:
            continue
        realised = term.vol_at(vol_ppm, mean_vol_ppm, listing.expiry - now, knobs)
        found = view.at(listing, realised_ppm=realised) if isinstance(view, View) else view
        if isinstance(found, Unseen):
            yield NoSmile(expiry=listing.expiry, reason=found.reason)
        else:
            yield FittedSmile(
                expiry=listing.expiry, phi_ppb=found.phi_ppb, atm_ppm=found.atm_ppm, vols_ppm=found.vols_ppm
            )


def _slice(one: Slice, index: float) -> FittedSlice:
    smile = one.smile
    hinges = smile.hinges if isinstance(smile, HingedSmile) else ()
    if not isinstance(smile, HingedSmile | SviSmile):
        raise LawBroken("a surface of quotes is made of another family of smiles than is published by")
    svi = smile.svi
    return FittedSlice(
        expiry=one.expiry_s,
        forward=lattice.to_ppt(one.forward / index),
        a=lattice.to_ppt(svi.a),
        b=lattice.to_ppt(svi.b),
        rho=lattice.to_ppt(svi.rho),
        m=lattice.to_ppt(svi.m),
        sigma=lattice.to_ppt(svi.sigma),
        hinges=tuple(
            FittedHinge(
                at=lattice.to_ppt(hinge.at),
                width=lattice.to_ppt(hinge.width),
                slope=lattice.to_ppt(hinge.slope),
                right=hinge.right,
            )
            for hinge in hinges
        ),
    )
