"""The way through a Governor on a fork: who proposes, who votes, and what is left to do from any of its states."""

from __future__ import annotations

from typing import Final

from eth_utils import to_checksum_address

from keeper.errors import BadInput, KeeperError, Refused
from keeper.governance import governor
from keeper.governance.chain import GOVERNOR, ChainView
from keeper.governance.governor import ProposalState
from keeper.governance.walking import Path
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


def by_governor(path: Path) -> None:
    """Propose, vote, queue, execute: whatever is left of it.  Raises: `Refused`, `BadInput` with the reason."""
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


def _advance(path: Path, chain: ChainView, until: str, number: int, says: str) -> None:
    """Pass a moment of the governor's clock, which counts blocks or seconds."""
    at = path.proposal.route.governor
    moment, now = chain.one(GOVERNOR, until, number, at=at), chain.one(GOVERNOR, "clock", at=at)
    if "timestamp" in chain.one(GOVERNOR, "CLOCK_MODE", at=at):
        path.fork.warp(moment + 1)
    else:
        path.fork.mine(moment - now + 1)
    path.note(says)


def _vote(path: Path, chain: ChainView, number: int) -> None:
    at = path.proposal.route.governor
    abi = chain.abi(GOVERNOR)
    for voter in path.voters or _electorate(path, chain):
        if not chain.one(GOVERNOR, "hasVoted", number, voter, at=at):
            gas = path.fork.send(voter, at, abi.call("castVote", number, _FOR), contract=GOVERNOR)
            path.note(f"vote for by {voter}", gas)


def _electorate(path: Path, chain: ChainView) -> list[str]:
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
