"""A proposal on a fork, through its whole way: from wherever it stands now to execution, and what the state is after.

A proposal that is not there yet is proposed; one that waits for votes is voted for; one that is queued waits for its
delay.  Everybody who acts is taken from the chain: voters and their votes, owners of the Safe, holders of roles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from eth_utils import keccak, to_checksum_address

from keeper.errors import BadInput, KeeperError, Refused
from keeper.governance import governor, safe, timelock
from keeper.governance.chain import GOVERNOR, SAFE, TIMELOCK, ZERO, ChainView
from keeper.governance.changes import parse_changes
from keeper.governance.fork import Fork
from keeper.governance.governor import ProposalState
from keeper.governance.items import Call
from keeper.governance.proposal import Proposal, items_of
from keeper.governance.route import Way, operation_of, safe_view
from keeper.governance.timelock import OperationState
from keeper.protocols.abi import Abi

_FOR: Final = 1
_STATES_AT_MOST: Final = 12
_VOTES: Final = Abi("IVotes", [
    {"type": "event", "name": "DelegateVotesChanged", "inputs": [
        {"name": "delegate", "type": "address", "indexed": True},
        {"name": "previousVotes", "type": "uint256", "indexed": False},
        {"name": "newVotes", "type": "uint256", "indexed": False},
    ]},
])  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Acted:
    """One thing that happened on the fork."""

    what: str
    block: int
    time_s: int
    gas: int = 0
    """0 where time passed and nobody acted."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that must hold afterwards."""

    what: str
    holds: bool
    said: str


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


@dataclass(kw_only=True)
class _Path:
    """A proposal under way on a fork."""

    proposal: Proposal
    fork: Fork
    proposer: str
    voters: Sequence[str]
    acted: list[Acted] = field(default_factory=list)

    def act(self, what: str, sender: str, call: Call) -> None:
        gas = self.fork.act(sender, call)
        self.note(f"{what} by {sender}", gas)

    def note(self, what: str, gas: int = 0) -> None:
        head = self.fork.rpc.block()
        self.acted.append(Acted(what=what, block=head.number, time_s=head.timestamp, gas=gas))

    def call(self, name: str) -> Call:
        return next(step.call for step in self.proposal.steps if step.name == name)


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
    path = _Path(proposal=proposal, fork=fork, proposer=proposer, voters=voters)
    ways = {Way.GOVERNOR: _by_governor, Way.TIMELOCK: _by_timelock, Way.SAFE: _by_safe}
    failure = ""
    try:
        ways[proposal.route.way](path)
    except Refused as refusal:
        failure = refusal.message
    except BadInput as error:
        failure = f"{error.message}; {error.hint}"
    checks = () if failure else tuple(_checks(path, begin))
    return Simulation(
        engine=str(fork.engine), block=begin.block.number, acted=tuple(path.acted), checks=checks, failure=failure
    )


def apply_now(proposal: Proposal, fork: Fork) -> None:
    """Only what the proposal does, in the next blocks and by its executor, without its way.

    It is for comparing the state before and after at one time and price.  Raises: `Refused`.
    """
    for call in proposal.calls:
        fork.act(proposal.route.executor, call)


def _by_governor(path: _Path) -> None:
    route, number = path.proposal.route, int(path.proposal.ids.proposal)
    for _ in range(_STATES_AT_MOST):
        chain = path.fork.view()
        state = _governor_state(chain, route.governor, number)
        if state is ProposalState.EXECUTED:
            return
        if state is None:
            who = path.proposer or _electorate(path, chain)[0]
            path.act("propose", who, path.call("propose"))
        elif state is ProposalState.PENDING:
            _advance(path, chain, "proposalSnapshot", number, "the vote opens")
        elif state is ProposalState.ACTIVE:
            _vote(path, chain, number)
            _advance(path, chain, "proposalDeadline", number, "the vote closes")
        elif state is ProposalState.SUCCEEDED:
            path.act("queue", path.proposer or path.fork.view().address("ClearingHouse"), path.call("queue"))
        elif state is ProposalState.QUEUED:
            path.fork.warp(chain.one(GOVERNOR, "proposalEta", number, at=route.governor))
            path.note("the delay is over")
            path.act("execute", path.proposer or path.fork.view().address("ClearingHouse"), path.call("execute"))
        else:
            raise Refused(f"the proposal is {state}: it cannot be executed any more")
    raise Refused("the proposal does not get anywhere")


def _governor_state(chain: ChainView, at: str, number: int) -> ProposalState | None:
    try:
        return governor.state_of(chain, at, number)
    except Refused:
        return None


def _advance(path: _Path, chain: ChainView, until: str, number: int, says: str) -> None:
    """Pass a moment of the governor's clock, which counts blocks or seconds."""
    at = path.proposal.route.governor
    moment, now = chain.one(GOVERNOR, until, number, at=at), chain.one(GOVERNOR, "clock", at=at)
    if "timestamp" in chain.one(GOVERNOR, "CLOCK_MODE", at=at):
        path.fork.warp(moment + 1)
    else:
        path.fork.mine(moment - now + 1)
    path.note(says)


def _vote(path: _Path, chain: ChainView, number: int) -> None:
    at = path.proposal.route.governor
    abi = chain.abi(GOVERNOR)
    for voter in path.voters or _electorate(path, chain):
        if not chain.one(GOVERNOR, "hasVoted", number, voter, at=at):
            gas = path.fork.send(voter, at, abi.call("castVote", number, _FOR), contract=GOVERNOR)
            path.note(f"vote for by {voter}", gas)


