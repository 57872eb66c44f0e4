"""What must hold once a proposal was executed: every wanted number is there, and nothing else was left behind."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.errors import BadInput, Refused
from keeper.governance import timelock
from keeper.governance.chain import ChainView
from keeper.governance.changes import parse_changes
from keeper.governance.hands import moved
from keeper.governance.items import Call, Difference
from keeper.governance.proposal import items_of
from keeper.governance.steps import operation_of
from keeper.governance.timelock import OperationState
from keeper.governance.walking import Path


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that must hold afterwards."""

    what: str
    holds: bool
    said: str


def checks_of(path: Path, begin: ChainView) -> list[Check]:
    """Hold the fork as it is now against what was wanted, and against `begin`, where the way began."""
    proposal, chain = path.proposal, path.fork.view()
    told = {(d.of, d.name): d for d in proposal.differences}
    found = [
        _number(d, told.get((d.of, d.name), d))
        for item in items_of(parse_changes(proposal.changes), chain, proposal.route)
        for d in item.differences
        if d.name != "called"
    ]
    if proposal.route.timelock:
        op = operation_of(proposal.route, proposal.calls, proposal.description)
        state = timelock.state_of(chain, proposal.route.timelock, op)
        found.append(Check(what="operation of the timelock", holds=state is OperationState.DONE, said=str(state)))
    names = {at.lower(): name for name, at in chain.deployment.addresses.items()}
    for address in proposal.code:
        same = chain.code_hash(address) == begin.code_hash(address)
        name = names.get(address.lower(), address)
        found.append(Check(what=f"code of {name}", holds=same, said="unchanged" if same else "changed"))
    left = list(moved(begin, chain, proposal.route, _wanted(path, begin)))
    said = "; ".join(f"{contract}, {what}" for contract, what in left) or "as wanted, and otherwise as before"
    found.append(Check(what="owners, keepers and holders of roles", holds=not left, said=said))
    return found


def _wanted(path: Path, begin: ChainView) -> tuple[Call, ...]:
    """The calls that the text asks for; those that are made, where it asks for nothing that can be generated."""
    proposal = path.proposal
    try:
        items = items_of(parse_changes(proposal.changes), begin, proposal.route)
    except (BadInput, Refused):
        return proposal.calls
    return tuple(call for item in items for call in item.calls)


def _number(now: Difference, told: Difference) -> Check:
    """Whether a number is the one that the changes want, and the one that the proposal said it would be."""
    holds = now.old == now.new == told.new
    return Check(what=f"{now.of}: {now.name}", holds=holds, said=f"is {now.old_shown}, wanted {told.new_shown}")
