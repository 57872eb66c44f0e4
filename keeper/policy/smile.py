"""Call marks across strikes: the contract refuses a publication in which they do not fall and are not convex.

A fitted surface has no such arbitrage, but fences then move its level, its band cuts wings off, and the contract prices
it at the spot and time of its own block, not ours.  `straighten` flattens a smile towards its level at the money until
its marks stand in order at every spot and time the publication may meet; a flat smile always does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.snapshot import Listing, PublicationState
from keeper.policy.guard import within_smile
from keeper.risk.exact.riskfile import PPM, butterfly_breach, call_mark

#: How far spot may move before the publication is mined, ppm: more than an hour's move on most days.
MOVES_PPM: Final = (0, 20_000, -20_000)
#: Parts in which a smile is flattened.
PARTS: Final = 1_000


def straighten(
    params: UnderlyingTarget,
    listings: Sequence[Listing],
    *,
    spot: int,
    now: int,
    latest_s: int,
    state: PublicationState | None = None,
) -> UnderlyingTarget:
    """The publication with each smile as steep as it can be.

    A smile whose fences do not let it become flat enough is left where they do: the contract keeps what is in force for
    an expiry whose marks are not in order, and takes the others.

    Args:
        params: legal in every number by itself.
        listings: strikes of its expiries.
        spot: live, wad USD.
        now: block time.
        latest_s: until when the publication is valid, unix seconds.
        state: the fences; None: no smile is fenced but by its band.
    """
    fences = {f.expiry: f for f in state.expiries} if state is not None else {}
    strikes = {one.expiry: one.strikes for one in listings}
    spots = [spot * (PPM + move) // PPM for move in MOVES_PPM]
    expiries = []
    for one in params.expiries:
        left = one.params.expiry - now
        # An expiry that would pass before then is still there if the block comes soon.
        times = (now, min(latest_s, now + left // 2))
        straight = _straight(one, strikes[one.params.expiry], spots, times)
        if state is not None and straight is not one:
            straight = within_smile(straight, fences[one.params.expiry], state.vol)
        expiries.append(straight)
    return replace(params, expiries=tuple(expiries))


def in_order(one: ExpiryTarget, strikes: Sequence[int], *, spot: int, now: int) -> bool:
    """Whether call marks fall with the strike and are convex in it, as `RiskFile.write` asks."""
    marks = [
        call_mark(strike=strike, sigma_ppm=sigma, expiry=one.params, ref_spot=spot, now=now)
        for strike, sigma in zip(strikes, one.sigmas_ppm, strict=True)
    ]
    return butterfly_breach(strikes, marks, one.params) is None


def _straight(one: ExpiryTarget, strikes: Sequence[int], spots: Sequence[int], times: Sequence[int]) -> ExpiryTarget:
    def holds(candidate: ExpiryTarget) -> bool:
        return all(in_order(candidate, strikes, spot=spot, now=now) for spot in spots for now in times)

    atm = one.params.sigma_atm_ppm
    if all(sigma == atm for sigma in one.sigmas_ppm) or holds(one):
        return one

    def flattened(kept: int) -> ExpiryTarget:
        return replace(one, sigmas_ppm=tuple(atm + (sigma - atm) * kept // PARTS for sigma in one.sigmas_ppm))

    low, high = 0, PARTS  # `low` holds: it is flat
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(flattened(middle)) else (low, middle)
    return flattened(low)
