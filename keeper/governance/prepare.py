"""The whole of it: from wanted changes to a report, with the chain, its forks and recorded prices handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from keeper.chain.asking.rpc import Rpc
from keeper.domain.block import BlockRef
from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.domain.snapshot import Snapshot
from keeper.domain.vols import VolHistory
from keeper.errors import KeeperError, Refused
from keeper.governance.chain import ChainView
from keeper.governance.changes import Changes
from keeper.governance.evidence import evidence_of, histories_of
from keeper.governance.fork import Fork
from keeper.governance.forum import Report
from keeper.governance.impact import impact_of
from keeper.governance.proposal import Proposal, build
from keeper.governance.route import Route
from keeper.governance.simulate import apply_now, simulate
from keeper.policy.effect import Effect

#: Reads every account, rule and price of a chain at a block; asked twice of one fork.
Reading = Callable[[BlockRef], Snapshot]


@dataclass(frozen=True, kw_only=True)
class World:
    """What a proposal is prepared in."""

    chain: ChainView
    """The present."""
    fork: Callable[[], AbstractContextManager[Fork]]
    """A fresh fork of that very block, each time."""
    reading: Callable[[Rpc], Reading]
    """How accounts are read from a chain."""
    knobs: RiskKnobs


def prepare(
    changes: Changes,
    route: Route,
    world: World,
    *,
    histories: Mapping[str, PriceHistory],
    vol_histories: Mapping[str, VolHistory] | None = None,
    proposer: str = "",
    voters: Sequence[str] = (),
    with_simulation: bool = True,
) -> Report:
    """Generate, replay every account, judge by recorded prices, and take the whole way on a fork.

    Args:
        changes: what is wanted.
        route: who decides.
        world: where.
        histories: recorded prices by ticker; what is missing comes from the oracle's own rounds.
        vol_histories: recorded volatilities at the money by ticker.
        proposer: as `simulate` takes it.
        voters: likewise.
        with_simulation: whether to take the whole way; without it accounts are replayed all the same.

    Raises: `BadInput` for changes that do not fit; `Retry` if the node cannot be asked.
    """
    proposal = build(changes, world.chain, route)
    impact, why, seen, refused = _impact(proposal, world)
    simulation = None
    if with_simulation:
        with world.fork() as fork:
            simulation = simulate(proposal, fork, proposer=proposer, voters=voters)
    rounds = _by_token(_observed(seen), world.chain)
    known = rounds | _by_token(histories, world.chain)
    evidence = evidence_of(
        proposal.differences, known, world.knobs, world.chain, rounds=rounds, vol_histories=vol_histories or {}
    )
    return Report(
        proposal=proposal,
        simulation=simulation,
        impact=impact,
        why_no_impact=why,
        evidence=evidence,
        refused=why if refused else "",
    )


def _impact(proposal: Proposal, world: World) -> tuple[Effect | None, str, Snapshot | None, bool]:
    """Every account before and after; why not, where that cannot be said; the present; whether a contract refused."""
    before, refused = None, False
    try:
        with world.fork() as fork:
            read = world.reading(fork.rpc)
            before = read(fork.rpc.block())
            try:
                apply_now(proposal, fork)
            except Refused:
                refused = True
                raise
            return impact_of(before, read(fork.rpc.block())), "", before, False
    except KeeperError as error:
        return None, error.message, before, refused


def _observed(seen: Snapshot | None) -> Mapping[str, PriceHistory]:
    return dict(histories_of({u.symbol: u.history for u in seen.underlyings})) if seen else {}


def _by_token(known: Mapping[str, PriceHistory], chain: ChainView) -> dict[str, PriceHistory]:
    """Prices of a collateral under its own name too, whatever its feed is called."""
    found = dict(known)
    for symbol, number in chain.collaterals.items():
        asset = chain.one("ClearingHouse", "collateral", number)["asset"].rstrip(b"\0").decode(errors="replace")
        if asset in known:
            found.setdefault(symbol, known[asset])
    return found
