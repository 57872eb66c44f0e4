"""Ids and calldata of OpenZeppelin's Governor with a TimelockController behind it.

Source: @openzeppelin/contracts 5.7.0: hashProposal, propose, queue, execute; GovernorTimelockControl for the salt.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from eth_abi.abi import encode
from eth_utils import keccak

from keeper.governance.chain import GOVERNOR, ChainView
from keeper.governance.items import Call, make_call
from keeper.governance.timelock import batch


class ProposalState(StrEnum):
    """The governor's own words, in its order."""

    PENDING = "pending"
    ACTIVE = "active"
    CANCELED = "canceled"
    DEFEATED = "defeated"
    SUCCEEDED = "succeeded"
    QUEUED = "queued"
    EXPIRED = "expired"
    EXECUTED = "executed"


def description_hash(description: str) -> bytes:
    """What stands for the text in every later call."""
    return keccak(text=description)


def proposal_id(calls: Sequence[Call], description: str) -> int:
    """`hashProposal`: the same calls with another text are another proposal."""
    types = ("address[]", "uint256[]", "bytes[]", "bytes32")
    return int.from_bytes(keccak(encode(types, [*batch(calls), description_hash(description)])), "big")


def timelock_salt(governor: str, description: str) -> bytes:
    """Salt of the operation that the governor schedules: its own address over the text's hash."""
    left = bytes.fromhex(governor.removeprefix("0x")).ljust(32, b"\0")
    return bytes(a ^ b for a, b in zip(left, description_hash(description), strict=True))


def propose(chain: ChainView, at: str, calls: Sequence[Call], description: str) -> Call:
    """The proposer's call."""
    return make_call(chain, GOVERNOR, "propose", *batch(calls), description, at=at)


def queue(chain: ChainView, at: str, calls: Sequence[Call], description: str) -> Call:
    """Anyone's call, once the vote has passed."""
    return make_call(chain, GOVERNOR, "queue", *batch(calls), description_hash(description), at=at)


def execute(chain: ChainView, at: str, calls: Sequence[Call], description: str) -> Call:
    """Anyone's call, once the timelock's delay is over."""
    value = sum(one.value for one in calls)
    return make_call(chain, GOVERNOR, "execute", *batch(calls), description_hash(description), at=at, value=value)


def state_of(chain: ChainView, at: str, number: int) -> ProposalState:
    """Where it stands.  Raises: `Refused` if the governor does not know it."""
    place: int = chain.one(GOVERNOR, "state", number, at=at)
    return tuple(ProposalState)[place]
