"""Call marks across strikes: the contract refuses a publication in which they do not fall and are not convex.

A fitted surface has no such arbitrage, but fences then move its level, its band cuts wings off, and the contract prices
it at the spot and time of its own block, not ours.  `straighten` flattens a smile towards its level at the money until
its marks stand in order at every spot and time the publication may meet; a flat smile always does.  A strike that never
was in force and that fences of its neighbours leave no order for stays out, at volatility 0, until there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.snapshot import ExpiryFence, Listing, PublicationState, VolFences
from keeper.policy.calendar import has_strikes
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
        marks = _Marks(strikes=strikes[one.params.expiry], spots=spots, times=times)
        if state is None:
            expiries.append(_straight(one, marks))
        else:
            expiries.append(_fenced(one, marks, fences[one.params.expiry], state.vol))
    return replace(params, expiries=tuple(expiries))


@dataclass(frozen=True, kw_only=True)
class _Marks:
    """Where one expiry's marks must be in order."""

    strikes: Sequence[int]
    spots: Sequence[int]
    times: Sequence[int]

    def hold(self, one: ExpiryTarget) -> bool:
        return all(in_order(one, self.strikes, spot=spot, now=now) for spot in self.spots for now in self.times)


def _fenced(one: ExpiryTarget, marks: _Marks, fence: ExpiryFence, vol: VolFences) -> ExpiryTarget:
    """As steep as it can be; what is in force first, then every other strike that goes with it."""
    new = [k for k, (s, f) in enumerate(zip(one.sigmas_ppm, fence.smile, strict=False)) if s and not f.ratio_ppm]
    if not new or not has_strikes(fence) or marks.hold(one):
        straight = _straight(one, marks)
        return straight if straight is one else within_smile(straight, fence, vol)
    without = _with(one, dict.fromkeys(new, 0))
    found = _straight(without, marks)
    found = found if found is without else within_smile(found, fence, vol)
    for k in new:
        for sigma in dict.fromkeys((one.sigmas_ppm[k], _amid(found, marks.strikes, k))):
            tried = within_smile(_with(found, {k: sigma}), fence, vol)
            if marks.hold(tried):
                found = tried
                break
    return found


def _with(one: ExpiryTarget, sigmas: Mapping[int, int]) -> ExpiryTarget:
    return replace(one, sigmas_ppm=tuple(sigmas.get(k, sigma) for k, sigma in enumerate(one.sigmas_ppm)))


def _amid(one: ExpiryTarget, strikes: Sequence[int], k: int) -> int:
    """Volatility on the line between a strike's neighbours; that of the nearest beyond the last of them."""
    below = next((i for i in range(k - 1, -1, -1) if one.sigmas_ppm[i]), None)
    above = next((i for i in range(k + 1, len(strikes)) if one.sigmas_ppm[i]), None)
    if below is None or above is None:
        near = above if below is None else below
        return one.params.sigma_atm_ppm if near is None else one.sigmas_ppm[near]
    first, last = one.sigmas_ppm[below], one.sigmas_ppm[above]
    return first + (last - first) * (strikes[k] - strikes[below]) // (strikes[above] - strikes[below])


def in_order(one: ExpiryTarget, strikes: Sequence[int], *, spot: int, now: int) -> bool:
    """Whether call marks fall with the strike and are convex in it, as `RiskFile.write` asks; σ 0: it is left out."""
    rows = [(strike, sigma) for strike, sigma in zip(strikes, one.sigmas_ppm, strict=True) if sigma]
    marks = [
        call_mark(strike=strike, sigma_ppm=sigma, expiry=one.params, ref_spot=spot, now=now) for strike, sigma in rows
    ]
    return butterfly_breach([strike for strike, _ in rows], marks, one.params) is None


def _straight(one: ExpiryTarget, marks: _Marks) -> ExpiryTarget:
    atm = one.params.sigma_atm_ppm
    if all(sigma in (atm, 0) for sigma in one.sigmas_ppm) or marks.hold(one):
        return one

    def flattened(kept: int) -> ExpiryTarget:
        return replace(one, sigmas_ppm=tuple(sigma and atm + (sigma - atm) * kept // PARTS for sigma in one.sigmas_ppm))

    low, high = 0, PARTS  # `low` holds: it is flat
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if marks.hold(flattened(middle)) else (low, middle)
    return flattened(low)
