"""Ids and calldata of OpenZeppelin's TimelockController.

Source: @openzeppelin/contracts 5.7.0, hashOperationBatch, scheduleBatch, executeBatch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from eth_abi.abi import encode
from eth_utils import keccak

from keeper.governance.chain import TIMELOCK, ChainView
from keeper.governance.items import Call, make_call

#: No operation has to come before.
NO_PREDECESSOR = bytes(32)
BATCH_TYPES = ("address[]", "uint256[]", "bytes[]", "bytes32", "bytes32")


class OperationState(StrEnum):
    """The timelock's own words, in its order."""

    UNSET = "unset"
    WAITING = "waiting"
    READY = "ready"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One batch as the timelock knows it."""

    id: bytes
    predecessor: bytes
    salt: bytes


def operation(calls: Sequence[Call], *, salt: bytes, predecessor: bytes = NO_PREDECESSOR) -> Operation:
    """Its id: keccak-256 of what will be executed."""
    targets, values, datas = batch(calls)
    found = keccak(encode(BATCH_TYPES, [targets, values, datas, predecessor, salt]))
    return Operation(id=found, predecessor=predecessor, salt=salt)


def batch(calls: Sequence[Call]) -> tuple[list[str], list[int], list[bytes]]:
    """Calls in the columns that Governor and Timelock take."""
    return [one.target for one in calls], [one.value for one in calls], [one.data for one in calls]


def schedule(chain: ChainView, at: str, calls: Sequence[Call], op: Operation, *, delay_s: int) -> Call:
    """The proposer's call."""
    args = (*batch(calls), op.predecessor, op.salt, delay_s)
    return make_call(chain, TIMELOCK, "scheduleBatch", *args, at=at)


def execute(chain: ChainView, at: str, calls: Sequence[Call], op: Operation) -> Call:
    """The executor's call."""
    value = sum(one.value for one in calls)
    return make_call(chain, TIMELOCK, "executeBatch", *batch(calls), op.predecessor, op.salt, at=at, value=value)


def state_of(chain: ChainView, at: str, op: Operation) -> OperationState:
    """Where it stands."""
    place: int = chain.one(TIMELOCK, "getOperationState", op.id, at=at)
    return tuple(OperationState)[place]
