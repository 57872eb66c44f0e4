"""From a snapshot to a market: usable prices, files with their rows, and target parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import MarketModel, UnderlyingMarket
from keeper.domain.quotes import Quoted
from keeper.domain.riskfile import File
from keeper.domain.snapshot import FileState, Rules, Snapshot, UnderlyingState, Usable
from keeper.risk.calibration.implied import Unseen, see
from keeper.risk.calibration.targets import Untargeted, fit, target_of
from keeper.risk.exact.riskfile import PPM, strike_array
from keeper.risk.exact.slew import refreshed


def model(snapshot: Snapshot, knobs: RiskKnobs, quotes: Sequence[Quoted] = ()) -> MarketModel:
    """Make the market of one block.

    Args:
        snapshot: the block's state.
        knobs: the operator's choices.
        quotes: of a venue, at most one sheet per underlying; only target parameters depend on them.

    An underlying whose price is unusable keeps its place with `spot` None: accounts that depend on it are unknown,
    others go on.
    """
    now = snapshot.block.timestamp
    quoted = {q.underlying: q for q in quotes}
    return MarketModel(
        now=now,
        underlyings=tuple(_underlying(u, quoted.get(u.underlying), now, knobs) for u in snapshot.underlyings),
        risk=knobs,
    )


def _underlying(u: UnderlyingState, quoted: Quoted | None, now: int, knobs: RiskKnobs) -> UnderlyingMarket:
    spot = u.spot.wad if isinstance(u.spot, Usable) else None
    view = see(quoted, spot=spot, now=now, knobs=knobs.implied)
    found = fit(u, now, knobs, view)
    fitted = None if isinstance(found, Untargeted) else found
    in_notice = u.publication is not None and u.publication.in_notice
    stale = u.live is None or spot is None or is_stale(u.live, u.rules, spot, now)
    slew = u.publication.slew if u.publication is not None else None
    return UnderlyingMarket(
        underlying=u.underlying,
        symbol=u.symbol,
        spot=spot,
        why_unpriced="" if isinstance(u.spot, Usable) else u.spot.reason,
        file=file_of(u.live, u.rules) if u.live else None,
        previous=file_of(u.previous, u.rules) if u.previous and in_notice else None,
        refreshed=(
            file_of(refreshed(u.live, slew, u.rules, spot=spot, now=now), u.rules)
            if stale and u.live and spot is not None
            else None
        ),
        epoch=u.live.epoch if u.live else 0,
        stale=stale,
        target=None if fitted is None else target_of(fitted, u, now, knobs),
        why_untargeted=found.reason if isinstance(found, Untargeted) else "",
        quotes=quoted,
        why_realised=view.reason if isinstance(view, Unseen) else "",
        fitted=fitted,
    )


def is_stale(file: FileState, rules: Rules, spot: int, now: int) -> bool:
    """Beyond a third of the scan range from the file's spot, or too old.  Mirrors `RiskFile.isStale`."""
    moved = abs(spot - file.ref_spot) * 3 * PPM
    return moved > file.ranges.psr_ppm * file.ref_spot or now - file.time > rules.max_age_s


def file_of(state: FileState, rules: Rules) -> File:
    """The file with its rows, recomputed by the exact twin from what was published."""
    return _computed(state, rules.tail_ppm, rules.short_min_ppm, rules.vol_floor_ppm)


# A file changes with its epoch, not with every block; the other rules may, while an emergency ramps.
@lru_cache(maxsize=64)
def _computed(state: FileState, tail_ppm: int, short_min_ppm: int, vol_floor_ppm: int) -> File:
    params = {e.expiry: e for e in state.expiries}
    return File(
        ref_spot=state.ref_spot,
        ranges=state.ranges,
        tail_ppm=tail_ppm,
        short_min_ppm=short_min_ppm,
        expiries=params,
        arrays={
            (expiry, s.strike): strike_array(
                strike=s.strike,
                sigma_ppm=s.sigma_ppm,
                expiry=params[expiry],
                ranges=state.ranges,
                vol_floor_ppm=vol_floor_ppm,
                ref_spot=state.ref_spot,
                now=state.time,
            )
            for expiry, strikes in state.strikes
            if expiry > state.time  # a refresh leaves out what has expired, and nobody is assessed in it
            for s in strikes
        },
        im_uplift_ppm=state.im_uplift_pct * (PPM // 100),
    )
