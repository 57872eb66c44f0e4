"""When to push parameters: outside the hysteresis band, past the heartbeat, or when an expiry is not in the file.

A smile is pushed when one strike leaves the band, a forward when it moved by part of spot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keeper.domain import codec
from keeper.domain.action import Publish
from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import MarketModel, UnderlyingTarget
from keeper.domain.quotes import Quoted
from keeper.domain.snapshot import FileState, Listing, Snapshot, UnderlyingState, Usable
from keeper.policy.guard import allow, shut
from keeper.policy.smile import straighten
from keeper.risk.exact.riskfile import PPB, PPM


@dataclass(frozen=True, kw_only=True)
class PublicationInputs:
    """What a publication was computed from; its hash goes on-chain with it."""

    block: BlockRef
    underlying: UnderlyingState
    target: UnderlyingTarget
    quotes: Quoted | None
    """What a venue quoted; None if no source is configured."""


def publications(snapshot: Snapshot, market: MarketModel, knobs: PolicyKnobs) -> Iterator[Publish]:
    """Pushes that are due and legal at this block, one per underlying at most."""
    now = snapshot.block.timestamp
    for u in snapshot.underlyings:
        seen, state = market.of(u.underlying), u.publication
        target = seen.target
        if target is None or state is None or not isinstance(u.spot, Usable) or shut(state, now):
            continue
        params = straighten(
            allow(target, state, now), u.listings, spot=u.spot.wad, now=now, latest_s=now + knobs.intent_ttl_s
        )
        why = _due(params, u, now - state.last_time, knobs)
        if why:
            inputs = PublicationInputs(block=snapshot.block, underlying=u, target=target, quotes=seen.quotes)
            yield Publish(
                underlying=u.underlying,
                id=state.last_id + 1,
                valid_until=now + knobs.intent_ttl_s,
                inputs_hash="0x" + hashlib.sha256(codec.dumps(inputs)).hexdigest(),
                params=params,
                why=f"{u.symbol} {why}",
            )


def _due(params: UnderlyingTarget, u: UnderlyingState, age_s: int, knobs: PolicyKnobs) -> str:
    """Why this publication is worth a transaction; empty if it is not."""
    live = u.live
    if live is None:
        return "has no file yet"
    published = {e.expiry: e for e in live.expiries}
    missing = [e.params.expiry for e in params.expiries if e.params.expiry not in published]
    if missing:
        return f"{len(missing)} expiries are not in the file"
    moves = [("scan range", live.ranges.psr_ppm, params.ranges.psr_ppm)]
    moves += [("sigma", published[e.params.expiry].sigma_atm_ppm, e.params.sigma_atm_ppm) for e in params.expiries]
    moves += _strike_moves(params, live, u.listings)
    for name, old, new in moves:
        if abs(new - old) * PPM > knobs.hysteresis_ppm * old:
            return f"{name} {old / 10_000:.2f} % → {new / 10_000:.2f} %"
    for e in params.expiries:
        before, after = published[e.params.expiry].phi_ppb, e.params.phi_ppb
        if abs(after - before) > knobs.forward_hysteresis_ppm * (PPB // PPM):
            return f"forward {before / PPB - 1:+.2%} → {after / PPB - 1:+.2%} from spot"
    if age_s >= knobs.heartbeat_s:
        return f"heartbeat after {age_s} s"
    return ""


def _strike_moves(
    params: UnderlyingTarget, live: FileState, listings: Sequence[Listing]
) -> Iterator[tuple[str, int, int]]:
    """Name, published and new volatility of each strike that the file has."""
    strikes = {one.expiry: one.strikes for one in listings}
    published = {(expiry, vol.strike): vol.sigma_ppm for expiry, vols in live.strikes for vol in vols}
    for e in params.expiries:
        for strike, sigma in zip(strikes[e.params.expiry], e.sigmas_ppm, strict=True):
            if (e.params.expiry, strike) in published:
                yield f"sigma at {strike / 10**8:g}", published[e.params.expiry, strike], sigma
