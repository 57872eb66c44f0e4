"""A proposal that is under way, against today's state: is it what it was when it was written, and does it still pass?

What was proposed weeks ago meets another chain when it is executed: a bound moved meanwhile and would be moved back, a
contract was replaced, a price feed stands still, an option's expiry has passed.  So before execution it is generated
again, compared byte by byte, and simulated from where it stands to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from keeper.errors import BadInput, Refused
from keeper.governance import governor, timelock
from keeper.governance.chain import TIMELOCK, ChainView
from keeper.governance.changes import parse_changes
from keeper.governance.fork import Fork
from keeper.governance.items import Call, Difference
from keeper.governance.proposal import Proposal, build, changes_in, items_of, same_calls
from keeper.governance.route import Route, Way, safe_view
from keeper.governance.simulate import Simulation, simulate
from keeper.governance.steps import ids_of, operation_of, steps_of


class Drift(StrEnum):
    """What kind of thing is not as it was."""

    VALUE = "a value moved"
    CALL = "the calls are others"
    CODE = "code changed"
    ORACLE = "a price is unusable"
    ROUTE = "the way changed"
    STATE = "it is over"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it was when the proposal was made."""

    drift: Drift
    said: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a proposal stands today."""

    name: str
    """Its number or id."""
    title: str
    state: str
    """In the words of whoever keeps it."""
    made_block: int
    block: int
    """Today."""
    findings: tuple[Finding, ...]
    simulation: Simulation | None
    """None if it is over: there is nothing to execute any more."""

    @property
    def alive(self) -> bool:
        """Whether it can be executed and then does what was wanted."""
        return self.simulation is not None and self.simulation.holds

    @property
    def sound(self) -> bool:
        """Whether it may be executed as it was meant."""
        return self.alive and not self.findings


def check(
    proposal: Proposal, chain: ChainView, fork: Fork, *, proposer: str = "", voters: Sequence[str] = ()
) -> Verdict:
    """Look at everything.

    Args:
        proposal: from its file, or found on the chain.
        chain: today.
        fork: of today; it is changed.
        proposer: as `simulate` takes it.
        voters: likewise.

    Raises: `BadInput` if the proposal is of another chain; `Retry` if the node cannot be asked.
    """
    if proposal.chain_id != chain.rpc.chain_id:
        raise BadInput(
            f"the proposal is for chain {proposal.chain_id}, this is {chain.rpc.chain_id}", hint="ask that chain's node"
        )
    _whole(proposal, chain)
    state, over = standing(proposal, chain)
    findings = tuple(_findings(proposal, chain))
    if over:
        findings = (Finding(drift=Drift.STATE, said=f"the proposal is {state}"), *findings)
    return Verdict(
        name=proposal.ids.name,
        title=proposal.title,
        state=state,
        made_block=proposal.block,
        block=chain.block.number,
        findings=findings,
        simulation=None if over else resimulated(proposal, fork, proposer=proposer, voters=voters),
    )


def _whole(proposal: Proposal, chain: ChainView) -> None:
    """What would be signed is what the calls say.  Raises: `BadInput` for a file that somebody changed."""
    route, calls, words = proposal.route, proposal.calls, proposal.description
    ids = ids_of(route, calls, words, chain_id=chain.rpc.chain_id)
    same = ids == proposal.ids and changes_in(words).strip() == proposal.changes.strip()
    if not same or steps_of(chain, route, calls, words) != proposal.steps:
        raise BadInput(
            "the proposal's ids, transactions or changes are not those of its calls",
            hint="somebody changed the file: make it anew, or check it by its number",
        )


def resimulated(proposal: Proposal, fork: Fork, *, proposer: str = "", voters: Sequence[str] = ()) -> Simulation:
    """From where it stands today to its end; what it was simulated on when it was made counts for nothing here."""
    return simulate(proposal, fork, proposer=proposer, voters=voters)


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


def _findings(proposal: Proposal, chain: ChainView) -> Iterator[Finding]:
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
    for address, code in proposal.code.items():
        if chain.code_hash(address) != code:
            yield Finding(drift=Drift.CODE, said=f"{_name(chain, address)} runs other code than when it was proposed")
    yield from _oracles(chain)


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
    state, _ = standing(proposal, chain)
    if nonce > route.safe_nonce and state.startswith("not "):
        yield Finding(
            drift=Drift.ROUTE,
            said=f"the Safe is at nonce {nonce}, the proposal was made for {route.safe_nonce}: signatures are void",
        )


def _oracles(chain: ChainView) -> Iterator[Finding]:
    assets = dict.fromkeys(chain.deployment.symbols.values())
    for number in list(chain.deployment.collaterals)[1:]:  # the first is the settlement token, which has no feed
        config = chain.one("ClearingHouse", "collateral", number)
        assets.setdefault(config["asset"].rstrip(b"\0").decode(errors="replace"))
    for asset in assets:
        try:
            chain.one("PriceOracle", "price", asset.encode().ljust(32, b"\0"))
        except Refused as error:
            yield Finding(drift=Drift.ORACLE, said=f"the price of {asset}: {error.message}")


def _name(chain: ChainView, address: str) -> str:
    known = {at.lower(): name for name, at in chain.deployment.addresses.items()}
    return f"{known.get(address.lower(), 'the contract')} at {address}"
