"""From a margin report to actions, in the order in which they are handed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from keeper.domain.action import Action, Publish, Refresh, kind, subject
from keeper.domain.inputs import Brought, InputsFile
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin
from keeper.domain.market import MarketModel
from keeper.domain.overrides import Override
from keeper.domain.report import MarginReport
from keeper.domain.snapshot import Snapshot
from keeper.domain.worth import Economics, Refusal, Verdict
from keeper.policy import backoff, breaker, liquidate, publish, upkeep
from keeper.policy.addons import add_ons
from keeper.policy.priced import Priced
from keeper.policy.room import UnderWay
from keeper.policy.worth import Judge

#: Actions left alone that a decision tells of; there may be thousands, and each block is stored.
MOST_TOLD = 50
_NOBODY: Final[Mapping[int, tuple[Brought, ...]]] = {}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What to do about one block, what moves up if some of that is not wanted after all, and what it is worth."""

    actions: tuple[Action, ...]
    """Most urgent first, notices last."""
    standby: tuple[Action, ...]
    """The next in urgency, beyond `max_actions_per_block`."""
    verdicts: tuple[Verdict, ...]
    """Of `actions` and `standby`, then of what is not worth its gas, at most `MOST_TOLD` of those; empty if nothing
    is known of gas."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the pushes: one that the impact gate holds or shortens."""
    files: tuple[InputsFile, ...] = ()
    """What each push was made from."""
    gated: tuple[int, ...] = ()
    """Underlyings whose push the gate held in this block."""


def decide(
    snapshot: Snapshot,
    market: MarketModel,
    report: MarginReport,
    knobs: PolicyKnobs,
    *,
    in_flight: AbstractSet[tuple[str, str]],
    called: AbstractSet[int],
) -> tuple[Action, ...]:
    """The actions of `choose`, for a keeper that does not weigh gas."""
    return choose(snapshot, market, report, knobs, in_flight=in_flight, called=called).actions


def choose(
    snapshot: Snapshot,
    market: MarketModel,
    report: MarginReport,
    knobs: PolicyKnobs,
    *,
    in_flight: AbstractSet[tuple[str, str]],
    called: AbstractSet[int],
    unmined: AbstractSet[tuple[str, str]] = frozenset(),
    refused: Iterable[Refusal] = (),
    economics: Economics | None = None,
    overrides: Sequence[Override] = (),
    unsigned: str = "",
    barred: str = "",
    brought: Mapping[int, tuple[Brought, ...]] = _NOBODY,
) -> Choice:
    """Choose what to do about one block.

    Args:
        snapshot: the block's state.
        market: its model, with target parameters.
        report: every account's margin.
        knobs: the operator's choices.
        in_flight: (kind, subject) of transactions still open; nothing is decided twice.
        called: accounts in the warning zone that were already told.
        unmined: those of `in_flight` that no block has; an open bid keeps its share of our margin until then.
        refused: what came to nothing lately; it is left alone for a while.
        economics: what gas costs; None: nothing is weighed against it.
        overrides: floors under parameters that were set by hand.
        unsigned: why the model may not push; empty if it may.
        barred: why no key of this keeper may publish; empty if one may.
        brought: by underlying, whom our own pushes of the last day were to bring below maintenance.

    Returns:
        At most `knobs.max_actions_per_block` actions besides notices, and `knobs.max_standby_per_block` that stand by.
    """
    accounts = Priced(report.accounts)
    accounts.meet(running.account for running in snapshot.auctions)
    held = {(r.kind, r.subject) for r in waiting(refused, snapshot, accounts, knobs)}
    again = [a for table in (report.refreshed, report.previous) for a in table.where(~table.in_bands(*liquidate.SHORT))]
    # A push is weighed on every account there is: not while one is open, nor in every block in which one is held.
    open_ = {u.underlying for u in snapshot.underlyings if ("publish", f"underlying:{u.underlying}") in in_flight}
    proposals_ = [
        publish.propose(
            snapshot, u, market, knobs, overrides, unsigned=unsigned or barred, brought=brought.get(u.underlying, ())
        )
        for u in snapshot.underlyings
        if u.underlying not in open_ and backoff.gated(u.underlying) not in held
    ]
    pushes = [p.push for p in proposals_ if p.push is not None]
    pushed = {p.underlying for p in pushes} | open_
    refreshes = [r for r in upkeep.refreshes(snapshot, knobs) if r.underlying not in pushed]
    # What goes out now and not before.  A push refused block after block holds bids up every second block only.
    proposed: list[Publish | Refresh] = [*pushes, *refreshes]
    fresh = [p for p in proposed if (kind(p), subject(p)) not in in_flight]
    moving = {p.underlying for p in fresh} if snapshot.block.number % 2 == 0 else set()

    under_way = UnderWay.of(in_flight, unmined)

    def proposals() -> Iterator[Action]:
        yield from breaker.syncs(snapshot)
        yield from pushes
        yield from refreshes
        # What a key may not send is left to those who may: nothing of it is tried, and nothing waits for it.
        yield from () if barred else add_ons(snapshot, knobs)
        yield from upkeep.settlements(snapshot)
        yield from liquidate.flags(snapshot, accounts, again)
        yield from liquidate.unflags(snapshot, accounts)
        yield from liquidate.remeasures(snapshot, accounts)
        # A bid carries the epochs it was priced on; beside a new epoch it would be void, so it waits a block at most.
        for bid in liquidate.bids(snapshot, market, accounts, knobs, under_way=under_way):
            if not any(u.underlying in moving for u in accounts[bid.account].underlyings):
                yield bid
        yield from upkeep.touches(snapshot, accounts)

    judge = Judge(snapshot, accounts, knobs, economics) if economics is not None else None
    acts: list[Action] = []
    verdicts: list[Verdict] = []
    not_worth: list[Verdict] = []
    for action in proposals():
        what = kind(action), subject(action)
        if what in in_flight or what in held:
            continue
        if judge is not None:
            verdict = judge.verdict(action)
            if not verdict.go:
                not_worth.append(verdict)
                continue
            verdicts.append(verdict)
        acts.append(action)
        if len(acts) >= knobs.max_actions_per_block + knobs.max_standby_per_block:
            break
    most = knobs.max_actions_per_block
    return Choice(
        actions=(*acts[:most], *upkeep.margin_calls(accounts, called)),
        standby=tuple(acts[most:]),
        verdicts=(*verdicts, *not_worth[:MOST_TOLD]),
        files=tuple(p.file for p in proposals_ if p.file is not None and p.push is not None),
        remarks=(
            *_gate_remarks(snapshot, proposals_, held, refused),
            *(_left_to_others(snapshot, proposals_, knobs) if barred and not unsigned else ()),
        ),
        gated=tuple(p.underlying for p in proposals_ if _holds(p)),
    )


