"""When to push parameters: outside the hysteresis band, past the heartbeat, or when an expiry is not in the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from keeper.domain import codec
from keeper.domain.action import Publish
from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import MarketModel, UnderlyingTarget
from keeper.domain.snapshot import FileState, Snapshot, UnderlyingState, Usable
from keeper.policy.guard import allow
from keeper.risk.exact.riskfile import PPM


@dataclass(frozen=True, kw_only=True)
class PublicationInputs:
    """What a publication was computed from; its hash goes on-chain with it."""

    block: BlockRef
    underlying: UnderlyingState
    target: UnderlyingTarget


def publications(snapshot: Snapshot, market: MarketModel, knobs: PolicyKnobs) -> Iterator[Publish]:
    """Pushes that are due and legal at this block, one per underlying at most."""
    now = snapshot.block.timestamp
    for u in snapshot.underlyings:
        target, state = market.of(u.underlying).target, u.publication
        if target is None or state is None or not isinstance(u.spot, Usable) or now < state.next_allowed_s:
            continue
        params = allow(target, state, now)
        why = _due(params, u.live, now - state.last_time, knobs)
        if why:
            inputs = PublicationInputs(block=snapshot.block, underlying=u, target=target)
            yield Publish(
                underlying=u.underlying,
                id=state.last_id + 1,
                valid_until=now + knobs.intent_ttl_s,
                inputs_hash="0x" + hashlib.sha256(codec.dumps(inputs)).hexdigest(),
                params=params,
                why=f"{u.symbol} {why}",
            )


def _due(params: UnderlyingTarget, live: FileState | None, age_s: int, knobs: PolicyKnobs) -> str:
    """Why this publication is worth a transaction; empty if it is not."""
    if live is None:
        return "has no file yet"
    published = {e.expiry: e for e in live.expiries}
    missing = [e.params.expiry for e in params.expiries if e.params.expiry not in published]
    if missing:
        return f"{len(missing)} expiries are not in the file"
    moves = [("scan range", live.ranges.psr_ppm, params.ranges.psr_ppm)]
    moves += [("sigma", published[e.params.expiry].sigma_atm_ppm, e.params.sigma_atm_ppm) for e in params.expiries]
    for name, old, new in moves:
        if abs(new - old) * PPM > knobs.hysteresis_ppm * old:
            return f"{name} {old / 10_000:.2f} % → {new / 10_000:.2f} %"
    if age_s >= knobs.heartbeat_s:
        return f"heartbeat after {age_s} s"
    return ""
