"""The pure half of the cycle over stored blocks: the same inputs must give the same bytes (law REP-1)."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.cycle import think
from keeper.domain import codec
from keeper.domain.cycle import CycleInputs, Decision
from keeper.errors import BadInput
from keeper.ports import Store


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One block lived again."""

    inputs: CycleInputs
    decision: Decision
    same: bool
    """Whether the decision's bytes equal those stored when the block was lived."""


def replay(store: Store, block_hash: str) -> Replay:
    """Think about a stored block again.

    Raises:
        BadInput: the block was never lived, or its snapshot has been pruned.
    """
    inputs = store.inputs(block_hash)
    record = store.cycle(block_hash)
    if inputs is None or record is None:
        raise BadInput(
            f"block {block_hash} is not in the store",
            hint="`keeper status` lists the blocks that are; snapshots older than [store] keep_blocks are dropped",
        )
    decision = think(inputs)
    return Replay(inputs=inputs, decision=decision, same=codec.dumps(decision) == codec.dumps(record.decision))
