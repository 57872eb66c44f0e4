"""What is not as it was when a proposal was made: values, calls, code, prices, and the way it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Final

from eth_utils import is_address, keccak, to_checksum_address

from keeper.deploy.spec import FeedSpec
from keeper.errors import BadInput, Refused
from keeper.governance import governor, timelock
from keeper.governance.chain import AGGREGATOR, TIMELOCK, ZERO, ChainView
from keeper.governance.changes import Changes, parse_changes
from keeper.governance.items import Call, Difference
from keeper.governance.proposal import Proposal, build, items_of, same_calls
from keeper.governance.route import Route, Way, safe_view
from keeper.governance.steps import operation_of

#: The settlement token among collaterals, which has no feed.
_CASH: Final = 0
#: Hash of the code of an address that has none.
_NO_CODE: Final = "0x" + keccak(b"").hex()


class Drift(StrEnum):
    """What kind of thing is not as it was."""

    VALUE = "a value moved"
    CALL = "the calls are others"
    CODE = "code changed"
    ORACLE = "a price is unusable"
    ROUTE = "the way changed"
    STATE = "it is over"
    UNSEEN = "what was then cannot be seen"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it was when the proposal was made."""

    drift: Drift
    said: str


def findings_of(proposal: Proposal, chain: ChainView) -> Iterator[Finding]:
    """Everything that is not as it was: the way, values and calls, code, prices."""
    changes = parse_changes(proposal.changes)
    yield from _route(proposal, chain)
    try:
        yield from _values(proposal, items_differences(proposal, chain))
        fresh = build(changes, chain, proposal.route)
        if not same_calls(fresh.calls, proposal.calls):
            yield from _calls(fresh.calls, proposal.calls)
    except BadInput as error:
        yield Finding(drift=Drift.CALL, said=f"generated today: {error.message}")
    except Refused as error:
        yield Finding(drift=Drift.CALL, said=f"it cannot be generated today: {error.message}")
    if not proposal.code:  # every proposal calls something, and what it calls has code
        yield Finding(
            drift=Drift.UNSEEN,
            said=f"the node has forgotten the state of block {proposal.block}, on which it was made: whether a "
            "value or code moved since cannot be told; ask an archive node, or give the file that keeper propose wrote",
        )
    for address, code in proposal.code.items():
        if chain.code_hash(address) != code:
            other = "runs other code than" if code != _NO_CODE else "runs code, and had none"
            yield Finding(drift=Drift.CODE, said=f"{_name(chain, address)} {other} when it was proposed")
    yield from prices_of(chain)
    yield from _new_feeds(changes, chain)


def items_differences(proposal: Proposal, chain: ChainView) -> list[Difference]:
    """Every wanted number against today's."""
    items = items_of(parse_changes(proposal.changes), chain, proposal.route)
    return [difference for item in items for difference in item.differences]


def _values(proposal: Proposal, today: Sequence[Difference]) -> Iterator[Finding]:
    then = {(d.of, d.name): d for d in proposal.differences}
    for now in today:
        made = then.get((now.of, now.name))
        if made is None or now.name == "called" or made.old == now.old:
            continue
        words = f"{now.of}: {now.name} was {made.old_shown} when it was proposed and is {now.old_shown} today"
        yield Finding(drift=Drift.VALUE, said=f"{words}; executing sets it to {made.new_shown}")


def _calls(fresh: Sequence[Call], made: Sequence[Call]) -> Iterator[Finding]:
    """Which argument of which call is another today: what nobody wanted changed would be put back."""
    for place, (new, old) in enumerate(zip_longest(fresh, made), start=1):
        if new is None or old is None:
            one, says = (
                (old, "would not be made today") if new is None else (new, "would be made today, and is not in it")
            )
            yield Finding(drift=Drift.CALL, said=f"call {place}, {one.contract}.{one.signature}, {says}")
        elif (new.target, new.value, new.data) != (old.target, old.value, old.data):
            moved = [
                f"{b} (today {a.partition(' = ')[2]})"
                for a, b in zip(new.arguments, old.arguments, strict=False)
                if a != b
            ]
            says = (
                "; ".join(moved)
                if new.signature == old.signature and moved
                else f"today {new.contract}.{new.signature}"
            )
            yield Finding(drift=Drift.CALL, said=f"call {place}, {old.contract}.{old.signature}: {says}")


