"""What was published last, and publications between it and another."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import UnderlyingState
from keeper.policy.guard import current

PPM: Final = 1_000_000


def between(old: UnderlyingTarget, new: UnderlyingTarget, kept_ppm: int) -> UnderlyingTarget:
    """Part of the way from one publication to another, number by number; what the old one lacks comes whole."""
    before = {e.params.expiry: e for e in old.expiries}

    def way(a: int, b: int) -> int:
        moved = abs(b - a) * kept_ppm // PPM  # never further than asked for
        return a + moved if b >= a else a - moved

    def expiry(e: ExpiryTarget) -> ExpiryTarget:
        was = before.get(e.params.expiry)
        if was is None or not any(was.sigmas_ppm):
            return e
        return ExpiryTarget(
            params=replace(
                e.params,
                phi_ppb=way(was.params.phi_ppb, e.params.phi_ppb),
                df_ppb=way(was.params.df_ppb, e.params.df_ppb),
                sigma_atm_ppm=way(was.params.sigma_atm_ppm, e.params.sigma_atm_ppm),
            ),
            sigmas_ppm=tuple(way(a, b) if a else b for a, b in zip(was.sigmas_ppm, e.sigmas_ppm, strict=True)),
        )

    return replace(
        new,
        ranges=Ranges(
            psr_ppm=way(old.ranges.psr_ppm, new.ranges.psr_ppm),
            vsr_up_ppm=way(old.ranges.vsr_up_ppm, new.ranges.vsr_up_ppm),
            vsr_down_ppm=way(old.ranges.vsr_down_ppm, new.ranges.vsr_down_ppm),
        ),
        expiries=tuple(expiry(e) for e in new.expiries),
    )


def published(u: UnderlyingState, like: UnderlyingTarget) -> UnderlyingTarget:
    """What was published last, as a target: the set scan ranges, and the file's volatilities and forwards.

    σ 0 for a listed strike that the file does not have.
    """
    assert u.publication is not None, "it can be published to"
    live = u.live
    if live is None:
        return replace(like, ranges=current(u.publication), expiries=())
    sigmas = {expiry: {v.strike: v.sigma_ppm for v in vols} for expiry, vols in live.strikes}
    listed = {one.expiry: one.strikes for one in u.listings}
    wanted = {e.params.expiry for e in like.expiries}
    return replace(
        like,
        ranges=current(u.publication),
        expiries=tuple(
            ExpiryTarget(params=e, sigmas_ppm=tuple(sigmas.get(e.expiry, {}).get(k, 0) for k in listed[e.expiry]))
            for e in live.expiries
            if e.expiry in wanted
        ),
    )
