"""Why an account was, or was not, acted on: the reasons of `decide`, read back from its inputs and its answer.

It judges nothing by itself.  What was done comes from the decision; what was not, from the very conditions and the very
functions with which `decide` leaves an account out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keeper.domain.action import (
    Action,
    Bid,
    Flag,
    MarginCall,
    Publish,
    Refresh,
    Remeasure,
    Touch,
    Unflag,
    kind,
    subject,
)
from keeper.domain.cycle import CycleInputs, Decision
from keeper.domain.margin import INFINITE_HEALTH_PPM, AccountMargin, Band, Unpriced
from keeper.domain.market import MarketModel
from keeper.domain.snapshot import AuctionState
from keeper.domain.text import usd
from keeper.domain.worth import Standing
from keeper.policy import auction as dutch
from keeper.policy import backoff
from keeper.policy.breaker import Deferrals
from keeper.policy.liquidate import SHORT, bids
from keeper.policy.priced import Priced
from keeper.policy.room import UnderWay


class Answer(StrEnum):
    """What became of an account at a block."""

    ACTED = "acted"
    """An action on it was decided."""
    SAFE = "safe"
    """Nothing was due."""
    WAITS = "waits"
    """Something was due and held back, for the reason given."""
    UNKNOWN = "unknown"
    """It cannot be priced: never safe, never liquidated."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One sentence of the answer."""

    answer: Answer
    action: Action | None
    """The action behind it, if one was decided."""
    said: str


def why(account: int, inputs: CycleInputs, decision: Decision, market: MarketModel) -> tuple[Reason, ...]:
    """Say what was decided about an account, and why nothing else was.

    Raises: `KeyError` if the report does not know it.
    """
    found = decision.report.accounts.get(account)
    if found is None:
        raise KeyError(account)
    acted = [a for a in decision.actions if isinstance(a, Flag | Unflag | Remeasure | Bid | Touch | MarginCall)]
    reasons = [
        Reason(answer=Answer.ACTED, action=a, said=f"{_DONE[type(a)]}: {a.why}{_worth(a, decision)}")
        for a in acted
        if a.account == account
    ]
    if isinstance(found, Unpriced):
        said = f"it cannot be priced ({found.reason}), so it is neither safe nor liquidated"
        return (*reasons, Reason(answer=Answer.UNKNOWN, action=None, said=said))
    kinds = {type(reason.action) for reason in reasons}
    if found.in_auction:
        rest = () if kinds & {Bid, Unflag} else _no_bid(found, inputs, decision, market)
    elif found.band in SHORT:
        rest = () if Flag in kinds else (_waits(_no_flag(found, inputs, decision)),)
    elif found.band is Band.WARNING:
        rest = () if MarginCall in kinds else (_safe(f"{_room(found)}; its margin call stands since an earlier block"),)
    else:
        rest = (_safe(_room(found)),)
    return (*reasons, *rest)


_DONE: dict[type, str] = {
    Flag: "flagged for liquidation",
    Unflag: "released from its auction",
    Remeasure: "its insolvency noted",
    Bid: "bid on",
    Touch: "brought up to date",
    MarginCall: "called for margin",
}


def _room(found: AccountMargin) -> str:
    if found.health_ppm == INFINITE_HEALTH_PPM:
        return "nothing is required of it"
    return f"equity is {usd(found.equity - found.mm)} above maintenance, so no one can liquidate it"


def _no_flag(found: AccountMargin, inputs: CycleInputs, decision: Decision) -> str:
    """Why an account below maintenance was not flagged, in the order in which `decide` leaves accounts out."""
    snapshot = inputs.snapshot
    if found.account == snapshot.own_account:
        return "it is our own account, which we never flag: reduce it or add cash by hand"
    if snapshot.fund is not None and found.account == snapshot.fund.account:
        return "it is the insurance fund's account, which is never flagged"
    if found.unsettled:
        return "an expired option of it has no settlement price yet; the contract liquidates nobody before that"
    after = decision.report.refreshed.get(found.account)
    if isinstance(after, AccountMargin) and after.band not in SHORT:
        return (
            "it is short under a stale file only: refreshed at live spot, equity "
            f"{usd(after.equity)} covers maintenance {usd(after.mm)}"
        )
    before = decision.report.previous.get(found.account)
    if isinstance(before, Unpriced):
        return f"a notice window is open and it cannot be priced under the file before: {before.reason}"
    if before is not None and before.band not in SHORT:
        return (
            "new parameters made it short and their notice window is open: under the file before, equity "
            f"{usd(before.equity)} covers maintenance {usd(before.mm)}"
        )
    if _in_flight("flag", found.account, inputs):
        return "its flag is in flight: decided at an earlier block and not settled yet"
    return (
        _deferred(found.account, inputs) or _left_alone("flag", found.account, inputs, decision) or _crowded_out(inputs)
    )


