"""A proposal on a fork, through its whole way: from wherever it stands now to execution, and what the state is after.

A proposal that is not there yet is proposed; one that waits for votes is voted for; one that is queued waits for its
delay.  Everybody who acts is taken from the chain: voters and their votes, owners of the Safe, holders of roles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.errors import BadInput, Refused
from keeper.governance.aftermath import Check, checks_of
from keeper.governance.election import by_governor
from keeper.governance.fork import Fork
from keeper.governance.proposal import Proposal
from keeper.governance.route import Way
from keeper.governance.walking import Acted, Path, by_safe, by_timelock


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What happened, and whether the state afterwards is the one that was wanted."""

    engine: str
    block: int
    """Block that was forked."""
    acted: tuple[Acted, ...]
    checks: tuple[Check, ...]
    failure: str = ""
    """Why it ended early; empty if it was executed."""

    @property
    def holds(self) -> bool:
        """Whether it was executed and did what was wanted."""
        return not self.failure and all(check.holds for check in self.checks)


def simulate(proposal: Proposal, fork: Fork, *, proposer: str = "", voters: Sequence[str] = ()) -> Simulation:
    """Take a proposal to its end on a fork.

    Args:
        proposal: what to execute.
        fork: where; it is changed.
        proposer: who proposes or schedules; found on the chain if empty.
        voters: who votes; found on the chain if empty.

    Returns: also where it fails, with the contract's words: that is an answer.
    Raises: `Retry` if the forked node cannot be asked.
    """
    begin = fork.view()
    path = Path(proposal=proposal, fork=fork, proposer=proposer, voters=voters)
    ways = {Way.GOVERNOR: by_governor, Way.TIMELOCK: by_timelock, Way.SAFE: by_safe}
    failure = ""
    try:
        ways[proposal.route.way](path)
    except Refused as refusal:
        failure = refusal.message
    except BadInput as error:
        failure = f"{error.message}; {error.hint}"
    checks = () if failure else tuple(checks_of(path, begin))
    return Simulation(
        engine=str(fork.engine), block=begin.block.number, acted=tuple(path.acted), checks=checks, failure=failure
    )


def apply_now(proposal: Proposal, fork: Fork) -> None:
    """Only what the proposal does, in the next blocks and by its executor, without its way.

    It is for comparing the state before and after at one time and price.  Raises: `Refused`.
    """
    for call in proposal.calls:
        fork.act(proposal.route.executor, call)
