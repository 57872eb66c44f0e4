"""From a margin report to actions, in the order in which they are handed over."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from keeper.domain.action import Action, Publish, Refresh, kind, subject
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin, MarginReport
from keeper.domain.market import MarketModel
from keeper.domain.snapshot import Snapshot
from keeper.policy import liquidate, publish, upkeep


def decide(
    snapshot: Snapshot,
    market: MarketModel,
    report: MarginReport,
    knobs: PolicyKnobs,
    *,
    in_flight: AbstractSet[tuple[str, str]],
    called: AbstractSet[int],
) -> tuple[Action, ...]:
    """Choose what to do about one block.

    Args:
        snapshot: the block's state.
        market: its model, with target parameters.
        report: every account's margin.
        knobs: the operator's choices.
        in_flight: (kind, subject) of transactions still open; nothing is decided twice.
        called: accounts in the warning zone that were already told.

    Returns:
        Actions, most urgent first, at most `knobs.max_actions_per_block` of them besides notices.
    """
    accounts = {a.account: a for a in report.accounts if isinstance(a, AccountMargin)}
    pushes = list(publish.publications(snapshot, market, knobs))
    pushed = {p.underlying for p in pushes}
    refreshes = [r for r in upkeep.refreshes(snapshot, knobs) if r.underlying not in pushed]
    # What goes out now and not before.  A push refused block after block holds bids up every second block only.
    proposed: list[Publish | Refresh] = [*pushes, *refreshes]
    fresh = [p for p in proposed if (kind(p), subject(p)) not in in_flight]
    moving = {p.underlying for p in fresh} if snapshot.block.number % 2 == 0 else set()

    def proposals() -> Iterator[Action]:
        yield from pushes
        yield from refreshes
        yield from upkeep.settlements(snapshot)
        yield from liquidate.flags(snapshot, accounts, (*report.refreshed, *report.previous))
        yield from liquidate.unflags(snapshot, accounts)
        yield from liquidate.remeasures(snapshot, accounts)
        # A bid carries the epochs it was priced on; beside a new epoch it would be void, so it waits a block at most.
        for bid in liquidate.bids(snapshot, market, accounts, knobs):
            if not any(u.underlying in moving for u in accounts[bid.account].underlyings):
                yield bid
        yield from upkeep.touches(snapshot, accounts)

    acts = [a for a in proposals() if (kind(a), subject(a)) not in in_flight]
    return (*acts[: knobs.max_actions_per_block], *upkeep.margin_calls(accounts, called))
