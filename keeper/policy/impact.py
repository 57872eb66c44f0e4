"""Every account replayed under other parameters, by the functions that judge it each block; `effect` compares.

    before   the file in force, recomputed at this block's spot and time: what a refresh would leave
    after    the file that a publication makes at this block

A file's ranges may be set apart from the publication's: they follow their targets slowly, volatilities and forwards
bind at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from keeper.domain.knobs import RiskKnobs
from keeper.domain.margin_table import MarginTable
from keeper.domain.market import UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.roster import Roster
from keeper.domain.snapshot import FileState, Snapshot, StrikeVol, UnderlyingState
from keeper.risk.exact.slew import uplift_pct
from keeper.risk.model import model
from keeper.risk.report import shock

#: Targets play no part here, so nothing is estimated.
_NO_ESTIMATE: Final = RiskKnobs()


def file_after(u: UnderlyingState, params: UnderlyingTarget, *, ranges: Ranges, spot: int, now: int) -> FileState:
    """The file that a publication makes at `now`.

    An expiry that the publication leaves out, because it will have passed by its time, stays as it is in force: now it
    is still held.

    Args:
        u: with the strikes that are listed.
        params: what is published.
        ranges: scan ranges in force in it.
        spot: live, wad USD.
        now: unix seconds.
    """
    strikes = {one.expiry: one.strikes for one in u.listings}
    covered = {e.params.expiry for e in params.expiries}
    kept = [e for e in u.live.expiries if e.expiry not in covered and e.expiry > now] if u.live else []
    vols = {expiry: found for expiry, found in u.live.strikes if expiry not in covered} if u.live else {}
    published = {
        e.params.expiry: tuple(
            StrikeVol(strike=strike, sigma_ppm=sigma)
            for strike, sigma in zip(strikes[e.params.expiry], e.sigmas_ppm, strict=True)
            if sigma  # 0: left out
        )
        for e in params.expiries
    }
    expiries = sorted((*kept, *(e.params for e in params.expiries)), key=lambda e: e.expiry)
    return FileState(
        epoch=u.live.epoch + 1 if u.live else 1,
        ref_spot=spot,
        time=now,
        ranges=ranges,
        expiries=tuple(expiries),
        strikes=tuple((e.expiry, published.get(e.expiry, vols.get(e.expiry, ()))) for e in expiries),
        im_uplift_pct=uplift(u, ranges, params.ranges),
    )


def uplift(u: UnderlyingState, ranges: Ranges, target: Ranges) -> int:
    """What initial margin is widened by while ranges in force are below their target, percent."""
    if u.publication is None or u.publication.slew is None:
        return 0
    return uplift_pct(ranges, target, tail_ppm=u.rules.tail_ppm, vol_floor_ppm=u.rules.vol_floor_ppm)


def holders(snapshot: Snapshot, *underlyings: int) -> Roster:
    """Who holds something in one of some underlyings."""
    touched = snapshot.accounts.holding(lambda i: i.underlying in underlyings)
    return snapshot.accounts if touched.all() else snapshot.accounts.only(np.flatnonzero(touched).astype(np.int64))


def margins_under(snapshot: Snapshot, files: Mapping[int, FileState]) -> MarginTable:
    """Everybody who holds one of some underlyings, under these files of them; the others' files are the live ones."""
    seen = replace(
        snapshot,
        accounts=holders(snapshot, *files),
        underlyings=tuple(
            replace(u, live=files.get(u.underlying, u.live), previous=None, history=()) for u in snapshot.underlyings
        ),
    )
    return shock(seen, model(seen, _NO_ESTIMATE)).margins(buffer_ppm=0)