def _deferred(account: int, inputs: CycleInputs) -> str:
    found = Deferrals(inputs.snapshot).of(account)
    return "" if found is None else f"its flag is {found.said}"


def _no_bid(found: AccountMargin, inputs: CycleInputs, decision: Decision, market: MarketModel) -> tuple[Reason, ...]:
    snapshot = inputs.snapshot
    running = next((a for a in snapshot.auctions if a.account == found.account), None)
    started = () if running is None else (_waits(_auction(running, found, inputs)),)
    if _in_flight("bid", found.account, inputs):
        return (*started, _waits("our bid is in flight: decided at an earlier block and not settled yet"))
    if snapshot.own_account is None:
        return (*started, _waits("no liquidator account is configured, so we do not bid"))
    accounts = Priced(decision.report.accounts)
    own = accounts.get(snapshot.own_account)
    if own is None or own.in_auction:
        return (*started, _waits("our own account cannot bid: it is unknown, cannot be priced or is in auction itself"))
    under_way = UnderWay.of(frozenset(inputs.in_flight), frozenset(inputs.unmined))
    ours = bids(snapshot, market, accounts, inputs.policy, under_way=under_way)
    if all(bid.account != found.account for bid in ours):
        spare, limit = max(0, own.equity - own.im), inputs.policy.max_inventory_usd
        return (
            *started,
            _waits(
                f"no bid pays or fits: least edge {inputs.policy.min_bid_edge_ppm / 1e4:g} %, our spare margin "
                f"{usd(spare)}, inventory limit {limit:,} USD"
                + (f", {len(under_way.unmined)} open bids come first" if under_way.unmined else "")
            ),
        )
    held = {u.underlying for u in found.underlyings}
    moving = {a.underlying for a in decision.actions if isinstance(a, Publish | Refresh)}
    if held & moving:  # decide lets bids go in odd blocks whatever is pushed
        return (*started, _waits("its risk file is about to change, which would void a bid: it waits for the new one"))
    return (*started, _waits(_left_alone("bid", found.account, inputs, decision) or _crowded_out(inputs)))


def _auction(running: AuctionState, found: AccountMargin, inputs: CycleInputs) -> str:
    now, rules = inputs.snapshot.block.timestamp, inputs.snapshot.auction_rules
    seconds = max(0, now - running.start_time)
    if rules is None:
        return f"in auction for {seconds} s"
    offer = dutch.offer(running, found, rules, now)
    price = f"a bidder pays {usd(offer.cost)}" if offer.cost >= 0 else f"a bidder is paid {usd(-offer.cost)}"
    return f"in auction for {seconds} s: {price} for all of it, worth {usd(offer.worth)}"


def _in_flight(what: str, account: int, inputs: CycleInputs) -> bool:
    return (what, subject(Flag(account=account, why=""))) in inputs.in_flight


def _worth(action: Action, decision: Decision) -> str:
    """What an action was worth against its gas, where that was weighed and it is no duty."""
    of = (kind(action), subject(action))
    verdict = next((v for v in decision.verdicts if (v.kind, v.subject) == of), None)
    return "" if verdict is None or verdict.standing is Standing.DUTY else f"; {verdict.standing}: {verdict.why}"


def _left_alone(what: str, account: int, inputs: CycleInputs, decision: Decision) -> str:
    """Why a flag or bid that was due is left alone for now: refused before, or not worth its gas; empty if neither."""
    of = (what, subject(Flag(account=account, why="")))
    refusal = next((r for r in inputs.refused if (r.kind, r.subject) == of), None)
    if refusal is not None:
        state = backoff.states(inputs.snapshot.accounts, {account}).get(account)
        margin = decision.report.accounts.get(account)
        about = "" if state is None else backoff.fingerprint(state, margin)
        until = backoff.held_until(refusal, about=about, knobs=inputs.policy)
        if until > inputs.snapshot.block.number:
            return (
                f"its {what} was refused {refusal.count} time(s) in a row, last at block {refusal.last_block:,}: it is "
                f"looked at again at block {until:,}, or as soon as it changes"
            )
    verdict = next((v for v in decision.verdicts if (v.kind, v.subject) == of and not v.go), None)
    return "" if verdict is None else f"its {what} is not worth its gas: {verdict.why}"


def _crowded_out(inputs: CycleInputs) -> str:
    return (
        f"more urgent actions filled the {inputs.policy.max_actions_per_block} of this block "
        "(policy.max_actions_per_block); the next block takes it up"
    )


def _waits(said: str) -> Reason:
    return Reason(answer=Answer.WAITS, action=None, said=said)


def _safe(said: str) -> Reason:
    return Reason(answer=Answer.SAFE, action=None, said=said)
