"""A proposal that is under way, against today's state: is it what it was when it was written, and does it still pass?

What was proposed weeks ago meets another chain when it is executed: a bound moved meanwhile and would be moved back, a
contract was replaced, a price feed stands still, an option's expiry has passed.  So before execution it is generated
again, compared byte by byte, and simulated from where it stands to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.domain.block import BlockRef
from keeper.errors import BadInput, KeeperError, Refused
from keeper.governance.chain import ChainView
from keeper.governance.changes import parse_changes
from keeper.governance.drift import Drift, Finding, findings_of, items_differences, standing
from keeper.governance.fork import Fork
from keeper.governance.proposal import Proposal, build, changes_in
from keeper.governance.simulate import Simulation, simulate
from keeper.governance.steps import ids_of, steps_of, views_of

_CHANGED: Final = "somebody changed the file: make it anew, or check it by its number"


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
    findings = tuple(findings_of(proposal, chain))
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
    """What would be signed is what the calls say, and the rest what they were made of.

    Raises: `BadInput` for a file that somebody changed.
    """
    route, calls, words = proposal.route, proposal.calls, proposal.description
    ids = ids_of(route, calls, words, chain_id=chain.rpc.chain_id)
    same = ids == proposal.ids and changes_in(words).strip() == proposal.changes.strip()
    if not same or steps_of(chain, route, calls, words) != proposal.steps:
        raise BadInput(
            "the proposal's ids, transactions or changes are not those of its calls",
            hint=_CHANGED,
        )
    title = parse_changes(proposal.changes).title
    if proposal.title != title or proposal.views != views_of(chain, route, calls, words):
        raise BadInput("the proposal's title or views are not those of its changes and calls", hint=_CHANGED)
    then = _block_of(proposal, chain)
    wrong = _other_than(proposal, ChainView(chain.rpc, chain.deployment, then)) or _unnamed(proposal, chain)
    if wrong:
        raise BadInput(
            f"the proposal's {wrong} are not what its changes made them at block {then.number}", hint=_CHANGED
        )


def _block_of(proposal: Proposal, chain: ChainView) -> BlockRef:
    """The block that it says it was made on.  Raises: `BadInput` if the chain has no such block."""
    number = proposal.block
    block = chain.rpc.block(number) if 0 <= number <= chain.block.number else None
    if block is None or (block.hash, block.timestamp) != (proposal.block_hash, proposal.time_s):
        known = "it has none" if block is None else f"its block is {block.hash} of {block.timestamp}"
        raise BadInput(
            f"the proposal was made on block {number}, {proposal.block_hash} of {proposal.time_s}, which this chain "
            f"does not have: {known}",
            hint=f"a reorganisation replaced that block, or {_CHANGED}",
        )
    return block


def _other_than(proposal: Proposal, then: ChainView) -> str:
    """What of it is not what its changes give at its own block; empty if nothing, or the node forgot that state."""
    try:
        fresh = build(parse_changes(proposal.changes), then, proposal.route)
    except KeeperError:
        return ""
    pairs = (
        ("old and new values (differences)", fresh.differences, proposal.differences),
        ("values that are as wanted (settled)", fresh.settled, proposal.settled),
        ("hashes of code", fresh.code, proposal.code),
    )
    return next((name for name, ours, theirs in pairs if ours != theirs), "")


def _unnamed(proposal: Proposal, chain: ChainView) -> str:
    """The same as far as a node can tell that keeps no old state: every wanted number is named, with its new value."""
    if not proposal.code:
        return ""  # not known either, which is a finding
    try:
        wanted = items_differences(proposal, chain)
    except (BadInput, Refused):
        return ""  # it cannot be generated today, which is a finding
    made = {(d.of, d.name): d.new for d in proposal.differences}
    there = all(
        made.get((d.of, d.name)) == d.new or f"{d.of}: {d.name} is {d.new_shown}" in proposal.settled for d in wanted
    )
    named = set(made) <= {(d.of, d.name) for d in wanted}
    return "" if there and named else "old and new values (differences)"


def resimulated(proposal: Proposal, fork: Fork, *, proposer: str = "", voters: Sequence[str] = ()) -> Simulation:
    """From where it stands today to its end; what it was simulated on when it was made counts for nothing here."""
    return simulate(proposal, fork, proposer=proposer, voters=voters)
