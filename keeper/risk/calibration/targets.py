"""What we would publish for an underlying if nothing held us back, from its oracle rounds and a venue's quotes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import FileState, Listing, UnderlyingState
from keeper.risk import lattice
from keeper.risk.calibration import term
from keeper.risk.calibration.implied import LEAST_LIFE_S, ImpliedExpiry, Unseen, View, held
from keeper.risk.calibration.scan_range import ranges, scan_range
from keeper.risk.exact.riskfile import DAY, PPM
from keeper.risk.timeseries.volatility import Unestimated, estimate

#: Annual volatility beyond which rounds are taken for garbage: 10,000 %, or 5 a day in the logarithm of the price.
ABSURD_VOL = 100.0

#: No target, and why.
Untargeted = Unestimated

#: No source of quotes is configured, which needs no words.
UNQUOTED = Unseen(reason="")


def target(
    state: UnderlyingState, now: int, knobs: RiskKnobs, view: View | Unseen = UNQUOTED
) -> UnderlyingTarget | Untargeted:
    """Estimate the parameters of one underlying.

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
    age = now - max(o.time for o in rounds)
    if age > knobs.max_round_age_s:
        return Untargeted(reason=f"the newest oracle round is {age:,} s old, limit {knobs.max_round_age_s:,}")
    wildest = max(series.vol_annual, series.mean_vol_annual)
    if wildest > ABSURD_VOL:
        return Untargeted(reason=f"the oracle rounds give a volatility of {wildest:.3g}; they are not prices")
    scan = scan_range(series, knobs)
    realised_ppm = max(1, lattice.to_ppm(series.vol_annual))
    mean_ppm = max(1, lattice.to_ppm(series.mean_vol_annual))
    span_days = (series.time_s[-1] - series.time_s[0]) / DAY
    volatility = (
        f"volatility {realised_ppm / 1e4:.2f} % now, mean {mean_ppm / 1e4:.2f} %, from {len(series.time_s)} rounds "
        f"over {span_days:.1f} days"
    )
    seen = _seen(state, view, realised_ppm=realised_ppm, mean_ppm=mean_ppm, now=now, knobs=knobs)
    implied = {
        listing.expiry: found
        for listing, one in seen
        if (found := _usable(one, state.live, listing, soon=_soon(listing, now, knobs)))
    }
    return UnderlyingTarget(
        underlying=state.underlying,
        ranges=ranges(scan, knobs),
        expiries=tuple(
            term.expiry_targets(
                state.listings,
                realised_ppm=realised_ppm,
                mean_ppm=mean_ppm,
                now=now,
                knobs=knobs,
                implied=implied,
            )
        ),
        # Rounded: the record must not carry digits in which two machines differ.
        realised_vol=realised_ppm / 1e6,
        reasons=(scan.reason, *_words(volatility, view, seen, now, knobs)),
    )


def _seen(
    state: UnderlyingState, view: View | Unseen, *, realised_ppm: int, mean_ppm: int, now: int, knobs: RiskKnobs
) -> list[tuple[Listing, ImpliedExpiry | Unseen]]:
    """What quotes say about each unexpired expiry; empty if no source is configured."""
    if view == UNQUOTED:
        return []
    return [
        (
            listing,
            view
            if isinstance(view, Unseen)
            else view.at(listing, realised_ppm=term.vol_at(realised_ppm, mean_ppm, listing.expiry - now, knobs)),
        )
        for listing in state.listings
        if listing.expiry > now
    ]


def _soon(listing: Listing, now: int, knobs: RiskKnobs) -> bool:
    """Whether an expiry is so close that quotes which are used may have nothing more to say about it."""
    return listing.expiry - now < LEAST_LIFE_S + knobs.implied.max_age_s


def _usable(
    one: ImpliedExpiry | Unseen, live: FileState | None, listing: Listing, *, soon: bool
) -> ImpliedExpiry | None:
    """What to publish by: quotes, else what is published, whose level counts only in the last minutes of a life.

    There the smile is refused for good; a level that then went realised would move for that alone.
    """
    if not isinstance(one, Unseen):
        return one
    found = held(live, listing)
    return replace(found, weight_ppm=PPM) if found and soon else found


def _words(
    volatility: str,
    view: View | Unseen,
    seen: list[tuple[Listing, ImpliedExpiry | Unseen]],
    now: int,
    knobs: RiskKnobs,
) -> Iterator[str]:
    """Where volatilities, smiles and forwards come from, one line each."""
    if view == UNQUOTED:
        yield f"{volatility}; flat smile, no carry"
    elif isinstance(view, Unseen):
        yield f"{volatility}; smiles and forwards as published"
        yield f"quotes unused: {view.reason}"
    else:
        yield f"{volatility}; weight of quoted variance {knobs.implied.weight_ppm / 1e4:g} %"
        yield view.said
        for listing, one in seen:
            if isinstance(one, Unseen):
                level = "" if _soon(listing, now, knobs) else "realised, smile and forward "
                yield f"expiry {day(listing.expiry)} {level}as published: {one.reason}"
        for expiry, why in view.fit.refused:
            yield f"quotes of {day(expiry)} left out: {why}"


def day(expiry: int) -> str:
    """An expiry as a person writes it, UTC."""
    return datetime.fromtimestamp(expiry, tz=UTC).strftime("%Y-%m-%d %H:%M")