def _route(proposal: Proposal, chain: ChainView) -> Iterator[Finding]:
    route = proposal.route
    if route.timelock:
        delay = chain.one(TIMELOCK, "getMinDelay", at=route.timelock)
        state, _ = standing(proposal, chain)
        if route.way is not Way.GOVERNOR and state == "not scheduled yet" and delay > route.delay_s:
            yield Finding(
                drift=Drift.ROUTE,
                said=f"the timelock asks for {delay} s of delay now, the proposal has {route.delay_s} s",
            )
    yield from _safe(route, proposal, chain)


def _safe(route: Route, proposal: Proposal, chain: ChainView) -> Iterator[Finding]:
    if route.way is not Way.SAFE:
        return
    nonce = safe_view(chain, route.safe, "nonce")
    state, over = standing(proposal, chain)
    if over:
        return
    # Its owners signed one transaction a step, each for the nonce after the last one's: what comes next is signed for
    # this one, and whatever the Safe sent in between used it up.
    step = proposal.steps[0 if state.startswith("not ") else -1].name
    wanted = route.safe_nonce + [one.name for one in proposal.steps].index(step)
    if nonce <= wanted:
        return
    said = f"the Safe is at nonce {nonce}, its {step} was made for {wanted}: signatures are void"
    executor = keccak(text="EXECUTOR_ROLE")
    if route.timelock and step == "execute" and chain.one(TIMELOCK, "hasRole", executor, ZERO, at=route.timelock):
        said += "; anyone may execute it without them"
    yield Finding(drift=Drift.ROUTE, said=said)


def prices_of(chain: ChainView) -> Iterator[Finding]:
    """Assets of the house whose price cannot be used."""
    assets = dict.fromkeys(chain.deployment.symbols.values())
    for number in sorted(chain.deployment.collaterals):
        if number == _CASH:
            continue
        config = chain.one("ClearingHouse", "collateral", number)
        assets.setdefault(config["asset"].rstrip(b"\0").decode(errors="replace"))
    for asset in assets:
        try:
            chain.one("PriceOracle", "price", asset.encode().ljust(32, b"\0"))
        except Refused as error:
            yield Finding(drift=Drift.ORACLE, said=f"the price of {asset}: {error.message}")


def _new_feeds(changes: Changes, chain: ChainView) -> Iterator[Finding]:
    """Feeds that the proposal brings along: the oracle does not know them yet, so they are asked themselves."""
    for table in changes.apart("new_feed"):
        asset, feed, limit_s = table.get("asset"), table.get("primary"), table.get("max_age_s", FeedSpec.max_age_s)
        if not is_address(feed) or not isinstance(limit_s, int):
            continue  # nothing that can be generated, which is told already
        try:
            _, answer, _, updated_s, _ = chain.view(
                AGGREGATOR, "latestRoundData", at=to_checksum_address(feed)
            ).values()
        except Refused as error:
            yield Finding(drift=Drift.ORACLE, said=f"the new feed of {asset} at {feed}: {error.message}")
            continue
        age_s = chain.block.timestamp - updated_s
        if age_s > limit_s or answer <= 0:
            words = f"answered {answer} {age_s} s ago, {limit_s} s at most"
            yield Finding(drift=Drift.ORACLE, said=f"the new feed of {asset} at {feed} {words}")


def _name(chain: ChainView, address: str) -> str:
    known = {at.lower(): name for name, at in chain.deployment.addresses.items()}
    return f"{known.get(address.lower(), 'the contract')} at {address}"


def standing(proposal: Proposal, chain: ChainView) -> tuple[str, bool]:
    """Where it stands, in the words of whoever keeps it, and whether it is over."""
    route = proposal.route
    if route.way is Way.GOVERNOR:
        try:
            state = governor.state_of(chain, route.governor, int(proposal.ids.proposal))
        except Refused:
            return "not proposed yet", False
        over = state in (governor.ProposalState.CANCELED, governor.ProposalState.DEFEATED,
                         governor.ProposalState.EXPIRED, governor.ProposalState.EXECUTED)  # fmt: skip
        return str(state), over
    if route.timelock:
        op = operation_of(route, proposal.calls, proposal.description)
        at = timelock.state_of(chain, route.timelock, op)
        words = "not scheduled yet" if at is timelock.OperationState.UNSET else str(at)
        return words, at is timelock.OperationState.DONE
    return "not executed yet", False
