"""When to push parameters: outside the hysteresis band, past the heartbeat, or when an expiry is not in the file.

A smile is pushed when one strike leaves the band, a forward when it moved by part of spot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keeper.domain.action import Publish
from keeper.domain.inputs import InputsFile, dump, hash_of, history_digest
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import MarketModel, UnderlyingTarget
from keeper.domain.snapshot import FileState, Listing, Snapshot, UnderlyingState, Usable
from keeper.errors import LawBroken
from keeper.policy.guard import allow, shut
from keeper.policy.smile import straighten
from keeper.risk.exact.riskfile import PPB, PPM
from keeper.risk.version import MODEL_VERSION


def publications(snapshot: Snapshot, market: MarketModel, knobs: PolicyKnobs) -> Iterator[Publish]:
    """Pushes that are due and legal at this block, one per underlying at most."""
    now = snapshot.block.timestamp
    for u in snapshot.underlyings:
        state = u.publication
        file = inputs_of(snapshot, u.underlying, market, knobs)
        if file is None or state is None or not isinstance(u.spot, Usable) or shut(state, now):
            continue
        params = permitted(file)
        why = _due(params, u, now - state.last_time, knobs)
        if why:
            yield Publish(
                underlying=u.underlying,
                id=state.last_id + 1,
                valid_until=now + knobs.intent_ttl_s,
                inputs_hash=hash_of(dump(file)),
                params=params,
                why=f"{u.symbol} {why}",
            )


def inputs_of(snapshot: Snapshot, underlying: int, market: MarketModel, knobs: PolicyKnobs) -> InputsFile | None:
    """Everything that the numbers of a publication follow from; None if there is no target."""
    state = next(u for u in snapshot.underlyings if u.underlying == underlying)
    seen = market.of(underlying)
    if seen.target is None:
        return None
    return InputsFile(
        model=MODEL_VERSION,
        protocol=snapshot.protocol,
        block=snapshot.block,
        state=state,
        history_sha256=history_digest(state.history),
        quotes=seen.quotes,
        risk=market.risk,
        policy=knobs,
        fitted=seen.fitted,
        target=seen.target,
    )


def permitted(file: InputsFile) -> UnderlyingTarget:
    """What is pushed: the target as far as fences and policy let it move.

    A function of the file alone: `keeper verify` derives the pushed integers by it.  The file is of a state that can be
    published to, with a usable price.
    """
    now, spot, fences = file.block.timestamp, file.state.spot, file.state.publication
    if fences is None or not isinstance(spot, Usable):
        raise LawBroken("a publication was to be derived where none can be made", underlying=file.state.underlying)
    return straighten(
        allow(file.target, fences, now),
        file.state.listings,
        spot=spot.wad,
        now=now,
        latest_s=now + file.policy.intent_ttl_s,
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
    slew = u.publication.slew if u.publication is not None else None
    aimed = slew.target if slew is not None else live.ranges  # those in force are on their way
    moves = [("scan range", aimed.psr_ppm, params.ranges.psr_ppm)]
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