def _holds(proposal: publish.Proposal) -> bool:
    """Whether the gate holds the whole push."""
    return proposal.gated is not None and proposal.gated.params is None


def _left_to_others(snapshot: Snapshot, proposals: Sequence[publish.Proposal], knobs: PolicyKnobs) -> Iterator[str]:
    """What is due and that no key of this keeper may send."""
    for p in proposals:
        if p.why:
            yield f"{p.symbol}: a publication is due and left to those who may: {p.why}"
    for wider in add_ons(snapshot, knobs):
        yield f"an add-on is due and left to those who may: {wider.why}"


def _gate_remarks(
    snapshot: Snapshot,
    proposals: Sequence[publish.Proposal],
    held: AbstractSet[tuple[str, str]],
    refused: Iterable[Refusal],
) -> Iterator[str]:
    """Whom the gate shortens or holds a push for; of one that it holds again and again, that alone."""
    told = {(r.kind, r.subject) for r in refused}
    weighed = {p.underlying: p for p in proposals}
    for u in snapshot.underlyings:
        of, p = backoff.gated(u.underlying), weighed.get(u.underlying)
        if (p is None and of in held) or (p is not None and _holds(p) and of in told):
            yield f"{u.symbol}: push held by the impact gate; `keeper impact {u.symbol}` names whom it would bring down"
        elif p is not None and p.gated is not None and p.gated.said:
            yield f"{u.symbol}: push {p.gated.said}"


def waiting(
    refused: Iterable[Refusal], snapshot: Snapshot, accounts: Mapping[int, AccountMargin], knobs: PolicyKnobs
) -> Iterator[Refusal]:
    """Refusals whose wait is not over and whose account is as it was."""
    now = snapshot.block.number
    due = [r for r in refused if backoff.held_until(r, about="", knobs=knobs) > now]
    wanted = {account for r in due if (account := backoff.account_of(r.subject)) is not None}
    # Only now, and only for those: a book has a hundred thousand accounts.
    found = backoff.states(snapshot.accounts, wanted) if wanted else {}
    about = {account: backoff.fingerprint(state, accounts.get(account)) for account, state in found.items()}
    for refusal in due:
        account = backoff.account_of(refusal.subject)
        if backoff.held_until(refusal, about=about.get(account, "") if account is not None else "", knobs=knobs) > now:
            yield refusal