def _electorate(path: _Path, chain: ChainView) -> list[str]:
    """Holders of most votes first, as many as make the quorum.  Raises: `BadInput` if they cannot be found."""
    at = path.proposal.route.governor
    token = to_checksum_address(chain.one(GOVERNOR, "token", at=at))
    topic = _VOTES.topic("DelegateVotesChanged")
    assert topic is not None
    try:
        logs = chain.rpc.logs(0, chain.block.number, [token], ["0x" + topic.hex()])
    except KeeperError as error:
        raise BadInput(f"who votes cannot be found: {error.message}", hint="name them with --voter") from error
    votes: dict[str, int] = {}
    for log in logs:
        found = _VOTES.event(log.topics, log.data)
        if found is not None:
            votes[to_checksum_address(found.args["delegate"])] = found.args["newVotes"]
    past = chain.one(GOVERNOR, "clock", at=at) - 1
    needed = chain.one(GOVERNOR, "quorum", past, at=at)
    ranked = sorted((voter for voter, held in votes.items() if held), key=lambda v: (-votes[v], v))
    chosen: list[str] = []
    total = 0
    for voter in ranked:
        if total >= needed and chosen:
            break
        chosen.append(voter)
        total += votes[voter]
    if not chosen or total < needed:
        raise BadInput(
            f"all who hold votes have {total} together, the quorum is {needed}", hint="delegate votes, or use --voter"
        )
    return chosen


def _by_timelock(path: _Path) -> None:
    route = path.proposal.route
    op = operation_of(route, path.proposal.calls, path.proposal.description)
    chain = path.fork.view()
    if timelock.state_of(chain, route.timelock, op) is OperationState.UNSET:
        path.act("schedule", path.proposer or _holder(chain, route.timelock, "PROPOSER_ROLE"), path.call("schedule"))
    _execute_when_ready(path, op)


def _execute_when_ready(path: _Path, op: timelock.Operation) -> None:
    route = path.proposal.route
    chain = path.fork.view()
    if timelock.state_of(chain, route.timelock, op) is OperationState.DONE:
        return
    path.fork.warp(chain.one(TIMELOCK, "getTimestamp", op.id, at=route.timelock))
    path.note("the delay is over")
    execute = timelock.execute(chain, route.timelock, path.proposal.calls, op)
    path.act("execute", _holder(path.fork.view(), route.timelock, "EXECUTOR_ROLE"), execute)


def _holder(chain: ChainView, at: str, role_name: str) -> str:
    """Somebody who holds a role of the timelock; anybody, where it is open to all."""
    role = keccak(text=role_name)
    if chain.one(TIMELOCK, "hasRole", role, ZERO, at=at):
        return chain.address("ClearingHouse")
    granted = [e["account"] for e in chain.events(TIMELOCK, "RoleGranted", at=at) if e["role"] == role]
    for account in reversed(granted):
        if chain.one(TIMELOCK, "hasRole", role, account, at=at):
            return to_checksum_address(account)
    raise Refused(f"nobody holds {role_name} of the timelock {at}")


def _by_safe(path: _Path) -> None:
    """With the Safe's own check of what its owners approved: the hash is ours, the check is the Safe's."""
    route = path.proposal.route
    if route.direct:
        _safe_sends(path, path.proposal.calls, "execute")
        return
    op = operation_of(route, path.proposal.calls, path.proposal.description)
    chain = path.fork.view()
    if timelock.state_of(chain, route.timelock, op) is OperationState.UNSET:
        plan = timelock.schedule(chain, route.timelock, path.proposal.calls, op, delay_s=route.delay_s)
        _safe_sends(path, [plan], "schedule")
    _execute_when_ready(path, op)


def _safe_sends(path: _Path, calls: Sequence[Call], what: str) -> None:
    route, chain = path.proposal.route, path.fork.view()
    tx = safe.safe_tx(calls, nonce=safe_view(chain, route.safe, "nonce"), multi_send=route.multi_send)
    hashed = safe.safe_tx_hash(tx, safe=route.safe, chain_id=path.proposal.chain_id)
    abi = Abi(SAFE, safe.ABI)
    owners = sorted(safe_view(chain, route.safe, "getOwners"), key=lambda owner: int(owner, 16))
    chosen = owners[: safe_view(chain, route.safe, "getThreshold")]
    for owner in chosen:
        gas = path.fork.send(to_checksum_address(owner), route.safe, abi.call("approveHash", hashed), contract=TIMELOCK)
        path.note(f"approve {what} by owner {to_checksum_address(owner)}", gas)
    # A signature with v = 1 says: this owner approved the hash on chain.
    signatures = b"".join(bytes.fromhex(o[2:]).rjust(32, b"\0") + bytes(32) + b"\x01" for o in chosen)
    data = abi.call("execTransaction", *safe.exec_arguments(tx, signatures))
    gas = path.fork.send(to_checksum_address(chosen[0]), route.safe, data, contract=TIMELOCK)
    path.note(f"{what} by the Safe", gas)


def _checks(path: _Path, begin: ChainView) -> list[Check]:
    proposal, chain = path.proposal, path.fork.view()
    found = [
        Check(what=f"{d.of}: {d.name}", holds=not d.moves, said=f"is {d.old_shown}, wanted {d.new_shown}")
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
    role = keccak(text="LISTER_ROLE")
    before, after = (view.one("RiskParameters", "hasRole", role, proposal.route.executor) for view in (begin, chain))
    found.append(
        Check(
            what="the executor's lister role",
            holds=before == after,
            said="as before" if before == after else "left over",
        )
    )
    return found
